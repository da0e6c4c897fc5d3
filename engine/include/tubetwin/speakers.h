// The cabinets of a player: one for each side, at the host's sample rate whatever the response's is.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tubetwin/cabinet.h"
#include "tubetwin/resampler.h"

namespace tubetwin {

// An impulse response at another sample rate, as loud as before and starting at once: what a
// resampler puts before the first sample is left out. Raises std::invalid_argument. [main-thread]
inline std::vector<float> resampledResponse(const std::vector<float>& response, std::int64_t fromHz, std::int64_t toHz,
                                            const Kernels& kernels) {
  if (fromHz == toHz || response.empty()) return response;
  if (!bridgeable(fromHz, toHz))
    throw std::invalid_argument("an impulse response at " + std::to_string(fromHz) + " Hz plays at " +
                                std::to_string(toHz) + " Hz only if both are between 8,000 and 768,000 Hz");
  const int half = Resampler::halfLength(fromHz, toHz), count = static_cast<int>(response.size());
  Memory memory;
  Resampler resampler;
  resampler.place(memory, fromHz, toHz, count + half);
  memory.allocate();
  resampler.place(memory, fromHz, toHz, count + half);
  resampler.load();
  resampler.settle(0);
  std::vector<float> padded(response);
  padded.resize(count + half);
  resampler.hear(padded.data(), count + half);
  std::vector<float> out((count * toHz + fromHz - 1) / fromHz);
  out.resize(resampler.make(out.data(), static_cast<int>(out.size()), kernels));
  for (float& sample : out) sample *= static_cast<float>(fromHz) / static_cast<float>(toHz);
  return out;
}

class Speakers {
 public:
  Speakers* nextGone = nullptr;  // see slot.h

  // An impulse response of rate `responseHz`; an empty one lets everything through. Raises
  // std::invalid_argument. [main-thread]
  Speakers(std::vector<float> response, std::int64_t responseHz, const Kernels& kernels, std::int64_t hostHz, int sides)
      : response_(std::move(response)), responseHz_(responseHz), sides_(sides) {
    const std::vector<float> taps = resampledResponse(response_, responseHz, hostHz, kernels);
    for (int s = 0; s < sides; s++) {
      side_[s] = std::make_unique<Cabinet>(kernels);
      side_[s]->load(taps.data(), static_cast<int>(taps.size()));
    }
    memorySamples_ = std::min(static_cast<int>(taps.size()), static_cast<int>(kLongestListen * static_cast<double>(hostHz)));
  }

  // The same for another host, without a past. [main-thread]
  Speakers(const Speakers& like, const Kernels& kernels, std::int64_t hostHz, int sides)
      : Speakers(like.response_, like.responseHz_, kernels, hostHz, sides) {}

  // Forgets the past: now `level` was for ever. [audio-thread]
  void settle(float level) noexcept {
    for (int s = 0; s < sides_; s++) side_[s]->settle(level);
  }

  // In place. [audio-thread]
  void process(float* const* block, int n) noexcept {
    for (int s = 0; s < sides_; s++) side_[s]->process(block[s], n);
  }

  int memorySamples() const noexcept { return memorySamples_; }

  std::size_t bytes(Part part) const {
    std::size_t total = part == Part::cabinet ? response_.capacity() * sizeof(float) : 0;
    for (int s = 0; s < sides_; s++) total += side_[s]->memory().bytes(part);
    return total;
  }
  std::size_t objectBytes() const { return sizeof(Speakers) + sides_ * sizeof(Cabinet); }

 private:
  static constexpr double kLongestListen = 0.2;  // seconds; what rings on after that is faint

  std::vector<float> response_;  // kept for a host that changes its rate
  std::int64_t responseHz_;
  int sides_, memorySamples_;
  std::unique_ptr<Cabinet> side_[kMaxSides];
};

}  // namespace tubetwin
