// The networks with 4 and 8 channels (`nano`, `lite`): dense taps, Snake, a scale. Time in lanes.
//
// A channel of x is one row of floats, so a vector holds one channel at several moments: the dense
// taps need no sums across lanes, and a layer is one pass. Rows are padded to whole vectors; what
// is computed past the end of the block is never kept.
#pragma once

#include <string.h>

#include "tubetwin/layers.h"

namespace tubetwin {
inline namespace TUBETWIN_ISA {

constexpr int kBefore = 2 * kMaxBlock;           // floats of a row before the block, for short histories
constexpr int kRow = kBefore + kMaxBlock + 16;  // 16: rows 4 KB apart would fight for the same cache lines

// Where the taps of a block are found: the row of channel 0, and the distance to the next row.
struct TapRows {
  const float* row[3];  // t - 2d, t - d and t
  int stride[3];
  float* keep;  // where in the ring x goes while it is at hand, a row every `stride[0]`; or null
};

// kVectors vectors of time, from all channels of x to all channels of the next layer's x.
template <int C, int kVectors, bool kMoving>
TUBETWIN_INLINE void layerTile(const Layer& layer, const TapRows& x, float* y, float* headSum, int t,
                                      Vector moved) {
  Vector v[C][kVectors];
  for (int o = 0; o < C; o++)
    for (int k = 0; k < kVectors; k++) v[o][k] = broadcast(layer.beta[o]);
#pragma GCC unroll 3
  for (int j = 0; j < 3; j++)
#pragma GCC unroll(kLanes == 4 ? 1 : 8)  // SSE and WebAssembly run out of registers: half the speed
    for (int i = 0; i < C; i++) {
      const float* row = x.row[j] + static_cast<long>(i) * x.stride[j] + t;
      for (int o = 0; o < C; o++) {
        const Vector weight = broadcast(layer.still[(j * C + o) * C + i]);
        for (int k = 0; k < kVectors; k++) v[o][k] += weight * load(row + k * kLanes);
      }
    }
  Vector head[kVectors], step[kVectors];
  for (int k = 0; k < kVectors; k++) {
    head[k] = load(headSum + t + k * kLanes);
    step[k] = moved + broadcast(static_cast<float>(t + k * kLanes));
  }
#pragma GCC unroll 8
  for (int o = 0; o < C; o++)
    for (int k = 0; k < kVectors; k++) {
      const int at = t + k * kLanes;
      if (kMoving) v[o][k] = glided(v[o][k], step[k], broadcast(layer.rise[o]), broadcast(layer.shift[o]));
      const Vector g = snake(v[o][k]), now = load(x.row[2] + o * kRow + at);
      head[k] += g * broadcast(layer.head[o]);
      store(y + o * kRow + at, (now + broadcast(layer.mixBias[o])) + g * broadcast(layer.mix[o]));
      if (x.keep) store(x.keep + static_cast<long>(o) * x.stride[0] + at, now);
    }
  for (int k = 0; k < kVectors; k++) store(headSum + t + k * kLanes, head[k]);
}

template <int C, bool kMoving>
void playLayer(const Layer& layer, const TapRows& x, float* y, float* headSum, int n, int rampStep) {
  constexpr int kVectors = (kLanes == 16 ? 16 : 8) / C;  // as many sums as the registers hold
  Vector moved;
  for (int i = 0; i < kLanes; i++) moved[i] = static_cast<float>(rampStep + 1 + i) - layer.anchor;
  int t = 0;
  for (; t + kVectors * kLanes <= n; t += kVectors * kLanes)
    layerTile<C, kVectors, kMoving>(layer, x, y, headSum, t, moved);
  for (; t < n; t += kLanes) layerTile<C, 1, kMoving>(layer, x, y, headSum, t, moved);
}

// A few floats, in line: a call of memcpy for each row takes longer than the copying itself.
TUBETWIN_INLINE void copyRow(float* to, const float* from, int count) {
  for (; count >= kLanes; count -= kLanes, to += kLanes, from += kLanes) store(to, load(from));
#pragma GCC unroll 4
  for (int part = 8; part >= 1; part /= 2)
    if (count & part) {
      memcpy(to, from, sizeof(float) * part);
      to += part;
      from += part;
    }
}

// Copies `count` floats of the ring, from `start` on.
TUBETWIN_INLINE void unroll(float* to, const float* ring, int length, int start, int count) {
  const int first = count < length - start ? count : length - start;
  copyRow(to, ring + start, first);
  copyRow(to + first, ring, count - first);
}

// All rows of a short history, whose length the compiler knows: finding it out takes longer than copying.
template <int kCount>
TUBETWIN_INLINE void copyRowsOf(float* to, int toStride, const float* from, int fromStride, int channels) {
  for (int c = 0; c < channels; c++, to += toStride, from += fromStride)
    if constexpr (kCount < kLanes)
      memcpy(to, from, sizeof(float) * kCount);
    else
      for (int t = 0; t < kCount; t += kLanes) store(to + t, load(from + t));
}

inline void copyRows(float* to, int toStride, const float* from, int fromStride, int channels, int count) {
  switch (count) {
    case 2: return copyRowsOf<2>(to, toStride, from, fromStride, channels);
    case 4: return copyRowsOf<4>(to, toStride, from, fromStride, channels);
    case 8: return copyRowsOf<8>(to, toStride, from, fromStride, channels);
    case 16: return copyRowsOf<16>(to, toStride, from, fromStride, channels);
    case 32: return copyRowsOf<32>(to, toStride, from, fromStride, channels);
    case 64: return copyRowsOf<64>(to, toStride, from, fromStride, channels);
  }
  for (int c = 0; c < channels; c++) copyRow(to + c * toStride, from + c * fromStride, count);
}

// Finds the taps of a block of n samples whose rows start at x.
template <int C>
TUBETWIN_INLINE TapRows tapRows(const Layer& layer, float* x, int n) {
  const int memory = layer.memory;
  TapRows taps{{x - memory, x - layer.dilation, x}, {kRow, kRow, kRow}, nullptr};
  if (layer.dilation < n) {  // they reach into the block: lay the history out before it
    const int older = memory - layer.oldest;
    copyRows(x - memory, kRow, layer.history + layer.oldest, memory, C, older);
    if (layer.oldest > 0) copyRows(x - layer.oldest, kRow, layer.history, memory, C, layer.oldest);
    return taps;
  }
  for (int j = 0; j < 2; j++) {
    int start = layer.oldest + j * layer.dilation;
    if (start >= memory) start -= memory;
    taps.row[j] = layer.history + start;
    taps.stride[j] = memory;
    if (start + n <= memory) continue;
    float* copy = x - kBefore + j * kMaxBlock;  // it crosses the end of the ring: straighten it
    for (int c = 0; c < C; c++) unroll(copy + c * kRow, layer.history + c * memory, memory, start, n);
    taps.row[j] = copy;
    taps.stride[j] = kRow;
  }
  const bool whole = n % kLanes == 0 && taps.stride[0] == memory;
  if (whole) taps.keep = layer.history + layer.oldest;
  return taps;
}

// Puts the block where the oldest samples were, unless that is done. A block that fills the history starts it anew.
template <int C>
TUBETWIN_INLINE void remember(Layer& layer, const float* x, int n, bool done) {
  const int memory = layer.memory;
  if (n >= memory) {
    copyRows(layer.history, memory, x + n - memory, kRow, C, memory);
    layer.oldest = 0;
    return;
  }
  const int toEnd = memory - layer.oldest, first = n < toEnd ? n : toEnd;
  for (int c = 0; c < C && !done; c++) {
    float* row = layer.history + c * memory;
    copyRow(row + layer.oldest, x + c * kRow, first);
    copyRow(row, x + c * kRow + first, n - first);
  }
  layer.oldest = n < toEnd ? layer.oldest + n : n - toEnd;
}

inline void fillHistory(Layer& layer, const float* x, int channels) {
  for (int c = 0; c < channels; c++)
    for (int i = 0; i < layer.memory; i++) layer.history[c * layer.memory + i] = x[c * kRow];
}

template <int C>
void playRows(Network& net, const float* in, float* out, int n) {
  float* x = net.line + kBefore;
  float* y = x + C * kRow;
  for (int c = 0; c < C; c++)
    for (int t = 0; t < n; t++) x[c * kRow + t] = net.lift[c] * in[t] + net.liftBias[c];
  memset(net.headSum, 0, sizeof(float) * kMaxBlock);
  for (int l = 0; l < net.shape.layers; l++) {
    Layer& layer = net.layer[l];
    if (net.settling) fillHistory(layer, x, C);
    const TapRows taps = tapRows<C>(layer, x, n);
    if (net.rampStep < net.rampLength)
      playLayer<C, true>(layer, taps, y, net.headSum, n, net.rampStep);
    else
      playLayer<C, false>(layer, taps, y, net.headSum, n, 0);
    remember<C>(layer, x, n, taps.keep != nullptr);
    float* next = y;
    y = x;
    x = next;
  }
  for (int t = 0; t < n; t++) out[t] = net.headBias + net.headSum[t];
}

}  // namespace TUBETWIN_ISA
}  // namespace tubetwin
