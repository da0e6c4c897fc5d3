// What kernels.cpp offers per instruction set; tubetwin.cpp chooses at run time.
#pragma once

#include "tubetwin/network.h"

namespace tubetwin {

extern const Kernels kKernelsBaseline, kKernelsAvx2, kKernelsAvx512;

}  // namespace tubetwin
