// How a hand turns what is on the panel, and how its position is printed: arithmetic alone.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

namespace tubetwin::plugin {

constexpr float kTravel = 220;      // units that a hand moves from end to end, as on the page
constexpr float kFine = 0.2f;       // with Shift, a hand moves it this much less
constexpr float kNotch = 0.01f;     // of the travel: the wheel is for fine steps
constexpr double kDoubleClick = 0.4;  // seconds

// What a hand may turn: a knob of the amp, or a slider of the desk.
struct Dial {
  std::string name, unit;
  float minimum = 0, maximum = 1, initial = 0, value = 0;
  const char* least = nullptr;  // what the left end is called, where it is no number

  float turn() const { return maximum > minimum ? (value - minimum) / (maximum - minimum) : 0; }
  float at(float turn) const { return minimum + std::clamp(turn, 0.0f, 1.0f) * (maximum - minimum); }

  // As printed on the panel: 6.5, 440, -12.0 dB.
  std::string printed() const {
    if (least && value <= minimum) return least;
    char text[40];
    const float shown = std::abs(value) < 0.05f ? 0 : value;  // no -0.0
    std::snprintf(text, sizeof text, unit.empty() && maximum - minimum > 50 ? "%.0f" : "%.1f", shown);
    return unit.empty() ? text : text + (" " + unit);
  }
};

// Up and to the right is more; `dx` and `dy` in units, y downwards.
inline float dragged(float turn, float dx, float dy, float travel, bool fine) {
  return turn + (dx - dy) / travel * (fine ? kFine : 1);
}
inline float wheeled(float turn, float notches, bool fine) { return turn + notches * kNotch * (fine ? kFine : 1); }

// Remembers where a hand is, so that a drag past the end comes back where it left.
class Grip {
 public:
  void take(float turn, float x, float y, float travel) {
    held_ = true;
    turn_ = turn, x_ = x, y_ = y, travel_ = travel;
  }
  void release() { held_ = false; }
  bool held() const { return held_; }

  // Where the dial now stands, 0…1.
  float move(float x, float y, bool fine) {
    turn_ = dragged(turn_, x - x_, y - y_, travel_, fine);
    x_ = x, y_ = y;
    return std::clamp(turn_, 0.0f, 1.0f);
  }

 private:
  bool held_ = false;
  float turn_ = 0, x_ = 0, y_ = 0, travel_ = kTravel;
};

}  // namespace tubetwin::plugin
