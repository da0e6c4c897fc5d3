// What the fast layers have in common: Snake, and the slow move of FiLM while a knob turns.
//
// Snake (Ziyin, Hartwig and Ueda 2020) is s = v + sin^2(a v) / a = v + (1 - cos 2av) / 2a. With
// v' = a v / pi, the phase counted in periods of the sine, it is
//
//     s = pi/a * [v' - cos(2 pi v') / 2 pi] + 1 / 2a
//
// so the scale a/pi folds into the weights before it, pi/a and the constant into those after it
// (wavenet.h does that), and only the bracket is left to compute.
#pragma once

#include "tubetwin/network.h"
#include "tubetwin/simd.h"

namespace tubetwin {

// Minimax polynomial of -cos(2 pi r) / 2 pi in r^2, |r| <= 1/2; error 7.8e-7 of the cosine.
// Its constant term is not computed but folded into the next biases, like 1/2a.
constexpr double kSnakeConstant = -1.591548192e-01;

inline namespace TUBETWIN_ISA {

TUBETWIN_INLINE Vector snake(Vector periods) {
  const Vector r = fractional(periods);
  const Vector q = r * r;
  Vector p = broadcast(3.354474104f);
  p = p * q + broadcast(-9.357361914f);
  p = p * q + broadcast(13.57152350f);
  p = p * q + broadcast(-10.33372779f);
  p = p * q + broadcast(3.141556639f);
  return p * q + periods;
}

}  // namespace TUBETWIN_ISA
}  // namespace tubetwin
