// What a turned knob does to the weights: FiLM's scale and shift of every layer, and the taps that hold the scale.
//
// Only a ramp costs anything in the kernels, so this runs once per move; but a host may move knobs in every block.
#pragma once

#include <math.h>

#include "tubetwin/network.h"

namespace tubetwin {
inline namespace TUBETWIN_ISA {

// Loops over channels are functions here, because GCC takes __restrict at its word in parameters only, and makes
// no vectors without it.

// FiLM's scale goes into the taps, so that it costs nothing while no knob moves, and little while one does.
inline void scaled(float* __restrict still, const float* __restrict taps, const float* __restrict gamma, int channels) {
  for (int c = 0; c < channels; c++) still[c] = taps[c] * gamma[c];
}
inline void scaled(float* __restrict still, const float* __restrict taps, float gamma, int channels) {
  for (int c = 0; c < channels; c++) still[c] = taps[c] * gamma;
}

// layers.h tells what for. Where gamma is 0, so is its step.
inline void rising(float* __restrict rise, float* __restrict shift, const float* __restrict gamma,
                   const float* __restrict gammaStep, const float* __restrict beta, const float* __restrict betaStep,
                   int channels) {
  for (int c = 0; c < channels; c++) {
    const float square = gamma[c] * gamma[c];
    rise[c] = gammaStep[c] * gamma[c] / (square > 1e-30f ? square : 1e-30f);
    shift[c] = betaStep[c] - rise[c] * beta[c];
  }
}

inline void fold(const Layer& layer, const Architecture& shape) {
  if (!layer.still) return;
  const int C = shape.channels;
  const float* taps = layer.taps;
  float* still = layer.still;
  for (int j = 0; j < shape.kernelSize; j++)
    if (shape.dense)
      for (int c = 0; c < C; c++, still += C, taps += C) scaled(still, taps, layer.gamma[c], C);
    else
      scaled(still + j * C, taps + j * C, layer.gamma, C);
  rising(layer.rise, layer.shift, layer.gamma, layer.gammaStep, layer.beta, layer.betaStep, C);
}

// States gamma and beta for another sample of the ramp.
inline void restate(Layer& layer, int channels, float sample) {
  const float moved = sample - layer.anchor;
  if (moved == 0) return;
  float *__restrict gamma = layer.gamma, *__restrict beta = layer.beta;
  const float *__restrict gammaStep = layer.gammaStep, *__restrict betaStep = layer.betaStep;
  for (int c = 0; c < channels; c++) {
    gamma[c] += gammaStep[c] * moved;
    beta[c] += betaStep[c] * moved;
  }
  layer.anchor = sample;
}

// The sample of a ramp that a layer's taps are folded for: its end, where they will rest, unless a gamma is
// nearly 0 there. The kernels divide by it (layers.h), and an error of rounding grows by what gamma changes
// over what it is: 32 times at most, for each of 16 channels can be too near to 0 at one of 17 samples only.
inline float anchor(const Layer& layer, int channels, float samples) {
  constexpr int kParts = 16;
  for (int part = kParts; part > 0; part--) {
    const float sample = samples * static_cast<float>(part) / kParts, moved = sample - layer.anchor;
    int close = 0;
    for (int c = 0; c < channels; c++)
      close += fabsf(layer.gammaStep[c]) * samples > 2 * kParts * fabsf(layer.gamma[c] + layer.gammaStep[c] * moved);
    if (close == 0) return sample;
  }
  return 0;
}

// From where gamma and beta are to what FiLM asks for.
inline void aim(float* __restrict gamma, float* __restrict gammaStep, float* __restrict beta, float* __restrict betaStep,
                const float* __restrict scale, const float* __restrict shift, const float* __restrict unit,
                const float* __restrict bias, float perSample, int channels) {
  for (int c = 0; c < channels; c++) {
    const float toGamma = (1 + scale[c]) * unit[c], toBeta = toGamma * bias[c] + shift[c] * unit[c];
    gammaStep[c] = (toGamma - gamma[c]) * perSample;
    betaStep[c] = (toBeta - beta[c]) * perSample;
    gamma[c] = toGamma;
    beta[c] = toBeta;
  }
}

// Sets out for `film`, delta gamma (layers, channels) and then beta, in a straight line of `samples`; 0: at
// once. A move under way turns off from where it is.
inline void turn(Network& net, const float* film, int samples) {
  const int L = net.shape.layers, C = net.shape.channels;
  const float perSample = samples ? 1 / static_cast<float>(samples) : 0;
  for (int l = 0; l < L; l++) {
    Layer& layer = net.layer[l];
    restate(layer, C, static_cast<float>(net.rampStep));
    aim(layer.gamma, layer.gammaStep, layer.beta, layer.betaStep, film + l * C, film + (L + l) * C, layer.unit,
        layer.tapsBias, perSample, C);
    layer.anchor = static_cast<float>(samples);
    restate(layer, C, anchor(layer, C, static_cast<float>(samples)));
    fold(layer, net.shape);
  }
  net.rampStep = 0;
  net.rampLength = samples;
}

// The ramp is over.
inline void rest(Network& net) {
  const int C = net.shape.channels;
  for (int l = 0; l < net.shape.layers; l++) {
    Layer& layer = net.layer[l];
    const bool folded = layer.anchor == static_cast<float>(net.rampLength);
    restate(layer, C, static_cast<float>(net.rampLength));
    for (int c = 0; c < C; c++) layer.gammaStep[c] = layer.betaStep[c] = 0;
    layer.anchor = 0;
    if (!folded) fold(layer, net.shape);
  }
  net.rampStep = net.rampLength = 0;
}

}  // namespace TUBETWIN_ISA
}  // namespace tubetwin
