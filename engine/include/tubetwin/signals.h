// What training does to whole signals: channels are rows of samples, and time is in the lanes.
#pragma once

#include "tubetwin/simd.h"

namespace tubetwin {
inline namespace TUBETWIN_ISA {

// sin(pi r) and cos(pi r) for r in [-0.5, 0.5]; minimax in r², errors 1.4e-8 and 2.2e-10.
static TUBETWIN_INLINE Vector sinPi(Vector r) {
  const Vector q = r * r;
  Vector p = broadcast(7.7659408347e-02f) * q + broadcast(-5.9829215953e-01f);
  p = p * q + broadcast(2.5500776597e+00f);
  p = p * q + broadcast(-5.1677100903e+00f);
  p = p * q + broadcast(3.1415926402e+00f);
  return p * r;
}
static TUBETWIN_INLINE Vector cosPi(Vector r) {
  const Vector q = r * r;
  Vector p = broadcast(-2.4396716595e-02f) * q + broadcast(2.3493755895e-01f);
  p = p * q + broadcast(-1.3352120567e+00f);
  p = p * q + broadcast(4.0587091643e+00f);
  p = p * q + broadcast(-4.9348021372e+00f);
  return p * q + broadcast(1.0f);
}

// Rows of samples: channel c at time t is at[c * stride + t].
struct Rows {
  const float* at;
  long stride;
};

// out[o][t] (+)= bias[o] + Σ_j Σ_i w[j·wj + o·wo + i·wi] · x[i][t + shift[j]] for t < n.
template <int kIn, int kOut, bool kAdd, int kShifts>
static TUBETWIN_INLINE void multiply(const float* w, int wj, int wo, int wi, Rows x, const int (&shift)[kShifts],
                                     float* out, long stride, int n, const float* bias = nullptr) {
  constexpr int kWide = kLanes == 16 ? 8 : 4;  // outputs held in registers at a time
  constexpr int kTile = kOut < kWide ? kOut : kWide;
  static_assert(kOut % kTile == 0, "outputs come in whole tiles");
  for (int o = 0; o < kOut; o += kTile)
    for (int t = 0; t < n; t += 2 * kLanes) {
      Vector a[kTile][2];
      for (int k = 0; k < kTile; k++) {
        float* row = out + (o + k) * stride + t;
        const Vector b = bias ? broadcast(bias[o + k]) : Vector{};
        a[k][0] = kAdd ? load(row) + b : b;
        a[k][1] = kAdd ? load(row + kLanes) + b : b;
      }
      for (int j = 0; j < kShifts; j++)
        for (int i = 0; i < kIn; i++) {
          const float* row = x.at + i * x.stride + t + shift[j];
          const Vector x0 = load(row), x1 = load(row + kLanes);
          for (int k = 0; k < kTile; k++) {
            const Vector weight = broadcast(w[j * wj + (o + k) * wo + i * wi]);
            a[k][0] += weight * x0;
            a[k][1] += weight * x1;
          }
        }
      for (int k = 0; k < kTile; k++) {
        store(out + (o + k) * stride + t, a[k][0]);
        store(out + (o + k) * stride + t + kLanes, a[k][1]);
      }
    }
}

// dw[o][i] += Σ_t d[o][t] · x[i][t]: the gradient of `multiply` for its weights. Lanes stay apart.
template <int C>
static TUBETWIN_INLINE void correlate(Vector* dw, const float* d, long ds, const float* x, long xs, int n) {
  for (int o = 0; o < C; o += 4)
    for (int i = 0; i < C; i += 4) {
      Vector a[4][4];
      for (int p = 0; p < 4; p++)
        for (int q = 0; q < 4; q++) a[p][q] = dw[(o + p) * C + i + q];
      for (int t = 0; t < n; t += kLanes) {
        Vector left[4], right[4];
        for (int k = 0; k < 4; k++) {
          left[k] = load(d + (o + k) * ds + t);
          right[k] = load(x + (i + k) * xs + t);
        }
        for (int p = 0; p < 4; p++)
          for (int q = 0; q < 4; q++) a[p][q] += left[p] * right[q];
      }
      for (int p = 0; p < 4; p++)
        for (int q = 0; q < 4; q++) dw[(o + p) * C + i + q] = a[p][q];
    }
}

}  // namespace TUBETWIN_ISA
}  // namespace tubetwin
