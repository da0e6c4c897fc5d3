// A speaker cabinet: an impulse response of any length, convolved with zero latency.
//
// The first 64 taps answer at once, directly. Each tail behind them works on whole blocks of its
// own length, by Fourier transform, and has that long to answer, for it starts that many taps
// later (Gardner 1995): 64 taps to 511 in blocks of 64, 512 to 4,095 in blocks of 512, and so on.
#pragma once

#include <algorithm>
#include <cmath>

#include "tubetwin/memory.h"
#include "tubetwin/network.h"

namespace tubetwin {

// Taps [block, ...) of a response, in blocks of `block` samples.
class CabinetTail {
 public:
  static constexpr double kPi = 3.14159265358979323846;

  // [main-thread]
  void place(Memory& memory, int block, int count) {
    partitions_ = (count + block - 1) / block;
    const std::size_t spectrum = 2 * static_cast<std::size_t>(block);
    roots_ = memory.take<float>(Part::cabinet, rootCount(block));
    response_ = memory.take<float>(Part::cabinet, partitions_ * spectrum);
    past_ = memory.take<float>(Part::cabinet, partitions_ * spectrum);
    for (float** values : {&before_, &now_, &answer_, &re_, &im_})
      *values = memory.take<float>(Part::cabinet, block);
    sum_ = memory.take<float>(Part::cabinet, spectrum);
    fft_ = {block, rootCount(block), roots_};
  }

  // [main-thread]
  void load(const Kernels& kernels, const float* taps, int count) {
    const int block = fft_.size;
    findRoots();
    for (int j = 0; j < partitions_; j++) {
      for (int k = 0; k < block; k++) {
        const int at = j * block + k;
        re_[k] = at < count ? taps[at] / static_cast<float>(block) : 0;  // transformBack multiplies
        im_[k] = 0;
      }
      kernels.transform(fft_, re_, im_, spectrum(response_, j));
    }
  }

  // Now `level` was for ever. [audio-thread]
  void settle(const Kernels& kernels, float level) noexcept {
    std::fill(before_, before_ + fft_.size, level);
    std::fill(now_, now_ + fft_.size, level);
    newest_ = 0;
    hear(kernels);
    for (int slot = 1; slot < partitions_; slot++) std::copy(past_, spectrum(past_, 1), spectrum(past_, slot));
    answer(kernels);
    filled_ = 0;
  }

  // Hears n samples and adds to `out` its answer for them; never across the end of a block. [audio-thread]
  void process(const Kernels& kernels, const float* in, float* out, int n) noexcept {
    for (int t = 0; t < n; t++) out[t] += answer_[filled_ + t];
    std::copy(in, in + n, now_ + filled_);
    filled_ += n;
    if (filled_ < fft_.size) return;
    newest_ = newest_ == 0 ? partitions_ - 1 : newest_ - 1;
    hear(kernels);
    answer(kernels);
    std::swap(before_, now_);
    filled_ = 0;
  }

 private:
  // A root for each split while runs are long, then for each run: see fft.h.
  static int rootCount(int size) {
    int count = 0;
    for (int half = size / 2; half >= 1; half /= 2) count += 2 * (size / (2 * half));
    return count;
  }

  // t^2m - e^(i angle) splits at r = e^(i angle / 2); its halves have the angles of r and of -r.
  void findRoots() {
    const int size = fft_.size, runs = size / kRun;
    float* to = roots_;
    for (int splits = 1; splits < size; splits *= 2) {
      const int perRun = splits >= runs ? splits / runs : 0;
      for (int j = 0; j < splits; j++) {
        double angle = kPi / 2;
        for (int bit = splits / 2; bit >= 1; bit /= 2) angle = angle / 2 + (j & bit ? kPi : 0);
        const float re = static_cast<float>(std::cos(angle / 2)), im = static_cast<float>(std::sin(angle / 2));
        if (perRun == 0) {
          to[2 * j] = re;
          to[2 * j + 1] = im;
        } else {  // split number `j % perRun` of run `j / perRun`
          float* row = to + j % perRun * 2 * runs;
          row[j / perRun] = re;
          row[runs + j / perRun] = im;
        }
      }
      to += 2 * splits;
    }
  }

  float* spectrum(float* spectra, int i) const { return spectra + static_cast<std::size_t>(i) * 2 * fft_.size; }

  // A block is full: its spectrum, together with the block before it.
  void hear(const Kernels& kernels) noexcept {
    std::copy(before_, before_ + fft_.size, re_);
    std::copy(now_, now_ + fft_.size, im_);
    kernels.transform(fft_, re_, im_, spectrum(past_, newest_));
  }

  // The answer to all blocks heard, for the time of the next one. The real part is what wrapped round.
  void answer(const Kernels& kernels) noexcept {
    kernels.multiplyAdd(sum_, past_, response_, newest_, partitions_, fft_.size);
    kernels.transformBack(fft_, sum_, re_, answer_);
  }

  Fft fft_{};
  int partitions_ = 0;
  int filled_ = 0;  // samples of the block heard so far
  int newest_ = 0;  // slot of `past_`
  float *roots_ = nullptr, *response_ = nullptr, *past_ = nullptr, *sum_ = nullptr, *re_ = nullptr, *im_ = nullptr;
  float *before_ = nullptr, *now_ = nullptr, *answer_ = nullptr;  // (block)
};

class Cabinet {
 public:
  explicit Cabinet(const Kernels& kernels) : kernels_(kernels) {}

  // Another impulse response, without a past; `count` 0 takes the cabinet away. [main-thread]
  void load(const float* response, int count) {
    count_ = 0;  // if memory runs out, there is no cabinet
    memory_.clear();
    place(count);
    memory_.allocate();
    place(count);
    count_ = count;
    std::copy(response, response + std::min(count, kHead), head_);
    for (int i = 0; i < tailCount_; i++) tails_[i].load(kernels_, response + kBlocks[i], taps(i, count));
    settle(0);
  }

  // Forgets the past: now `level` was for ever. [audio-thread]
  void settle(float level) noexcept {
    if (count_ == 0) return;
    std::fill(line_, line_ + 2 * kHead, level);
    for (int i = 0; i < tailCount_; i++) tails_[i].settle(kernels_, level);
    filled_ = 0;
  }

  // In place. [audio-thread]
  void process(float* block, int n) noexcept {
    if (count_ == 0) return;
    while (n > 0) {
      const int stretch = std::min(n, kHead - filled_);
      float* now = line_ + kHead + filled_;
      std::copy(block, block + stretch, now);
      kernels_.fir(out_, now, head_, std::min(count_, kHead), stretch);
      for (int i = 0; i < tailCount_; i++) tails_[i].process(kernels_, block, out_, stretch);
      std::copy(out_, out_ + stretch, block);
      filled_ += stretch;
      if (filled_ == kHead) {
        std::copy(line_ + kHead, line_ + 2 * kHead, line_);
        filled_ = 0;
      }
      block += stretch;
      n -= stretch;
    }
  }

  const Memory& memory() const { return memory_; }

 private:
  static constexpr int kHead = 64;
  static constexpr int kTails = 3;
  static constexpr int kBlocks[kTails] = {64, 512, 4096};

  void place(int count) {
    head_ = memory_.take<float>(Part::cabinet, count ? kHead : 0);
    line_ = memory_.take<float>(Part::cabinet, count ? 3 * kHead : 0);  // the last: fir reads past a block
    out_ = memory_.take<float>(Part::cabinet, count ? kHead : 0);
    for (tailCount_ = 0; tailCount_ < kTails && count > kBlocks[tailCount_]; tailCount_++)
      tails_[tailCount_].place(memory_, kBlocks[tailCount_], taps(tailCount_, count));
  }

  // How many of `count` taps are tail i's: up to where the next one starts.
  static int taps(int i, int count) {
    return (i + 1 < kTails ? std::min(count, kBlocks[i + 1]) : count) - kBlocks[i];
  }

  const Kernels& kernels_;
  Memory memory_;
  CabinetTail tails_[kTails];
  int tailCount_ = 0;
  int count_ = 0;
  int filled_ = 0;  // samples of the second half of `line_`
  float *head_ = nullptr, *line_ = nullptr, *out_ = nullptr;
};

}  // namespace tubetwin
