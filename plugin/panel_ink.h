// Paper and ink of the panel: colours of web/style.css, letters, and materials computed once.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "NanoVG.hpp"
#include "panel_fonts.h"
#include "panel_layout.h"

namespace tubetwin::plugin {

using DGL_NAMESPACE::Color;
using DGL_NAMESPACE::NanoImage;
using DGL_NAMESPACE::NanoVG;

constexpr float kPi = 3.14159265f;

// 0xRRGGBB, as in a style sheet.
inline Color ink(std::uint32_t rgb, float alpha = 1) {
  return Color(static_cast<int>(rgb >> 16 & 255), static_cast<int>(rgb >> 8 & 255), static_cast<int>(rgb & 255), alpha);
}
constexpr std::uint32_t kRoom = 0x14100d, kCream = 0xf4e6cb, kSoft = 0xb9a88c, kGold = 0xd9b26a, kLine = 0x3a2e24,
                        kCard = 0x1e1813, kPrint = 0xfff1d6, kValue = 0xffe3ad, kBad = 0xff9d84, kDark = 0x24150a;

struct Stop {
  float at;
  std::uint32_t rgb;
};

struct Type {
  NanoVG::FontId font;
  float size;
  Color color;
  int align;
  float spacing = 0;
  bool shadow = false;  // as if stamped into metal
};

// Capitals, as printed on a panel: the letters of ASCII and Latin-1.
inline std::string capitals(std::string text) {
  for (std::size_t i = 0; i < text.size(); i++) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool latin = i > 0 && static_cast<unsigned char>(text[i - 1]) == 0xc3 && c >= 0xa0 && c <= 0xbe && c != 0xb7;
    if ((c >= 'a' && c <= 'z') || latin) text[i] = static_cast<char>(c - 32);
  }
  return text;
}

class Ink {
 public:
  explicit Ink(NanoVG& paper)
      : v(paper), sans(load("sans", sansFont())), bold(load("bold", boldFont())), script(load("script", scriptFont())),
        copper_(ramp({{0, 0x6f3322}, {0.28f, 0xa8583a}, {0.52f, 0x7d3b27}, {0.76f, 0x9c5036}, {1, 0x5c281a}})),
        brass_(ramp({{0, 0xf5dfa8}, {0.45f, 0xc79b4f}, {0.55f, 0xe9c882}, {1, 0x94702f}})),
        lamps_(ramp({{0, 0x3fa66b}, {0.6f, 0x9ccb4f}, {0.82f, 0xffc24a}, {1, 0xff4f32}})), tolex_(tile(80, tolexAt)),
        cloth_(tile(128, clothAt)), brushed_(tile(6, brushedAt)) {}

  NanoVG& v;
  NanoVG::FontId sans, bold, script;

  // ---- shapes ----
  void round(const Box& b, float radius) {
    v.beginPath();
    v.roundedRect(b.x, b.y, b.w, b.h, radius);
  }
  void fill(const Box& b, float radius, const Color& color) {
    round(b, radius);
    v.fillColor(color);
    v.fill();
  }
  void fill(const Box& b, float radius, const NanoVG::Paint& paint) {
    round(b, radius);
    v.fillPaint(paint);
    v.fill();
  }
  void edge(const Box& b, float radius, float width, const Color& color) {
    edge(b, radius, width, v.linearGradient(b.x, b.y, b.x, b.bottom(), color, color));
  }
  void edge(const Box& b, float radius, float width, const NanoVG::Paint& paint) {
    round(b.inset(width / 2), radius - width / 2);
    v.strokeWidth(width);
    v.strokePaint(paint);
    v.stroke();
  }
  NanoVG::Paint downwards(const Box& b, std::uint32_t top, std::uint32_t bottom) {
    return v.linearGradient(b.x, b.y, b.x, b.bottom(), ink(top), ink(bottom));
  }
  // Darker towards the edges.
  void hollow(const Box& b, float radius, float feather, float alpha) {
    fill(b, radius, v.boxGradient(b.x, b.y, b.w, b.h, radius, feather, ink(0, 0), ink(0, alpha)));
  }
  // What stands on something throws this.
  void shadow(const Box& b, float radius, float down, float feather, float alpha) {
    const Box wide = b.inset(-feather);
    v.beginPath();
    v.rect(wide.x, wide.y + down, wide.w, wide.h);
    v.fillPaint(v.boxGradient(b.x, b.y + down, b.w, b.h, radius, feather, ink(0, alpha), ink(0, 0)));
    v.fill();
  }
  void glow(float x, float y, float rx, float ry, const Color& heart, const Color& rim) {
    v.save();
    v.translate(x, y);
    v.scale(1, ry / rx);
    v.beginPath();
    v.circle(0, 0, rx);
    v.fillPaint(v.radialGradient(0, 0, 0, rx, heart, rim));
    v.fill();
    v.restore();
  }

  // ---- materials ----
  NanoVG::Paint copper(const Box& b) { return v.imagePattern(b.x, b.y, b.w, b.h, 0, copper_, 1); }
  NanoVG::Paint lamps(const Box& b, float alpha) { return v.imagePattern(b.x, b.y, b.w, b.h, 0, lamps_, alpha); }
  NanoVG::Paint brass(const Box& b) { return v.imagePattern(b.right(), b.y, b.h, b.w, kPi / 2, brass_, 1); }
  NanoVG::Paint tolex() { return v.imagePattern(0, 0, 20, 20, 0, tolex_, 1); }
  NanoVG::Paint cloth() { return v.imagePattern(0, 0, 15.5563f, 15.5563f, 0, cloth_, 1); }
  NanoVG::Paint brushed() { return v.imagePattern(0, 0, 3, 3, 0, brushed_, 1); }

  // ---- letters ----
  void text(float x, float y, const std::string& words, const Type& type) {
    set(type);
    if (type.shadow) {
      v.fontBlur(1.5f);
      v.fillColor(ink(0, 0.7f));
      v.text(x, y + 1, words.c_str(), nullptr);
      v.fontBlur(0);
    }
    v.fillColor(type.color);
    v.text(x, y, words.c_str(), nullptr);
  }
  float width(const std::string& words, const Type& type) {
    set(type);
    DGL_NAMESPACE::Rectangle<float> bounds;
    return v.textBounds(0, 0, words.c_str(), nullptr, bounds);
  }
  // Smaller, down to `least`, and then cut, until it is no wider than `room`.
  void fitted(float x, float y, const std::string& words, Type type, float room, float least) {
    const float wide = width(words, type);
    if (wide > room) type.size = std::max(least, type.size * room / wide);
    text(x, y, cut(words, type, room), type);
  }

 private:
  struct Tint {
    float r, g, b, a;
  };

  NanoVG::FontId load(const char* name, const FontFile& file) {
    return v.createFontFromMemory(name, file.bytes, static_cast<uint>(file.size), false);
  }

  void set(const Type& type) {
    v.fontFaceId(type.font);
    v.fontSize(type.size);
    v.textAlign(type.align);
    v.textLetterSpacing(type.spacing);
  }

  std::string cut(const std::string& words, const Type& type, float room) {
    std::string shorter = words;
    while (!shorter.empty() && width(shorter == words ? words : shorter + "…", type) > room) {
      while (shorter.size() > 1 && (shorter.back() & 0xc0) == 0x80) shorter.pop_back();  // one letter of UTF-8
      shorter.pop_back();
    }
    return shorter == words ? words : shorter + "…";
  }

  NanoImage ramp(const std::vector<Stop>& stops) {
    constexpr int kWide = 256;
    std::vector<std::uint8_t> pixels;
    for (int i = 0; i < kWide; i++) {
      const float at = (static_cast<float>(i) + 0.5f) / kWide;
      std::size_t k = 0;
      while (k + 2 < stops.size() && stops[k + 1].at < at) k++;
      const float share = std::min(std::max((at - stops[k].at) / (stops[k + 1].at - stops[k].at), 0.0f), 1.0f);
      for (const int shift : {16, 8, 0}) {
        const auto from = static_cast<float>(stops[k].rgb >> shift & 255), to = static_cast<float>(stops[k + 1].rgb >> shift & 255);
        pixels.push_back(static_cast<std::uint8_t>(from + share * (to - from) + 0.5f));
      }
      pixels.push_back(255);
    }
    return NanoImage(v.createImageFromRGBA(kWide, 1, pixels.data(), 0));
  }

  // `at` gives the colour at x, y, both 0…1.
  NanoImage tile(int side, const std::function<Tint(float, float)>& at) {
    std::vector<std::uint8_t> pixels;
    for (int y = 0; y < side; y++)
      for (int x = 0; x < side; x++) {
        const Tint t = at((static_cast<float>(x) + 0.5f) / static_cast<float>(side), (static_cast<float>(y) + 0.5f) / static_cast<float>(side));
        for (const float part : {t.r, t.g, t.b, t.a}) pixels.push_back(static_cast<std::uint8_t>(255 * part + 0.5f));
      }
    return NanoImage(v.createImageFromRGBA(static_cast<uint>(side), static_cast<uint>(side), pixels.data(),
                                           NanoVG::IMAGE_REPEAT_X | NanoVG::IMAGE_REPEAT_Y | NanoVG::IMAGE_GENERATE_MIPMAPS));
  }

  // 20 by 20 units: light grains every 5, dark ones every 4.
  static Tint tolexAt(float x, float y) {
    const auto grain = [&](float period, float cx, float cy, float radius) {
      const float dx = std::fmod(20 * x + period - cx, period), dy = std::fmod(20 * y + period - cy, period);
      const float away = std::hypot(std::min(dx, period - dx), std::min(dy, period - dy));
      return std::min(std::max((radius + 0.3f - away) / 0.6f, 0.0f), 1.0f);
    };
    const float light = 0.05f * grain(5, 1.5f, 1.5f, 1.2f), dark = 0.5f * grain(4, 0.8f, 1.8f, 1.2f);
    const float alpha = std::max(light + dark * (1 - light), 1e-6f);
    return {light / alpha, light / alpha, light / alpha, alpha};
  }

  // A bright line every 3 units.
  static Tint brushedAt(float x, float) { return {1, 1, 1, x < 0.4f ? 0.06f : 0}; }

  // A square of 11 units along each thread, turned by an eighth.
  static Tint clothAt(float x, float y) {
    const auto thread = [](float across, float width) {
      const float away = std::abs(across - std::round(across)) * 11;
      return std::min(std::max((width / 2 + 0.35f - away) / 0.7f, 0.0f), 1.0f);
    };
    const float gold = std::max(thread(x + y, 1.5f), thread(x - y, 1.5f)) * 0.2f;
    const float dark = std::max(thread(x + y + 0.5f, 1), thread(x - y + 0.5f, 1)) * 0.22f;
    const float alpha = gold + dark * (1 - gold);
    if (alpha <= 0) return {0, 0, 0, 0};
    return {0.78f * gold / alpha, 0.6f * gold / alpha, 0.33f * gold / alpha, alpha};
  }

  NanoImage copper_, brass_, lamps_, tolex_, cloth_, brushed_;
};

}  // namespace tubetwin::plugin
