// The laws of other sample rates: tones pass as they are, ghosts do not, and the latency is as stated.
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "check.h"
#include "dispatch.h"
#include "made.h"
#include "sound.h"
#include "tone.h"
#include "tubetwin/player.h"

using namespace tubetwin;

namespace {

constexpr int kHosts[] = {44100, 88200, 96000, 192000};
constexpr int kSettled = 3000;  // samples: longer than any filter here

Sound resampled(const Sound& sound, int fromHz, int toHz) {
  Memory memory;
  Resampler resampler;
  for (const bool real : {false, true}) {
    if (real) memory.allocate();
    resampler.place(memory, fromHz, toHz, 64);
  }
  resampler.load();
  resampler.settle(0);
  Sound out, made(64 * 8);
  for (std::size_t t = 0; t + 64 <= sound.size(); t += 64) {
    resampler.hear(sound.data() + t, 64);
    const int count = resampler.make(made.data(), static_cast<int>(made.size()), chosenKernels());
    out.insert(out.end(), made.begin(), made.begin() + count);
  }
  return out;
}

std::vector<std::pair<int, int>> ways() {
  std::vector<std::pair<int, int>> all;
  for (const int host : kHosts) {
    all.push_back({host, 48000});
    all.push_back({48000, host});
  }
  all.push_back({47999, 48000});  // no simple ratio: between two phases
  all.push_back({22050, 48000});
  return all;
}

}  // namespace

TEST(a_tone_passes_every_resampler_without_ghosts) {
  for (const auto& [from, to] : ways()) {
    const double pass = bandOf(from, to).passHz;
    CHECK(pass > 19999 || from < 40000);
    for (const double hz : {30.0, 997.0, 0.37 * pass, 0.71 * pass, 0.93 * pass, pass}) {
      const Sound out = resampled(tone::sine(hz, from, 64 * 300), from, to);
      const tone::Fit fit = tone::fit(out, hz, to, kSettled, 0);
      CHECK(std::abs(fit.gainDb) < 0.05);  // and 0.1 dB for both ways
      CHECK(std::abs(fit.delaySamples) < 1e-3);
      CHECK(fit.restDb < -90);  // images, aliases, jitter: everything that is not the tone
    }
  }
}

TEST(what_would_fold_back_below_20_khz_is_stopped) {
  for (const auto& [from, to] : ways()) {
    const double stop = bandOf(from, to).stopHz;
    for (const double share : {0.0, 0.1, 0.5, 0.99}) {
      const double hz = stop + share * (from / 2.0 - stop);
      if (hz < from / 2.0) CHECK(tone::levelDb(resampled(tone::sine(hz, from, 64 * 300), from, to), kSettled) < -90);
    }
  }
}

// Where the filter's slope lets something fold, it lands above 20 kHz.
TEST(nothing_below_20_khz_is_a_ghost) {
  for (const auto& [from, to] : ways()) {
    const Band band = bandOf(from, to);
    CHECK(std::min(from, to) - band.stopHz >= band.passHz - 1e-6);
  }
}

TEST(a_player_at_any_rate_is_as_late_as_it_says) {
  for (const int host : kHosts) {
    Player player(made::wire(), chosenKernels());
    CHECK(player.latency() == 0);
    player.prepare(host, 1);
    CHECK(player.latency() > 0 && player.latency() < 0.0016 * host);
    for (const double hz : {110.0, 5000.0, 19990.0}) {
      player.reset();
      const Sound out = play(player, tone::sine(hz, host, 20000), 0);
      const tone::Fit fit = tone::fit(out, hz, host, kSettled, player.latency());
      CHECK(std::abs(fit.gainDb) < 0.1);
      CHECK(std::abs(fit.delaySamples - player.latency()) < 2e-3);
      CHECK(fit.restDb < -90);
    }
  }
}

TEST(at_the_twins_own_rate_nothing_is_added) {
  for (const int rate : {44100, 48000, 96000}) {
    Player player(made::wire(rate), chosenKernels());
    CHECK(player.latency() == 0 && player.bytes(Part::resampler) == 0);
    const Sound before = play(player, made::di(500), 0);
    player.prepare(rate, 1);
    CHECK(player.latency() == 0 && player.bytes(Part::resampler) == 0);
    CHECK(play(player, made::di(500), 0) == before);
  }
}

TEST(block_size_never_changes_the_sound_at_another_rate) {
  for (const int host : {8000, 22050, 44100, 96000, 192000, 768000, 47999}) {
    Player player(made::twin(made::nano()), chosenKernels());
    player.prepare(host, 1);
    const Sound di = made::di(9000), whole = play(player, di, 9000);
    for (const int block : {1, 7, 64, 333, 4096, 0}) {
      player.reset();
      CHECK(play(player, di, block) == whole);
    }
  }
}

TEST(it_starts_settled_at_another_rate) {
  for (const int host : kHosts) {
    Player player(made::twin(made::lite()), chosenKernels());
    player.prepare(host, 1);
    const Sound quiet = play(player, Sound(20000, 0.0f), 0);
    const auto [least, most] = std::minmax_element(quiet.begin(), quiet.end());
    CHECK(*most - *least < 2e-6f);
  }
}

TEST(a_response_of_another_rate_sounds_the_same) {
  const double hz = 2000;
  const auto gainDb = [&](int responseHz) {
    Sound response(responseHz / 100);  // a decaying ring of 10 ms, the same at any rate
    for (std::size_t k = 0; k < response.size(); k++) {
      const double seconds = static_cast<double>(k) / responseHz;
      response[k] = static_cast<float>(1e3 / responseHz * std::sin(2 * tone::kPi * 1500 * seconds) *
                                       std::exp(-seconds / 0.001));
    }
    Player player(made::wire(), chosenKernels());
    player.loadCabinet(response.data(), static_cast<int>(response.size()), responseHz);
    return tone::fit(play(player, tone::sine(hz, 48000, 9000), 0), hz, 48000, kSettled, 0);
  };
  const tone::Fit native = gainDb(48000);
  for (const int rate : kHosts) {
    const tone::Fit other = gainDb(rate);
    CHECK(std::abs(other.gainDb - native.gainDb) < 0.05);
    CHECK(std::abs(other.delaySamples - native.delaySamples) < 0.02);
  }
}

TEST(rates_that_make_no_sense_are_refused) {
  const auto refused = [](double hz, int channels, double twinHz) {
    Player player(made::wire(twinHz), chosenKernels());
    try {
      player.prepare(hz, channels);
      return false;
    } catch (const std::invalid_argument&) {
      return play(player, {0.5f}, 0)[0] == play(player, {0.5f}, 0)[0] && player.channels() == 1;
    }
  };
  for (const double hz : {0.0, -48000.0, 44100.5, 1e300, std::nan(""), 7999.0, 800000.0}) CHECK(refused(hz, 1, 48000));
  CHECK(refused(48000, 0, 48000) && refused(48000, 3, 48000) && refused(48000, 1, 100));
  CHECK(!refused(100, 1, 100) && !refused(8000, 2, 48000));
}
