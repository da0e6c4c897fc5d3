// The Fourier transform behind long cabinet responses, for real signals, without a wasted number.
//
// A convolution by blocks multiplies polynomials and throws away what wraps round. So it may as
// well wrap round with a minus sign: polynomials modulo t^2M + 1. With t^M called i, that is M
// complex numbers a[k] = x[k] + i x[k + M] modulo t^M - i (the right-angle convolution of Crandall
// and Fagin 1994). The transform splits the modulus t^2m - r^2 into t^m - r and t^m + r until
// nothing is left to split; nobody needs the result in order, so nothing is ever put in order.
#pragma once

#include "tubetwin/layers.h"

namespace tubetwin {
inline namespace TUBETWIN_ISA {

// (u, v) -> (u + r v, u - r v), for `count` pairs side by side; kMany: each with its own r.
template <bool kMany>
TUBETWIN_INLINE void split(float* __restrict ure, float* __restrict uim, float* __restrict vre,
                           float* __restrict vim, const float* rre, const float* rim, int count) {
  for (int k = 0; k < count; k++) {
    const float re = rre[kMany ? k : 0], im = rim[kMany ? k : 0];
    const float wre = vre[k] * re - vim[k] * im, wim = vre[k] * im + vim[k] * re;
    vre[k] = ure[k] - wre;
    vim[k] = uim[k] - wim;
    ure[k] += wre;
    uim[k] += wim;
  }
}

// The way back, times two.
template <bool kMany>
TUBETWIN_INLINE void join(float* __restrict ure, float* __restrict uim, float* __restrict vre,
                          float* __restrict vim, const float* rre, const float* rim, int count) {
  for (int k = 0; k < count; k++) {
    const float re = rre[kMany ? k : 0], im = rim[kMany ? k : 0];
    const float wre = ure[k] - vre[k], wim = uim[k] - vim[k];
    ure[k] += vre[k];
    uim[k] += vim[k];
    vre[k] = wre * re + wim * im;
    vim[k] = wim * re - wre * im;
  }
}

// The last stages have runs shorter than a vector. So a run of kRun numbers becomes a column, and
// they go across runs instead: the spectrum is (kRun, runs).
inline void transpose(const float* __restrict from, float* __restrict to, int rows, int columns) {
  for (int c = 0; c < columns; c++)
    for (int r = 0; r < rows; r++) to[c * rows + r] = from[r * columns + c];
}

// re + i im (destroyed) -> spectrum: all real parts, then all imaginary ones.
inline void transform(const Fft& fft, float* re, float* im, float* spectrum) {
  const int runs = fft.size / kRun;
  const float* r = fft.roots;
  for (int half = fft.size / 2; half >= kRun; half /= 2)
    for (int at = 0; at < fft.size; at += 2 * half, r += 2)
      split<false>(re + at, im + at, re + at + half, im + at + half, r, r + 1, half);
  float *sre = spectrum, *sim = spectrum + fft.size;
  transpose(re, sre, runs, kRun);
  transpose(im, sim, runs, kRun);
  for (int half = kRun / 2; half >= 1; half /= 2)
    for (int at = 0; at < kRun; at += 2 * half, r += 2 * runs)
      for (int u = at * runs, v = u + half * runs; u < (at + half) * runs; u += runs, v += runs)
        split<true>(sre + u, sim + u, sre + v, sim + v, r, r + runs, runs);
}

// spectrum (destroyed) -> re + i im, times the size.
inline void transformBack(const Fft& fft, float* spectrum, float* re, float* im) {
  const int runs = fft.size / kRun;
  const float* r = fft.roots + fft.rootCount;
  float *sre = spectrum, *sim = spectrum + fft.size;
  for (int half = 1; half < kRun; half *= 2) {
    r -= kRun / half * runs;
    const float* root = r;
    for (int at = 0; at < kRun; at += 2 * half, root += 2 * runs)
      for (int u = at * runs, v = u + half * runs; u < (at + half) * runs; u += runs, v += runs)
        join<true>(sre + u, sim + u, sre + v, sim + v, root, root + runs, runs);
  }
  transpose(sre, re, kRun, runs);
  transpose(sim, im, kRun, runs);
  for (int half = kRun; half < fft.size; half *= 2) {
    r -= fft.size / half;
    const float* root = r;
    for (int at = 0; at < fft.size; at += 2 * half, root += 2)
      join<false>(re + at, im + at, re + at + half, im + at + half, root, root + 1, half);
  }
}

// sum = newest * response[0] + one older * response[1] + ...; `past` is a ring of `count` spectra,
// from `newest` on ever older.
inline void multiplyAdd(float* sum, const float* past, const float* response, int newest, int count, int size) {
  for (int k = 0; k < size; k += kLanes) {
    Vector re{}, im{};
    for (int j = 0, slot = newest; j < count; j++, slot = slot + 1 == count ? 0 : slot + 1) {
      const float* x = past + static_cast<long>(slot) * 2 * size + k;
      const float* h = response + static_cast<long>(j) * 2 * size + k;
      const Vector xre = load(x), xim = load(x + size), hre = load(h), him = load(h + size);
      re += xre * hre;
      re -= xim * him;
      im += xre * him;
      im += xim * hre;
    }
    store(sum + k, re);
    store(sum + size + k, im);
  }
}

}  // namespace TUBETWIN_ISA
}  // namespace tubetwin
