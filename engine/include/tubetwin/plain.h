// The network's equation, sample by sample, for every shape a twin may state.
//
// This is the executable form of docs/twin-file.md. Shapes that guitarists use have faster ways
// (columns.h, rows.h); tests hold those against this one.
#pragma once

#include <math.h>  // not <cmath>: sinf belongs to the C library, not to one instruction set
#include <string.h>

#include "tubetwin/layers.h"

namespace tubetwin {
inline namespace TUBETWIN_ISA {

// What tap j of a layer sees: its own past, or with the last tap the present column x. (C)
inline const float* tapped(const Layer& layer, const Architecture& shape, const float* x,
                                  int j) {
  if (j == shape.kernelSize - 1) return x;
  const int column = (layer.oldest + j * layer.dilation) % layer.memory;
  return layer.history + column * shape.channels;
}

// u: the dilated convolution at one channel, without its bias.
inline float convolved(const Layer& layer, const Architecture& shape, const float* x,
                              int channel) {
  const int C = shape.channels;
  float u = 0;
  for (int j = 0; j < shape.kernelSize; j++) {
    const float* column = tapped(layer, shape, x, j);
    if (!shape.dense) {
      u += layer.taps[j * C + channel] * column[channel];
      continue;
    }
    const float* weights = layer.taps + (j * C + channel) * C;
    for (int i = 0; i < C; i++) u += weights[i] * column[i];
  }
  return u;
}

inline void remember(Layer& layer, const float* x, int channels, bool settling) {
  if (layer.memory == 0) return;
  const int columns = settling ? layer.memory : 1;
  for (int i = 0; i < columns; i++) {
    memcpy(layer.history + layer.oldest * channels, x, sizeof(float) * channels);
    layer.oldest = (layer.oldest + 1) % layer.memory;
  }
}

inline void playAnyShape(Network& net, const float* in, float* out, int n) {
  const int C = net.shape.channels;
  float* x = net.line;
  float* s = net.activations;
  for (int t = 0; t < n; t++) {
    for (int c = 0; c < C; c++) x[c] = net.lift[c] * in[t] + net.liftBias[c];
    float y = net.headBias;
    for (int l = 0; l < net.shape.layers; l++) {
      Layer& layer = net.layer[l];
      if (net.settling) remember(layer, x, C, true);
      const float moved = static_cast<float>(net.rampStep + 1 + t) - layer.anchor;  // no knob moves: the steps are zero
      for (int c = 0; c < C; c++) {
        const float u = convolved(layer, net.shape, x, c);
        const float gamma = layer.gamma[c] + layer.gammaStep[c] * moved;  // FiLM, 1 + its delta
        const float beta = layer.beta[c] + layer.betaStep[c] * moved;     // with the taps' bias
        const float v = gamma * u + beta;
        const float sine = sinf(layer.alpha[c] * v);
        s[c] = v + sine * sine / layer.alpha[c];  // Snake
        y += layer.head[c] * s[c];
      }
      remember(layer, x, C, false);
      if (l + 1 == net.shape.layers) break;  // the last layer feeds only the head
      for (int c = 0; c < C; c++) {
        float mixed = layer.mixBias[c];
        if (net.shape.fullMix)
          for (int i = 0; i < C; i++) mixed += layer.mix[c * C + i] * s[i];
        else
          mixed += layer.mix[c] * s[c];
        x[c] += mixed;
      }
    }
    out[t] = y;
  }
}

}  // namespace TUBETWIN_ISA
}  // namespace tubetwin
