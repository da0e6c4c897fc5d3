// As many multiply-adds as one core can do: what `% of the limit` means. Once per instruction set.
#include "tubetwin/simd.h"

namespace bench {

// `count` vector multiply-adds, in sums that do not wait for each other. The result keeps them alive.
float TUBETWIN_PEAK(long count) {
  using namespace tubetwin;
  constexpr int kSums = 12;  // of latency 4 and two a cycle, 8 would do
  Vector sums[kSums];
  for (int k = 0; k < kSums; k++) sums[k] = broadcast(static_cast<float>(k + 2));
  const Vector factor = broadcast(0.999f), term = broadcast(0.001f);
  for (long i = 0; i < count; i += kSums)
#pragma GCC unroll 12
    for (int k = 0; k < kSums; k++) sums[k] = sums[k] * factor + term;
  float total = 0;
  for (int k = 0; k < kSums; k++) total += sum(sums[k]);
  return total;
}

}  // namespace bench
