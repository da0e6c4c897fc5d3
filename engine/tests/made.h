// Twins with random weights, and a guitar of sorts, for tests and benchmarks.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "tubetwin/twin_file.h"

namespace made {

// Seeded, and the same on every machine, unlike <random>'s distributions.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 2 + 1) {}
  // -1 ... 1
  float operator()() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<float>(static_cast<double>(state_ >> 11) / 4503599627370496.0 - 1.0);
  }
  std::vector<float> operator()(std::size_t count, double scale) {
    std::vector<float> values(count);
    for (float& value : values) value = (*this)() * static_cast<float>(scale);
    return values;
  }

 private:
  std::uint64_t state_;
};

inline tubetwin::Architecture shape(int channels, bool dense, bool fullMix, int stacks = 3) {
  tubetwin::Architecture shape;
  shape.channels = channels;
  shape.kernelSize = 3;
  for (int i = 0; i < 10 * stacks; i++) shape.dilations[shape.layers++] = 1 << i % 10;
  shape.dense = dense;
  shape.fullMix = fullMix;
  return shape;
}
inline tubetwin::Architecture standard() { return shape(16, false, true); }
inline tubetwin::Architecture lite() { return shape(8, true, false); }
inline tubetwin::Architecture nano() { return shape(4, true, false); }

// Four knobs, weights that keep the signal near full scale, and no check signal.
inline tubetwin::Twin twin(const tubetwin::Architecture& shape, int hidden = 32) {
  Random random(static_cast<std::uint64_t>(shape.channels));
  const std::size_t L = shape.layers, C = shape.channels, wide = shape.dense ? C : 1;
  tubetwin::Twin twin;
  twin.architecture = shape;
  twin.sampleRateHz = 48000;
  twin.lift = random(C, 1.7);
  twin.liftBias = random(C, 0.2);
  twin.taps = random(L * shape.kernelSize * C * wide, shape.dense ? 0.25 : 0.85);
  twin.tapsBias = random(L * C, 0.2);
  for (std::size_t i = 0; i < L * C; i++) twin.alpha.push_back(1.25f + 0.75f * random());
  twin.mix = random((L - 1) * C * (shape.fullMix ? C : 1), shape.fullMix ? 0.1 : 0.3);
  twin.mixBias = random((L - 1) * C, 0.1);
  twin.head = random(L * C, 0.5 / std::sqrt(static_cast<double>(L * C)));
  for (const char* name : {"Volume", "Treble", "Bass", "Mid-Bite"}) twin.knobs.push_back({name, 0, 10, 5});
  const int widths[] = {4, hidden, hidden, static_cast<int>(2 * L * C)};
  for (int i = 0; i < 3; i++) {
    const std::size_t rows = widths[i + 1], columns = widths[i];
    twin.film.push_back({widths[i + 1], widths[i], random(rows * columns, 0.6 / std::sqrt(columns)), random(rows, 0.1)});
  }
  return twin;
}

// A twin that is a wire: what goes in comes out, to 1e-6 of its square.
inline tubetwin::Twin wire(double rateHz = 48000) {
  tubetwin::Twin twin;
  tubetwin::Architecture& shape = twin.architecture;
  shape.channels = shape.kernelSize = shape.layers = shape.dilations[0] = 1;
  twin.sampleRateHz = rateHz;
  twin.lift = twin.taps = twin.head = {1};
  twin.liftBias = twin.tapsBias = {0};
  twin.alpha = {1e-6f};
  return twin;
}

// Noise in bursts over a low string.
inline std::vector<float> di(int samples, std::uint64_t seed = 1) {
  Random random(seed);
  std::vector<float> values(samples);
  for (int t = 0; t < samples; t++) {
    const double string = 0.4 * std::sin(0.03 * t), burst = std::sin(t / 700.0) > 0 ? 0.4 : 0.0;
    values[t] = static_cast<float>(string + burst * random());
  }
  return values;
}

}  // namespace made
