// One vector of floats, as wide as the instruction set this file is compiled for.
//
// Plain GCC/Clang vector extensions: the same source gives AVX-512 (16 lanes), AVX2 (8) and
// SSE2, NEON or WebAssembly (4). Only rounding needs an instruction by name. Everything that
// depends on the width lives in the inline namespace TUBETWIN_ISA, so that kernels compiled for
// several instruction sets can be linked into one library and chosen at run time.
#pragma once

#include <string.h>

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__wasm_simd128__)
#include <wasm_simd128.h>
#endif

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#define TUBETWIN_LANES 16
#elif defined(__AVX2__)
#define TUBETWIN_LANES 8
#else
#define TUBETWIN_LANES 4
#endif

#ifndef TUBETWIN_ISA
#define TUBETWIN_ISA native
#endif

#include "tubetwin/half.h"

#define TUBETWIN_INLINE inline __attribute__((always_inline))

namespace tubetwin {
inline namespace TUBETWIN_ISA {

constexpr int kLanes = TUBETWIN_LANES;

typedef float Vector __attribute__((vector_size(4 * TUBETWIN_LANES), may_alias));
typedef float UnalignedVector __attribute__((vector_size(4 * TUBETWIN_LANES), aligned(4), may_alias));

static TUBETWIN_INLINE Vector load(const float* p) { return *reinterpret_cast<const UnalignedVector*>(p); }
static TUBETWIN_INLINE void store(float* p, Vector v) { *reinterpret_cast<UnalignedVector*>(p) = v; }

#if defined(__AVX2__) && defined(__F16C__)
#define TUBETWIN_HALVES
// (All lanes are asked for by a mask, because GCC 12 warns of the plain forms for no reason.)
static TUBETWIN_INLINE Vector load(const Half* p) {
#if TUBETWIN_LANES == 16
  return (Vector)_mm512_maskz_cvtph_ps(0xFFFF, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
#else
  return (Vector)_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#endif
}
static TUBETWIN_INLINE void store(Half* p, Vector v) {
#if TUBETWIN_LANES == 16
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_maskz_cvtps_ph(0xFFFF, (__m512)v, _MM_FROUND_TO_NEAREST_INT));
#else
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph((__m256)v, _MM_FROUND_TO_NEAREST_INT));
#endif
}
#endif

static TUBETWIN_INLINE Vector broadcast(float value) { return value - Vector{}; }

// x - round(x), exact: what is left of a phase counted in periods, in [-0.5, 0.5].
static TUBETWIN_INLINE Vector fractional(Vector x) {
#if TUBETWIN_LANES == 16
  return (Vector)_mm512_reduce_ps((__m512)x, 8);
#elif TUBETWIN_LANES == 8
  return x - (Vector)_mm256_round_ps((__m256)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif defined(__wasm_simd128__)
  return x - (Vector)wasm_f32x4_nearest((v128_t)x);
#else
  const Vector magic = broadcast(12582912.0f);  // 1.5 * 2^23: adding it leaves no fraction bits
  const Vector whole = x + magic;
  return x - (whole - magic);
#endif
}

// The upper half of the lanes added to the lower one, until four are left.
typedef float Four __attribute__((vector_size(16)));
static TUBETWIN_INLINE float sum(Four v) { return (v[0] + v[2]) + (v[1] + v[3]); }
#if TUBETWIN_LANES > 4
typedef float Eight __attribute__((vector_size(32)));
static TUBETWIN_INLINE float sum(Eight v) {
  Four half[2];
  memcpy(half, &v, sizeof v);
  return sum(half[0] + half[1]);
}
#endif
#if TUBETWIN_LANES > 8
typedef float Sixteen __attribute__((vector_size(64)));
static TUBETWIN_INLINE float sum(Sixteen v) {
  Eight half[2];
  memcpy(half, &v, sizeof v);
  return sum(half[0] + half[1]);
}
#endif

}  // namespace TUBETWIN_ISA
}  // namespace tubetwin
