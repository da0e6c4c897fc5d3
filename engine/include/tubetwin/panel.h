// The knobs as a host turns them: from any thread at once, or at a sample of the block to come.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "tubetwin/network.h"

namespace tubetwin {

class Panel {
 public:
  // Tells the turns for one twin from those for the next. [main-thread]
  std::uint32_t number() const noexcept { return twin_.load(std::memory_order_relaxed); }

  // From now on knobs are turned for another twin, which has `count`. Returns its number. [main-thread]
  std::uint32_t renew(int count) noexcept {
    count_.store(count, std::memory_order_relaxed);
    return twin_.fetch_add(1, std::memory_order_release) + 1;
  }

  // [any-thread]
  void turn(int knob, float normalised) noexcept {
    const std::uint64_t twin = twin_.load(std::memory_order_acquire);
    if (knob < 0 || knob >= count_.load(std::memory_order_relaxed) || !std::isfinite(normalised)) return;
    const float value = std::clamp(normalised, 0.0f, 1.0f);
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    asked_[knob].store(twin << 32 | bits, std::memory_order_relaxed);
    turned_.store(true, std::memory_order_release);
  }

  // At a sample of the block to come, or of a later one; false if too many turns wait. [audio-thread]
  bool turnAt(int knob, float normalised, int sample) noexcept {
    if (waiting_ == kMostTurns) return false;
    int i = waiting_++;
    for (; i > 0 && turns_[i - 1].sample > sample; i--) turns_[i] = turns_[i - 1];
    turns_[i] = {knob, normalised, std::max(sample, 0)};
    return true;
  }

  // Turns what is due. Returns how many samples pass until the next turn, at most n. [audio-thread]
  int turnDue(int n) noexcept {
    int due = 0;
    for (; due < waiting_ && turns_[due].sample == 0; due++) turn(turns_[due].knob, turns_[due].normalised);
    std::copy(turns_ + due, turns_ + waiting_, turns_);
    waiting_ -= due;
    return waiting_ > 0 ? std::min(n, turns_[0].sample) : n;
  }

  // n samples, no more than turnDue() said, have passed. [audio-thread]
  void pass(int n) noexcept {
    for (int i = 0; i < waiting_; i++) turns_[i].sample -= n;
  }

  // Whatever waits is off. [audio-thread]
  void forget() noexcept { waiting_ = 0; }

  // Whether a knob was turned since it was last asked. [audio-thread]
  bool turned() noexcept {
    return turned_.load(std::memory_order_relaxed) && turned_.exchange(false, std::memory_order_acquire);
  }

  // Where the knobs of twin number `twin` were turned to; others stay. Whether any stands elsewhere
  // than before. [audio-thread]
  bool read(std::uint32_t twin, float* knobs, int count) const noexcept {
    bool moved = false;
    for (int k = 0; k < count; k++) {
      const std::uint64_t asked = asked_[k].load(std::memory_order_relaxed);
      const std::uint32_t bits = static_cast<std::uint32_t>(asked);
      const float before = knobs[k];
      if (asked >> 32 == twin) std::memcpy(&knobs[k], &bits, sizeof bits);
      moved |= knobs[k] != before;
    }
    return moved;
  }

 private:
  static constexpr int kMostTurns = 128;
  struct Turn {
    int knob;
    float normalised;
    int sample;  // from now
  };

  std::atomic<std::uint64_t> asked_[kMaxKnobs] = {};  // number of the twin, and bits of the value
  std::atomic<std::uint32_t> twin_{0};
  std::atomic<int> count_{0};
  std::atomic<bool> turned_{false};
  Turn turns_[kMostTurns];
  int waiting_ = 0;
};

}  // namespace tubetwin
