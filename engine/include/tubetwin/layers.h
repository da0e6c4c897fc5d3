// What the fast layers have in common: Snake, and the slow move of FiLM while a knob turns.
//
// Snake (Ziyin, Hartwig and Ueda 2020) is s = v + sin^2(a v) / a = v + (1 - cos 2av) / 2a. With
// v' = a v / pi, the phase counted in periods of the sine, it is
//
//     s = pi/a * [v' + (1 - cos(2 pi v')) / 2 pi]
//
// so a/pi folds into the weights before it and pi/a into those after it (weights.h does that), and
// only the bracket is left to compute.
#pragma once

#include "tubetwin/network.h"
#include "tubetwin/simd.h"

namespace tubetwin {

inline namespace TUBETWIN_ISA {

// (1 - cos(2 pi r)) / 2 pi as a minimax polynomial in r^2, |r| <= 1/2: error 8.7e-7 of the cosine.
// It is 0 at r = 0 exactly: pi/a may be large, and would make a sound of any error there.
TUBETWIN_INLINE Vector snake(Vector periods) {
  const Vector r = fractional(periods);
  const Vector q = r * r;
  Vector p = broadcast(3.3681325962f);
  p = p * q + broadcast(-9.3666740944f);
  p = p * q + broadcast(13.573824147f);
  p = p * q + broadcast(-10.333974876f);
  p = p * q + broadcast(3.1415673201f);
  return p * q + periods;
}

// FiLM while a knob turns: gamma u + beta moves by gammaStep u + betaStep a sample. The taps are folded
// (`still`) with gamma and beta as they are at the layer's anchor, which gives v there; u = (v - beta) / gamma,
// so `moved` samples later it is this, with rise = gammaStep / gamma and shift = betaStep - rise beta.
TUBETWIN_INLINE Vector glided(Vector v, Vector moved, Vector rise, Vector shift) {
  return moved * (v * rise + shift) + v;
}

}  // namespace TUBETWIN_ISA
}  // namespace tubetwin
