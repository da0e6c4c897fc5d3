// A sine as the measure of all things: how much of it is in a sound, how late, and what else there is.
#pragma once

#include <cmath>
#include <vector>

namespace tone {

constexpr double kPi = 3.14159265358979323846;

inline std::vector<float> sine(double hz, double rateHz, int samples) {
  std::vector<float> values(samples);
  for (int t = 0; t < samples; t++) values[t] = static_cast<float>(0.5 * std::sin(2 * kPi * hz / rateHz * t));
  return values;
}

// Of a sound, relative to `sine`: its gain, its delay in samples (within half a period) and what is
// left when the sine is taken out; by least squares from sample `from` on.
struct Fit {
  double gainDb, delaySamples, restDb;
};
inline Fit fit(const std::vector<float>& sound, double hz, double rateHz, int from, double expectedDelay) {
  double ss = 0, cc = 0, sc = 0, ys = 0, yc = 0, yy = 0;
  const double turn = 2 * kPi * hz / rateHz;
  for (std::size_t t = from; t < sound.size(); t++) {
    const double s = std::sin(turn * (static_cast<double>(t) - expectedDelay)), y = sound[t];
    const double c = std::cos(turn * (static_cast<double>(t) - expectedDelay));
    ss += s * s, cc += c * c, sc += s * c, ys += y * s, yc += y * c, yy += y * y;
  }
  const double det = ss * cc - sc * sc, a = (ys * cc - yc * sc) / det, b = (yc * ss - ys * sc) / det;
  const double rest = std::fmax(yy - a * ys - b * yc, 0), whole = 0.125 * static_cast<double>(sound.size() - from);
  return {20 * std::log10(std::hypot(a, b) / 0.5), expectedDelay - std::atan2(b, a) / turn, 10 * std::log10(rest / whole + 1e-20)};
}

// RMS from sample `from` on, in dB of a sine of amplitude 0.5.
inline double levelDb(const std::vector<float>& sound, int from) {
  double sum = 0;
  for (std::size_t t = from; t < sound.size(); t++) sum += static_cast<double>(sound[t]) * sound[t];
  return 10 * std::log10(sum / (0.125 * static_cast<double>(sound.size() - from)) + 1e-20);
}

}  // namespace tone
