// A twin's network as the kernels see it: plain numbers, and pointers into the player's memory.
//
// This header holds data only. Kernels compiled for several instruction sets share it, so a
// function in it could be compiled for one of them and then called on a machine that lacks it.
#pragma once

#include "tubetwin/half.h"

namespace tubetwin {

constexpr int kMaxBlock = 64;     // samples the kernels play at once; longer blocks are cut
constexpr int kMaxLayers = 64;    // bounds of docs/twin-file.md
constexpr int kMaxChannels = 64;
constexpr int kMaxKernelSize = 16;
constexpr int kMaxKnobs = 64;
constexpr int kMaxSides = 2;      // channels that a player plays, each with an amp of its own

// What the network looks like, as the twin states it.
struct Architecture {
  int channels = 0;
  int kernelSize = 0;
  int layers = 0;
  int dilations[kMaxLayers] = {};
  bool dense = false;    // taps: dense or depthwise
  bool fullMix = false;  // mix: full or scale
};

// One layer. C channels, n taps; `memory` = (n - 1) * dilation columns of history.
struct Layer {
  int dilation;
  int memory;
  int oldest;      // the column of `history` that was written longest ago
  float* history;  // a ring of x[l]: (memory, C) columns, or (C, memory) rows in rows.h
  Half* halves;    // the same at half precision, instead; columns.h only, and only for long ones

  const float* taps;  // (n, C) or (n, C out, C in), as trained
  float* still;       // the taps times gamma; not in plain.h
  const float* unit;  // (C) what gamma and beta are counted in: see weights.h
  const float* tapsBias;
  float anchor;       // the sample of the ramp that gamma and beta are stated for: see turning.h
  float* gamma;       // (C) FiLM's scale
  float* beta;        // (C) FiLM's shift, with the taps' bias in it
  float* gammaStep;   // (C) what a ramp adds per sample; zero when no knob moves
  float* betaStep;
  float* rise;        // (C) the same per sample, in terms of what the folded taps give: see layers.h
  float* shift;
  const float* alpha;  // (C) Snake's frequency
  const float* mix;
  const float* mixBias;
  const float* head;  // (C)
};

// The stack, and the ground it works on.
struct Network {
  Architecture shape;
  Layer* layer;        // (layers)
  const float* lift;   // (C)
  const float* liftBias;
  float headBias;

  int rampStep;    // samples of the ramp already played ...
  int rampLength;  // ... of this many; equal when no knob moves
  bool settling;   // fill every history with what flows by: see WaveNet::settle

  float* line;         // scratch: the block's x, with room for short histories before it
  float* activations;  // scratch: the block's s
  float* headSum;      // scratch: the block's sum over layers, before the sum over channels
  float* moved;        // scratch: samples from the layer's anchor to each of the block; columns.h only
};

// A Fourier transform of `size` complex numbers, a power of two >= 64: see fft.h.
struct Fft {
  int size;
  int rootCount;  // floats
  const float* roots;
};
constexpr int kRun = 8;
constexpr int kDotStep = 16;

// Whether the history of a layer can be kept in halves: only if no tap of a block reaches into it.
constexpr int kLeastHalfDilation = kMaxBlock;

// Plays n <= kMaxBlock samples.
using PlayFunction = void (*)(Network&, const float* in, float* out, int n);

// Everything whose speed depends on the instruction set, compiled once for each.
struct Kernels {
  const char* instructionSet;

  // The network: one function for each shape that has a fast path, and one for all the others.
  PlayFunction columns16, rows4, rows8, anyShape;

  // A turned knob: see turning.h.
  void (*turn)(Network&, const float* film, int samples);
  void (*rest)(Network&);

  // out (rows) = bias + weight (columns, rows) * in (columns).
  void (*affine)(float* out, const float* weight, const float* bias, const float* in, int rows,
                 int columns);

  // The same with `weight` in halves, and from floats to halves; null where the machine has none.
  void (*affineHalf)(float* out, const Half* weight, const float* bias, const float* in, int rows, int columns);
  void (*halve)(Half* to, const float* from, int count);

  // In place, values = tanh(values); there is room for whole vectors.
  void (*bend)(float* values, int count);

  // out[t] = sum over k of taps[k] * in[t - k], t < n <= kMaxBlock.
  void (*fir)(float* out, const float* in, const float* taps, int count, int n);

  // The sum of a[k] * b[k]; `count` is a multiple of kDotStep.
  float (*dot)(const float* a, const float* b, int count);

  // Convolution of long responses, block by block: see fft.h.
  void (*transform)(const Fft&, float* re, float* im, float* spectrum);
  void (*transformBack)(const Fft&, float* spectrum, float* re, float* im);
  void (*multiplyAdd)(float* sum, const float* past, const float* response, int newest, int count, int size);
};

}  // namespace tubetwin
