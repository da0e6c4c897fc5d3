// What gradient_kernels.cpp offers per instruction set; gradient.cpp chooses at run time.
#pragma once

#include "tubetwin/gradient.h"

namespace tubetwin {

struct GradientKernels {
  int channels;
  bool dense, fullMix;
  long (*parameters)(int layers);
  void (*forward)(const Segment&, const float* flat, const float* di, float* saved, float* out);
  void (*backward)(const Segment&, const float* flat, const float* di, const float* saved, const float* dout,
                   float* dflat, float* scratch);
};

// Each ends with channels = 0.
extern const GradientKernels kGradientBaseline[], kGradientAvx2[], kGradientAvx512[];

}  // namespace tubetwin
