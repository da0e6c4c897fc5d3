// The whole network over one training segment, forward and backward, in one pass each.
//
// The same equations as wavenet.h, for training only (docs/twin-file.md states them). Here time is
// in the lanes: a signal of C channels is C rows of samples. FiLM does not appear: the caller folds
// it into the taps of each segment, so one flat list of parameters per segment goes in and one flat
// list of gradients comes out. Each layer runs over blocks of samples that stay in L1; the
// inputs of all layers are kept, and the backward pass recomputes the rest from them.
//
// A layer's input is valid from the sample on where its own past is complete: `start`, rounded down
// to a block. Before that lie zeros, and no gradient flows there.
#pragma once

#include <cstring>

#include "tubetwin/signals.h"

namespace tubetwin {

constexpr int kMaxLayers = 64;
constexpr int kTaps = 3;

// Samples of a block: 8 KB of each signal, so that three of them fit in L1.
constexpr int blockSamples(int channels) { return 2048 / channels; }

// Where things lie in time and memory for one segment of `samples` (a multiple of 32).
struct Segment {
  int layers;
  const int* dilations;
  long samples;
  long stride;             // from one channel's row to the next
  long start[kMaxLayers + 1];
  long history;            // samples before the first valid output

  Segment(int channels, int layers_, const int* dilations_, long samples_)
      : layers(layers_), dilations(dilations_), samples(samples_), history(0) {
    const int block = blockSamples(channels);
    long reach = 0;
    start[0] = 0;
    for (int l = 0; l < layers; l++) {
      const long past = (kTaps - 1) * static_cast<long>(dilations[l]);
      history += past;
      start[l + 1] = history / block * block;
      reach = past > reach ? past : reach;
    }
    // Rows a multiple of 4 KB apart would all fall into the same cache sets: shift them.
    stride = (block + samples + reach) / 1024 * 1024 + 1024 + 80;
  }
};

inline namespace TUBETWIN_ISA {

// Views into one flat list of parameters (or of their gradients), in this order.
template <typename Float, int C, bool kDense, bool kFullMix>
struct Flat {
  static constexpr int kTapsPerLayer = kTaps * (kDense ? C * C : C);
  static constexpr int kMixPerLayer = kFullMix ? C * C : C;
  Float *lift, *liftBias, *taps, *tapsBias, *alpha, *mix, *mixBias, *head, *headBias, *end;

  Flat(Float* p, int layers) {
    lift = p;
    liftBias = lift + C;
    taps = liftBias + C;
    tapsBias = taps + layers * kTapsPerLayer;
    alpha = tapsBias + layers * C;
    mix = alpha + layers * C;
    mixBias = mix + (layers - 1) * kMixPerLayer;
    head = mixBias + (layers - 1) * C;
    headBias = head + layers * C;
    end = headBias + 1;
  }
};

// The gradients of one layer, lane by lane: they are summed across lanes once, when it is done.
template <int C, bool kDense, bool kFullMix>
struct LaneSums {
  using Gradients = Flat<float, C, kDense, kFullMix>;
  Vector taps[Gradients::kTapsPerLayer], tapsBias[C], alpha[C];
  Vector mix[Gradients::kMixPerLayer], mixBias[C], head[C];

  void addTo(const Gradients& dw, int l, bool last, const float* alphas) const {
    for (int i = 0; i < Gradients::kTapsPerLayer; i++) dw.taps[l * Gradients::kTapsPerLayer + i] = sum(taps[i]);
    for (int c = 0; c < C; c++) {
      dw.tapsBias[l * C + c] = sum(tapsBias[c]);
      dw.alpha[l * C + c] = sum(alpha[c]) / alphas[l * C + c];
      dw.head[l * C + c] = sum(head[c]);
      if (!last) dw.mixBias[l * C + c] = sum(mixBias[c]);
    }
    for (int i = 0; i < Gradients::kMixPerLayer && !last; i++) dw.mix[l * Gradients::kMixPerLayer + i] = sum(mix[i]);
  }
};

template <int C, bool kDense, bool kFullMix>
struct Stack {
  using Weights = Flat<const float, C, kDense, kFullMix>;
  using Gradients = Flat<float, C, kDense, kFullMix>;
  using Sums = LaneSums<C, kDense, kFullMix>;
  static constexpr int kBlock = blockSamples(C);

  static long parameters(int layers) { return Flat<float, C, kDense, kFullMix>(nullptr, layers).end - static_cast<float*>(nullptr); }

  // u = taps.bias + Σ_j taps[j] x(t - (2-j)·d) over one block; `x` points at its first sample.
  static TUBETWIN_INLINE void convolve(const Weights& w, int l, const float* x, long stride, int d, float* u, int n) {
    const float* taps = w.taps + l * Weights::kTapsPerLayer;
    const float* bias = w.tapsBias + l * C;
    if constexpr (kDense) {
      multiply<C, C, false>(taps, C * C, C, 1, {x, stride}, {-2 * d, -d, 0}, u, kBlock, n, bias);
    } else {
      for (int c = 0; c < C; c++) {
        const Vector w0 = broadcast(taps[c]), w1 = broadcast(taps[C + c]), w2 = broadcast(taps[2 * C + c]);
        const Vector b = broadcast(bias[c]);
        const float* row = x + c * stride;
        for (int t = 0; t < n; t += kLanes)
          store(u + c * kBlock + t, b + w0 * load(row + t - 2 * d) + w1 * load(row + t - d) + w2 * load(row + t));
      }
    }
  }

  // s = u + sin²(αu)/α, and what the head hears of it.
  static TUBETWIN_INLINE void snakeAndHead(const Weights& w, int l, const float* u, float* s, float* out, int n) {
    for (int c = 0; c < C; c++) {
      const float alpha = w.alpha[l * C + c];
      const Vector periods = broadcast(alpha * 0.318309886f), inverse = broadcast(1.0f / alpha);
      for (int t = 0; t < n; t += kLanes) {
        const Vector v = load(u + c * kBlock + t), sine = sinPi(fractional(v * periods));
        store(s + c * kBlock + t, v + sine * sine * inverse);
      }
    }
    for (int t = 0; t < n; t += kLanes) {
      Vector y = load(out + t);
      for (int c = 0; c < C; c++) y += broadcast(w.head[l * C + c]) * load(s + c * kBlock + t);
      store(out + t, y);
    }
  }

  // next = x + mix s + mix.bias
  static TUBETWIN_INLINE void residual(const Weights& w, int l, const float* x, const float* s, float* next, long stride, int n) {
    const float* mix = w.mix + l * Weights::kMixPerLayer;
    for (int c = 0; c < C; c++) {
      const Vector bias = broadcast(w.mixBias[l * C + c]);
      const Vector scale = kFullMix ? Vector{} : broadcast(mix[c]);
      for (int t = 0; t < n; t += kLanes)
        store(next + c * stride + t, load(x + c * stride + t) + bias + scale * load(s + c * kBlock + t));
    }
    if constexpr (kFullMix) multiply<C, C, true>(mix, 0, C, 1, {s, kBlock}, {0}, next, stride, n);
  }

  // The three of them in one pass: with dense taps and few channels, all of it stays in registers.
  static TUBETWIN_INLINE void throughRows(const Weights& w, int l, const float* x, float* next, long stride, int d,
                                          float* out, int n) {
    const float* taps = w.taps + l * Weights::kTapsPerLayer;
    for (int t = 0; t < n; t += 2 * kLanes) {
      Vector u[C][2];
      for (int o = 0; o < C; o++) u[o][0] = u[o][1] = broadcast(w.tapsBias[l * C + o]);
      for (int j = 0; j < kTaps; j++)
        for (int i = 0; i < C; i++) {
          const float* row = x + i * stride + t - (kTaps - 1 - j) * d;
          const Vector x0 = load(row), x1 = load(row + kLanes);
          for (int o = 0; o < C; o++) {
            const Vector weight = broadcast(taps[(j * C + o) * C + i]);
            u[o][0] += weight * x0;
            u[o][1] += weight * x1;
          }
        }
      Vector head[2] = {load(out + t), load(out + t + kLanes)};
      for (int c = 0; c < C; c++) {
        const int k = l * C + c;
        const Vector periods = broadcast(w.alpha[k] * 0.318309886f), inverse = broadcast(1.0f / w.alpha[k]);
        for (int h = 0; h < 2; h++) {
          const long at = c * stride + t + h * kLanes;
          const Vector sine = sinPi(fractional(u[c][h] * periods)), s = u[c][h] + sine * sine * inverse;
          head[h] += broadcast(w.head[k]) * s;
          if (next) store(next + at, load(x + at) + broadcast(w.mixBias[k]) + broadcast(w.mix[k]) * s);
        }
      }
      store(out + t, head[0]);
      store(out + t + kLanes, head[1]);
    }
  }

  // di, out: (samples), samples before `history` of `out` are meaningless.
  // saved: layers x C x stride floats, any content.
  static void forward(const Segment& g, const float* flat, const float* di, float* saved, float* out) {
    const Weights w(flat, g.layers);
    const long rows = C * g.stride;
    alignas(64) float u[C * kBlock], s[C * kBlock];
    for (int c = 0; c < C; c++) {
      float* row = saved + c * g.stride;
      std::memset(row, 0, sizeof(float) * kBlock);
      for (long t = 0; t < g.samples; t += kLanes)
        store(row + kBlock + t, broadcast(w.lift[c]) * load(di + t) + broadcast(w.liftBias[c]));
    }
    for (long t = 0; t < g.samples; t++) out[t] = *w.headBias;
    for (int l = 0; l < g.layers; l++) {
      const float* x = saved + l * rows + kBlock;
      float* next = saved + (l + 1) * rows + kBlock;
      const bool last = l + 1 == g.layers;
      for (long t = g.start[l + 1]; t < g.samples; t += kBlock) {
        const int n = static_cast<int>(g.samples - t < kBlock ? g.samples - t : kBlock);
        if constexpr (kDense && !kFullMix) {
          throughRows(w, l, x + t, last ? nullptr : next + t, g.stride, g.dilations[l], out + t, n);
        } else {
          convolve(w, l, x + t, g.stride, g.dilations[l], u, n);
          snakeAndHead(w, l, u, s, out + t, n);
          if (!last) residual(w, l, x + t, s, next + t, g.stride, n);
        }
      }
      if (!last)
        for (int c = 0; c < C; c++)
          std::memset(next + c * g.stride + g.start[l + 1] - kBlock, 0, sizeof(float) * kBlock);
    }
  }

  // In: u of this block and ds = dLoss/ds without the head's share. Out: s, and ds becomes du.
  static TUBETWIN_INLINE void snakeBackward(const Weights& w, Sums& dw, int l, const float* u, const float* dout,
                                            float* s, const float* ds, float* du, long stride, int n) {
    for (int c = 0; c < C; c++) {
      const int k = l * C + c;
      const Vector periods = broadcast(w.alpha[k] * 0.318309886f), inverse = broadcast(1.0f / w.alpha[k]);
      const Vector head = broadcast(w.head[k]);
      Vector dHead = dw.head[c], dAlpha = dw.alpha[c], dBias = dw.tapsBias[c];
      for (int t = 0; t < n; t += kLanes) {
        const Vector v = load(u + c * kBlock + t), y = load(dout + t), r = fractional(v * periods);
        const Vector sine = sinPi(r), square = sine * sine * inverse, slope = broadcast(2.0f) * sine * cosPi(r);
        const Vector g = load(ds + c * kBlock + t) + head * y;
        const Vector through = g + g * slope;  // ds/dv = 1 + sin(2αv)
        dHead += (v + square) * y;
        dAlpha += g * (v * slope - square);  // α · ds/dα
        dBias += through;
        store(s + c * kBlock + t, v + square);
        store(du + c * stride + t, through);
      }
      dw.head[c] = dHead;
      dw.alpha[c] = dAlpha;
      dw.tapsBias[c] = dBias;
    }
  }

  // ds = mixᵀ dnext, and the gradients of mix.bias.
  static TUBETWIN_INLINE void residualBackward(const Weights& w, Sums& dw, int l, const float* dnext, long stride, float* ds, int n) {
    const float* mix = w.mix + l * Weights::kMixPerLayer;
    for (int c = 0; c < C; c++) {
      for (int t = 0; t < n; t += kLanes) {
        const Vector d = load(dnext + c * stride + t);
        dw.mixBias[c] += d;
        if constexpr (!kFullMix) store(ds + c * kBlock + t, broadcast(mix[c]) * d);
      }
    }
    if constexpr (kFullMix) multiply<C, C, false>(mix, 0, 1, C, {dnext, stride}, {0}, ds, kBlock, n);
  }

  static TUBETWIN_INLINE void mixGradient(Sums& dw, const float* dnext, long stride, const float* s, int n) {
    if constexpr (kFullMix) {
      correlate<C>(dw.mix, dnext, stride, s, kBlock, n);
    } else {
      for (int c = 0; c < C; c++) {
        Vector d = dw.mix[c];
        for (int t = 0; t < n; t += kLanes) d += load(dnext + c * stride + t) * load(s + c * kBlock + t);
        dw.mix[c] = d;
      }
    }
  }

  static TUBETWIN_INLINE void tapsGradient(Sums& dw, const float* du, const float* x, long stride, int d, int n) {
    if constexpr (kDense) {
      for (int j = 0; j < kTaps; j++) correlate<C>(dw.taps + j * C * C, du, stride, x - (kTaps - 1 - j) * d, stride, n);
    } else {
      for (int c = 0; c < C; c++) {
        const float* row = x + c * stride;
        Vector d0 = dw.taps[c], d1 = dw.taps[C + c], d2 = dw.taps[2 * C + c];
        for (int t = 0; t < n; t += kLanes) {
          const Vector g = load(du + c * stride + t);
          d0 += g * load(row + t - 2 * d);
          d1 += g * load(row + t - d);
          d2 += g * load(row + t);
        }
        dw.taps[c] = d0;
        dw.taps[C + c] = d1;
        dw.taps[2 * C + c] = d2;
      }
    }
  }

  // dx += Σ_j taps[j]ᵀ du(t + (2-j)·d); du reaches into blocks that are done already.
  static TUBETWIN_INLINE void convolveBackward(const Weights& w, int l, const float* du, float* dx, long stride, int d, int n) {
    const float* taps = w.taps + l * Weights::kTapsPerLayer;
    if constexpr (kDense) {
      multiply<C, C, true>(taps, C * C, 1, C, {du, stride}, {2 * d, d, 0}, dx, stride, n);
    } else {
      for (int c = 0; c < C; c++) {
        const Vector w0 = broadcast(taps[c]), w1 = broadcast(taps[C + c]), w2 = broadcast(taps[2 * C + c]);
        const float* g = du + c * stride;
        float* row = dx + c * stride;
        for (int t = 0; t < n; t += kLanes)
          store(row + t, load(row + t) + w0 * load(g + t + 2 * d) + w1 * load(g + t + d) + w2 * load(g + t));
      }
    }
  }

  // Asks for a block ahead: what the forward pass saved is far away, and nothing guesses a walk backward.
  static TUBETWIN_INLINE void fetch(const float* x, long stride) {
    for (int c = 0; c < C; c++)
      for (int t = 0; t < kBlock; t += 16) __builtin_prefetch(x + c * stride + t);
  }

  // dout: (samples), zero before `history`. saved: as `forward` left it. dflat: written.
  // scratch: 2 x C x stride floats, any content.
  static void backward(const Segment& g, const float* flat, const float* di, const float* saved, const float* dout,
                       float* dflat, float* scratch) {
    const Weights w(flat, g.layers);
    const Gradients dw(dflat, g.layers);
    const long rows = C * g.stride;
    alignas(64) float u[C * kBlock], s[C * kBlock], ds[C * kBlock];
    std::memset(dflat, 0, sizeof(float) * static_cast<size_t>(parameters(g.layers)));
    std::memset(scratch, 0, sizeof(float) * 2 * static_cast<size_t>(rows));
    float* dx = scratch + kBlock;  // gradient of the layer's output, turned in place into that of its input
    float* du = scratch + rows + kBlock;
    for (long t = g.history; t < g.samples; t++) *dw.headBias += dout[t];
    Sums sums;
    for (int l = g.layers - 1; l >= 0; l--) {
      std::memset(static_cast<void*>(&sums), 0, sizeof sums);
      const float* x = saved + l * rows + kBlock;
      const int d = g.dilations[l];
      const bool last = l + 1 == g.layers;
      for (int c = 0; c < C; c++)  // the layer above reached further back than this one
        std::memset(du + c * g.stride + g.start[l], 0, sizeof(float) * static_cast<size_t>(g.start[l + 1] - g.start[l]));
      for (long t = (g.samples - 1) / kBlock * kBlock; t >= g.start[l]; t -= kBlock) {
        const int n = static_cast<int>(g.samples - t < kBlock ? g.samples - t : kBlock);
        if (t > g.start[l]) fetch(x + t - kBlock, g.stride);
        if (t >= g.start[l + 1]) {
          convolve(w, l, x + t, g.stride, d, u, n);
          if (last) std::memset(ds, 0, sizeof ds);
          else residualBackward(w, sums, l, dx + t, g.stride, ds, n);
          snakeBackward(w, sums, l, u, dout + t, s, ds, du + t, g.stride, n);
          if (!last) mixGradient(sums, dx + t, g.stride, s, n);
          tapsGradient(sums, du + t, x + t, g.stride, d, n);
        }
        convolveBackward(w, l, du + t, dx + t, g.stride, d, n);
      }
      sums.addTo(dw, l, last, w.alpha);
    }
    for (int c = 0; c < C; c++) {
      Vector dLift{}, dBias{};
      for (long t = 0; t < g.samples; t += kLanes) {
        const Vector d = load(dx + c * g.stride + t);
        dLift += d * load(di + t);
        dBias += d;
      }
      dw.lift[c] += sum(dLift);
      dw.liftBias[c] += sum(dBias);
    }
  }
};

}  // namespace TUBETWIN_ISA
}  // namespace tubetwin
