// The one class a host meets: a twin, its knobs and its cabinet, from samples to samples.
//
//     DI -> input trim -> gate -> twin -> cabinet -> output level -> out
//     '------------------- bypass, as late as the twin ------------'
//
// Threads: [main-thread] is one thread at a time, and not the audio thread; it takes memory and
// gives it back. [audio-thread] functions never allocate, free, lock, wait or throw. Setters may come
// from anywhere at any time.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "tubetwin/denormals.h"
#include "tubetwin/gate.h"
#include "tubetwin/glide.h"
#include "tubetwin/panel.h"
#include "tubetwin/slot.h"
#include "tubetwin/speakers.h"
#include "tubetwin/voice.h"

namespace tubetwin {

class Player {
 public:
  // The twin is not needed afterwards; `kernels` are those of native.h, or chosen at run time. It is
  // prepared for one channel of the twin's own rate, with the knobs at their defaults. `compact`
  // takes less memory for a little less precision: see wavenet.h. [main-thread]
  Player(const Twin& twin, const Kernels& kernels, bool compact = false)
      : kernels_(kernels), compact_(compact), hostHz_(std::llround(twin.sampleRateHz)) {
    const std::uint32_t number = panel_.renew(static_cast<int>(twin.knobs.size()));
    begin(std::make_unique<Voice>(twin, kernels, hostHz_, sides_, number, compact), nullptr, hostHz_, sides_);
  }

  // The host's sample rate, a whole number, and how many channels it plays: 1, or 2 with an amp
  // each. Blocks may be of any length. Ends with a reset. Raises std::invalid_argument.
  // [main-thread, while nothing plays]
  void prepare(double hostHz, int channels) {
    if (!(hostHz >= 1 && hostHz <= 1e9) || hostHz != std::floor(hostHz))
      throw std::invalid_argument("a host's sample rate must be a whole number of Hz");
    if (channels < 1 || channels > kMaxSides) throw std::invalid_argument("a player has 1 or 2 channels");
    const std::int64_t rate = std::llround(hostHz);
    auto voice = std::make_unique<Voice>(*voices_.newest(), rate, channels);
    std::unique_ptr<Speakers> speakers;
    if (const Speakers* old = speakers_.newest()) speakers = std::make_unique<Speakers>(*old, kernels_, rate, channels);
    begin(std::move(voice), std::move(speakers), rate, channels);
  }

  // Another twin takes over: it listens until it knows what it would, had it always played, and
  // fades in. Its knobs stand at their defaults until turned. Raises std::invalid_argument. [main-thread]
  void loadTwin(const Twin& twin) {
    const std::uint32_t number = panel_.number() + 1;
    auto voice = std::make_unique<Voice>(twin, kernels_, hostHz_, sides_, number, compact_);
    panel_.renew(static_cast<int>(twin.knobs.size()));
    voices_.hand(std::move(voice));
  }

  // Another impulse response takes over; 0 samples: no cabinet. Without a rate, it is at the twin's.
  // Raises std::invalid_argument. [main-thread]
  void loadCabinet(const float* response, int samples, double responseHz) {
    speakers_.hand(std::make_unique<Speakers>(std::vector<float>(response, response + samples),
                                              std::llround(responseHz), kernels_, hostHz_, sides_));
  }
  void loadCabinet(const float* response, int samples) {
    loadCabinet(response, samples, static_cast<double>(voices_.newest()->sampleRateHz()));
  }

  // Gives back the memory of what was replaced, which otherwise waits for the next load. [main-thread]
  void collect() {
    voices_.collect();
    speakers_.collect();
  }

  // Whether something that was loaded is still to be taken up. [any-thread]
  bool waits() const noexcept { return voices_.waits() || speakers_.waits(); }

  // Turns a knob, 0...1; from the next block on, the sound glides there. [any-thread]
  void setKnob(int knob, float normalised) noexcept { panel_.turn(knob, normalised); }
  // The same at a sample of the block to come, or of a later one. False if too many wait. [audio-thread]
  bool setKnob(int knob, float normalised, int sample) noexcept { return panel_.turnAt(knob, normalised, sample); }
  // How long a glide takes, in samples of the twin's rate; 0: knobs jump; below 0: 20 ms. [any-thread]
  void setRamp(int samples) noexcept { ramp_.store(samples, std::memory_order_relaxed); }

  // Gains before the gate and behind the cabinet, -120 to 60 dB. [any-thread]
  void setInput(float db) noexcept { store(inputGain_, gain(db)); }
  void setOutput(float db) noexcept { store(outputGain_, gain(db)); }
  // What is quieter than this, dB of full scale, is shut off before the twin hears it; -inf: nothing. [any-thread]
  void setGate(float db) noexcept { store(gate_, db == -std::numeric_limits<float>::infinity() ? 0 : gain(db)); }
  // Plays without the cabinet, which goes on listening, or with it again. [any-thread]
  void setCabinet(bool on) noexcept { boxed_.store(on, std::memory_order_relaxed); }
  // Lets the DI through as it is, late by latency(). The twin goes on listening. [any-thread]
  void setBypass(bool on) noexcept { bypassed_.store(on, std::memory_order_relaxed); }

  // Forgets all that was played; everything is at once where it was set to, and what was loaded
  // plays. [audio-thread]
  void reset() noexcept {
    const WithoutDenormals guard;
    voices_.jump();
    panel_.forget();
    panel_.turned();
    voices_.current()->read(panel_);
    settle();
    input_.jump(inputGain_.load(std::memory_order_relaxed));
    output_.jump(outputGain_.load(std::memory_order_relaxed));
    cabinet_.jump(boxed_.load(std::memory_order_relaxed));
    bypass_.jump(bypassed_.load(std::memory_order_relaxed));
    for (Gate& gate : gates_) gate.reset(gate_.load(std::memory_order_relaxed));
  }

  // Plays any number of samples, a row for each channel; `in` and `out` may be the same. [audio-thread]
  void process(const float* const* in, float* const* out, int n) noexcept {
    const WithoutDenormals guard;
    listen();
    for (int done = 0; done < n;) {
      const int count = turnKnobs(stretch(n - done));
      hear(in, done, count);
      voices_.process(rows_, spare_, 2 * sides_, count);
      box(count);
      say(out, done, count);
      panel_.pass(count);
      done += count;
    }
  }

  // One channel of sound; if there are two, both hear it. [audio-thread]
  void process(const float* in, float* out, int n) noexcept {
    const float* const ins[kMaxSides] = {in, in};
    float* const outs[kMaxSides] = {out, out};
    process(ins, outs, n);
  }

  // Samples that the player adds, of the host's rate: none, if that is the twin's. [main-thread]
  int latency() const noexcept { return voices_.newest()->latency(); }
  double hostRateHz() const noexcept { return static_cast<double>(hostHz_); }
  int channels() const noexcept { return sides_; }
  bool compact() const noexcept { return compact_; }
  long receptiveField() const noexcept { return voices_.newest()->net().receptiveField(); }
  const Architecture& shape() const noexcept { return voices_.newest()->net().shape(); }
  const Kernels& kernels() const noexcept { return kernels_; }

  // Bytes allocated for a part of what was loaded last. [main-thread]
  std::size_t bytes(Part part) const {
    const Speakers* speakers = speakers_.newest();
    return memory_.bytes(part) + voices_.newest()->bytes(part) + (speakers ? speakers->bytes(part) : 0);
  }
  // And for the player itself, and the objects that hold its parts. [main-thread]
  std::size_t objectBytes() const {
    const Speakers* speakers = speakers_.newest();
    return sizeof(Player) + voices_.newest()->objectBytes() + (speakers ? speakers->objectBytes() : 0);
  }

 private:
  // 36 dB over full scale: far beyond any guitar, and no overflow on the way through the network.
  static constexpr float kLoudest = 64;
  static constexpr double kFadeSeconds = 0.02;  // of everything that changes but the knobs

  static float sane(float sample) { return std::abs(sample) <= kLoudest ? sample : brought(sample); }
  static float brought(float sample) {
    return std::isfinite(sample) ? std::copysign(kLoudest, sample) : 0.0f;
  }
  static float gain(float db) { return std::pow(10.0f, std::clamp(db, -120.0f, 60.0f) / 20); }
  static void store(std::atomic<float>& place, float value) noexcept {
    if (std::isfinite(value)) place.store(value, std::memory_order_relaxed);
  }

  // Everything of a new host is in place, and nothing was ever played. [main-thread]
  void begin(std::unique_ptr<Voice> voice, std::unique_ptr<Speakers> speakers, std::int64_t hostHz, int sides) {
    Memory memory;
    const int chunk = voice->chunk();
    memory.take<float>(Part::scratch, 4 * static_cast<std::size_t>(sides) * chunk);
    memory.allocate();
    float* place = memory.take<float>(Part::scratch, 4 * static_cast<std::size_t>(sides) * chunk);
    for (float** rows : {rows_, spare_})
      for (int i = 0; i < 2 * sides; i++, place += chunk) rows[i] = place;
    memory_.swap(memory);
    hostHz_ = hostHz;
    sides_ = sides;
    chunk_ = chunk;
    fade_ = static_cast<int>(kFadeSeconds * static_cast<double>(hostHz) + 0.5);
    for (Gate& gate : gates_) gate.prepare(static_cast<double>(hostHz));
    voices_.put(std::move(voice));
    speakers_.put(std::move(speakers));
    reset();
  }

  // What was loaded last plays, as if it always had. [audio-thread]
  void settle() noexcept {
    voices_.jump();
    speakers_.jump();
    const float silence = voices_.current()->settle();
    if (speakers_.current()) speakers_.current()->settle(silence);
    fresh_ = true;
  }

  // Takes in what was set and loaded since the last block. [audio-thread]
  void listen() noexcept {
    if (fresh_ && (voices_.waits() || speakers_.waits())) settle();
    fresh_ = false;
    if (voices_.look(fade_)) voices_.next()->turn(panel_, 0);
    speakers_.look(fade_);
    input_.aim(inputGain_.load(std::memory_order_relaxed), fade_);
    output_.aim(outputGain_.load(std::memory_order_relaxed), fade_);
    cabinet_.aim(boxed_.load(std::memory_order_relaxed), fade_);
    bypass_.aim(bypassed_.load(std::memory_order_relaxed), fade_);
  }

  // How many of the next n samples can be played at once.
  int stretch(int n) const noexcept {
    n = std::min({n, chunk_, voices_.current()->chunk()});
    return voices_.next() ? std::min(n, voices_.next()->chunk()) : n;
  }

  // Turns the knobs that are due now, and says how many of n samples pass until the next turn.
  int turnKnobs(int n) noexcept {
    const int count = panel_.turnDue(n);
    if (!panel_.turned()) return count;
    const int ramp = ramp_.load(std::memory_order_relaxed);
    for (Voice* voice : {voices_.current(), voices_.next()})
      if (voice) voice->turn(panel_, ramp);
    return count;
  }

  // The DI, as it is and as the twin gets it.
  void hear(const float* const* in, int at, int n) noexcept {
    for (int s = 0; s < sides_; s++) {
      float* const dry = rows_[sides_ + s];
      for (int t = 0; t < n; t++) dry[t] = sane(in[s][at + t]);
      std::copy(dry, dry + n, rows_[s]);
    }
    if (!input_.rests(1))
      for (int t = 0; t < n; t++) {
        const float gain = input_.next();
        for (int s = 0; s < sides_; s++) rows_[s][t] = std::clamp(gain * rows_[s][t], -kLoudest, kLoudest);
      }
    const float threshold = gate_.load(std::memory_order_relaxed);
    for (int s = 0; s < sides_; s++) gates_[s].process(rows_[s], n, threshold);
  }

  // Through the speakers, as far as they are not passed by.
  void box(int n) noexcept {
    float* const* const bare = spare_ + sides_;  // the speakers use the first half only
    for (int s = 0; s < sides_ && !cabinet_.rests(1); s++) std::copy(rows_[s], rows_[s] + n, bare[s]);
    speakers_.process(rows_, spare_, sides_, n);
    if (cabinet_.rests(1)) return;
    for (int t = 0; t < n; t++) {
      const float share = eased(cabinet_.next());
      for (int s = 0; s < sides_; s++)
        rows_[s][t] = share > 0 ? bare[s][t] + share * (rows_[s][t] - bare[s][t]) : bare[s][t];
    }
  }

  void say(float* const* out, int at, int n) noexcept {
    if (!output_.rests(1) || !bypass_.rests(0))
      for (int t = 0; t < n; t++) {
        const float gain = output_.next(), share = eased(bypass_.next());
        for (int s = 0; s < sides_; s++) {
          const float dry = rows_[sides_ + s][t], wet = gain * rows_[s][t];
          rows_[s][t] = share < 1 ? wet + share * (dry - wet) : dry;
        }
      }
    for (int s = 0; s < sides_; s++) std::copy(rows_[s], rows_[s] + n, out[s] + at);
  }

  const Kernels& kernels_;
  const bool compact_;
  std::int64_t hostHz_;
  int sides_ = 1, chunk_ = 0, fade_ = 1;
  Memory memory_;
  Panel panel_;
  Slot<Voice> voices_;
  Slot<Speakers> speakers_;
  bool fresh_ = true;  // nothing was played since the reset
  Gate gates_[kMaxSides];
  Glide input_{1}, output_{1}, cabinet_{1}, bypass_{0};
  // For each side, what the twin plays; for each side, the DI as it is; and as many spare ones.
  float *rows_[2 * kMaxSides] = {}, *spare_[2 * kMaxSides] = {};
  std::atomic<float> inputGain_{1}, outputGain_{1}, gate_{0};
  std::atomic<bool> boxed_{true}, bypassed_{false};
  std::atomic<int> ramp_{-1};
};

}  // namespace tubetwin
