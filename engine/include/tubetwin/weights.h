// A twin's weights as a kernel wants them: laid out layer by layer, Snake and FiLM folded in.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "tubetwin/layers.h"
#include "tubetwin/memory.h"
#include "tubetwin/network.h"
#include "tubetwin/twin_file.h"

namespace tubetwin {

// The shapes that have a kernel of their own; every other plays through plain.h.
enum class Layout { anyShape, columns16, rows4, rows8 };

inline Layout layoutOf(const Architecture& shape) {
  if (shape.kernelSize != 3) return Layout::anyShape;
  if (shape.channels == 16 && !shape.dense && shape.fullMix) return Layout::columns16;
  if (shape.channels == 4 && shape.dense && !shape.fullMix) return Layout::rows4;
  if (shape.channels == 8 && shape.dense && !shape.fullMix) return Layout::rows8;
  return Layout::anyShape;
}

class Weights {
 public:
  // Takes the memory of a twin's weights, and of the histories, which the layers point to. [main-thread]
  // `compact`: long histories in halves, if the shape has a kernel for that.
  void place(Memory& memory, const Architecture& shape, bool compact) {
    shape_ = shape;
    layout_ = layoutOf(shape_);
    const std::size_t L = shape_.layers, C = shape_.channels;
    compact_ = compact && layout_ == Layout::columns16;
    std::size_t columns = 0, halfColumns = 0;
    for (int l = 0; l < shape_.layers; l++) (halved(l) ? halfColumns : columns) += history(l);
    histories_ = memory.take<float>(Part::delayLines, columns * C);
    halves_ = memory.take<Half>(Part::delayLines, halfColumns * C);
    layers_ = memory.take<Layer>(Part::weights, L);
    lift_ = memory.take<float>(Part::weights, C);
    liftBias_ = memory.take<float>(Part::weights, C);
    taps_ = memory.take<float>(Part::weights, L * tapsSize());
    still_ = memory.take<float>(Part::weights, folded() ? L * tapsSize() : 0);
    mix_ = memory.take<float>(Part::weights, L * mixSize());
    for (float** values : {&tapsBias_, &unit_, &mixBias_, &head_, &gamma_, &beta_, &gammaStep_, &betaStep_})
      *values = memory.take<float>(Part::weights, L * C);
    for (float** values : {&rise_, &shift_}) *values = memory.take<float>(Part::weights, folded() ? L * C : 0);
    alpha_ = memory.take<float>(Part::weights, folded() ? 0 : L * C);
  }

  // Fills it, all but FiLM's gamma and beta. [main-thread]
  void load(const Twin& twin, Network& network) {
    link(network);
    std::copy(twin.lift.begin(), twin.lift.end(), lift_);
    std::copy(twin.liftBias.begin(), twin.liftBias.end(), liftBias_);
    std::copy(twin.taps.begin(), twin.taps.end(), taps_);
    std::copy(twin.tapsBias.begin(), twin.tapsBias.end(), tapsBias_);
    network.headBias = twin.headBias;
    for (int l = 0; l < shape_.layers; l++) {
      for (int c = 0; c < shape_.channels; c++) loadHead(twin, l, c);
      if (l + 1 < shape_.layers) loadMix(twin, l);
    }
  }

  // Lets the network and its layers point at what was placed. [main-thread]
  void link(Network& network) {
    network.shape = shape_;
    network.layer = layers_;
    network.lift = lift_;
    network.liftBias = liftBias_;
    const std::size_t C = shape_.channels, taps = tapsSize();
    float* history = histories_;
    Half* halves = halves_;
    for (int l = 0; l < shape_.layers; l++) {
      Layer& layer = layers_[l];
      const std::size_t at = l * C;
      layer = {shape_.dilations[l], static_cast<int>(this->history(l)), 0,
               halved(l) ? nullptr : history, halved(l) ? halves : nullptr,
               taps_ + l * taps, folded() ? still_ + l * taps : nullptr, unit_ + at, tapsBias_ + at,
               0, gamma_ + at, beta_ + at, gammaStep_ + at, betaStep_ + at,
               folded() ? rise_ + at : nullptr, folded() ? shift_ + at : nullptr,
               folded() ? nullptr : alpha_ + at, mix_ + l * mixSize(), mixBias_ + at, head_ + at};
      if (halved(l))
        halves += this->history(l) * C;
      else
        history += this->history(l) * C;
    }
  }

  Layout layout() const { return layout_; }
  bool compact() const { return compact_; }

 private:
  static constexpr double kPi = 3.14159265358979323846;

  bool folded() const { return layout_ != Layout::anyShape; }
  bool halved(int l) const { return compact_ && shape_.dilations[l] >= kLeastHalfDilation; }
  std::size_t history(int l) const { return static_cast<std::size_t>(shape_.kernelSize - 1) * shape_.dilations[l]; }
  std::size_t tapsSize() const {
    return static_cast<std::size_t>(shape_.kernelSize) * shape_.channels * (shape_.dense ? shape_.channels : 1);
  }
  std::size_t mixSize() const {
    return static_cast<std::size_t>(shape_.channels) * (shape_.fullMix ? shape_.channels : 1);
  }

  // Snake is scale * bracket (layers.h); unfolded, its scale is 1.
  double scale(double alpha) const { return folded() ? kPi / alpha : 1; }

  void loadHead(const Twin& twin, int l, int c) {
    const int at = l * shape_.channels + c;
    const double alpha = twin.alpha[at];
    if (!folded()) alpha_[at] = twin.alpha[at];
    unit_[at] = static_cast<float>(1 / scale(alpha));
    head_[at] = static_cast<float>(twin.head[at] * scale(alpha));
  }

  void loadMix(const Twin& twin, int l) {
    const int C = shape_.channels;
    const float* alpha = twin.alpha.data() + l * C;
    const float* from = twin.mix.data() + l * mixSize();
    float* to = mix_ + l * mixSize();
    for (int o = 0; o < C; o++) {
      mixBias_[l * C + o] = twin.mixBias[l * C + o];
      for (int i = 0; i < C; i++) {
        if (!shape_.fullMix && i != o) continue;
        const int at = shape_.fullMix ? o * C + i : o;
        to[layout_ == Layout::columns16 ? i * C + o : at] = static_cast<float>(from[at] * scale(alpha[i]));
      }
    }
  }

  Architecture shape_;
  Layout layout_ = Layout::anyShape;
  bool compact_ = false;
  Layer* layers_ = nullptr;
  Half* halves_ = nullptr;
  float *histories_ = nullptr, *lift_ = nullptr, *liftBias_ = nullptr;
  float *taps_ = nullptr, *still_ = nullptr, *tapsBias_ = nullptr;
  float *unit_ = nullptr, *alpha_ = nullptr, *mix_ = nullptr, *mixBias_ = nullptr, *head_ = nullptr;
  float *gamma_ = nullptr, *beta_ = nullptr, *gammaStep_ = nullptr, *betaStep_ = nullptr, *rise_ = nullptr, *shift_ = nullptr;
};

}  // namespace tubetwin
