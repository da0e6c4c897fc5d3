// The one class a host meets: a twin, its knobs and its cabinet, from samples to samples.
//
// Latency: none. Every constructor allocates; process() and reset() never allocate, lock or throw.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>

#include "tubetwin/cabinet.h"
#include "tubetwin/denormals.h"
#include "tubetwin/memory.h"
#include "tubetwin/network.h"
#include "tubetwin/twin_file.h"
#include "tubetwin/wavenet.h"

namespace tubetwin {

class Player {
 public:
  // The twin is not needed afterwards; `kernels` are those of native.h, or chosen at run time.
  // The knobs stand at their defaults. [main-thread]
  Player(const Twin& twin, const Kernels& kernels)
      : knobCount_(static_cast<int>(twin.knobs.size())), net_(kernels), cabinet_(kernels) {
    rampLength_ = static_cast<int>(std::lround(0.02 * twin.sampleRateHz));
    place(twin);
    memory_.allocate();
    place(twin);
    net_.load(twin);
    for (int k = 0; k < knobCount_; k++) {
      const Knob& knob = twin.knobs[k];
      const double travel = (knob.initial - knob.minimum) / (knob.maximum - knob.minimum);
      new (&asked_[k]) std::atomic<float>(static_cast<float>(travel));
    }
    reset();
  }

  // Turns a knob, 0...1; from the next block on, the sound glides there. [any-thread]
  void setKnob(int knob, float normalised) noexcept {
    if (knob < 0 || knob >= knobCount_ || !std::isfinite(normalised)) return;
    asked_[knob].store(std::clamp(normalised, 0.0f, 1.0f), std::memory_order_relaxed);
    turned_.store(true, std::memory_order_release);
  }

  // How long a glide takes; 0: knobs jump. [any-thread]
  void setRamp(int samples) noexcept { rampLength_.store(std::max(samples, 0), std::memory_order_relaxed); }

  // An impulse response at the twin's sample rate; null or 0 samples: no cabinet. It starts as if
  // silence had been for ever. [main-thread, while nothing plays]
  void loadCabinet(const float* response, int samples) {
    cabinet_.load(response, samples);
    cabinet_.settle(silence_);
  }

  // Forgets all that was played; knobs are at once where they were turned to. [audio-thread]
  void reset() noexcept {
    const WithoutDenormals guard;
    turned_.store(false, std::memory_order_relaxed);
    silence_ = net_.settle(readKnobs());
    cabinet_.settle(silence_);
  }

  // Plays any number of samples; `in` and `out` may be the same. [audio-thread]
  void process(const float* in, float* out, int n) noexcept {
    const WithoutDenormals guard;
    while (n > 0) {
      if (turned_.exchange(false, std::memory_order_acquire))
        net_.moveKnobs(readKnobs(), rampLength_.load(std::memory_order_relaxed));
      const int count = net_.stretch(n);
      for (int t = 0; t < count; t++) block_[t] = sane(in[t]);
      net_.play(block_, out, count);
      cabinet_.process(out, count);
      in += count;
      out += count;
      n -= count;
    }
  }

  // Samples that the player adds. [any-thread]
  int latency() const noexcept { return 0; }
  long receptiveField() const noexcept { return net_.receptiveField(); }
  const Architecture& shape() const noexcept { return net_.shape(); }
  const Kernels& kernels() const noexcept { return net_.kernels(); }

  // Bytes allocated for a part. The player itself, sizeof(Player), comes on top. [main-thread]
  std::size_t bytes(Part part) const { return memory_.bytes(part) + cabinet_.memory().bytes(part); }

 private:
  // 36 dB over full scale: far beyond any guitar, and no overflow on the way through the network.
  static constexpr float kLoudest = 64;

  static float sane(float sample) { return std::abs(sample) <= kLoudest ? sample : brought(sample); }
  static float brought(float sample) {
    return std::isfinite(sample) ? std::copysign(kLoudest, sample) : 0.0f;
  }

  void place(const Twin& twin) {
    net_.place(memory_, twin);
    block_ = memory_.take<float>(Part::scratch, kMaxBlock);
    knobs_ = memory_.take<float>(Part::film, knobCount_);
    asked_ = memory_.take<std::atomic<float>>(Part::film, knobCount_);
  }

  const float* readKnobs() noexcept {
    for (int k = 0; k < knobCount_; k++) knobs_[k] = asked_[k].load(std::memory_order_relaxed);
    return knobs_;
  }

  const int knobCount_;
  Memory memory_;
  WaveNet net_;
  Cabinet cabinet_;
  float* block_ = nullptr;
  float* knobs_ = nullptr;                // as read for the last move
  std::atomic<float>* asked_ = nullptr;  // as turned
  std::atomic<bool> turned_{false};
  std::atomic<int> rampLength_{0};
  float silence_ = 0;  // what comes out when nothing goes in
};

}  // namespace tubetwin
