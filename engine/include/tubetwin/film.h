// FiLM's generator: from the knobs to a scale and a shift for every channel of every layer.
//
// A small MLP (Perez et al. 2018), asked once when a knob moves, never per sample.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "tubetwin/memory.h"
#include "tubetwin/network.h"
#include "tubetwin/twin_file.h"

namespace tubetwin {

class Film {
 public:
  // [main-thread]
  void place(Memory& memory, const Twin& twin) {
    layers_ = memory.take<Affine>(Part::film, twin.film.size());
    count_ = static_cast<int>(twin.film.size());
    std::size_t widest = 0;
    for (int i = 0; i < count_; i++) {
      const FilmLayer& from = twin.film[i];
      float* weight = memory.take<float>(Part::film, from.weight.size());
      float* bias = memory.take<float>(Part::film, from.bias.size());
      if (layers_) layers_[i] = {from.rows, from.columns, weight, bias};
      widest = std::max<std::size_t>(widest, std::max(from.rows, from.columns));
    }
    for (float*& values : values_) values = memory.take<float>(Part::scratch, widest);
  }

  // [main-thread]
  void load(const Twin& twin) {
    for (int i = 0; i < count_; i++) {
      const FilmLayer& from = twin.film[i];
      for (int r = 0; r < from.rows; r++)
        for (int c = 0; c < from.columns; c++)  // transposed: the kernel wants columns
          layers_[i].weight[c * from.rows + r] = from.weight[r * from.columns + c];
      std::copy(from.bias.begin(), from.bias.end(), layers_[i].bias);
    }
  }

  // Knobs normalised 0...1 -> delta gamma (layers, channels), then beta; null if there are no
  // knobs. [audio-thread]
  const float* operator()(const float* knobs, const Kernels& kernels) noexcept {
    if (count_ == 0) return nullptr;
    float *in = values_[0], *out = values_[1];
    for (int k = 0; k < layers_[0].columns; k++) in[k] = 2 * knobs[k] - 1;
    for (int i = 0; i < count_; i++) {
      const Affine& layer = layers_[i];
      kernels.affine(out, layer.weight, layer.bias, in, layer.rows, layer.columns);
      if (i + 1 < count_)
        for (int r = 0; r < layer.rows; r++) out[r] = std::tanh(out[r]);
      std::swap(in, out);
    }
    return in;
  }

 private:
  struct Affine {
    int rows, columns;
    float *weight, *bias;
  };
  Affine* layers_ = nullptr;
  int count_ = 0;
  float* values_[2] = {};
};

}  // namespace tubetwin
