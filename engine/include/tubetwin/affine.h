// One layer of FiLM's generator: a matrix times a vector, the rows in lanes, and tanh of all of them.
#pragma once

#include <string.h>

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

// out += weight * in for some columns at once.
template <int kColumns, class Weight>
void addColumns(float* out, const Weight* weight, const float* in, int rows) {
  int r = 0;
  for (; r + kLanes <= rows; r += kLanes) {
    Vector sum = load(out + r);
    for (int c = 0; c < kColumns; c++) sum += load(weight + static_cast<long>(c) * rows + r) * broadcast(in[c]);
    store(out + r, sum);
  }
  for (; r < rows; r++)
    for (int c = 0; c < kColumns; c++) out[r] += widened(weight[static_cast<long>(c) * rows + r]) * in[c];
}

// out = bias + weight * in; `weight`, of floats or halves, lies column after column. It is read in the order it
// lies in, and so is fetched in time: when a knob moves, it has long left the near caches.
template <class Weight>
void affine(float* out, const Weight* weight, const float* bias, const float* in, int rows, int columns) {
  constexpr int kColumns = 8;
  memcpy(out, bias, sizeof(float) * rows);
  int c = 0;
  for (; c + kColumns <= columns; c += kColumns)
    addColumns<kColumns>(out, weight + static_cast<long>(c) * rows, in + c, rows);
  for (; c < columns; c++) addColumns<1>(out, weight + static_cast<long>(c) * rows, in + c, rows);
}

// tanh x = 1 - 2 / (1 + 2^p), p = 2 x / ln 2; 2^p by the exponent's bits and, for what is left of p, a minimax
// polynomial: error 2e-7, of 1. `values` has room for whole vectors.
inline void bend(float* values, int count) {
  typedef int Whole __attribute__((vector_size(sizeof(Vector))));
  const Vector most = broadcast(60), least = broadcast(-60);  // there it is 1 already
  for (int i = 0; i < count; i += kLanes) {
    Vector p = load(values + i) * broadcast(2.8853900818f);
    p = p < most ? p : most;
    p = p > least ? p : least;
    const Vector r = fractional(p);
    const Whole exponent = __builtin_convertvector(p - r, Whole) + 127;
    Vector power = broadcast(1.32647272e-3f);
    power = power * r + broadcast(9.67151264e-3f);
    power = power * r + broadcast(5.550733743e-2f);
    power = power * r + broadcast(0.2402224209f);
    power = power * r + broadcast(0.6931469776f);
    power = power * r + broadcast(1);
    const Vector whole = (Vector)(exponent << 23);
    store(values + i, broadcast(1) - broadcast(2) / (whole * power + broadcast(1)));
  }
}

}  // namespace TUBETWIN_ISA
}  // namespace tubetwin
