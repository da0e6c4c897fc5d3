// One layer of FiLM's generator: a matrix times a vector, the rows in lanes.
#pragma once

#include "tubetwin/layers.h"

namespace tubetwin {
inline namespace TUBETWIN_ISA {

inline float widened(float value) { return value; }

#ifdef TUBETWIN_HALVES
inline float widened(Half value) { return _cvtsh_ss(value.bits); }

inline void halve(Half* to, const float* from, int count) {
  for (int i = 0; i < count; i++) to[i].bits = _cvtss_sh(from[i], _MM_FROUND_TO_NEAREST_INT);
}
#endif

// out = bias + weight * in; `weight`, of floats or halves, lies column after column.
template <class Weight>
void affine(float* out, const Weight* weight, const float* bias, const float* in, int rows, int columns) {
  constexpr int kVectors = 4;  // sums at once, to hide the latency of a multiply-add
  int r = 0;
  for (; r + kVectors * kLanes <= rows; r += kVectors * kLanes) {
    Vector sum[kVectors];
    for (int v = 0; v < kVectors; v++) sum[v] = load(bias + r + v * kLanes);
    for (int c = 0; c < columns; c++)
      for (int v = 0; v < kVectors; v++)
        sum[v] += load(weight + static_cast<long>(c) * rows + r + v * kLanes) * broadcast(in[c]);
    for (int v = 0; v < kVectors; v++) store(out + r + v * kLanes, sum[v]);
  }
  for (; r < rows; r++) {
    out[r] = bias[r];
    for (int c = 0; c < columns; c++) out[r] += widened(weight[static_cast<long>(c) * rows + r]) * in[c];
  }
}

}  // namespace TUBETWIN_ISA
}  // namespace tubetwin
