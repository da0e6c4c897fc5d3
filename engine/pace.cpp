// Plays a twin as fast as it can, on demand: the native half of benchmarks/page.py.
//
//     tubetwin_pace TWIN BLOCK < numbers of samples, one a line
//
// Answers each line with the seconds it took; web/pace.mjs is its twin in WebAssembly.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "tests/made.h"
#include "tubetwin.h"

namespace {

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

int main(int argc, char** argv) {
  const int block = argc > 2 ? std::atoi(argv[2]) : 0;
  char error[1000] = "usage: tubetwin_pace TWIN BLOCK";
  tubetwin_player* player = block < 1 ? nullptr : tubetwin_open(argv[1], error, sizeof error);
  if (!player) {
    std::fprintf(stderr, "%s\n", error);
    return 2;
  }
  const std::vector<float> di = made::di(block);
  std::vector<float> out(block);
  for (long samples; std::scanf("%ld", &samples) == 1;) {
    const double began = seconds();
    for (long done = 0; done < samples; done += block) tubetwin_process(player, di.data(), out.data(), block);
    std::printf("%.9f\n", seconds() - began);
    std::fflush(stdout);
  }
  tubetwin_close(player);
}
