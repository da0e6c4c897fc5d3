// The laws of playing: what holds for every twin, block and instruction set.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <vector>

#include "alarm.h"
#include "check.h"
#include "dispatch.h"
#include "made.h"
#include "sound.h"
#include "tubetwin/player.h"
#include "tubetwin/probe.h"

using namespace tubetwin;

TEST(block_size_never_changes_the_sound) {
  const Sound response = decaying(3000);
  for (const Kernels* kernels : kernelsHere())
    for (const Twin& twin : twins()) {
      Player player(twin, *kernels);
      player.loadCabinet(response.data(), static_cast<int>(response.size()));
      const Sound di = made::di(9000);
      const Sound whole = play(player, di, 9000);
      for (const int block : {1, 7, 64, 333, 4096, 0}) {
        player.reset();
        CHECK(play(player, di, block) == whole);
      }
    }
}

TEST(block_size_never_changes_a_moving_knob) {
  for (const Twin& twin : twins()) {
    Sound sounds[2];
    for (const int i : {0, 1}) {
      Player player(twin, chosenKernels());
      player.setKnob(1, 0.9f);
      sounds[i] = play(player, made::di(3000), i ? 0 : 64);
    }
    CHECK(sounds[0] == sounds[1]);
  }
}

TEST(every_instruction_set_agrees) {
  for (const Twin& twin : twins()) {
    Sound first;
    for (const Kernels* kernels : kernelsHere()) {
      Player player(twin, *kernels);
      const Sound sound = play(player, made::di(8000), 64);
      if (first.empty()) first = sound;
      CHECK(furthest(sound, first) < 1e-5);
    }
  }
}

// A fourth tap that hears nothing changes nothing, but kernel size 4 has no kernel but the plain one.
static Twin withFourTaps(const Twin& twin) {
  Twin longer = twin;
  longer.architecture.kernelSize = 4;
  longer.taps.clear();
  const std::size_t layer = twin.taps.size() / twin.architecture.layers;
  for (auto taps = twin.taps.begin(); taps != twin.taps.end(); taps += layer) {
    longer.taps.insert(longer.taps.end(), layer / 3, 0.0f);
    longer.taps.insert(longer.taps.end(), taps, taps + layer);
  }
  return longer;
}

TEST(the_fast_paths_compute_the_plain_equation) {
  for (const Architecture& shape : {made::standard(), made::lite(), made::nano()}) {
    const Twin twin = made::twin(shape);
    Player fast(twin, chosenKernels()), plain(withFourTaps(twin), chosenKernels());
    const Sound di = made::di(7000);
    CHECK(furthest(play(fast, di, 64), play(plain, di, 64)) < 1e-5);
  }
}

// The fast ones divide by gamma: here it also passes through 0, stays there, and ends near it.
TEST(the_fast_paths_compute_the_plain_equation_while_knobs_turn) {
  for (const float wild : {1.0f, 3.0f})
    for (const Architecture& shape : {made::standard(), made::lite(), made::nano()}) {
      Twin twin = made::twin(shape);
      auto& last = twin.film.back();
      const std::size_t scales = last.bias.size() / 2, columns = last.weight.size() / last.bias.size();
      for (std::size_t i = 0; i < scales * columns; i++) last.weight[i] *= i / columns % 5 ? wild : 0;
      for (std::size_t r = 0; wild > 1 && r < scales; r += 5) last.bias[r] = -1;
      for (const Kernels* kernels : kernelsHere()) {
        Player fast(twin, *kernels), plain(withFourTaps(twin), *kernels);
        float louder = 1;
        for (int turn = 0; turn < 40; turn++) {  // some glides end, some are turned elsewhere on their way
          const Sound di = made::di(turn % 3 ? 500 : 1500);
          for (Player* player : {&fast, &plain})
            for (int knob = 0; knob < 4; knob++) player->setKnob(knob, static_cast<float>((turn * 7 + knob * 3) % 11) / 10);
          const Sound a = play(fast, di, 64), b = play(plain, di, 64);
          for (const float sample : b) louder = std::max(louder, std::abs(sample));
          CHECK(furthest(a, b) < 1e-5 * louder);
        }
      }
    }
}

TEST(reset_forgets_everything) {
  const Sound response = decaying(700);
  for (const Twin& twin : twins()) {
    Player player(twin, chosenKernels());
    player.loadCabinet(response.data(), static_cast<int>(response.size()));
    player.reset();
    const Sound di = made::di(5000), first = play(player, di, 64);
    player.setKnob(0, 1.0f);
    play(player, made::di(3333, 9), 0);
    player.setKnob(0, 0.5f);
    player.reset();
    CHECK(play(player, di, 64) == first);
  }
}

TEST(it_starts_settled) {
  const Sound response = decaying(2000);
  for (const Twin& twin : twins()) {
    Player player(twin, chosenKernels());
    player.loadCabinet(response.data(), static_cast<int>(response.size()));
    const Sound quiet = play(player, Sound(9000, 0.0f), 0);
    const auto [least, most] = std::minmax_element(quiet.begin(), quiet.end());
    CHECK(*most - *least < 2e-6f);
  }
}

TEST(latency_is_none_and_the_receptive_field_as_declared) {
  for (const Kernels* kernels : kernelsHere())
    for (const Twin& twin : twins()) {
      const Reach reach = measureReach(twin.architecture, *kernels);
      CHECK(reach.latency == 0);
      CHECK(reach.receptiveField == Player(twin, *kernels).receptiveField());
    }
  CHECK(measureReach(made::standard(), chosenKernels()).receptiveField == 6139);
}

TEST(nonsense_in_the_input_is_silence_and_leaves_no_trace) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const Twin& twin : twins()) {
    Player player(twin, chosenKernels());
    const Sound response = decaying(1000);
    player.loadCabinet(response.data(), static_cast<int>(response.size()));
    Sound broken = made::di(3000), mended = broken;
    int at = 100;
    for (const float nonsense : {std::nanf(""), infinity, -infinity}) {
      broken[at] = nonsense;
      mended[at++] = 0;
    }
    const Sound sound = play(player, broken, 0);
    player.reset();
    CHECK(play(player, mended, 0) == sound);
    const Sound extremes = {3e38f, -3e38f, 1e-40f, -1e-40f};
    for (const float sample : play(player, extremes, 0)) CHECK(std::isfinite(sample));
    const Sound di = made::di(10000), after = play(player, di, 64);
    player.reset();
    const Sound fresh = play(player, di, 64);
    const std::size_t field = player.receptiveField() + response.size();
    CHECK(furthest(Sound(fresh.begin() + field, fresh.end()), Sound(after.begin() + field, after.end())) < 1e-6);
  }
}

TEST(denormals_are_flushed_and_the_host_gets_its_mode_back) {
#if defined(__SSE__)
  const unsigned before = _mm_getcsr();
  Player player(made::twin(made::nano()), chosenKernels());
  Sound out(64);
  player.process(Sound(64, 1e-40f).data(), out.data(), 64);
  CHECK(_mm_getcsr() == before);
  {
    const WithoutDenormals guard;
    volatile float tiny = 1e-38f;
    CHECK(tiny * 0.1f == 0);
  }
  volatile float tiny = 1e-38f;
  CHECK(tiny * 0.1f != 0);
#endif
}

TEST(the_ledger_is_what_was_allocated) {
  const auto sum = [](const Player& player) {
    std::size_t total = player.objectBytes();
    for (int part = 0; part < kParts; part++) total += player.bytes(static_cast<Part>(part));
    return static_cast<long>(total);
  };
  for (const Twin& twin : twins()) {
    const long before = alarm_bell::liveBytes();
    const auto player = std::make_unique<Player>(twin, chosenKernels());
    CHECK(alarm_bell::liveBytes() - before == sum(*player));
    const Sound response = decaying(9000);
    const long between = alarm_bell::liveBytes() - sum(*player);
    player->loadCabinet(response.data(), 9000);
    CHECK(player->bytes(Part::cabinet) > 9000 * sizeof(float));
    CHECK(alarm_bell::liveBytes() - between == sum(*player));
    player->loadCabinet(nullptr, 0);
    CHECK(player->bytes(Part::cabinet) == 0);
  }
  CHECK(Player(made::twin(made::standard()), chosenKernels()).bytes(Part::delayLines) == 392832);
}

// What compact players cost: the error's share of the sound's energy (ESR).
static double compactEsr(const Twin& twin, const Kernels& kernels, bool moving) {
  Player whole(twin, kernels), compact(twin, kernels, true);
  const Sound di = made::di(20000);
  Sound sounds[2];
  for (Player* player : {&whole, &compact}) {
    if (moving) player->setKnob(0, 0.9f, 7000);
    sounds[player == &compact] = play(*player, di, 0);
  }
  const double mean = std::accumulate(sounds[0].begin(), sounds[0].end(), 0.0) / static_cast<double>(di.size());
  double error = 0, energy = 0;
  for (std::size_t t = 0; t < di.size(); t++) {
    error += std::pow(sounds[1][t] - static_cast<double>(sounds[0][t]), 2);
    energy += std::pow(sounds[0][t] - mean, 2);
  }
  return error / energy;
}

TEST(a_compact_player_fits_in_the_delay_lines_alone_and_costs_less_than_a_millionth) {
  const Twin twin = made::twin(made::standard());
  for (const Kernels* kernels : kernelsHere()) {
    const Player compact(twin, *kernels, true), whole(twin, *kernels);
    std::size_t total = compact.objectBytes();
    for (int part = 0; part < kParts; part++) total += compact.bytes(static_cast<Part>(part));
    for (const bool moving : {false, true}) {
      const double esr = compactEsr(twin, *kernels, moving);
      CHECK(kernels->halve ? esr > 0 && esr < 1e-6 : esr == 0);  // without halves it is as the others are
    }
    if (kernels->halve) CHECK(total <= 392832);
    CHECK(kernels->halve || compact.bytes(Part::delayLines) == whole.bytes(Part::delayLines));
  }
  const Twin small = made::twin(made::nano());  // has no kernel for halves
  CHECK(compactEsr(small, chosenKernels(), true) == 0);
}

TEST(a_compact_player_keeps_the_laws) {
  const Twin twin = made::twin(made::standard());
  for (const Kernels* kernels : kernelsHere()) {
    Player player(twin, *kernels, true);
    player.setKnob(1, 0.9f);
    player.reset();
    const Sound quiet = play(player, Sound(9000, 0.0f), 0);
    const auto [least, most] = std::minmax_element(quiet.begin(), quiet.end());
    CHECK(*most - *least < 1e-3f);
    player.reset();
    const Sound di = made::di(9000), whole = play(player, di, 9000);
    for (const int block : {1, 64, 333, 0}) {
      player.reset();
      CHECK(play(player, di, block) == whole);
    }
    player.prepare(48000, 2);
    CHECK(play(player, di, 64) == whole);
  }
}
