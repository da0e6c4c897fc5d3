// A noise gate: shuts the guitar off while it is quieter than a threshold, before the amp hears it.
//
// It opens as soon as a sample reaches the threshold, and stays open while samples reach half of it
// (6 dB less, so that a fading note does not flutter): the longest wave of a guitar is 12 ms.
#pragma once

#include <algorithm>
#include <cmath>

namespace tubetwin {

class Gate {
 public:
  // [main-thread]
  void prepare(double rateHz) {
    hold_ = static_cast<int>(0.05 * rateHz);
    opening_ = static_cast<float>(1 / (0.001 * rateHz));
    closing_ = static_cast<float>(1 / (0.05 * rateHz));
  }

  // As it stands when nothing was ever played; a threshold of 0 never shuts. [audio-thread]
  void reset(float threshold) noexcept {
    open_ = 0;
    gain_ = threshold > 0 ? 0.0f : 1.0f;
  }

  // In place; a threshold of 0 lets everything through, to the bit. [audio-thread]
  void process(float* x, int n, float threshold) noexcept {
    if (threshold <= 0 && gain_ == 1) return;
    for (int t = 0; t < n; t++) {
      const float level = std::abs(x[t]);
      if (level >= threshold || (open_ > 0 && level >= threshold / 2))
        open_ = hold_;
      else if (open_ > 0)
        open_--;
      gain_ = open_ > 0 ? std::min(gain_ + opening_, 1.0f) : std::max(gain_ - closing_, 0.0f);
      x[t] *= gain_;
    }
  }

 private:
  int hold_ = 0, open_ = 0;  // samples that it stays open, and will yet
  float opening_ = 1, closing_ = 1;  // per sample
  float gain_ = 1;
};

}  // namespace tubetwin
