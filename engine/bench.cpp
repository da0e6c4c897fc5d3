// How fast the engine is, as JSON: nanoseconds per sample and times real time, for every size,
// block and instruction set; a moving knob; the cabinet; the worst block; the memory.
//
//     tubetwin_bench [rounds] [twin]
//
// All candidates take turns in short rounds, so that a busy machine slows them all alike; a ratio
// is the median of the ratios of each round.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dispatch.h"
#include "tests/made.h"
#include "tubetwin/player.h"

using tubetwin::Kernels;
using tubetwin::Part;
using tubetwin::Player;
using tubetwin::Twin;

namespace {

constexpr double kRateHz = 48000;
constexpr int kSignal = 8192;          // samples that are played round and round
constexpr double kTurnSeconds = 4e-4;  // how long a candidate's turn lasts

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

constexpr int kInstances = 5;          // of each candidate, in turn

// Something to time: play(samples) plays them.
struct Candidate {
  std::string name;
  std::vector<std::function<void(int samples)>> instances;  // the luck of each with its memory pages differs
  int turn;                     // samples, a multiple of the block
  std::vector<double> seconds;  // per sample, one for each round
};

void takeTurns(std::vector<Candidate>& candidates, int rounds) {
  for (Candidate& candidate : candidates) {
    double took = 0;
    while (took < kTurnSeconds) {  // the warm-up finds out how much fits into a turn
      candidate.turn *= 2;
      const double start = now();
      candidate.instances[0](candidate.turn);
      took = now() - start;
    }
  }
  for (int round = 0; round < rounds; round++)
    for (Candidate& candidate : candidates) {
      const auto& play = candidate.instances[round % candidate.instances.size()];
      play(candidate.turn);  // brings its memory back into the cache
      const double start = now();
      play(candidate.turn);
      candidate.seconds.push_back((now() - start) / candidate.turn);
    }
}

double ratio(const Candidate& a, const Candidate& b) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < a.seconds.size(); i++) ratios.push_back(a.seconds[i] / b.seconds[i]);
  return median(ratios);
}

const Candidate& named(const std::vector<Candidate>& all, const std::string& name) {
  return *std::find_if(all.begin(), all.end(), [&](const Candidate& c) { return c.name == name; });
}

// Calls process(in, out, n) until `samples` are played, in blocks.
template <class Process>
std::function<void(int)> inBlocks(int block, const Process& process) {
  auto di = std::make_shared<std::vector<float>>(made::di(kSignal));
  auto out = std::make_shared<std::vector<float>>(kSignal);
  auto at = std::make_shared<int>(0);
  return [=](int samples) {
    for (int t = 0; t < samples; t += block) {
      if (*at + block > kSignal) *at = 0;
      process(di->data() + *at, out->data(), block);
      *at += block;
    }
  };
}

using Sizes = std::vector<std::pair<std::string, Twin>>;

void addNetworks(std::vector<Candidate>& all, const Sizes& sizes) {
  for (const Kernels* kernels : tubetwin::kernelsHere())
    for (const auto& [size, twin] : sizes)
      for (const int block : {1, 16, 64, 256, 1024}) {
        Candidate candidate{size + " " + kernels->instructionSet + " " + std::to_string(block), {}, std::max(block, 64), {}};
        for (int i = 0; i < kInstances; i++) {
          auto player = std::make_shared<Player>(twin, *kernels);
          candidate.instances.push_back(
              inBlocks(block, [player](const float* in, float* out, int n) { player->process(in, out, n); }));
        }
        all.push_back(std::move(candidate));
      }
}

// All knobs turn all the time: glide after glide of 20 ms (15 blocks), or anew in every block.
void addMovingKnobs(std::vector<Candidate>& all, const Sizes& sizes) {
  for (const auto& [size, twin] : sizes)
    for (const int blocks : {15, 1}) {
      Candidate candidate{size + (blocks == 1 ? " automated" : " moving"), {}, 64, {}};
      for (int i = 0; i < kInstances; i++) {
        auto player = std::make_shared<Player>(twin, tubetwin::chosenKernels());
        auto count = std::make_shared<int>(0);
        const int knobs = static_cast<int>(twin.knobs.size());
        candidate.instances.push_back(inBlocks(64, [=](const float* in, float* out, int n) {
          if (++*count % blocks == 0)
            for (int k = 0; k < knobs; k++) player->setKnob(k, static_cast<float>(*count % 100) / 100);
          player->process(in, out, n);
        }));
      }
      all.push_back(std::move(candidate));
    }
}

void addCabinets(std::vector<Candidate>& all) {
  const Kernels& kernels = tubetwin::chosenKernels();
  for (const int taps : {2048, 8192, 96000}) {
    const std::vector<float> response = made::di(taps);
    auto cabinet = std::make_shared<tubetwin::Cabinet>(kernels);
    cabinet->load(response.data(), taps);
    const auto process = [cabinet](const float* in, float* out, int n) {
      std::copy(in, in + n, out);
      cabinet->process(out, n);
    };
    all.push_back({"cabinet " + std::to_string(taps), {inBlocks(64, process)}, 64, {}});
    if (taps > 8192) continue;
    const auto direct = [response, taps, &kernels](const float*, float* out, int n) {
      static std::vector<float> line(3 * 8192, 0.1f);
      kernels.fir(out, line.data() + 2 * 8192, response.data(), taps, n);
    };
    all.push_back({"direct " + std::to_string(taps), {inBlocks(64, direct)}, 64, {}});
  }
}

// The slowest block of a stretch of music over the median one: per block the best of many repeats,
// so that what the machine does besides does not count.
double worstBlock(const Twin& twin) {
  constexpr int kBlocks = 1000, kRepeats = 40;
  Player player(twin, tubetwin::chosenKernels());
  const std::vector<float> di = made::di(64 * kBlocks);
  std::vector<float> out(64);
  std::vector<double> best(kBlocks, 1.0);
  for (int i = 0; i < kRepeats; i++) {
    player.reset();
    for (int b = 0; b < kBlocks; b++) {
      const double start = now();
      player.process(di.data() + 64 * b, out.data(), 64);
      best[b] = std::min(best[b], now() - start);
    }
  }
  return *std::max_element(best.begin() + 1, best.end()) / median(best);
}

void print(const Candidate& candidate, const char* comma) {
  const double best = *std::min_element(candidate.seconds.begin(), candidate.seconds.end());
  const double usual = median(candidate.seconds);
  std::printf("    {\"name\": \"%s\", \"ns_per_sample\": %.1f, \"ns_per_sample_best\": %.1f, \"times_real_time\": %.1f}%s\n",
              candidate.name.c_str(), usual * 1e9, best * 1e9, 1 / (usual * kRateHz), comma);
}

void printMemory(const Sizes& sizes) {
  static const char* const names[] = {"delay_lines", "weights", "film", "scratch", "cabinet", "resampler", "padding"};
  std::printf("  \"bytes\": {");
  for (std::size_t i = 0; i < sizes.size(); i++) {
    const Player player(sizes[i].second, tubetwin::chosenKernels());
    std::printf("%s\n    \"%s\": {", i ? "," : "", sizes[i].first.c_str());
    for (int part = 0; part < tubetwin::kParts; part++)
      std::printf("\"%s\": %zu, ", names[part], player.bytes(static_cast<Part>(part)));
    std::printf("\"player\": %zu}", player.objectBytes());
  }
  std::printf("\n  },\n");
}

void printRatios(const std::vector<Candidate>& all, const Sizes& sizes) {
  const std::string isa = tubetwin::chosenKernels().instructionSet;
  const auto still = [&](const std::string& size, int block) {
    return named(all, size + " " + isa + " " + std::to_string(block));
  };
  std::printf("  \"ratios\": {\n");
  for (const auto& [size, twin] : sizes) {
    const Candidate base = still(size, 64);
    std::printf("    \"%s / %s\": %.3f,\n", size.c_str(), sizes[0].first.c_str(), ratio(base, still(sizes[0].first, 64)));
    std::printf("    \"%s block 16 / 64\": %.3f,\n", size.c_str(), ratio(still(size, 16), base));
    for (const char* how : {" moving", " automated"})
      std::printf("    \"%s%s / still\": %.3f,\n", size.c_str(), how, ratio(named(all, size + how), base));
    std::printf("    \"%s worst block / median\": %.3f,\n", size.c_str(), worstBlock(twin));
  }
  for (const char* taps : {"2048", "8192"})
    std::printf("    \"cabinet %s / direct\": %.3f%s\n", taps,
                ratio(named(all, std::string("cabinet ") + taps), named(all, std::string("direct ") + taps)),
                taps[0] == '2' ? "," : "");
  std::printf("  },\n");
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(std::atoi(argv[1]), 1) : 100;
  Sizes sizes = {{"standard", made::twin(made::standard())}, {"lite", made::twin(made::lite())},
                 {"nano", made::twin(made::nano())}};
  if (argc > 2) sizes = {{"twin", tubetwin::loadTwin(argv[2])}};
  std::vector<Candidate> all;
  addNetworks(all, sizes);
  addMovingKnobs(all, sizes);
  addCabinets(all);
  takeTurns(all, rounds);
  std::printf("{\n  \"instruction_set\": \"%s\",\n  \"rounds\": %d,\n", tubetwin::chosenKernels().instructionSet, rounds);
  printMemory(sizes);
  printRatios(all, sizes);
  std::printf("  \"candidates\": [\n");
  for (std::size_t i = 0; i < all.size(); i++) print(all[i], i + 1 < all.size() ? "," : "");
  std::printf("  ]\n}\n");
}
