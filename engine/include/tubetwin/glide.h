// A number that a listener must not hear jump: it moves to where it was sent in a straight line.
#pragma once

namespace tubetwin {

// 0...1 -> 0...1 without a corner at either end, where a straight line has one that can be heard.
inline float eased(float x) { return x * x * x * (10 + x * (6 * x - 15)); }

class Glide {
 public:
  explicit Glide(float value) : value_(value), target_(value) {}

  // Sets out for `target`, to be there after `samples`; already on the way there: goes on. [audio-thread]
  void aim(float target, int samples) noexcept {
    if (target == target_) return;
    target_ = target;
    left_ = samples;
    step_ = (target - value_) / static_cast<float>(samples);
  }

  // Is there at once. [audio-thread]
  void jump(float target) noexcept {
    value_ = target_ = target;
    left_ = 0;
  }

  // Rests at `value`.
  bool rests(float value) const noexcept { return left_ == 0 && value_ == value; }

  // The value at the next sample. [audio-thread]
  float next() noexcept {
    if (left_ > 0) value_ = --left_ > 0 ? value_ + step_ : target_;
    return value_;
  }

 private:
  float value_, target_, step_ = 0;
  int left_ = 0;  // samples on the way
};

}  // namespace tubetwin
