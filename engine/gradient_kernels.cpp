// The training kernels of every size, compiled once per instruction set (see CMakeLists.txt).
#include "gradient_kernels.h"

namespace tubetwin {

template <int C, bool kDense, bool kFullMix>
static constexpr GradientKernels kernels() {
  using S = Stack<C, kDense, kFullMix>;
  return {C, kDense, kFullMix, S::parameters, S::forward, S::backward};
}

extern const GradientKernels TUBETWIN_GRADIENT_TABLE[] = {
    kernels<16, false, true>(),  // standard
    kernels<8, true, false>(),   // lite
    kernels<4, true, false>(),   // nano
    {0, false, false, nullptr, nullptr, nullptr},
};

}  // namespace tubetwin
