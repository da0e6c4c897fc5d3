// From one sample rate to another: a low-pass filter, moved along in steps of the new rate.
//
// The filter is a sinc in a Kaiser window (Kaiser 1974), its stop band 96 dB down. It passes up to
// 20 kHz and stops where a tone would fold back below 20 kHz, so that it may be short. It is kept as
// `phases`, one row of taps for each place that an output can have between two inputs.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "tubetwin/memory.h"
#include "tubetwin/network.h"

namespace tubetwin {

// Whether the filter between two rates is of decent length.
inline bool bridgeable(std::int64_t aHz, std::int64_t bHz) {
  return std::min(aHz, bHz) >= 8000 && std::max(aHz, bHz) <= 768000;
}

// Highest frequency that passes, and lowest that is stopped.
struct Band {
  double passHz, stopHz;
};
inline Band bandOf(double aHz, double bHz) {
  const double lower = std::min(aHz, bHz), pass = std::min(20000.0, lower / 2.205);
  return {pass, lower - pass};
}

class Resampler {
 public:
  // Whole rates; `mostIn` samples come at once, at most; the first output stands `lateness` inputs
  // before the first input. [main-thread]
  void place(Memory& memory, std::int64_t fromHz, std::int64_t toHz, int mostIn, int lateness = 0) {
    const std::int64_t common = std::gcd(fromHz, toHz);
    up_ = toHz / common;
    down_ = fromHz / common;
    wholeStep_ = static_cast<int>(down_ / up_);
    restStep_ = down_ % up_;
    band_ = bandOf(static_cast<double>(fromHz), static_cast<double>(toHz));
    fromHz_ = static_cast<double>(fromHz);
    half_ = halfLength(fromHz, toHz);
    taps_ = (2 * half_ + kDotStep - 1) / kDotStep * kDotStep;
    phases_ = static_cast<int>(std::min<std::int64_t>(up_, kMostPhases));
    past_ = taps_ + lateness;
    room_ = past_ + mostIn + kDotStep;
    rows_ = memory.take<float>(Part::resampler, static_cast<std::size_t>(phases_ + 1) * taps_);
    line_ = memory.take<float>(Part::resampler, room_);
  }

  // [main-thread]
  void load() {
    for (int p = 0; p <= phases_; p++) {
      float* const row = rows_ + static_cast<std::size_t>(p) * taps_;
      double total = 0;
      for (int k = 0; k < taps_; k++) total += kernel(k - taps_ + 1 + half_ - static_cast<double>(p) / phases_);
      for (int k = 0; k < taps_; k++)
        row[k] = static_cast<float>(kernel(k - taps_ + 1 + half_ - static_cast<double>(p) / phases_) / total);
    }
  }

  // Now `level` was for ever, and the first output is due `early` / toHz seconds before the first
  // input. [audio-thread]
  void settle(float level, std::int64_t early = 0) noexcept {
    std::fill(line_, line_ + room_, level);
    const std::int64_t steps = -early * down_;  // in units of 1 / up_ inputs
    const std::int64_t whole = steps >= 0 ? steps / up_ : -((-steps + up_ - 1) / up_);
    between_ = steps - whole * up_;
    first_ = past_ - taps_ + 1 + half_ + static_cast<int>(whole);
    end_ = past_;
  }

  // Hears n samples. [audio-thread]
  void hear(const float* in, int n) noexcept {
    if (end_ + n > room_) {
      std::copy(line_ + first_, line_ + end_, line_);
      end_ -= first_;
      first_ = 0;
    }
    std::copy(in, in + n, line_ + end_);
    end_ += n;
  }

  // Makes as many samples as what was heard allows, at most `most`. [audio-thread]
  int make(float* out, int most, const Kernels& kernels) noexcept {
    int made = 0;
    for (; made < most && first_ + taps_ <= end_; made++) {
      out[made] = value(kernels);
      first_ += wholeStep_;
      between_ += restStep_;
      if (between_ < up_) continue;
      between_ -= up_;
      first_++;
    }
    return made;
  }

  // Inputs that must follow an output before it can be made: half the filter.
  static int halfLength(std::int64_t fromHz, std::int64_t toHz) {
    const Band band = bandOf(static_cast<double>(fromHz), static_cast<double>(toHz));
    const double width = 2 * kPi * (band.stopHz - band.passHz) / static_cast<double>(fromHz);
    return static_cast<int>(std::ceil((kStopDb - 8) / (2.285 * width) / 2));  // Kaiser's estimate
  }

 private:
  static constexpr double kPi = 3.14159265358979323846;
  static constexpr double kStopDb = 96;
  static constexpr std::int64_t kMostPhases = 512;  // beyond, outputs lie between two phases: -110 dB

  static double bessel(double x) {  // I0
    double sum = 1, term = 1;
    for (int k = 1; term > 1e-17 * sum; k++) sum += term *= x * x / (4.0 * k * k);
    return sum;
  }

  // The filter at `x` inputs from its middle.
  double kernel(double x) const {
    const double edge = x / half_;
    if (std::abs(edge) >= 1) return 0;
    constexpr double kBeta = 0.1102 * (kStopDb - 8.7);
    const double window = bessel(kBeta * std::sqrt(1 - edge * edge)) / bessel(kBeta);
    const double turn = kPi * (band_.passHz + band_.stopHz) / fromHz_ * x;
    return window * (turn == 0 ? 1 : std::sin(turn) / turn);
  }

  float value(const Kernels& kernels) const noexcept {
    if (phases_ == up_) return kernels.dot(rows_ + between_ * taps_, line_ + first_, taps_);
    const std::int64_t at = between_ * phases_;
    const float* const row = rows_ + at / up_ * taps_;
    const float here = kernels.dot(row, line_ + first_, taps_);
    const float share = static_cast<float>(at % up_) / static_cast<float>(up_);
    return here + share * (kernels.dot(row + taps_, line_ + first_, taps_) - here);
  }

  std::int64_t up_ = 1, down_ = 1;  // outputs per inputs, in lowest terms
  std::int64_t restStep_ = 0;       // from one output to the next: so many inputs, and so many 1 / up_
  int wholeStep_ = 0;
  std::int64_t between_ = 0;  // how far the next output is behind an input, in 1 / up_
  Band band_{};
  double fromHz_ = 0;
  int half_ = 0, taps_ = 0, phases_ = 0;
  int past_ = 0, room_ = 0;
  int first_ = 0, end_ = 0;  // of `line_`: the oldest sample still needed, and behind the newest
  float* rows_ = nullptr;    // (phases + 1, taps)
  float* line_ = nullptr;    // (room)
};

}  // namespace tubetwin
