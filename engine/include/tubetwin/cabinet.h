// A speaker cabinet: an impulse response convolved with zero latency.
#pragma once

#include <algorithm>
#include <cstring>

#include "tubetwin/memory.h"
#include "tubetwin/network.h"

namespace tubetwin {

class Cabinet {
 public:
  explicit Cabinet(const Kernels& kernels) : kernels_(kernels) {}

  // Takes another impulse response; `count` 0 takes the cabinet away. [main-thread]
  void load(const float* response, int count) {
    count_ = 0;
    for (int pass = 0; pass < 2; pass++) {
      taps_ = memory_.take<float>(Part::cabinet, count);
      line_ = memory_.take<float>(Part::cabinet, count + 2 * kMaxBlock);
      out_ = memory_.take<float>(Part::cabinet, kMaxBlock);
      if (pass == 0) memory_.allocate();
    }
    std::copy(response, response + count, taps_);
    count_ = count;
  }

  // Forgets the past: now `level` was for ever. [audio-thread]
  void settle(float level) noexcept {
    if (count_) std::fill(line_, line_ + count_, level);
  }

  // In place, n <= kMaxBlock. [audio-thread]
  void process(float* block, int n) noexcept {
    if (count_ == 0) return;
    std::memcpy(line_ + count_, block, sizeof(float) * n);
    kernels_.fir(out_, line_ + count_, taps_, count_, n);
    std::memcpy(block, out_, sizeof(float) * n);
    std::memmove(line_, line_ + n, sizeof(float) * count_);
  }

  const Memory& memory() const { return memory_; }

 private:
  const Kernels& kernels_;
  Memory memory_;
  float *taps_ = nullptr, *line_ = nullptr, *out_ = nullptr;
  int count_ = 0;
};

}  // namespace tubetwin
