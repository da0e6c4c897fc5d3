// The network with 16 channels (`standard`): depthwise taps, Snake, a full mix. Channels in lanes.
//
// A moment of x is one column of 16 floats: a cache line, one AVX-512 vector, two of AVX2. Each
// layer takes two passes over the block, because fused ones leave too few registers: `convolve`
// turns x into s, and `mix` turns s into the next layer's x, in place.
#pragma once

#include <string.h>

#include "tubetwin/layers.h"

namespace tubetwin {
inline namespace TUBETWIN_ISA {

constexpr int kColumn = 16;
constexpr int kSlices = kColumn / kLanes;  // vectors in a column
constexpr int kShort = 8;                 // a dilation below it is played by convolveShort
constexpr int kRoom = 2 * kShort;          // columns before the block, for the histories of those

// Where the taps of a stretch of columns are found. Kernel size 3: t - 2d, t - d and t.
template <class Past>
struct TapColumns {
  Past* oldest;
  const Past* middle;
  const float* now;
};

// What a layer does to one slice of its columns, in registers.
struct Slice {
  Vector w0, w1, w2, beta, rise, shift, head;
};

// s = Snake(FiLM(taps * x)) for a slice of kTile columns, and the head's share of it. With kKeep, the oldest
// column, read for the last time, gives its place to the present one: so a ring of 2d columns is enough.
template <int kTile, bool kMoving, bool kKeep, class Past>
TUBETWIN_INLINE void convolveTile(const Slice& layer, TapColumns<Past> x, int i, float* s, float* headSum,
                                  const float* moved) {
  Vector v[kTile];
#pragma GCC unroll 8
  for (int t = 0; t < kTile; t++) {
    const int at = i + t * kColumn;
    const Vector now = load(x.now + at);
    v[t] = load(x.oldest + at) * layer.w0 + layer.beta;
    v[t] = load(x.middle + at) * layer.w1 + v[t];
    v[t] = now * layer.w2 + v[t];
    if (kKeep) store(x.oldest + at, now);
    if (kMoving) v[t] = glided(v[t], broadcast(moved[t]), layer.rise, layer.shift);
  }
#pragma GCC unroll 8
  for (int t = 0; t < kTile; t++) {
    const int at = i + t * kColumn;
    const Vector g = snake(v[t]);
    store(s + at, g);
    store(headSum + at, load(headSum + at) + g * layer.head);
  }
}

// The same for any number of columns; AVX-512 has registers for eight, which needn't wait for one another then.
template <bool kMoving, bool kKeep, class Past>
void convolve(const Layer& layer, TapColumns<Past> x, float* s, float* headSum, const float* moved, int n) {
  constexpr int kTile = kLanes == 16 ? 8 : 1;
  for (int c = 0; c < kColumn; c += kLanes) {
    const float* taps = layer.still + c;
    const Slice slice{load(taps), load(taps + kColumn), load(taps + 2 * kColumn), load(layer.beta + c),
                      load(layer.rise + c), load(layer.shift + c), load(layer.head + c)};
    int t = 0;
    for (; t + kTile <= n; t += kTile)
      convolveTile<kTile, kMoving, kKeep>(slice, x, t * kColumn + c, s, headSum, moved + t);
    for (; t < n && kTile > 1; t++) convolveTile<1, kMoving, kKeep>(slice, x, t * kColumn + c, s, headSum, moved + t);
  }
}

// x += mix * s + bias for kTile columns, their sums held in registers; with kHeld, the mix as well.
template <int kTile, bool kHeld>
TUBETWIN_INLINE void mixTile(const Layer& layer, const Vector* held, const float* s, float* x) {
  Vector sum[kTile][kSlices];
  for (int t = 0; t < kTile; t++)
    for (int v = 0; v < kSlices; v++)
      sum[t][v] = load(x + t * kColumn + v * kLanes) + load(layer.mixBias + v * kLanes);
#pragma GCC unroll(kLanes == 4 ? 1 : 16)  // SSE and WebAssembly run out of registers: half the speed
  for (int i = 0; i < kColumn; i++) {
    Vector weight[kSlices];
    for (int v = 0; v < kSlices; v++) weight[v] = kHeld ? held[i] : load(layer.mix + i * kColumn + v * kLanes);
#pragma GCC unroll 16
    for (int t = 0; t < kTile; t++) {
      const Vector from = broadcast(s[t * kColumn + i]);
      for (int v = 0; v < kSlices; v++) sum[t][v] += from * weight[v];
    }
  }
  for (int t = 0; t < kTile; t++)
    for (int v = 0; v < kSlices; v++) store(x + t * kColumn + v * kLanes, sum[t][v]);
}

template <bool kHeld>
void mixColumns(const Layer& layer, const float* s, float* x, int n) {
  constexpr int kTile = 8 / kSlices;  // eight sums hide the latency of a multiply-add
  Vector held[kColumn];
  for (int i = 0; kHeld && i < kColumn; i++) held[i] = load(layer.mix + i * kColumn);
  int t = 0;
  for (; t + kTile <= n; t += kTile) mixTile<kTile, kHeld>(layer, held, s + t * kColumn, x + t * kColumn);
  for (; t < n; t++) mixTile<1, kHeld>(layer, held, s + t * kColumn, x + t * kColumn);
}

// AVX-512 has registers for the whole mix: it waits for loads, and is spared some, if the block is long.
inline void mix(const Layer& layer, const float* s, float* x, int n) {
  if (kSlices == 1 && n > 16)
    mixColumns<kSlices == 1>(layer, s, x, n);
  else
    mixColumns<false>(layer, s, x, n);
}

// Reads the history where it lies, in stretches that neither cross the end of the ring nor are longer
// than the dilation, so that no tap reaches into the stretch itself.
template <bool kMoving, class Past>
void convolveLong(Layer& layer, Past* history, const Network& net, float* x, int n) {
  for (int t = 0; t < n;) {
    int middle = layer.oldest + layer.dilation;
    if (middle >= layer.memory) middle -= layer.memory;
    const int toEnd = layer.memory - (middle > layer.oldest ? middle : layer.oldest);
    int stretch = toEnd < layer.dilation ? toEnd : layer.dilation;
    if (stretch > n - t) stretch = n - t;
    const TapColumns<Past> taps{history + layer.oldest * kColumn, history + middle * kColumn, x + t * kColumn};
    convolve<kMoving, true>(layer, taps, net.activations + t * kColumn, net.headSum + t * kColumn, net.moved + t,
                             stretch);
    layer.oldest += stretch;
    if (layer.oldest == layer.memory) layer.oldest = 0;
    t += stretch;
  }
}

inline void copyColumns(float* to, const float* from, int columns) {
  memcpy(to, from, sizeof(float) * kColumn * columns);
}

// Stretches would be too short to pay: the history is laid out before the block.
template <bool kMoving>
void convolveShort(Layer& layer, const Network& net, float* x, int n) {
  const int d = layer.dilation, older = layer.memory - layer.oldest;
  float* past = x - layer.memory * kColumn;
  copyColumns(past, layer.history + layer.oldest * kColumn, older);
  copyColumns(past + older * kColumn, layer.history, layer.oldest);
  convolve<kMoving, false, float>(layer, {past, x - d * kColumn, x}, net.activations, net.headSum, net.moved, n);
  copyColumns(layer.history, past + n * kColumn, layer.memory);
  layer.oldest = 0;
}

// Every column of the history becomes the present one.
inline void fillHistory(Layer& layer, const float* x) {
  for (int i = 0; i < layer.memory; i++)
    for (int c = 0; c < kColumn; c += kLanes) {
#ifdef TUBETWIN_HALVES
      if (layer.halves) store(layer.halves + i * kColumn + c, load(x + c));
#endif
      if (layer.history) store(layer.history + i * kColumn + c, load(x + c));
    }
}

template <bool kMoving>
void playColumns(Network& net, const float* in, float* out, int n) {
  float* x = net.line + kRoom * kColumn;
  for (int t = 0; t < n; t++)
    for (int c = 0; c < kColumn; c += kLanes) {
      store(x + t * kColumn + c, load(net.lift + c) * broadcast(in[t]) + load(net.liftBias + c));
      store(net.headSum + t * kColumn + c, Vector{});
    }
  for (int l = 0; l < net.shape.layers; l++) {
    Layer& layer = net.layer[l];
    if (net.settling) fillHistory(layer, x);
    if (kMoving && (l == 0 || layer.anchor != net.layer[l - 1].anchor))
      for (int t = 0; t < n; t++) net.moved[t] = static_cast<float>(net.rampStep + 1 + t) - layer.anchor;
    if (layer.dilation < (n < kShort ? n : kShort))
      convolveShort<kMoving>(layer, net, x, n);
#ifdef TUBETWIN_HALVES
    else if (layer.halves)
      convolveLong<kMoving>(layer, layer.halves, net, x, n);
#endif
    else
      convolveLong<kMoving>(layer, layer.history, net, x, n);
    if (l + 1 < net.shape.layers) mix(layer, net.activations, x, n);
  }
  for (int t = 0; t < n; t++) {
    Vector total = load(net.headSum + t * kColumn);
    for (int c = kLanes; c < kColumn; c += kLanes) total += load(net.headSum + t * kColumn + c);
    out[t] = net.headBias + sum(total);
  }
}

inline void playColumns16(Network& net, const float* in, float* out, int n) {
  if (net.rampStep < net.rampLength)
    playColumns<true>(net, in, out, n);
  else
    playColumns<false>(net, in, out, n);
}

}  // namespace TUBETWIN_ISA
}  // namespace tubetwin
