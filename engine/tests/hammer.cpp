// One audio thread and one control thread that turns, loads and resets everything, for some seconds:
//
//     engine_hammer [seconds]
//
// It proves nothing by itself; the thread sanitizer finds every race in it, the address and undefined-
// behaviour sanitizers every slip (CMakeLists.txt builds it with each of them).
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "made.h"
#include "tubetwin/native.h"
#include "tubetwin/player.h"

using namespace tubetwin;

namespace {

void control(Player& player, const std::atomic<bool>& ends) {
  const Twin twins[] = {made::twin(made::nano()), made::twin(made::lite()), made::twin(made::standard()),
                        made::wire(44100)};
  const std::vector<float> response = made::di(9000);
  made::Random random(3);
  const auto upTo = [&](int count) { return static_cast<int>((random() + 1) / 2 * 0.999f * static_cast<float>(count)); };
  for (int i = 0; !ends; i++) {
    player.setKnob(upTo(5), random());
    player.setRamp(upTo(2000) - 1);
    player.setInput(12 * random());
    player.setOutput(12 * random());
    player.setGate(-90 + 60 * random());
    player.setBypass(upTo(2) == 0);
    player.setCabinet(upTo(2) == 0);
    if (i % 20 == 0) player.loadTwin(twins[upTo(4)]);
    if (i % 15 == 0) player.loadCabinet(response.data(), upTo(9000), upTo(2) ? 48000 : 44100);
    if (i % 7 == 0) player.collect();
    if (player.latency() < 0 || player.bytes(Part::weights) == 0) std::abort();
    std::this_thread::sleep_for(std::chrono::microseconds(upTo(500)));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 1;
  Player player(made::twin(made::nano()), kNativeKernels);
  player.prepare(44100, 2);
  std::atomic<bool> ends{false};
  std::thread other([&] { control(player, ends); });
  const std::vector<float> di = made::di(128);
  std::vector<float> left(128), right(128);
  const float* const ins[] = {di.data(), di.data()};
  float* const outs[] = {left.data(), right.data()};
  const auto start = std::chrono::steady_clock::now();
  long blocks = 0;
  bool finite = true;
  for (; std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < seconds; blocks++) {
    player.setKnob(static_cast<int>(blocks % 5), static_cast<float>(blocks % 11) / 10, static_cast<int>(blocks % 200));
    player.process(ins, outs, static_cast<int>(1 + blocks * 37 % 128));
    if (blocks % 997 == 0) player.reset();
    finite = finite && std::isfinite(left[0]) && std::isfinite(right[0]);
  }
  ends = true;
  other.join();
  std::printf("%ld blocks, %s\n", blocks, finite ? "all finite" : "NOT FINITE");
  return finite ? 0 : 1;
}
