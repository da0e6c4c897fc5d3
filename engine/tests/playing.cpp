// The laws of a player in a host: what is set, loaded and replaced while it plays.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "alarm.h"
#include "check.h"
#include "dispatch.h"
#include "made.h"
#include "sound.h"
#include "tone.h"
#include "tubetwin/player.h"

using namespace tubetwin;

namespace {

constexpr int kFade = 960;  // samples: 20 ms

Sound rest(const Sound& sound, std::size_t from) { return Sound(sound.begin() + from, sound.end()); }

// Plays `di`; at sample `at` (between blocks) does something.
template <class Act>
Sound playAnd(Player& player, const Sound& di, std::size_t at, const Act& act) {
  Sound sound = play(player, Sound(di.begin(), di.begin() + at), 0);
  act();
  const Sound after = play(player, rest(di, at), 0);
  sound.insert(sound.end(), after.begin(), after.end());
  return sound;
}

}  // namespace

TEST(another_twin_takes_over_without_a_click_and_without_a_trace) {
  const Twin a = made::twin(made::nano()), b = made::twin(made::standard());
  const Sound di = tone::sine(220, 48000, 24000);
  Player always(b, chosenKernels()), before(a, chosenKernels()), player(a, chosenKernels());
  const Sound truth = play(always, di, 0), old = play(before, di, 0);
  const Sound sound = playAnd(player, di, 9000, [&] { player.loadTwin(b); });
  const std::size_t listens = 9000 + always.receptiveField(), arrived = listens + kFade + 1;
  CHECK(Sound(sound.begin(), sound.begin() + listens) == Sound(old.begin(), old.begin() + listens));
  CHECK(rest(sound, arrived) == rest(truth, arrived));
  CHECK(roughest(sound, 9000, 24000) < 3 * std::max(roughest(old, 9000, 24000), roughest(truth, 9000, 24000)));
  for (std::size_t t = listens; t < arrived; t++)
    CHECK(sound[t] >= std::min(old[t], truth[t]) - 1e-6 && sound[t] <= std::max(old[t], truth[t]) + 1e-6);
}

TEST(another_cabinet_takes_over_without_a_click) {
  const Sound a = decaying(2000), b = decaying(700), di = tone::sine(220, 48000, 20000);
  const Twin twin = made::twin(made::nano());
  Player always(twin, chosenKernels()), before(twin, chosenKernels()), player(twin, chosenKernels());
  always.loadCabinet(b.data(), 700);
  before.loadCabinet(a.data(), 2000);
  player.loadCabinet(a.data(), 2000);
  const Sound truth = play(always, di, 0), old = play(before, di, 0);
  const Sound sound = playAnd(player, di, 9000, [&] { player.loadCabinet(b.data(), 700); });
  CHECK(furthest(Sound(sound.begin(), sound.begin() + 9700), Sound(old.begin(), old.begin() + 9700)) == 0);
  CHECK(furthest(rest(sound, 9700 + kFade), rest(truth, 9700 + kFade)) < 3e-6);
  CHECK(roughest(sound, 9000, 20000) < 3 * std::max(roughest(old, 9000, 20000), roughest(truth, 9000, 20000)));
  const Sound bare = playAnd(player, di, 9000, [&] { player.loadCabinet(nullptr, 0); });
  Player none(twin, chosenKernels());
  play(none, di, 0);
  CHECK(rest(bare, 9000 + kFade + 1) == rest(play(none, di, 0), 9000 + kFade + 1));
}

TEST(of_many_twins_loaded_at_once_the_last_one_stays) {
  const Twin a = made::twin(made::nano()), b = made::twin(made::lite()), c = made::twin(made::standard());
  Player player(a, chosenKernels()), always(c, chosenKernels());
  const Sound di = made::di(30000);
  play(player, Sound(di.begin(), di.begin() + 1000), 0);
  const long before = alarm_bell::liveBytes();
  player.loadTwin(b);
  play(player, Sound(di.begin(), di.begin() + 3000), 64);  // b has been taken, and listens
  player.loadTwin(a);
  player.loadTwin(c);  // a is never heard
  CHECK(rest(play(player, rest(di, 3000), 64), 20000) == rest(play(always, di, 0), 23000));
  player.loadTwin(a);
  play(player, di, 64);
  player.collect();
  CHECK(alarm_bell::liveBytes() == before);
}

TEST(a_knob_turns_at_its_sample) {
  const Twin twin = made::twin(made::lite());
  const Sound di = made::di(4000);
  for (const int host : {48000, 44100}) {
    Player now(twin, chosenKernels()), later(twin, chosenKernels());
    now.prepare(host, 1);
    later.prepare(host, 1);
    Sound a(di.size()), b(di.size());
    const int ends[] = {77, 1000, 1001, 2500, 4000};
    for (int i = 0, at = 0; i < 5; at = ends[i++]) {
      now.process(di.data() + at, a.data() + at, ends[i] - at);
      now.setKnob(i % 4, 0.2f * static_cast<float>(i));
    }
    CHECK(later.setKnob(1, 0.2f, 1000));  // in no order, and beyond the block
    CHECK(later.setKnob(0, 0.0f, 77));
    CHECK(later.setKnob(3, 0.6f, 2500));
    CHECK(later.setKnob(2, 0.4f, 1001));
    later.process(di.data(), b.data(), 1700);
    later.process(di.data() + 1700, b.data() + 1700, 2300);
    CHECK(a == b);
  }
  Player player(twin, chosenKernels());
  int taken = 0;
  while (taken < 1000 && player.setKnob(0, 0.5f, 5)) taken++;
  CHECK(taken == 128);
  player.reset();
  CHECK(player.setKnob(0, 0.5f, 5));
}

TEST(a_knob_turned_for_the_next_twin_leaves_this_one_alone) {
  const Twin a = made::twin(made::nano()), b = made::twin(made::lite());
  const Sound di = made::di(20000);
  Player before(a, chosenKernels()), always(b, chosenKernels()), player(a, chosenKernels());
  always.setKnob(0, 1.0f);
  always.reset();
  const Sound sound = playAnd(player, di, 2000, [&] {
    player.loadTwin(b);
    player.setKnob(0, 1.0f);
  });
  const Sound old = play(before, Sound(di.begin(), di.begin() + 8000), 0);
  CHECK(Sound(sound.begin(), sound.begin() + 8000) == old);
  CHECK(rest(sound, 16000) == rest(play(always, di, 0), 16000));
}

TEST(gains_are_gains_and_glide) {
  const Sound di = tone::sine(220, 48000, 12000);
  Sound doubled = di;
  for (float& sample : doubled) sample *= std::pow(10.0f, 6.0f / 20);
  const Twin twin = made::twin(made::nano());
  Player player(twin, chosenKernels());
  player.setInput(6);
  player.reset();
  const Sound trimmed = play(player, di, 0);
  player.setInput(0);
  player.reset();
  CHECK(furthest(trimmed, play(player, doubled, 0)) < 1e-5);
  player.reset();
  const Sound plain = play(player, di, 0);
  player.reset();
  const Sound louder = playAnd(player, di, 5001, [&] { player.setOutput(6); });
  CHECK(Sound(louder.begin(), louder.begin() + 5001) == Sound(plain.begin(), plain.begin() + 5001));
  for (std::size_t t = 5001 + kFade; t < di.size(); t++) CHECK(std::abs(louder[t] - 1.9952623f * plain[t]) < 1e-5f);
  Sound jump = plain;
  for (std::size_t t = 5001; t < jump.size(); t++) jump[t] *= 1.9952623f;
  CHECK(roughest(louder, 4900, 12000) < roughest(jump, 4900, 12000) / 1000);
  player.setOutput(HUGE_VALF);
  player.setOutput(0);
  player.setInput(std::nanf(""));  // nonsense changes nothing
  player.setGate(std::nanf(""));
  player.reset();
  CHECK(play(player, di, 0) == plain);
}

TEST(bypass_is_the_di_itself_and_does_not_click) {
  for (const int host : {48000, 44100}) {
    const Sound di = tone::sine(220, host, 12000);
    Player player(made::twin(made::nano()), chosenKernels());
    player.prepare(host, 1);
    const Sound wet = play(player, di, 0);
    player.reset();
    const Sound sound = playAnd(player, di, 5000, [&] { player.setBypass(true); });
    const int late = player.latency();
    for (std::size_t t = 5000 + kFade; t < di.size(); t++) CHECK(sound[t] == di[t - late]);
    CHECK(roughest(sound, 4000, 12000) < 3 * std::max(roughest(wet, 4000, 12000), roughest(di, 4000, 12000)));
    player.reset();
    const Sound back = playAnd(player, di, 5000, [&] { player.setBypass(false); });
    CHECK(rest(back, 5000 + kFade) == rest(wet, 5000 + kFade));
  }
}

TEST(without_its_cabinet_a_twin_is_bare_and_the_change_does_not_click) {
  const Sound di = tone::sine(220, 48000, 12000);
  const float response[] = {0.5f, 0.25f, -0.125f};
  Player player(made::twin(made::nano()), chosenKernels());
  const Sound bare = play(player, di, 0);
  player.loadCabinet(response, 3);
  player.reset();
  const Sound boxed = play(player, di, 0);
  player.reset();
  const Sound off = playAnd(player, di, 5000, [&] { player.setCabinet(false); });
  CHECK(Sound(off.begin(), off.begin() + 5000) == Sound(boxed.begin(), boxed.begin() + 5000));
  CHECK(rest(off, 5000 + kFade) == rest(bare, 5000 + kFade));
  CHECK(roughest(off, 4000, 12000) < 3 * std::max(roughest(bare, 4000, 12000), roughest(boxed, 4000, 12000)));
  player.reset();
  const Sound on = playAnd(player, di, 5000, [&] { player.setCabinet(true); });
  CHECK(Sound(on.begin(), on.begin() + 5000) == Sound(bare.begin(), bare.begin() + 5000));
  CHECK(rest(on, 5000 + kFade) == rest(boxed, 5000 + kFade));
}

TEST(the_gate_shuts_noise_off_and_lets_music_through) {
  const Twin twin = made::twin(made::nano());
  made::Random random(5);
  const Sound noise = random(20000, 0.001), music = tone::sine(110, 48000, 20000);
  Player player(twin, chosenKernels());
  const float silence = play(player, {0.0f}, 0)[0];
  player.reset();
  const Sound open = play(player, music, 0);
  player.setGate(-50);
  player.reset();
  for (const float sample : play(player, noise, 0)) CHECK(sample == silence);
  player.reset();
  CHECK(rest(play(player, music, 0), 8000) == rest(open, 8000));
  Sound fades = music;  // it stays open down to half the threshold, for 50 ms, and shuts in 50 more
  std::copy(noise.begin() + 8000, noise.end(), fades.begin() + 8000);
  player.reset();
  const Sound shut = play(player, fades, 0);
  CHECK(std::abs(shut[15999] - silence) < 1e-6f && std::abs(shut[8500] - silence) > 1e-4f);
  player.setGate(-std::numeric_limits<float>::infinity());
  player.reset();
  CHECK(play(player, music, 0) == open);
}

TEST(two_channels_are_two_amps) {
  for (const int host : {48000, 88200}) {
    const Sound left = made::di(9000, 1), right = made::di(9000, 2), response = decaying(3000);
    Player both(made::twin(made::standard()), chosenKernels());
    both.loadCabinet(response.data(), 3000);
    both.setKnob(0, 0.9f);
    both.prepare(host, 2);
    CHECK(both.channels() == 2);
    Sound outs[2] = {left, right};  // in place
    float* rows[2];
    for (int t = 0; t < 9000; t += 300) {
      for (int s : {0, 1}) rows[s] = outs[s].data() + t;
      both.process(rows, rows, 300);
    }
    for (int s : {0, 1}) {
      Player one(made::twin(made::standard()), chosenKernels());
      one.loadCabinet(response.data(), 3000);
      one.setKnob(0, 0.9f);
      one.prepare(host, 1);
      CHECK(play(one, s ? right : left, 64) == outs[s]);
    }
    both.prepare(48000, 1);
    Player fresh(made::twin(made::standard()), chosenKernels());
    fresh.loadCabinet(response.data(), 3000);
    fresh.setKnob(0, 0.9f);
    fresh.reset();
    CHECK(play(both, left, 0) == play(fresh, left, 0));
  }
}

TEST(nonsense_in_the_input_never_stays) {
  Player player(made::twin(made::nano()), chosenKernels());
  const Sound response = decaying(1000), di = made::di(30000);
  player.loadCabinet(response.data(), 1000);
  player.setInput(40);
  player.setGate(-60);
  for (const bool bypassed : {false, true}) {
    player.setBypass(bypassed);
    player.prepare(44100, 2);
    const Sound clean = play(player, di, 0);
    player.reset();
    Sound broken = di;
    int at = 3000;
    for (const float nonsense : {std::nanf(""), HUGE_VALF, -HUGE_VALF, 3e38f, -3e38f, 1e-42f}) broken[at++] = nonsense;
    const Sound sound = play(player, broken, 0);
    for (const float sample : sound) CHECK(std::isfinite(sample));
    CHECK(furthest(rest(sound, 20000), rest(clean, 20000)) < 1e-6);
  }
}

TEST(everything_at_once_never_harms) {
  const Twin all[] = {made::twin(made::nano()), made::twin(made::lite()), made::wire(44100)};
  const Sound response = decaying(5000), di = made::di(64);
  Player player(all[0], chosenKernels());
  player.prepare(44100, 2);
  std::atomic<bool> ends{false};
  std::thread control([&] {
    for (int i = 0; i < 60; i++) {
      player.loadTwin(all[i % 3]);
      player.setKnob(i % 5, static_cast<float>(i % 7) / 6);
      player.loadCabinet(response.data(), i * 80, i % 2 ? 48000 : 44100);
      player.setInput(static_cast<float>(i % 13 - 6));
      player.setOutput(static_cast<float>(i % 11 - 5));
      player.setGate(static_cast<float>(-40 - i));
      player.setBypass(i % 4 == 0);
      player.setRamp(i * 10 - 1);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ends = true;
  });
  Sound out[2] = {Sound(64), Sound(64)};
  const float* const ins[] = {di.data(), di.data()};
  float* const outs[] = {out[0].data(), out[1].data()};
  for (int i = 0; !ends; i++) {
    player.setKnob(i % 4, static_cast<float>(i % 9) / 8, i % 64);
    player.process(ins, outs, 64);
    if (i % 500 == 0) player.reset();
    for (const Sound& sound : out)
      for (const float sample : sound) CHECK(std::isfinite(sample));
  }
  control.join();
}
