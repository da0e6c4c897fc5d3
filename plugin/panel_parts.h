// The parts of the amp, drawn: knobs, tubes, the jewel, meters, sliders, buttons.
#pragma once

#include <string>

#include "panel_hands.h"
#include "panel_ink.h"

namespace tubetwin::plugin {

class Parts {
 public:
  explicit Parts(NanoVG& paper) : ink_(paper), v(paper) {}

 protected:
  static constexpr float kSweep = 300 * kPi / 180;  // from the left end to the right end, as on a real pot
  static constexpr int kMarks = 11;                 // round the knob
  static constexpr int kLeft = NanoVG::ALIGN_LEFT | NanoVG::ALIGN_MIDDLE, kRight = NanoVG::ALIGN_RIGHT | NanoVG::ALIGN_MIDDLE,
                       kCentre = NanoVG::ALIGN_CENTER | NanoVG::ALIGN_MIDDLE;

  // `x`, `y`: the centre; `size`: across the numerals.
  void knob(float x, float y, float size, const Dial& dial, bool lit) {
    v.save();
    v.translate(x, y);
    v.scale(size / 120, size / 120);
    scale(size, dial);
    ink_.glow(0, 6, 40, 40, ink(0, 0.75f), ink(0, 0));
    if (lit) ink_.glow(0, 0, 44, 44, ink(kValue, 0.45f), ink(kValue, 0));
    disc(32, v.radialGradient(-6.4f, -12.8f, 0, 25.6f, ink(0xf7f1e6), ink(0xa1978a)));
    disc(32, v.radialGradient(-6.4f, -12.8f, 25.6f, 51.2f, ink(0x4b443c, 0), ink(0x4b443c)));
    v.rotate((dial.turn() - 0.5f) * kSweep);
    head();
    v.restore();
  }

  void tube(const Box& b, float glow) {
    ink_.glow(b.middleX(), b.middleY() + 4, b.w * 1.25f, b.h * 0.62f, ink(0xff8a2a, 0.15f + 0.6f * glow), ink(0xff5a00, 0));
    v.save();
    v.translate(b.x, b.y);
    v.scale(b.w / 60, b.h / 190);
    glass(v.linearGradient(8, 0, 52, 0, ink(0x2a1c12, 0.55f), ink(0x2a1c12, 0.55f)));
    ink_.fill({17, 48, 26, 104}, 3, ink(0x3d3733));
    for (const float bar : {21.0f, 37.0f}) ink_.fill({bar, 48, 2, 104}, 0, ink(0, 0.45f));
    ink_.fill({28, 44, 4, 112}, 2, ink(0xffb052, 0.5f + 0.5f * glow));
    ink_.glow(30, 100, 9, 62, ink(0xffb35c, 0.25f + 0.5f * glow), ink(0xff7a1a, 0));
    for (const float mica : {42.0f, 153.0f}) ink_.fill({14, mica, 32, 5}, 2, ink(0x6b625a));
    v.beginPath();
    v.ellipse(30, 26, 13, 7);
    v.fillColor(ink(0x8d8780, 0.55f));
    v.fill();
    glass(v.linearGradient(8, 0, 30, 0, ink(0xffffff, 0.32f), ink(0xffffff, 0.03f)));
    glass(v.linearGradient(34, 0, 52, 0, ink(0xffffff, 0), ink(0xffffff, 0.16f)));
    ink_.fill({6, 168, 48, 20}, 3, ink(0x1a1614));
    ink_.fill({6, 168, 48, 2}, 1, ink(0xffffff, 0.1f));
    v.restore();
  }

  void jewel(float x, float y, bool on, bool lit) {
    if (on) ink_.glow(x, y, 58, 58, ink(0xff4a2a, 0.75f), ink(0xff4a2a, 0));
    ink_.glow(x, y + 4, 42, 42, ink(0, 0.55f), ink(0, 0));
    circle(x, y, 30, ink(0x4b443c));
    circle(x, y, 28, ink(lit ? 0xf1e7d4 : 0xc8bda9));
    const float hx = x - 5, hy = y - 8;
    circle(x, y, 23, v.radialGradient(hx, hy, 2, 34, ink(on ? 0xd81e0e : 0x5a1712), ink(on ? 0x8a0d05 : 0x2a0806)));
    circle(x, y, 23, v.radialGradient(hx, hy, 1, on ? 18 : 14, ink(on ? 0xffe9cf : 0xb5534a), ink(on ? 0xff6a4d : 0xb5534a, 0)));
  }

  // `level` 0…1 of the scale.
  void meter(const Box& b, const std::string& name, float level) {
    ink_.text(b.x, b.middleY(), name, {ink_.bold, 12.5f, ink(kPrint), kLeft, 0.5f, true});
    const Box bar{b.x + 36, b.middleY() - 7, b.w - 36, 14};
    ink_.fill({bar.x - 1, bar.y, bar.w + 2, bar.h + 2}, 5, ink(0xffffff, 0.15f));
    ink_.fill(bar.inset(-1), 5, ink(0));
    ink_.fill(bar, 4, ink(0x150b07));
    constexpr int kLamps = 18;
    const float pitch = (bar.w - 4) / kLamps;
    for (int i = 0; i < kLamps; i++) {
      const Box lamp{bar.x + 3 + pitch * static_cast<float>(i), bar.y + 2.5f, pitch - 2, bar.h - 5};
      const float share = std::min(std::max(level * kLamps - static_cast<float>(i), 0.0f), 1.0f);
      ink_.fill(lamp, 1, ink_.lamps(bar, 0.13f + 0.87f * share));
    }
  }

  void clip(const Box& b, const std::string& words, bool lit) {
    if (lit) ink_.shadow(b, 4, 0, 14, 0), ink_.glow(b.middleX(), b.middleY(), b.w * 0.8f, b.h * 1.3f, ink(0xff3b1f, 0.7f), ink(0xff3b1f, 0));
    ink_.fill(b, 4, ink(lit ? 0xff3b1f : 0x2b100a));
    ink_.text(b.middleX(), b.middleY() + 0.5f, words, {ink_.bold, 11, ink(lit ? 0xffffff : 0x9c6555), kCentre, 0.4f});
  }

  void slider(const Box& b, const Dial& dial, bool lit) {
    ink_.text(b.x, b.middleY(), dial.name, {ink_.sans, 14, ink(kCream), kLeft});
    const std::string value = dial.printed();
    ink_.text(b.right(), b.middleY(), value, {ink_.sans, 14, ink(lit ? kValue : kSoft), kRight});
    const Box track = trackOf(b);
    ink_.fill(track.inset(-1), 4, ink(0x54412f));
    ink_.fill(track, 3, ink(0x0f0b08));
    const float at = track.x + dial.turn() * track.w;
    if (at > track.x + 1) ink_.fill({track.x, track.y, at - track.x, track.h}, 3, ink(kGold));
    ink_.glow(at, track.middleY() + 2, 13, 13, ink(0, 0.6f), ink(0, 0));
    circle(at, track.middleY(), lit ? 9.5f : 8.5f, v.linearGradient(0, track.y - 6, 0, track.bottom() + 6, ink(0xf5dfa8), ink(0xc79b4f)));
  }

  void button(const Box& b, const std::string& words, bool lit) {
    ink_.fill(b, 8, ink_.downwards(b, lit ? 0x443426 : 0x342820, 0x251c16));
    ink_.edge(b, 8, 1.2f, ink(lit ? kGold : 0x54412f));
    ink_.text(b.middleX(), b.middleY() + 0.5f, words, {ink_.sans, 13, ink(kCream), kCentre});
  }

  // Two words, of which one is lit.
  void choice(const Box& b, const std::string& left, const std::string& right, bool isLeft, bool lit) {
    ink_.fill(b, 8, ink(0x0f0b08));
    ink_.edge(b, 8, 1.2f, ink(lit ? kGold : kLine));
    const Box half{isLeft ? b.x : b.middleX(), b.y, b.w / 2, b.h};
    ink_.fill(half.inset(1.5f), 7, ink_.downwards(half, 0xf0d091, 0xc9994b));
    ink_.text(b.x + b.w / 4, b.middleY() + 0.5f, left, {isLeft ? ink_.bold : ink_.sans, 12.5f, ink(isLeft ? kDark : kSoft), kCentre});
    ink_.text(b.right() - b.w / 4, b.middleY() + 0.5f, right, {isLeft ? ink_.sans : ink_.bold, 12.5f, ink(isLeft ? kSoft : kDark), kCentre});
  }

 public:
  static Box trackOf(const Box& slider) { return {slider.x + 58, slider.middleY() - 3, slider.w - 58 - 76, 6}; }

 protected:
  Ink ink_;
  NanoVG& v;

 private:
  // Numerals where they come out whole and can be read; otherwise marks, and figures at both ends.
  void scale(float size, const Dial& dial) {
    const float step = (dial.maximum - dial.minimum) / (kMarks - 1);
    const bool all = size >= 96 && std::abs(step - std::round(step)) < 1e-6f;
    const float letters = std::max(9.5f, 8.5f * 120 / size);
    for (int i = 0; i < kMarks; i++) {
      const float angle = (static_cast<float>(i) / (kMarks - 1) - 0.5f) * kSweep;
      const float x = std::sin(angle), y = -std::cos(angle);
      v.beginPath();
      v.moveTo(38 * x, 38 * y);
      v.lineTo(43 * x, 43 * y);
      v.strokeWidth(std::max(1.6f, 120 / size));
      v.strokeColor(ink(kPrint));
      v.stroke();
      if (!all && i % (kMarks - 1) != 0) continue;
      Dial mark{"", "", dial.minimum, dial.maximum, 0, dial.minimum + step * static_cast<float>(i)};
      std::string figure = mark.printed();
      if (figure.size() > 2 && figure.compare(figure.size() - 2, 2, ".0") == 0) figure.resize(figure.size() - 2);
      const bool low = i == 0, high = i == kMarks - 1;
      const int align = low && !all ? kRight : high && !all ? kLeft : kCentre;
      const float away = all ? 52 : 46;
      ink_.text(away * x, away * y, figure, {ink_.bold, letters, ink(kPrint), align});
    }
  }

  template <class Fill>
  void circle(float x, float y, float radius, const Fill& paint) {
    v.beginPath();
    v.circle(x, y, radius);
    paintWith(paint);
    v.fill();
  }
  template <class Fill>
  void disc(float radius, const Fill& paint) {
    circle(0, 0, radius, paint);
  }
  void paintWith(const Color& color) { v.fillColor(color); }
  void paintWith(const NanoVG::Paint& paint) { v.fillPaint(paint); }

  // A chicken head, pointing upwards.
  void head() {
    v.beginPath();
    v.moveTo(0, -37);
    v.bezierTo(4, -37, 6, -30, 9, -21);
    v.arc(0, 0.166f, 23, std::atan2(-21.166f, 9), kPi - std::atan2(-21.166f, 9), NanoVG::CW);
    v.bezierTo(-6, -30, -4, -37, 0, -37);
    v.closePath();
    v.fillPaint(v.linearGradient(-14, -37, 8, 23, ink(0x55504b), ink(0x0f0e0d)));
    v.fill();
    v.strokeWidth(0.8f);
    v.strokeColor(ink(0));
    v.stroke();
    v.beginPath();
    v.arc(0, 0, 20.5f, kPi + 1.2f, kPi - 0.8f, NanoVG::CCW);
    line(2.4f, ink(0xffffff, 0.2f));
    v.beginPath();
    v.moveTo(0, -34);
    v.lineTo(0, -15);
    line(3, ink(0xfff8e6));
  }

  void line(float width, const Color& color) {
    v.lineCap(NanoVG::ROUND);
    v.strokeWidth(width);
    v.strokeColor(color);
    v.stroke();
    v.lineCap(NanoVG::BUTT);
  }

  void glass(const NanoVG::Paint& paint) {
    v.beginPath();
    v.moveTo(8, 172);
    v.lineTo(8, 34);
    v.bezierTo(8, 20, 22, 18, 27, 10);
    v.bezierTo(28, 4, 32, 4, 33, 10);
    v.bezierTo(38, 18, 52, 20, 52, 34);
    v.lineTo(52, 172);
    v.closePath();
    v.fillPaint(paint);
    v.fill();
    v.strokeWidth(1);
    v.strokeColor(ink(0xffffff, 0.12f));
    v.stroke();
  }
};

}  // namespace tubetwin::plugin
