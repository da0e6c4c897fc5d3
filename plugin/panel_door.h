// What the window may ask of the plugin it belongs to, and the levels that the audio thread leaves for it.
//
// Window and plugin live in one process and one program, in each format: so the window asks directly. It
// needs no parameters for meters, which hosts would list among the knobs, and a project made with the window
// opens without it and the other way round.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <string>
#include <vector>

#include "amp.h"

namespace tubetwin::plugin {

// The highest of what came in and went out since the window looked last; full scale is 1. Nothing is measured
// while no window is open, and nobody waits: if both threads come at once, one peak may be lost.
class Levels {
 public:
  // [main-thread]
  void watch(bool on) { watched_.store(on, std::memory_order_relaxed); }
  float takeIn() { return in_.exchange(0, std::memory_order_relaxed); }
  float takeOut() { return out_.exchange(0, std::memory_order_relaxed); }

  // [audio-thread]
  void in(const float* const* sides, int count, std::uint32_t samples) noexcept { note(in_, sides, count, samples); }
  void out(const float* const* sides, int count, std::uint32_t samples) noexcept { note(out_, sides, count, samples); }

 private:
  void note(std::atomic<float>& level, const float* const* sides, int count, std::uint32_t samples) noexcept {
    if (!watched_.load(std::memory_order_relaxed)) return;
    float peak = level.load(std::memory_order_relaxed);
    for (int s = 0; s < count; s++)
      for (std::uint32_t i = 0; i < samples; i++) peak = std::max(peak, std::abs(sides[s][i]));
    level.store(peak, std::memory_order_relaxed);
  }

  std::atomic<bool> watched_{false};
  std::atomic<float> in_{0}, out_{0};
};

// [main-thread]
class PanelDoor {
 public:
  virtual ~PanelDoor() = default;
  virtual Amp& amp() = 0;
  virtual std::string plate() const = 0;  // what the plugin is called
  virtual float value(std::uint32_t parameter) const = 0;  // as printed
  virtual std::string open(const std::string& path) = 0;  // a twin or an IR; a sentence if it is refused
  Levels levels;
};

}  // namespace tubetwin::plugin
