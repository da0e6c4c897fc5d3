// The laws of turning: a knob that moves sounds like an amp whose knob moves, and like nothing else.
//
// The truth is quasi-static: at every moment, what the twin would answer if the knob had always
// stood where it is just then.
#include <algorithm>
#include <cmath>
#include <vector>

#include "check.h"
#include "dispatch.h"
#include "made.h"
#include "sound.h"
#include "tone.h"
#include "tubetwin/player.h"

using namespace tubetwin;

namespace {

constexpr int kPeriod = 200;  // samples of the tone, 240 Hz
constexpr int kStart = 10000, kEnd = 34000;
constexpr double kFrom = 0.2, kTo = 0.8;

Sound tonePlayed(Player& player, int samples, double knob) {
  player.setKnob(0, static_cast<float>(knob));
  player.reset();
  return play(player, tone::sine(48000.0 / kPeriod, 48000, samples), 64);
}

// A move that takes `samples`, in stairs of `stair`, each a glide of `ramp`.
Sound moved(const Twin& twin, int samples, int stair, int ramp) {
  Player player(twin, chosenKernels());
  player.setKnob(0, kFrom);
  player.reset();
  player.setRamp(ramp);
  const Sound di = tone::sine(48000.0 / kPeriod, 48000, kEnd);
  Sound out(di.size());
  for (int t = 0; t < kEnd; t += stair) {
    const double travel = std::clamp((t + stair - kStart) / static_cast<double>(samples), 0.0, 1.0);
    player.setKnob(0, static_cast<float>(kFrom + (kTo - kFrom) * travel));
    player.process(di.data() + t, out.data() + t, std::min(stair, kEnd - t));
  }
  return out;
}

// The same as it should be: static twins at many positions, and from one to the next a fade.
Sound quasiStatic(const Twin& twin, int samples) {
  constexpr int kPositions = 30;
  Player player(twin, chosenKernels());
  std::vector<Sound> still;
  for (int i = 0; i <= kPositions; i++)
    still.push_back(tonePlayed(player, kEnd, kFrom + (kTo - kFrom) * i / kPositions));
  Sound out(kEnd);
  for (int t = 0; t < kEnd; t++) {
    const double at = kPositions * std::clamp((t - kStart) / static_cast<double>(samples), 0.0, 1.0);
    const int i = std::min(static_cast<int>(at), kPositions - 1);
    out[t] = static_cast<float>(still[i][t] + (at - i) * (still[i + 1][t] - still[i][t]));
  }
  return out;
}

// Energy outside the spectra of static twins, which have nothing but harmonics of the tone: what is
// left of a sound when a period before is subtracted; tilted twice by 6 dB an octave, for a click is
// told by its treble.
double outside(const Sound& sound) {
  double energy = 0;
  for (int t = kStart - 100; t < kEnd - 2; t++) {
    const auto change = [&](int s) { return static_cast<double>(sound[s]) - sound[s - kPeriod]; };
    energy += std::pow(change(t) - 2 * change(t + 1) + change(t + 2), 2);
  }
  return energy;
}

// The peak of the fourth difference around a move.
double click(const Twin& twin, int ramp, int stairs) {
  Player player(twin, chosenKernels());
  player.setRamp(ramp);
  Sound di(9600);
  for (std::size_t t = 0; t < di.size(); t++) di[t] = 0.5f * std::sin(2 * 3.14159265f * 220 / 48000 * t);
  Sound out(di.size());
  for (std::size_t t = 0; t < di.size(); t += 64) {
    const int stair = static_cast<int>(t / 64) - 100;
    if (stair >= 0 && stair < stairs)
      for (int k = 0; k < 4; k++) player.setKnob(k, 0.5f + 0.4f * static_cast<float>(stair + 1) / stairs);
    player.process(di.data() + t, out.data() + t, 64);
  }
  return roughest(out, 6300, out.size());
}

}  // namespace

TEST(a_moving_knob_never_clicks) {
  for (const Twin& twin : twins()) {
    const double still = click(twin, 0, 0), jump = click(twin, 0, 1), stairs = click(twin, 0, 15);
    const double glide = click(twin, 960, 1);
    CHECK(glide < 4 * still);
    CHECK(glide < jump / 100);
    CHECK(stairs > 20 * glide);  // folding anew every 64 samples would be heard
    CHECK(jump > 10 * still);   // the measure hears clicks
  }
}

TEST(a_turned_knob_sounds_like_the_quasi_static_amp) {
  for (const Architecture& shape : {made::standard(), made::lite(), made::nano()})
    for (const int samples : {1000, 20000}) {
      const Twin twin = made::twin(shape);
      const Sound truth = quasiStatic(twin, samples), glide = moved(twin, samples, 1000, 1000);
      const Sound jump = moved(twin, samples, samples == 1000 ? 1000 : 2500, 0);
      double error = 0, energy = 0;
      for (int t = kStart; t < kEnd; t++) {
        error += std::pow(static_cast<double>(glide[t]) - truth[t], 2);
        energy += std::pow(truth[t], 2);
      }
      CHECK(error < (samples == 1000 ? 1e-4 : 1e-5) * energy);
      CHECK(outside(glide) < 2 * outside(truth) + 3e-10);  // rounding, in floats
      CHECK(outside(jump) > 100 * outside(glide));  // the measure hears clicks
      CHECK(roughest(glide, kStart, kEnd) < 2 * roughest(truth, kStart, kEnd));
      CHECK(roughest(jump, kStart, kEnd) > 10 * roughest(glide, kStart, kEnd));
    }
}

TEST(film_bends_as_tanh_does) {
  for (const Kernels* kernels : kernelsHere())
    for (const int count : {1, 7, 16, 64}) {
      std::vector<float> values(64);
      for (float scale = 1e-4f; scale < 1e9f; scale *= 3) {
        for (int i = 0; i < count; i++) values[i] = scale * (static_cast<float>(i) - static_cast<float>(count) / 3);
        const std::vector<float> before = values;
        kernels->bend(values.data(), count);
        for (int i = 0; i < count; i++) CHECK(std::abs(values[i] - std::tanh(before[i])) < 3e-7f);
      }
    }
}
