// Timing on a busy machine: candidates take turns in short rounds, so that all are slowed alike.
//
// A ratio of two candidates is the median of the ratios of each round.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace bench {

constexpr double kTurnSeconds = 4e-4;  // how long a candidate's turn lasts

inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The value below which `share` of them lie.
inline double quantile(std::vector<double> values, double share) {
  const std::size_t at = std::min(values.size() - 1, static_cast<std::size_t>(share * static_cast<double>(values.size())));
  std::nth_element(values.begin(), values.begin() + static_cast<long>(at), values.end());
  return values[at];
}
inline double median(const std::vector<double>& values) { return quantile(values, 0.5); }

// Something to time: play(samples) plays them.
struct Candidate {
  std::string name;
  std::vector<std::function<void(int samples)>> instances;  // the luck of each with its memory pages differs
  int turn;                     // samples, a multiple of the block
  std::vector<double> seconds;  // per sample, one for each round
};

inline void takeTurns(std::vector<Candidate>& candidates, int rounds) {
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

inline double ratio(const Candidate& a, const Candidate& b) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < a.seconds.size(); i++) ratios.push_back(a.seconds[i] / b.seconds[i]);
  return median(ratios);
}

inline double best(const Candidate& candidate) {
  return *std::min_element(candidate.seconds.begin(), candidate.seconds.end());
}

inline const Candidate& named(const std::vector<Candidate>& all, const std::string& name) {
  return *std::find_if(all.begin(), all.end(), [&](const Candidate& c) { return c.name == name; });
}

}  // namespace bench
