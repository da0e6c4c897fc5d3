// FiLM's generator: from the knobs to a scale and a shift for every channel of every layer.
//
// A small MLP (Perez et al. 2018), asked once when a knob moves, never per sample.
#pragma once

#include <algorithm>
#include <vector>

#include "tubetwin/memory.h"
#include "tubetwin/network.h"
#include "tubetwin/twin_file.h"

namespace tubetwin {

class Film {
 public:
  struct Size {
    int rows, columns;
  };
  static std::vector<Size> sizes(const Twin& twin) {
    std::vector<Size> all;
    for (const FilmLayer& layer : twin.film) all.push_back({layer.rows, layer.columns});
    return all;
  }
  std::vector<Size> sizes() const {
    std::vector<Size> all;
    for (int i = 0; i < count_; i++) all.push_back(layers_[i].size);
    return all;
  }

  // [main-thread]
  // `compact`: weights in halves. Without layers, as there are no knobs, `outputs` zeros come out.
  void place(Memory& memory, const std::vector<Size>& sizes, std::size_t outputs, bool compact) {
    compact_ = compact;
    layers_ = memory.take<Affine>(Part::film, sizes.size());
    count_ = static_cast<int>(sizes.size());
    std::size_t widest = outputs;
    for (int i = 0; i < count_; i++) {
      const std::size_t rows = sizes[i].rows, columns = sizes[i].columns;
      float* weight = memory.take<float>(Part::film, compact ? 0 : rows * columns);
      Half* half = memory.take<Half>(Part::film, compact ? rows * columns : 0);
      float* bias = memory.take<float>(Part::film, rows);
      if (layers_) layers_[i] = {sizes[i], weight, half, bias};
      widest = std::max(widest, std::max(rows, columns));
    }
    widest = (widest + 15) / 16 * 16;  // whole vectors, even the widest: see bend
    for (float*& values : values_) values = memory.take<float>(Part::scratch, widest);
  }

  // [main-thread]
  void load(const Twin& twin, const Kernels& kernels) {
    for (int i = 0; i < count_; i++) {
      const FilmLayer& from = twin.film[i];
      std::vector<float> transposed(from.weight.size());  // the kernel wants columns
      for (int r = 0; r < from.rows; r++)
        for (int c = 0; c < from.columns; c++) transposed[c * from.rows + r] = from.weight[r * from.columns + c];
      if (compact_)
        kernels.halve(layers_[i].half, transposed.data(), static_cast<int>(transposed.size()));
      else
        std::copy(transposed.begin(), transposed.end(), layers_[i].weight);
      std::copy(from.bias.begin(), from.bias.end(), layers_[i].bias);
    }
  }

  // Knobs normalised 0...1 -> delta gamma (layers, channels), then beta. [audio-thread]
  const float* operator()(const float* knobs, const Kernels& kernels) noexcept {
    float *in = values_[0], *out = values_[1];
    for (int k = 0; count_ > 0 && k < layers_[0].size.columns; k++) in[k] = 2 * knobs[k] - 1;
    for (int i = 0; i < count_; i++) {
      const Affine& layer = layers_[i];
      if (compact_)
        kernels.affineHalf(out, layer.half, layer.bias, in, layer.size.rows, layer.size.columns);
      else
        kernels.affine(out, layer.weight, layer.bias, in, layer.size.rows, layer.size.columns);
      if (i + 1 < count_) kernels.bend(out, layer.size.rows);
      std::swap(in, out);
    }
    return in;
  }

 private:
  struct Affine {
    Size size;
    float* weight;
    Half* half;  // the same at half precision, instead
    float* bias;
  };
  Affine* layers_ = nullptr;
  int count_ = 0;
  bool compact_ = false;
  float* values_[2] = {};
};

}  // namespace tubetwin
