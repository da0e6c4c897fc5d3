// The kernels of this build: compiled for the instruction set that the compiler was asked for.
#pragma once

#include "tubetwin/columns.h"
#include "tubetwin/fft.h"
#include "tubetwin/fir.h"
#include "tubetwin/plain.h"
#include "tubetwin/rows.h"

#define TUBETWIN_TEXT_(x) #x
#define TUBETWIN_TEXT(x) TUBETWIN_TEXT_(x)

namespace tubetwin {
inline namespace TUBETWIN_ISA {

// out = bias + weight * in, for the FiLM generator: columns one after another, rows in lanes.
inline void affine(float* out, const float* weight, const float* bias, const float* in, int rows, int columns) {
  for (int r = 0; r < rows; r++) out[r] = bias[r];
  for (int c = 0; c < columns; c++)
    for (int r = 0; r < rows; r++) out[r] += weight[c * rows + r] * in[c];
}

inline constexpr Kernels kNativeKernels = {
    TUBETWIN_TEXT(TUBETWIN_ISA), playColumns16, playRows<4>, playRows<8>, playAnyShape, affine, fir,
    transform, transformBack, multiplyAdd,
};

}  // namespace TUBETWIN_ISA
}  // namespace tubetwin
