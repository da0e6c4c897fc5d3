// A twin as it sounds at the host's sample rate: the network, its knobs, and the way there and back.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#include "tubetwin/bridge.h"
#include "tubetwin/memory.h"
#include "tubetwin/panel.h"
#include "tubetwin/wavenet.h"

namespace tubetwin {

// One channel of sound.
class Side {
 public:
  // [main-thread]
  Side(const Twin& twin, const Kernels& kernels, std::int64_t hostHz, std::int64_t twinHz, bool compact) : net_(kernels) {
    const auto place = [&] {
      net_.place(memory_, twin, compact);
      placeBridge(hostHz, twinHz);
    };
    place();
    memory_.allocate();
    place();
    net_.load(twin);
    bridge_.load();
  }

  // Another one with the same network, but no past. [main-thread]
  Side(const Side& like, std::int64_t hostHz, std::int64_t twinHz) : net_(like.net_.kernels()) {
    net_.place(memory_, like.net_);
    const std::size_t weights = memory_.total();
    placeBridge(hostHz, twinHz);
    memory_.allocate();
    memory_.copy(like.memory_, weights);
    net_.place(memory_, like.net_);
    placeBridge(hostHz, twinHz);
    net_.load(like.net_);
    bridge_.load();
  }

  // Forgets the past. Returns the sample that silence gives. [audio-thread]
  float settle(const float* knobs) noexcept {
    const float silence = net_.settle(knobs);
    bridge_.settle(silence);
    std::fill(dry_, dry_ + bridge_.latency(), 0.0f);
    dryAt_ = 0;
    return silence;
  }

  void moveKnobs(const float* knobs, int samples) noexcept { net_.moveKnobs(knobs, samples); }

  // In place, at most a chunk. [audio-thread]
  void process(float* block, int n) noexcept {
    bridge_.process(block, n, net_.kernels(), [this](float* x, int count) {
      while (count > 0) {
        const int stretch = net_.stretch(count);
        net_.play(x, x, stretch);
        x += stretch;
        count -= stretch;
      }
    });
  }

  // What would have come out of a wire as slow as `process`. [audio-thread]
  void delay(float* dry, int n) noexcept {
    for (int t = 0; t < n && bridge_.latency() > 0; t++) {
      std::swap(dry[t], dry_[dryAt_]);
      if (++dryAt_ == bridge_.latency()) dryAt_ = 0;
    }
  }

  int latency() const noexcept { return bridge_.latency(); }
  const WaveNet& net() const noexcept { return net_; }
  const Memory& memory() const noexcept { return memory_; }

 private:
  void placeBridge(std::int64_t hostHz, std::int64_t twinHz) {
    bridge_.place(memory_, hostHz, twinHz);
    dry_ = memory_.take<float>(Part::resampler, bridge_.latency());
  }

  Memory memory_;
  WaveNet net_;
  Bridge bridge_;
  float* dry_ = nullptr;  // a ring, as long as the latency
  int dryAt_ = 0;
};

class Voice {
 public:
  Voice* nextGone = nullptr;  // see slot.h

  // The knobs stand at their defaults; `number` is the Panel's; `compact`: see wavenet.h. Raises std::invalid_argument. [main-thread]
  Voice(const Twin& twin, const Kernels& kernels, std::int64_t hostHz, int sides, std::uint32_t number, bool compact)
      : twinHz_(std::llround(twin.sampleRateHz)), hostHz_(hostHz), sides_(sides), number_(number),
        knobCount_(static_cast<int>(twin.knobs.size())) {
    checkRates();
    for (int s = 0; s < sides; s++) side_[s] = std::make_unique<Side>(twin, kernels, hostHz, twinHz_, compact);
    for (int k = 0; k < knobCount_; k++) {
      const Knob& knob = twin.knobs[k];
      knobs_[k] = static_cast<float>((knob.initial - knob.minimum) / (knob.maximum - knob.minimum));
    }
    settle();
  }

  // The same twin for another host, without a past. [main-thread]
  Voice(const Voice& like, std::int64_t hostHz, int sides)
      : twinHz_(like.twinHz_), hostHz_(hostHz), sides_(sides), number_(like.number_), knobCount_(like.knobCount_) {
    checkRates();
    for (int s = 0; s < sides; s++) side_[s] = std::make_unique<Side>(*like.side_[0], hostHz, twinHz_);
    std::copy(like.knobs_, like.knobs_ + knobCount_, knobs_);
    settle();
  }

  // Forgets the past, as if the knobs had always stood where they stand. Returns the sample that
  // silence gives. [audio-thread]
  float settle() noexcept {
    float silence = 0;
    for (int s = 0; s < sides_; s++) silence = side_[s]->settle(knobs_);
    return silence;
  }

  // The knobs as asked for, without playing. [audio-thread]
  void read(const Panel& panel) noexcept { panel.read(number_, knobs_, knobCount_); }

  // Glides, in `samples` of the twin's rate, to what the knobs ask for; below 0: in 20 ms. [audio-thread]
  void turn(const Panel& panel, int samples) noexcept {
    if (!panel.read(number_, knobs_, knobCount_) && samples != 0) return;
    if (samples < 0) samples = static_cast<int>(kGlideSeconds * static_cast<double>(twinHz_) + 0.5);
    for (int s = 0; s < sides_; s++) side_[s]->moveKnobs(knobs_, samples);
  }

  // In place: first a row of n samples for each side, to amplify; then as many that only wait as
  // long as that takes. n is at most chunk(). [audio-thread]
  void process(float* const* block, int n) noexcept {
    for (int s = 0; s < sides_; s++) {
      side_[s]->process(block[s], n);
      side_[s]->delay(block[sides_ + s], n);
    }
  }

  int latency() const noexcept { return side_[0]->latency(); }
  int chunk() const noexcept { return Bridge::chunk(hostHz_, twinHz_); }
  // How long it remembers a sample, in the host's. [any-thread]
  int memorySamples() const noexcept {
    return static_cast<int>(net().receptiveField() * hostHz_ / twinHz_) + 2 * latency() + 1;
  }
  int knobCount() const noexcept { return knobCount_; }
  std::int64_t sampleRateHz() const noexcept { return twinHz_; }
  const WaveNet& net() const noexcept { return side_[0]->net(); }

  std::size_t bytes(Part part) const {
    std::size_t total = 0;
    for (int s = 0; s < sides_; s++) total += side_[s]->memory().bytes(part);
    return total;
  }
  std::size_t objectBytes() const { return sizeof(Voice) + sides_ * sizeof(Side); }

 private:
  static constexpr double kGlideSeconds = 0.02;

  void checkRates() const {
    if (twinHz_ != hostHz_ && !bridgeable(twinHz_, hostHz_))
      throw std::invalid_argument("a twin at " + std::to_string(twinHz_) + " Hz plays at " + std::to_string(hostHz_) +
                                  " Hz only if both are between 8,000 and 768,000 Hz");
  }

  std::int64_t twinHz_, hostHz_;
  int sides_;
  std::uint32_t number_;
  int knobCount_;
  float knobs_[kMaxKnobs] = {};
  std::unique_ptr<Side> side_[kMaxSides];
};

}  // namespace tubetwin
