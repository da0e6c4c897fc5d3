// Plays a twin as fast as it can, on demand: the native half of benchmarks/page.py and plugin.py.
//
//     tubetwin_pace TWIN BLOCK [COUNT] < numbers of samples, one a line
//
// Answers each line with the seconds that it took, COUNT players a block each in turn if there are several;
// web/pace.mjs is its twin in WebAssembly.
#include <algorithm>
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
  const int count = argc > 3 ? std::atoi(argv[3]) : 1;
  char error[1000] = "usage: tubetwin_pace TWIN BLOCK [COUNT]";
  std::vector<tubetwin_player*> players;
  for (int i = 0; i < std::max(count, 1); i++) {
    players.push_back(block < 1 || count < 1 ? nullptr : tubetwin_open(argv[1], error, sizeof error));
    if (players.back()) continue;
    std::fprintf(stderr, "%s\n", error);
    return 2;
  }
  const std::vector<float> di = made::di(block);
  std::vector<float> out(block);
  for (long samples; std::scanf("%ld", &samples) == 1;) {
    const double began = seconds();
    for (long done = 0; done < samples; done += block)
      for (tubetwin_player* player : players) tubetwin_process(player, di.data(), out.data(), block);
    std::printf("%.9f\n", seconds() - began);
    std::fflush(stdout);
  }
  for (tubetwin_player* player : players) tubetwin_close(player);
}
