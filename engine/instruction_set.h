// Which of the compiled kernels this machine runs: the widest it has, or a narrower one on request.
#pragma once

#include <cstdlib>
#include <cstring>
#include <initializer_list>

#if defined(__x86_64__) && defined(_WIN32)
#include <cpuid.h>
#endif

namespace tubetwin {

enum class InstructionSet { baseline, avx2, avx512 };

inline const char* nameOf(InstructionSet set) {
  return set == InstructionSet::avx512 ? "avx512" : set == InstructionSet::avx2 ? "avx2" : "baseline";
}

#if defined(__x86_64__) && defined(_WIN32)
// By hand, as the compiler for Windows (ziglang 0.17) answers "no" to every __builtin_cpu_supports.
inline InstructionSet widestInstructionSet() {
  unsigned a = 0, b = 0, c = 0, d = 0, kept = 0, high = 0;
  constexpr unsigned kFmaAndSaved = 1u << 12 | 1u << 27, kAvx2 = 1u << 5;
  constexpr unsigned kAvx512 = 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31;  // F, DQ, CD, BW, VL
  if (!__get_cpuid(1, &a, &b, &c, &d) || (c & kFmaAndSaved) != kFmaAndSaved) return InstructionSet::baseline;
  __asm__ volatile("xgetbv" : "=a"(kept), "=d"(high) : "c"(0));  // the registers that the system keeps
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & kAvx2) || (kept & 0x6) != 0x6) return InstructionSet::baseline;
  return (b & kAvx512) == kAvx512 && (kept & 0xe6) == 0xe6 ? InstructionSet::avx512 : InstructionSet::avx2;
}
#else
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
#endif

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
