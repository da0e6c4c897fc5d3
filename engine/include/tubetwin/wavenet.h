// A twin's network, ready to play: it starts settled, and its knobs move without clicks.
//
// The equation itself is in plain.h, its fast forms in columns.h and rows.h; here is what happens
// around it. All memory is the caller's.
#pragma once

#include <algorithm>

#include "tubetwin/film.h"
#include "tubetwin/memory.h"
#include "tubetwin/network.h"
#include "tubetwin/twin_file.h"
#include "tubetwin/weights.h"

namespace tubetwin {

class WaveNet {
 public:
  explicit WaveNet(const Kernels& kernels) : kernels_(kernels) {}

  // Takes the memory that this twin needs. [main-thread]
  // `compact` keeps what is large and kept long in halves, where there are fast kernels for it: less
  // memory for an error of -60 dB and less (docs/numbers.md).
  void place(Memory& memory, const Twin& twin, bool compact) {
    place(memory, twin.architecture, Film::sizes(twin), compact && kernels_.halve);
  }

  // The same memory as another network has, to copy. [main-thread]
  void place(Memory& memory, const WaveNet& like) {
    place(memory, like.shape(), like.film_.sizes(), like.weights_.compact());
  }

  // Fills the memory placed. [main-thread]
  void load(const Twin& twin) {
    weights_.load(twin, net_);
    film_.load(twin, kernels_);
    choose();
  }

  // The memory placed was filled with a copy of this network's. [main-thread]
  void load(const WaveNet& like) {
    net_.headBias = like.net_.headBias;
    weights_.link(net_);
    choose();
  }

  // Forgets the past: now silence was for ever, and the knobs always stood where they stand.
  // Returns the sample that silence gives. [audio-thread]
  float settle(const float* knobs) noexcept {
    moveKnobs(knobs, 0);
    const float silence = 0;
    float level = 0;
    net_.settling = true;  // every history becomes the column that its layer is about to hear
    play_(net_, &silence, &level, 1);
    net_.settling = false;
    for (int l = 0; l < net_.shape.layers; l++) net_.layer[l].oldest = 0;  // blocks of 2^n end where the rings do
    return level;
  }

  // Lets FiLM reach what the knobs (normalised) ask for, in a straight line of `samples`; 0: at
  // once. A move under way turns off from where it is. [audio-thread]
  void moveKnobs(const float* knobs, int samples) noexcept {
    kernels_.turn(net_, film_(knobs, kernels_), samples);
  }

  // How many of the next n samples can be played at once. [audio-thread]
  int stretch(int n) const noexcept {
    const int toRampEnd = net_.rampLength - net_.rampStep;
    return std::min({n, kMaxBlock, toRampEnd > 0 ? toRampEnd : kMaxBlock});
  }

  // Plays n samples, no more than stretch() allows. [audio-thread]
  void play(const float* in, float* out, int n) noexcept {
    play_(net_, in, out, n);
    if (net_.rampStep == net_.rampLength) return;
    net_.rampStep += n;
    if (net_.rampStep == net_.rampLength) kernels_.rest(net_);
  }

  const Architecture& shape() const { return net_.shape; }
  const Kernels& kernels() const { return kernels_; }
  long receptiveField() const {
    long samples = 1;
    for (int l = 0; l < net_.shape.layers; l++) samples += net_.layer[l].memory;
    return samples;
  }

 private:
  void place(Memory& memory, const Architecture& shape, const std::vector<Film::Size>& film, bool compact) {
    weights_.place(memory, shape, compact);
    film_.place(memory, film, 2 * static_cast<std::size_t>(shape.layers) * shape.channels, weights_.compact());
    const std::size_t block = static_cast<std::size_t>(kMaxBlock) * shape.channels;
    const bool plain = weights_.layout() == Layout::anyShape;
    net_.line = memory.take<float>(Part::scratch, plain ? kMaxChannels : (weights_.layout() == Layout::columns16 ? 3 : 7) * block);
    net_.activations = memory.take<float>(Part::scratch, plain ? kMaxChannels : block);
    net_.headSum = memory.take<float>(Part::scratch, block);
    net_.moved = memory.take<float>(Part::scratch, kMaxBlock);
  }

  void choose() {
    const Layout layout = weights_.layout();
    play_ = layout == Layout::columns16 ? kernels_.columns16
            : layout == Layout::rows4   ? kernels_.rows4
            : layout == Layout::rows8   ? kernels_.rows8
                                        : kernels_.anyShape;
  }

  const Kernels& kernels_;
  PlayFunction play_ = nullptr;
  Network net_{};
  Weights weights_;
  Film film_;
};

}  // namespace tubetwin
