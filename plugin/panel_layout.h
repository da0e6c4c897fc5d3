// Where everything stands on the panel, and what lies under the mouse: plain geometry, no drawing.
//
// Lengths are units, `unit` pixels each: a window of 960 by 540 pixels shows 960 by 540 units, one twice as
// large the same at twice the size. What a window is wider or taller than that shape goes to the panel and
// to the grille, so that nothing is ever stretched.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace tubetwin::plugin {

constexpr float kPanelWidth = 960, kPanelHeight = 540;  // units of the smallest shape, pixels at first
constexpr float kLeastScale = 0.7f;                      // of that size: below, the names cannot be read

struct Box {
  float x = 0, y = 0, w = 0, h = 0;

  float right() const { return x + w; }
  float bottom() const { return y + h; }
  float middleX() const { return x + w / 2; }
  float middleY() const { return y + h / 2; }
  bool holds(float px, float py) const { return px >= x && px < right() && py >= y && py < bottom(); }
  Box inset(float by) const { return {x + by, y + by, w - 2 * by, h - 2 * by}; }
};

enum class Part { nothing, knob, slider, bypass, cabinet, openTwin, openCabinet };

struct Spot {
  Part part = Part::nothing;
  int index = 0;  // of the knob or slider

  bool operator==(const Spot& other) const { return part == other.part && index == other.index; }
};

constexpr int kSliders = 3;  // input trim, noise gate, output level

struct Layout {
  float unit = 1, width = kPanelWidth, height = kPanelHeight;
  Box amp, grille, twin, cabinet, leftTube, rightTube, badge, panel, jewel, meters, desk, status;
  Box openTwin, openCabinet, switchCabinet;
  std::vector<Box> knobs;  // dial, name and value
  float dial = 0;          // diameter of a dial with its numerals
  std::array<Box, kSliders> sliders;
};

namespace layout {

constexpr float kMargin = 14, kStatus = 36, kDesk = 58, kGap = 10;
constexpr float kSide = 112, kMeters = 178;  // what stands left and right of the knobs
constexpr float kBadge = 34, kUnderDial = 34;
constexpr float kWidestCell = 168, kWidestDial = 150;

// What the copper panel takes of the smallest shape's height, for one row of knobs, two, three...
inline float panelHeight(int rows) { return rows == 1 ? 206 : rows == 2 ? 258 : 276; }

struct Grid {
  int rows = 1, columns = 0;
  float dial = 0;
};

// As few rows as leave large dials: another one must be worth it.
inline Grid bestGrid(int knobs, float width, float extraHeight) {
  Grid best;
  for (int rows = 1; rows <= std::max(knobs, 1); rows++) {
    const int columns = (knobs + rows - 1) / rows;
    const float cell = std::min(width / static_cast<float>(std::max(columns, 1)), kWidestCell);
    const float tall = (panelHeight(rows) + extraHeight - kBadge) / static_cast<float>(rows) - kUnderDial;
    const float dial = std::min({cell - 4, tall, kWidestDial});
    if (rows == 1 || dial > 1.1f * best.dial) best = {rows, columns, dial};
  }
  return best;
}

inline void placeKnobs(Layout& l, int count, const Grid& grid) {
  const Box area{l.jewel.right(), l.panel.y + kBadge * 0.65f, l.meters.x - l.jewel.right(), l.panel.h - kBadge};
  const float tall = area.h / static_cast<float>(grid.rows);
  const float high = std::min(grid.dial + kUnderDial, tall);
  for (int k = 0; k < count; k++) {
    const int row = k / grid.columns, inRow = std::min(grid.columns, count - row * grid.columns);
    const float wide = std::min(area.w / static_cast<float>(inRow), std::max(kWidestCell, 1.5f * grid.dial));
    const float left = area.middleX() - wide * static_cast<float>(inRow) / 2;
    l.knobs.push_back({left + wide * static_cast<float>(k % grid.columns),
                       area.y + tall * static_cast<float>(row) + (tall - high) / 2, wide, high});
  }
}

inline void placeGrille(Layout& l) {
  const float pad = 14, tube = 46, gap = 16, high = l.grille.h - 2 * pad;
  const float tall = std::min(high, 150.0f);
  l.leftTube = {l.grille.x + pad + 4, l.grille.middleY() - tall / 2, tube, tall};
  l.rightTube = {l.grille.right() - pad - 4 - tube, l.leftTube.y, tube, tall};
  const float left = l.leftTube.right() + gap, wide = (l.rightTube.x - gap - left - gap) / 2;
  l.twin = {left, l.grille.y + pad, wide, high - 6};
  l.cabinet = {left + wide + gap, l.twin.y, wide, l.twin.h};
  const float button = 28, row = l.twin.bottom() - button - 10;
  l.openTwin = {l.twin.x + 12, row, 108, button};
  l.openCabinet = {l.cabinet.x + 12, row, 108, button};
  l.switchCabinet = {l.cabinet.right() - 12 - 116, row, 116, button};
}

inline void placeDesk(Layout& l) {
  const float wide = l.desk.w / kSliders;
  for (int s = 0; s < kSliders; s++)
    l.sliders[s] = {l.desk.x + wide * static_cast<float>(s) + 18, l.desk.y + 8, wide - 36, l.desk.h - 16};
}

}  // namespace layout

// `width` and `height` in pixels, both at least 1.
inline Layout layOut(float width, float height, int knobs) {
  using namespace layout;
  Layout l;
  l.unit = std::min(width / kPanelWidth, height / kPanelHeight);
  l.width = width / l.unit;
  l.height = height / l.unit;
  l.amp = {kMargin, kMargin, l.width - 2 * kMargin, l.height - kMargin - kStatus};
  const Box inner = l.amp.inset(kMargin);
  const float extra = l.height - kPanelHeight;
  const Grid grid = bestGrid(knobs, inner.w - kSide - kMeters, 0.4f * extra);
  const float panel = panelHeight(grid.rows) + 0.4f * extra;
  l.grille = {inner.x, inner.y, inner.w, inner.h - kDesk - 2 * kGap - panel};
  l.panel = {inner.x, l.grille.bottom() + kGap, inner.w, panel};
  l.desk = {inner.x, l.panel.bottom() + kGap, inner.w, kDesk};
  l.status = {kMargin + 4, l.amp.bottom(), l.width - 2 * kMargin - 8, kStatus};
  l.badge = {inner.middleX() - 190, l.panel.y - kGap / 2 - kBadge / 2, 380, kBadge};
  l.jewel = {l.panel.x, l.panel.middleY() - 50 + 6, kSide, 100};
  l.meters = {l.panel.right() - kMeters, l.panel.middleY() - 42 + 6, kMeters, 84};
  placeGrille(l);
  placeDesk(l);
  l.dial = grid.dial;
  placeKnobs(l, knobs, grid);
  return l;
}

// Where a dial's centre is within its cell, and how far from it a hand still grips it.
inline float dialX(const Box& cell) { return cell.middleX(); }
inline float dialY(const Layout& l, const Box& cell) { return cell.y + l.dial / 2; }

// `x` and `y` in units.
inline Spot spotAt(const Layout& l, float x, float y) {
  for (std::size_t k = 0; k < l.knobs.size(); k++)
    if (std::hypot(x - dialX(l.knobs[k]), y - dialY(l, l.knobs[k])) <= l.dial * 0.42f)
      return {Part::knob, static_cast<int>(k)};
  for (int s = 0; s < kSliders; s++)
    if (l.sliders[s].holds(x, y)) return {Part::slider, s};
  if (l.jewel.holds(x, y)) return {Part::bypass, 0};
  if (l.openTwin.holds(x, y)) return {Part::openTwin, 0};
  if (l.openCabinet.holds(x, y)) return {Part::openCabinet, 0};
  if (l.switchCabinet.holds(x, y)) return {Part::cabinet, 0};
  return {};
}

}  // namespace tubetwin::plugin
