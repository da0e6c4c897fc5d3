// The kernels of this build: compiled for the instruction set that the compiler was asked for.
#pragma once

#include "tubetwin/affine.h"
#include "tubetwin/columns.h"
#include "tubetwin/fft.h"
#include "tubetwin/fir.h"
#include "tubetwin/plain.h"
#include "tubetwin/rows.h"
#include "tubetwin/turning.h"

#define TUBETWIN_TEXT_(x) #x
#define TUBETWIN_TEXT(x) TUBETWIN_TEXT_(x)

namespace tubetwin {
inline namespace TUBETWIN_ISA {

#ifdef TUBETWIN_HALVES
inline constexpr auto kAffineHalf = affine<Half>;
inline constexpr auto kHalve = halve;
#else
inline constexpr decltype(Kernels::affineHalf) kAffineHalf = nullptr;
inline constexpr decltype(Kernels::halve) kHalve = nullptr;
#endif

inline constexpr Kernels kNativeKernels = {
    TUBETWIN_TEXT(TUBETWIN_ISA), playColumns16, playRows<4>, playRows<8>, playAnyShape, turn, rest,
    affine<float>, kAffineHalf, kHalve, bend, fir, dot, transform, transformBack, multiplyAdd,
};

}  // namespace TUBETWIN_ISA
}  // namespace tubetwin
