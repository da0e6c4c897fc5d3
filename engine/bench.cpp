// How fast the engine is: nanoseconds per sample and times real time, for every size, block and
// instruction set, and how much of what the core could do that is; a moving knob; another sample
// rate; the cabinet; the worst block; the start; the memory.
//
//     tubetwin_bench [--rounds N] [--paced BLOCKS] [--twin FILE]
//
// JSON goes to standard output, a table to standard error. It stays on one core.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

#include "bench_turns.h"
#include "dispatch.h"
#include "tests/made.h"
#include "tubetwin/player.h"

using bench::Candidate;
using bench::named;
using bench::now;
using bench::quantile;
using bench::ratio;
using tubetwin::Kernels;
using tubetwin::Part;
using tubetwin::Player;
using tubetwin::Twin;

namespace bench {
float peakAvx2(long count);
float peakAvx512(long count);
}  // namespace bench

namespace {

constexpr double kRateHz = 48000;
constexpr int kSignal = 8192;   // samples that are played round and round
constexpr int kInstances = 5;   // of each candidate, in turn

void stayOnOneCore() {
#if defined(__linux__)
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(sched_getcpu(), &here);
  sched_setaffinity(0, sizeof here, &here);
#endif
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

// All knobs turn all the time: glide after glide of 20 ms (15 blocks), or anew in every block. The same players
// rest besides, for the luck of their memory pages weighs as much as a moving knob.
void addMovingKnobs(std::vector<Candidate>& all, const Sizes& sizes) {
  for (const auto& [size, twin] : sizes) {
    std::vector<std::shared_ptr<Player>> players;
    for (int i = 0; i < kInstances; i++) players.push_back(std::make_shared<Player>(twin, tubetwin::chosenKernels()));
    const int knobs = static_cast<int>(twin.knobs.size());
    for (const auto& [how, blocks] : {std::pair(" resting", 0), {" moving", 15}, {" automated", 1}}) {
      Candidate candidate{size + how, {}, 64, {}};
      for (const auto& player : players) {
        auto count = std::make_shared<int>(0);
        candidate.instances.push_back(inBlocks(64, [=, blocks = blocks](const float* in, float* out, int n) {
          if (blocks > 0 && ++*count % blocks == 0)
            for (int k = 0; k < knobs; k++) player->setKnob(k, static_cast<float>(*count % 100) / 100);
          player->process(in, out, n);
        }));
      }
      all.push_back(std::move(candidate));
    }
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

// The same network in a host of another sample rate; a `sample` is still one of the twin's.
void addOtherRates(std::vector<Candidate>& all, const Sizes& sizes) {
  for (const auto& [size, twin] : sizes)
    for (const int host : {44100, 96000}) {
      Candidate candidate{size + " in " + std::to_string(host) + " Hz", {}, 64, {}};
      for (int i = 0; i < kInstances; i++) {
        auto player = std::make_shared<Player>(twin, tubetwin::chosenKernels());
        player->prepare(host, 1);
        const auto play = inBlocks(64, [player](const float* in, float* out, int n) { player->process(in, out, n); });
        candidate.instances.push_back([play, host, twinHz = twin.sampleRateHz](int samples) {
          play(static_cast<int>(samples * (host / twinHz)));
        });
      }
      all.push_back(std::move(candidate));
    }
}

// Long histories and FiLM's weights in halves.
void addCompact(std::vector<Candidate>& all, const Sizes& sizes) {
  const auto& [size, twin] = sizes[0];  // `standard`: the others have no kernel for it
  Candidate candidate{size + " compact", {}, 64, {}};
  for (int i = 0; i < kInstances; i++) {
    auto player = std::make_shared<Player>(twin, tubetwin::chosenKernels(), true);
    candidate.instances.push_back(
        inBlocks(64, [player](const float* in, float* out, int n) { player->process(in, out, n); }));
  }
  all.push_back(std::move(candidate));
}

// What the core can do: a `sample` is one vector multiply-add.
void addPeaks(std::vector<Candidate>& all) {
  [[maybe_unused]] volatile static float sink;
  const std::string widest = tubetwin::nameOf(tubetwin::widestInstructionSet());
  if (widest == "baseline") return;
  all.push_back({"peak avx2", {[](int count) { sink = bench::peakAvx2(count); }}, 1 << 16, {}});
  if (widest == "avx512") all.push_back({"peak avx512", {[](int count) { sink = bench::peakAvx512(count); }}, 1 << 16, {}});
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
  return *std::max_element(best.begin() + 1, best.end()) / bench::median(best);
}

// Blocks of 64 at the pace of a sound card, the caches cold from sleeping: microseconds each.
void printPaced(const Sizes& sizes, int blocks) {
  const std::vector<float> di = made::di(kSignal);
  std::vector<float> out(64);
  std::printf("  \"paced\": {\"blocks\": %d, \"deadline_us\": %.0f", blocks, 64 / kRateHz * 1e6);
  std::vector<std::unique_ptr<Player>> players;
  for (const auto& [size, twin] : sizes) players.push_back(std::make_unique<Player>(twin, tubetwin::chosenKernels()));
  std::vector<std::vector<double>> took(sizes.size());
  const std::chrono::duration<double> period(64 / kRateHz);
  auto next = std::chrono::steady_clock::now();
  for (int b = 0; b < blocks; b++) {
    next += std::chrono::duration_cast<std::chrono::steady_clock::duration>(period);
    std::this_thread::sleep_until(next);
    for (std::size_t i = 0; i < sizes.size(); i++) {
      const double start = now();
      players[i]->process(di.data() + b * 64 % kSignal, out.data(), 64);
      took[i].push_back((now() - start) * 1e6);
    }
  }
  for (std::size_t i = 0; i < sizes.size(); i++) {
    std::printf(",\n    \"%s\": {", sizes[i].first.c_str());
    for (const auto& [name, share] : {std::pair("p50", 0.5), {"p99", 0.99}, {"p99.9", 0.999}, {"p99.99", 0.9999}})
      std::printf("\"%s\": %.1f, ", name, quantile(took[i], share));
    std::printf("\"max\": %.1f}", quantile(took[i], 1));
  }
  std::printf("\n  },\n");
}

// From a twin in memory to its first block, for the first time in this process: milliseconds.
double coldStart(const Twin& twin) {
  const std::vector<float> di = made::di(64);
  std::vector<float> out(64);
  const double start = now();
  Player player(twin, tubetwin::chosenKernels());
  player.process(di.data(), out.data(), 64);
  return (now() - start) * 1e3;
}

void print(const Candidate& candidate, const char* comma) {
  const double best = bench::best(candidate), usual = bench::median(candidate.seconds);
  std::printf("    {\"name\": \"%s\", \"ns_per_sample\": %.3f, \"ns_per_sample_best\": %.3f, \"times_real_time\": %.1f}%s\n",
              candidate.name.c_str(), usual * 1e9, best * 1e9, 1 / (usual * kRateHz), comma);
}

// What compact memory costs: the error's share of the sound's energy.
double compactEsr(const Twin& twin) {
  Player whole(twin, tubetwin::chosenKernels()), compact(twin, tubetwin::chosenKernels(), true);
  const std::vector<float> di = made::di(48000);
  std::vector<float> a(di.size()), b(di.size());
  whole.process(di.data(), a.data(), static_cast<int>(di.size()));
  compact.process(di.data(), b.data(), static_cast<int>(di.size()));
  double error = 0, energy = 0;
  for (std::size_t t = 0; t < di.size(); t++) {
    error += (b[t] - a[t]) * (b[t] - a[t]);
    energy += a[t] * a[t];
  }
  return error / energy;
}

void printBytes(const std::string& name, const Player& player, const char* comma) {
  static const char* const names[] = {"delay_lines", "weights", "film", "scratch", "cabinet", "resampler", "padding"};
  std::size_t total = player.objectBytes();
  std::printf("\n    \"%s\": {", name.c_str());
  for (int part = 0; part < tubetwin::kParts; part++) {
    std::printf("\"%s\": %zu, ", names[part], player.bytes(static_cast<Part>(part)));
    total += player.bytes(static_cast<Part>(part));
  }
  std::printf("\"player\": %zu, \"total\": %zu}%s", player.objectBytes(), total, comma);
}

void printMemory(const Sizes& sizes) {
  std::printf("  \"bytes\": {");
  for (const auto& [size, twin] : sizes) printBytes(size, Player(twin, tubetwin::chosenKernels()), ",");
  printBytes(sizes[0].first + " compact", Player(sizes[0].second, tubetwin::chosenKernels(), true), "\n  },\n");
}

using Ratios = std::vector<std::pair<std::string, double>>;

// What `standard` needs of the ports that multiply and add, for each sample (docs/numbers.md), and
// how much of the time that it takes those ports would need at their peak.
void addLimits(Ratios& ratios, const std::vector<Candidate>& all) {
  for (const auto& [isa, operations] : {std::pair("avx2", 1800), {"avx512", 870}}) {
    const std::string peak = std::string("peak ") + isa, size = std::string("standard ") + isa + " 64";
    for (const Candidate& candidate : all)
      if (candidate.name == peak)
        ratios.push_back({"limit / standard " + std::string(isa), operations * ratio(candidate, named(all, size))});
  }
}

Ratios ratiosOf(const std::vector<Candidate>& all, const Sizes& sizes) {
  Ratios ratios;
  const std::string isa = tubetwin::chosenKernels().instructionSet;
  const auto still = [&](const std::string& size, int block) {
    return named(all, size + " " + isa + " " + std::to_string(block));
  };
  for (const auto& [size, twin] : sizes) {
    const Candidate base = still(size, 64);
    ratios.push_back({size + " / " + sizes[0].first, ratio(base, still(sizes[0].first, 64))});
    ratios.push_back({size + " block 16 / 64", ratio(still(size, 16), base)});
    for (const char* how : {" moving", " automated"})
      ratios.push_back({size + how + " / still", ratio(named(all, size + how), named(all, size + " resting"))});
    for (const char* how : {" in 44100 Hz", " in 96000 Hz"})
      ratios.push_back({size + how + " / still", ratio(named(all, size + how), base)});
    ratios.push_back({size + " worst block / median", worstBlock(twin)});
  }
  ratios.push_back({sizes[0].first + " compact / whole", ratio(named(all, sizes[0].first + " compact"), still(sizes[0].first, 64))});
  if (sizes[0].first == "standard") addLimits(ratios, all);
  for (const char* taps : {"2048", "8192"})
    ratios.push_back({std::string("cabinet ") + taps + " / direct",
                      ratio(named(all, std::string("cabinet ") + taps), named(all, std::string("direct ") + taps))});
  return ratios;
}

void printRatios(const Ratios& ratios) {
  std::printf("  \"ratios\": {");
  for (std::size_t i = 0; i < ratios.size(); i++)
    std::printf("%s\n    \"%s\": %.3f", i ? "," : "", ratios[i].first.c_str(), ratios[i].second);
  std::printf("\n  },\n");
}

void printTable(const std::vector<Candidate>& all, const Ratios& ratios) {
  std::fprintf(stderr, "%-24s %12s %12s %12s\n", "", "ns, median", "ns, best", "x real time");
  for (const Candidate& candidate : all) {
    const double best = bench::best(candidate), usual = bench::median(candidate.seconds);
    std::fprintf(stderr, "%-24s %12.3f %12.3f %12.1f\n", candidate.name.c_str(), usual * 1e9, best * 1e9, 1 / (best * kRateHz));
  }
  for (const auto& [name, value] : ratios) std::fprintf(stderr, "%-40s %8.3f\n", name.c_str(), value);
}

}  // namespace

int main(int argc, char** argv) {
  int rounds = 100, paced = 0;
  Sizes sizes = {{"standard", made::twin(made::standard())}, {"lite", made::twin(made::lite())},
                 {"nano", made::twin(made::nano())}};
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!std::strcmp(argv[i], "--rounds")) rounds = std::max(std::atoi(argv[i + 1]), 1);
    if (!std::strcmp(argv[i], "--paced")) paced = std::atoi(argv[i + 1]);
    if (!std::strcmp(argv[i], "--twin")) sizes = {{"twin", tubetwin::loadTwin(argv[i + 1])}};
  }
  const tubetwin::WithoutDenormals guard;
  const double start = coldStart(sizes[0].second);
  stayOnOneCore();
  std::vector<Candidate> all;
  addPeaks(all);
  addNetworks(all, sizes);
  addMovingKnobs(all, sizes);
  addOtherRates(all, sizes);
  addCompact(all, sizes);
  addCabinets(all);
  bench::takeTurns(all, rounds);
  const Ratios ratios = ratiosOf(all, sizes);
  std::printf("{\n  \"instruction_set\": \"%s\",\n  \"rounds\": %d,\n  \"cold_start_ms\": %.2f,\n  \"compact_esr\": %.2e,\n",
              tubetwin::chosenKernels().instructionSet, rounds, start, compactEsr(sizes[0].second));
  printMemory(sizes);
  printRatios(ratios);
  if (paced > 0) printPaced(sizes, paced);
  std::printf("  \"candidates\": [\n");
  for (std::size_t i = 0; i < all.size(); i++) print(all[i], i + 1 < all.size() ? "," : "");
  std::printf("  ]\n}\n");
  printTable(all, ratios);
}
