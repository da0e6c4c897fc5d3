// The playing kernels that this machine can run, and the choice among them.
#pragma once

#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "instruction_set.h"
#include "kernels.h"

namespace tubetwin {

inline const Kernels& kernelsOf(InstructionSet set) {
#if defined(__x86_64__)
  if (set == InstructionSet::avx512) return kKernelsAvx512;
  if (set == InstructionSet::avx2) return kKernelsAvx2;
#endif
  (void)set;
  return kKernelsBaseline;
}

// The widest, or what the environment variable TUBETWIN_ISA says. Raises std::runtime_error if the
// machine lacks that. [main-thread]
inline const Kernels& chosenKernels() {
  const InstructionSet set = instructionSet();
  const char* wish = std::getenv("TUBETWIN_ISA");
  if (wish && *wish && std::strcmp(wish, nameOf(set)) != 0)
    throw std::runtime_error(std::string("TUBETWIN_ISA=") + wish + ": this machine has no such instruction set");
  return kernelsOf(set);
}

// All of them, the narrowest first. [main-thread]
inline std::vector<const Kernels*> kernelsHere() {
  std::vector<const Kernels*> all;
  for (int set = 0; set <= static_cast<int>(widestInstructionSet()); set++)
    all.push_back(&kernelsOf(static_cast<InstructionSet>(set)));
  return all;
}

}  // namespace tubetwin
