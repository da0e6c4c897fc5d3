// The C door to training: picks the widest kernels, shares the segments among threads.
#include "gradient.h"

#include <atomic>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "gradient_kernels.h"
#include "instruction_set.h"

namespace {

using tubetwin::GradientKernels;
using tubetwin::Segment;

const GradientKernels* find(const tubetwin_training_job& job) {
  const GradientKernels* table = tubetwin::kGradientBaseline;
#if defined(__x86_64__)
  const tubetwin::InstructionSet set = tubetwin::instructionSet();
  if (set == tubetwin::InstructionSet::avx2) table = tubetwin::kGradientAvx2;
  if (set == tubetwin::InstructionSet::avx512) table = tubetwin::kGradientAvx512;
#endif
  for (; table->channels; table++)
    if (table->channels == job.channels && table->dense == (job.dense != 0) && table->fullMix == (job.full_mix != 0))
      return job.layers <= tubetwin::kMaxLayers ? table : nullptr;
  return nullptr;
}

// Calls work(segment) for every segment, on at most `threads` threads, this one among them.
template <typename Work>
void share(int segments, int threads, const Work& work) {
  std::atomic<int> next{0};
  const auto loop = [&] {
    for (int i = next++; i < segments; i = next++) work(i);
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads && i < segments; i++) others.emplace_back(loop);
  loop();
  for (std::thread& other : others) other.join();
}

struct Free {
  void operator()(float* p) const { std::free(p); }
};

}  // namespace

long tubetwin_training_parameters(const tubetwin_training_job* job) {
  const GradientKernels* kernels = find(*job);
  return kernels ? kernels->parameters(job->layers) : -1;
}

long tubetwin_training_saved(const tubetwin_training_job* job) {
  if (!find(*job)) return -1;
  return static_cast<long>(job->layers) * job->channels * Segment(job->channels, job->layers, job->dilations, job->samples).stride;
}

int tubetwin_training_forward(const tubetwin_training_job* job, const float* parameters, const float* di, float* saved,
                              float* out) {
  const GradientKernels* kernels = find(*job);
  if (!kernels) return -1;
  const Segment segment(job->channels, job->layers, job->dilations, job->samples);
  const long perParameters = kernels->parameters(job->layers), perSaved = tubetwin_training_saved(job);
  share(job->segments, job->threads, [&](int i) {
    kernels->forward(segment, parameters + i * perParameters, di + i * job->samples, saved + i * perSaved,
                     out + i * job->samples);
  });
  return 0;
}

int tubetwin_training_backward(const tubetwin_training_job* job, const float* parameters, const float* di,
                               const float* saved, const float* dout, float* dparameters) {
  const GradientKernels* kernels = find(*job);
  if (!kernels) return -1;
  const Segment segment(job->channels, job->layers, job->dilations, job->samples);
  const long perParameters = kernels->parameters(job->layers), perSaved = tubetwin_training_saved(job);
  const size_t scratchBytes = sizeof(float) * 2 * static_cast<size_t>(job->channels) * static_cast<size_t>(segment.stride);
  std::atomic<bool> starved{false};
  share(job->segments, job->threads, [&](int i) {
    const std::unique_ptr<float, Free> scratch(static_cast<float*>(std::malloc(scratchBytes)));
    if (!scratch) { starved = true; return; }
    kernels->backward(segment, parameters + i * perParameters, di + i * job->samples, saved + i * perSaved,
                      dout + i * job->samples, dparameters + i * perParameters, scratch.get());
  });
  return starved ? -2 : 0;
}
