// The kernels of this build: compiled for the instruction set that the compiler was asked for.
#pragma once

#include "tubetwin/affine.h"
#include "tubetwin/columns.h"
#include "tubetwin/fft.h"
#include "tubetwin/fir.h"
#include "tubetwin/plain.h"
#include "tubetwin/rows.h"

#define TUBETWIN_TEXT_(x) #x
#define TUBETWIN_TEXT(x) TUBETWIN_TEXT_(x)

namespace tubetwin {
inline namespace TUBETWIN_ISA {

inline constexpr Kernels kNativeKernels = {
    TUBETWIN_TEXT(TUBETWIN_ISA), playColumns16, playRows<4>, playRows<8>, playAnyShape, affine, fir, dot,
    transform, transformBack, multiplyAdd,
};

}  // namespace TUBETWIN_ISA
}  // namespace tubetwin
