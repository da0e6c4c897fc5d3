// Latency and receptive field as measured by an impulse, not as computed by a formula.
//
// Through trained weights the far end of the receptive field is too faint for any float. So the
// impulse goes through a network of the same shape and kernel whose weights let it pass: the oldest
// and the newest tap of each layer are 1, and each layer takes away what it heard.
#pragma once

#include <vector>

#include "tubetwin/player.h"

namespace tubetwin {

struct Reach {
  long latency;         // samples before the impulse is heard
  long receptiveField;  // samples during which it is heard
};

// A twin of this shape, without knobs, that an impulse passes through.
inline Twin transparentTwin(const Architecture& shape) {
  const std::size_t L = shape.layers, C = shape.channels, wide = shape.dense ? C : 1;
  Twin twin;
  twin.architecture = shape;
  twin.sampleRateHz = 48000;
  twin.lift.assign(C, 1.0f);
  twin.liftBias.assign(C, 0.0f);
  twin.taps.assign(L * shape.kernelSize * C * wide, 0.0f);
  for (std::size_t l = 0; l < L; l++)
    for (const std::size_t tap : {std::size_t{0}, static_cast<std::size_t>(shape.kernelSize - 1)})
      for (std::size_t c = 0; c < C; c++)
        twin.taps[((l * shape.kernelSize + tap) * C + c) * wide + (shape.dense ? c : 0)] = 1;
  twin.tapsBias.assign(L * C, 0.0f);
  twin.alpha.assign(L * C, 1.0f);
  twin.mix.assign((L - 1) * C * (shape.fullMix ? C : 1), 0.0f);
  for (std::size_t i = 0; i < (L - 1) * C; i++) twin.mix[shape.fullMix ? i * C + i % C : i] = -1;
  twin.mixBias.assign((L - 1) * C, 0.0f);
  twin.head.assign(L * C, 1.0f / static_cast<float>(C));
  return twin;
}

// [main-thread]
inline Reach measureReach(const Architecture& shape, const Kernels& kernels) {
  Player player(transparentTwin(shape), kernels);
  const float silence = 0, impulse = 0.5f;
  float quiet = 0, heard = 0;
  player.process(&silence, &quiet, 1);
  Reach reach{-1, 0};
  long first = -1;
  for (long t = 0; t <= player.receptiveField() + kMaxBlock; t++) {
    player.process(t == 0 ? &impulse : &silence, &heard, 1);
    if (heard == quiet) continue;
    if (first < 0) first = t;
    reach = {first, t - first + 1};
  }
  return reach;
}

}  // namespace tubetwin
