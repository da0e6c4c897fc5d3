// A short impulse response, convolved directly: zero latency, time in lanes, sums in registers.
#pragma once

#include "tubetwin/layers.h"

namespace tubetwin {
inline namespace TUBETWIN_ISA {

// out[t] = sum over k of taps[k] * in[t - k], for kVectors vectors of t.
template <int kVectors>
TUBETWIN_INLINE void firTile(float* out, const float* in, const float* taps, int count) {
  Vector sum[kVectors];
  for (int v = 0; v < kVectors; v++) sum[v] = Vector{};
  for (int k = 0; k < count; k++) {
    const Vector tap = broadcast(taps[k]);
    for (int v = 0; v < kVectors; v++) sum[v] += tap * load(in - k + v * kLanes);
  }
  for (int v = 0; v < kVectors; v++) store(out + v * kLanes, sum[v]);
}

// `in` and `out` may be read and written up to a whole kMaxBlock.
inline void fir(float* out, const float* in, const float* taps, int count, int n) {
  constexpr int kVectors = kLanes == 16 ? 4 : 8;
  int t = 0;
  for (; t + kVectors * kLanes <= n; t += kVectors * kLanes) firTile<kVectors>(out + t, in + t, taps, count);
  for (; t < n; t += kLanes) firTile<1>(out + t, in + t, taps, count);
}

// The sum of a[k] * b[k], `count` a multiple of kDotStep.
inline float dot(const float* a, const float* b, int count) {
  constexpr int kSums = kDotStep / kLanes;
  Vector sums[kSums] = {};
  for (int k = 0; k < count; k += kDotStep)
    for (int v = 0; v < kSums; v++) sums[v] += load(a + k + v * kLanes) * load(b + k + v * kLanes);
  for (int v = 1; v < kSums; v++) sums[0] += sums[v];
  return sum(sums[0]);
}

}  // namespace TUBETWIN_ISA
}  // namespace tubetwin
