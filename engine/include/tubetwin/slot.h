// A place that holds what plays, and lets another of its kind take over without a gap or a click.
//
// The control thread hands the newcomer over through one atomic pointer. The audio thread takes it,
// lets it listen, unheard, for as long as it remembers anything, and cross-fades. What has had its
// day goes into a bin, which the control thread empties: the audio thread never takes memory, gives
// it back or waits.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>

#include "tubetwin/glide.h"

namespace tubetwin {

// T has: T* nextGone; int memorySamples(); void process(float* const* block, int n) noexcept.
template <class T>
class Slot {
 public:
  Slot() = default;
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  ~Slot() { put(nullptr); }

  // `fresh` is to take over. [main-thread]
  void hand(std::unique_ptr<T> fresh) {
    newest_ = fresh.get();
    delete coming_.exchange(fresh.release(), std::memory_order_acq_rel);  // one that was never taken
    collect();
  }

  // `fresh`, or nothing, is there at once. [main-thread, while nothing plays]
  void put(std::unique_ptr<T> fresh) {
    newest_ = fresh.get();
    delete coming_.exchange(nullptr, std::memory_order_acq_rel);
    delete next_;
    delete current_;
    next_ = nullptr;
    current_ = fresh.release();
    collect();
  }

  // Empties the bin. [main-thread]
  void collect() {
    for (T* gone = gone_.exchange(nullptr, std::memory_order_acquire); gone;) {
      T* const next = gone->nextGone;
      delete gone;
      gone = next;
    }
  }

  // What came last, whether it plays yet or not. [main-thread]
  T* newest() const { return newest_; }

  // Whether something waits. [any-thread]
  bool waits() const noexcept { return coming_.load(std::memory_order_relaxed) != nullptr; }

  // Takes what waits, unless a change is under way; true if it did. [audio-thread]
  bool look(int fadeSamples) noexcept {
    if (next_ || !waits()) return false;
    next_ = coming_.exchange(nullptr, std::memory_order_acq_rel);
    if (!next_) return false;
    fade_ = fadeSamples;
    faded_ = -next_->memorySamples();
    return true;
  }

  // What came last plays at once. [audio-thread]
  void jump() noexcept {
    if (next_) finish();
    if (waits() && (next_ = coming_.exchange(nullptr, std::memory_order_acq_rel))) finish();
  }

  // What plays, and what is about to; either may be null. [audio-thread]
  T* current() const noexcept { return current_; }
  T* next() const noexcept { return next_; }

  // `count` rows of n samples, in place; `spare` has as many rows. [audio-thread]
  void process(float* const* block, float* const* spare, int count, int n) noexcept {
    if (next_)
      for (int i = 0; i < count; i++) std::copy(block[i], block[i] + n, spare[i]);
    if (current_) current_->process(block, n);
    if (!next_) return;
    next_->process(spare, n);
    for (int i = 0; i < count; i++) cross(block[i], spare[i], n);
    faded_ += n;
    if (faded_ >= fade_) finish();
  }

 private:
  void cross(float* old, const float* fresh, int n) const noexcept {
    for (int t = std::clamp(-faded_, 0, n); t < n; t++) {
      const int step = faded_ + t + 1;
      const float share = eased(static_cast<float>(step) / static_cast<float>(fade_));
      old[t] = step < fade_ ? old[t] + share * (fresh[t] - old[t]) : fresh[t];
    }
  }

  void finish() noexcept {
    if (current_) {
      current_->nextGone = gone_.load(std::memory_order_relaxed);
      while (!gone_.compare_exchange_weak(current_->nextGone, current_, std::memory_order_release,
                                          std::memory_order_relaxed)) {
      }  // again only if the bin was emptied that very moment
    }
    current_ = next_;
    next_ = nullptr;
  }

  T* newest_ = nullptr;                // the control thread's
  T *current_ = nullptr, *next_ = nullptr;  // the audio thread's
  int faded_ = 0, fade_ = 1;           // samples of the change: below 0 the next one only listens
  std::atomic<T*> coming_{nullptr}, gone_{nullptr};
};

}  // namespace tubetwin
