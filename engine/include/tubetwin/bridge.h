// Between a host and a twin of another sample rate: there and back, with a constant latency.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tubetwin/resampler.h"

namespace tubetwin {

class Bridge {
 public:
  // Samples of the host's rate that both ways add: an output needs half a filter of the twin's
  // samples after it, and the last of these half a filter of the host's.
  static int latency(std::int64_t hostHz, std::int64_t twinHz) {
    if (hostHz == twinHz) return 0;
    const std::int64_t there = Resampler::halfLength(hostHz, twinHz), back = Resampler::halfLength(twinHz, hostHz);
    return static_cast<int>(there + back * hostHz / twinHz);
  }

  // Host samples at once: they give the twin two of its blocks.
  static int chunk(std::int64_t hostHz, std::int64_t twinHz) {
    if (hostHz == twinHz) return kMaxBlock;
    return static_cast<int>(std::max<std::int64_t>((2 * kMaxBlock - 1) * hostHz / twinHz, 1));
  }

  // [main-thread]
  void place(Memory& memory, std::int64_t hostHz, std::int64_t twinHz) {
    latency_ = latency(hostHz, twinHz);
    if (latency_ == 0) return;
    const int most = chunk(hostHz, twinHz);
    mostInside_ = static_cast<int>(most * twinHz / hostHz) + 1;
    there_.place(memory, hostHz, twinHz, most);
    back_.place(memory, twinHz, hostHz, mostInside_, static_cast<int>(latency_ * twinHz / hostHz) + 2);
    inside_ = memory.take<float>(Part::resampler, mostInside_);
  }

  // [main-thread]
  void load() {
    if (latency_ == 0) return;
    there_.load();
    back_.load();
  }

  // Silence was for ever, and to that the twin answers `level`. [audio-thread]
  void settle(float level) noexcept {
    if (latency_ == 0) return;
    there_.settle(0);
    back_.settle(level, latency_);
  }

  // In place; n is at most a chunk. play(x, m) plays m samples of the twin's rate in place. [audio-thread]
  template <class Play>
  void process(float* block, int n, const Kernels& kernels, const Play& play) noexcept {
    if (latency_ == 0) return play(block, n);
    there_.hear(block, n);
    const int count = there_.make(inside_, mostInside_, kernels);
    play(inside_, count);
    back_.hear(inside_, count);
    back_.make(block, n, kernels);
  }

  int latency() const noexcept { return latency_; }

 private:
  int latency_ = 0, mostInside_ = 0;
  Resampler there_, back_;
  float* inside_ = nullptr;
};

}  // namespace tubetwin
