// The playing kernels, compiled once per instruction set (see CMakeLists.txt).
#include "kernels.h"

#include "tubetwin/native.h"

namespace tubetwin {

extern const Kernels TUBETWIN_KERNELS_TABLE = kNativeKernels;

}  // namespace tubetwin
