// What the laws play with: twins of every kind, sounds, and how far two sounds are apart.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "made.h"
#include "tubetwin/player.h"

using Sound = std::vector<float>;

// The sizes that have kernels of their own, and two that have not.
inline std::vector<tubetwin::Twin> twins() {
  tubetwin::Architecture odd = made::shape(5, true, true, 1);
  odd.kernelSize = 4;
  tubetwin::Architecture uneven = made::shape(16, false, true, 1);
  const int dilations[] = {1, 3, 63, 64, 65, 7, 100, 129, 31, 500};
  std::copy(std::begin(dilations), std::end(dilations), uneven.dilations);
  std::vector<tubetwin::Twin> all;
  for (const tubetwin::Architecture& shape : {made::standard(), made::lite(), made::nano(), odd, uneven})
    all.push_back(made::twin(shape));
  return all;
}

inline Sound play(tubetwin::Player& player, const Sound& di, int block) {
  made::Random random(7);
  Sound out(di.size());
  for (std::size_t t = 0; t < di.size();) {
    const int wish = block ? block : 1 + static_cast<int>(75 * (random() + 1));  // 0: random
    const int n = static_cast<int>(std::min<std::size_t>(wish, di.size() - t));
    player.process(di.data() + t, out.data() + t, n);
    t += n;
  }
  return out;
}

inline double furthest(const Sound& a, const Sound& b) {
  double most = 0;
  for (std::size_t t = 0; t < a.size(); t++) most = std::max(most, std::abs(static_cast<double>(a[t]) - b[t]));
  return most;
}

inline Sound decaying(int taps) {
  Sound response = made::di(taps, 5);
  for (int k = 0; k < taps; k++) response[k] *= 0.1f * std::exp(-6.0f * k / taps);
  return response;
}

// The peak of the fourth difference, which a click makes large, from sample `from` up to `to`.
inline double roughest(const Sound& sound, std::size_t from, std::size_t to) {
  double peak = 0;
  for (std::size_t t = from; t + 4 < std::min(to, sound.size()); t++)
    peak = std::max(peak, std::abs(sound[t] - 4.0 * sound[t + 1] + 6.0 * sound[t + 2] - 4.0 * sound[t + 3] + sound[t + 4]));
  return peak;
}
