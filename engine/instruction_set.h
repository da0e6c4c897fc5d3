// Which of the compiled kernels this machine runs: the widest it has, or a narrower one on request.
#pragma once

#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace tubetwin {

enum class InstructionSet { baseline, avx2, avx512 };

inline const char* nameOf(InstructionSet set) {
  return set == InstructionSet::avx512 ? "avx512" : set == InstructionSet::avx2 ? "avx2" : "baseline";
}

inline InstructionSet widestInstructionSet() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd"))
    return InstructionSet::avx512;
  if (avx2) return InstructionSet::avx2;
#endif
  return InstructionSet::baseline;
}

// The environment variable TUBETWIN_ISA = baseline | avx2 | avx512 narrows the choice, so that
// tests run every path. What the machine lacks, or a name unknown, is passed over.
inline InstructionSet instructionSet() {
  const InstructionSet widest = widestInstructionSet();
  const char* wish = std::getenv("TUBETWIN_ISA");
  if (!wish) return widest;
  for (const InstructionSet set : {InstructionSet::baseline, InstructionSet::avx2, InstructionSet::avx512})
    if (std::strcmp(wish, nameOf(set)) == 0) return set < widest ? set : widest;
  return widest;
}

}  // namespace tubetwin
