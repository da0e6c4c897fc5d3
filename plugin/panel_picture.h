// The whole picture: an amp head in a dark room, with what plays and where everything stands.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "amp.h"
#include "panel_parts.h"

namespace tubetwin::plugin {

constexpr float kFloorDb = -60;  // the left end of a meter

// Everything that the picture shows.
struct Shown {
  std::vector<Dial> knobs;
  std::array<Dial, kSliders> sliders;
  bool cabinet = true, bypass = false;
  std::string plate;
  Playing playing;
  float inDb = kFloorDb, outDb = kFloorDb, glow = 0;
  bool clipped = false;
  std::string clip = "CLIP";
  std::string message;
  bool bad = false;
  Spot lit;  // under the mouse, or in the hand
};

class Picture : public Parts {
 public:
  using Parts::Parts;

  void draw(const Layout& layout, const Shown& shown) {
    l_ = &layout;
    s_ = &shown;
    v.save();
    v.scale(layout.unit, layout.unit);
    room();
    cabinetBox();
    grille();
    panel();
    plate();
    desk();
    status();
    v.restore();
  }

 private:
  bool lit(Part part, int index = 0) const { return s_->lit == Spot{part, index}; }

  void room() {
    const Box all{0, 0, l_->width, l_->height};
    ink_.fill(all, 0, ink(kRoom));
    ink_.glow(all.middleX(), -0.1f * all.h, 0.9f * all.w, 0.9f * all.h, ink(0x4a3120), ink(kRoom, 0));
  }

  // Black tolex.
  void cabinetBox() {
    ink_.shadow(l_->amp, 20, 6, 26, 0.8f);
    ink_.fill(l_->amp, 20, ink_.downwards(l_->amp, 0x2e2a27, 0x12100e));
    ink_.fill(l_->amp, 20, ink_.tolex());
    ink_.edge(l_->amp, 20, 1.5f, v.linearGradient(0, l_->amp.y, 0, l_->amp.y + 60, ink(0xffffff, 0.2f), ink(0, 0.5f)));
  }

  void grille() {
    const Box& g = l_->grille;
    ink_.fill(g, 12, ink(0x3a1f18));
    ink_.fill(g, 12, ink_.cloth());
    ink_.hollow(g, 12, 60, 0.75f);
    tube(l_->leftTube, s_->glow);
    tube(l_->rightTube, s_->glow);
    ink_.edge(g, 12, 3, v.linearGradient(g.x, g.y, g.right(), g.bottom(), ink(0x8d6b31), ink(0xf2d795)));
    window(l_->twin, "TWIN", s_->playing.twin, s_->playing.twinFacts, "No twin: the guitar passes as it is");
    window(l_->cabinet, "CABINET", s_->playing.cabinet, s_->playing.cabinetFacts, "None: the speaker output as it is");
    button(l_->openTwin, "Open a twin …", lit(Part::openTwin));
    button(l_->openCabinet, "Open an IR …", lit(Part::openCabinet));
    choice(l_->switchCabinet, "On", "Off", s_->cabinet, lit(Part::cabinet));
  }

  void window(const Box& b, const std::string& legend, const std::string& name, const std::string& facts,
              const std::string& none) {
    ink_.shadow(b, 12, 4, 14, 0.6f);
    ink_.fill(b.inset(-3), 14, ink(0x6b5130));
    ink_.fill(b.inset(-1), 12, ink(0));
    ink_.fill(b, 11, v.radialGradient(b.middleX(), b.y - 10, 10, b.w * 0.75f, ink(0x2f241c), ink(0x0d0a08)));
    const float left = b.x + 14, room = b.w - 28;
    const bool tall = b.h > 118;
    ink_.text(left, b.y + (tall ? 22 : 15), legend, {ink_.sans, 12, ink(kGold), kLeft, 1.1f});
    const float line = b.y + (tall ? 47 : 36);
    if (name.empty()) return ink_.fitted(left, line, none, {ink_.sans, 13, ink(kSoft), kLeft}, room, 11);
    ink_.fitted(left, line, name, {ink_.bold, 18, ink(kCream), kLeft}, room, 13);
    if (tall) ink_.fitted(left, b.y + 70, facts, {ink_.sans, 13, ink(kSoft), kLeft}, room, 11);
  }

  // Copper, with what the amp has on it.
  void panel() {
    const Box& p = l_->panel;
    ink_.fill(p.inset(-2), 11, ink(0x1a0d08));
    ink_.fill(p, 10, ink_.copper(p));
    ink_.fill(p, 10, ink_.brushed());
    ink_.fill(p, 10, v.linearGradient(0, p.bottom() - 46, 0, p.bottom(), ink(0, 0), ink(0, 0.4f)));
    ink_.edge(p, 10, 1.5f, v.linearGradient(0, p.y, 0, p.y + 14, ink(0xffffff, 0.32f), ink(0xffffff, 0)));
    jewel(l_->jewel.middleX(), l_->jewel.y + 38, !s_->bypass, lit(Part::bypass));
    ink_.text(l_->jewel.middleX(), l_->jewel.y + 88, s_->bypass ? "BYPASS" : "ON",
              {ink_.bold, 13, ink(kPrint), kCentre, 1, true});
    for (std::size_t k = 0; k < l_->knobs.size(); k++) knobCell(static_cast<int>(k));
    const Box& m = l_->meters;
    meter({m.x, m.y + 4, m.w - 20, 20}, "IN", level(s_->inDb));
    meter({m.x, m.y + 31, m.w - 20, 20}, "OUT", level(s_->outDb));
    clip({m.right() - 20 - 62, m.y + 60, 62, 19}, s_->clip, s_->clipped);
  }

  static float level(float db) { return std::min(std::max(1 - db / kFloorDb, 0.0f), 1.0f); }

  void knobCell(int k) {
    const Box& cell = l_->knobs[static_cast<std::size_t>(k)];
    const Dial& dial = s_->knobs[static_cast<std::size_t>(k)];
    const float x = dialX(cell), letters = std::min(std::max(0.098f * l_->dial, 10.0f), 13.5f);
    knob(x, dialY(*l_, cell), l_->dial, dial, lit(Part::knob, k));
    const float under = cell.y + l_->dial;
    ink_.fitted(x, under + 5, capitals(dial.name), {ink_.bold, letters, ink(kPrint), kCentre, 0.9f, true}, cell.w - 8, 8);
    ink_.text(x, under + 22, dial.printed(), {ink_.sans, letters + 0.5f, ink(kValue), kCentre, 0, true});
  }

  // The plate between grille and panel, as wide as the name needs.
  void plate() {
    const Type letters{ink_.script, 20, ink(0x2b1a0c), kCentre};
    const float wide = std::min(ink_.width(s_->plate, letters) + 56, l_->badge.w);
    const Box b{l_->badge.middleX() - wide / 2, l_->badge.y, wide, l_->badge.h};
    ink_.shadow(b, 5, 3, 8, 0.7f);
    ink_.fill(b, 5, ink_.brass(b));
    ink_.edge(b, 5, 1, v.linearGradient(0, b.y, 0, b.bottom(), ink(0xffffff, 0.55f), ink(0, 0.25f)));
    ink_.fitted(b.middleX(), b.middleY() - 0.5f, s_->plate, letters, wide - 32, 13);
  }

  void desk() {
    ink_.fill(l_->desk, 12, ink(kCard));
    ink_.edge(l_->desk, 12, 1.2f, ink(kLine));
    for (int i = 0; i < kSliders; i++) slider(l_->sliders[static_cast<std::size_t>(i)], s_->sliders[static_cast<std::size_t>(i)], lit(Part::slider, i));
  }

  void status() {
    const Box& b = l_->status;
    const Type logo{ink_.script, 18, ink(kGold), kRight};
    ink_.text(b.right(), b.middleY() - 1, "twin", logo);
    const float twin = ink_.width("twin", logo);
    ink_.text(b.right() - twin, b.middleY() - 1, "tube", {ink_.script, 18, ink(kCream), kRight});
    const float room = b.w - 110;
    ink_.fitted(b.x, b.middleY(), s_->message, {ink_.sans, 13, ink(s_->bad ? kBad : kSoft), kLeft}, room, 10);
  }

  const Layout* l_ = nullptr;
  const Shown* s_ = nullptr;
};

}  // namespace tubetwin::plugin
