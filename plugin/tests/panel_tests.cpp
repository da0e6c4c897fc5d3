// The panel's geometry and hands, and the names of cabinets, without a screen: laws, as in engine/tests.
//
//     panel_tests                      checks them; 1 if one fails
//     panel_tests WIDTH HEIGHT KNOBS   a line for each spot that a hand can reach: part, number, x, y in pixels
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "cabinet_name.h"
#include "check.h"
#include "panel_hands.h"
#include "panel_layout.h"
#include "tubetwin/wav.h"

using namespace tubetwin::plugin;

namespace {

bool apart(const Box& a, const Box& b) {
  return a.right() <= b.x + 0.01f || b.right() <= a.x + 0.01f || a.bottom() <= b.y + 0.01f || b.bottom() <= a.y + 0.01f;
}
bool within(const Box& inner, const Box& outer) {
  return inner.x >= outer.x - 0.01f && inner.y >= outer.y - 0.01f && inner.right() <= outer.right() + 0.01f &&
         inner.bottom() <= outer.bottom() + 0.01f && inner.w > 0 && inner.h > 0;
}

std::vector<std::pair<Spot, Box>> reachable(const Layout& l) {
  std::vector<std::pair<Spot, Box>> all;
  for (int k = 0; k < static_cast<int>(l.knobs.size()); k++) {
    const Box& cell = l.knobs[static_cast<std::size_t>(k)];
    all.push_back({{Part::knob, k}, {cell.middleX() - l.dial / 2, cell.y, l.dial, l.dial}});
  }
  for (int s = 0; s < kSliders; s++) all.push_back({{Part::slider, s}, l.sliders[static_cast<std::size_t>(s)]});
  all.push_back({{Part::bypass, 0}, l.jewel});
  all.push_back({{Part::cabinet, 0}, l.switchCabinet});
  all.push_back({{Part::openTwin, 0}, l.openTwin});
  all.push_back({{Part::openCabinet, 0}, l.openCabinet});
  return all;
}

// Nothing overlaps and nothing sticks out, at any size and with any number of knobs.
void everythingHasItsPlace(const Layout& l) {
  const Box all{0, 0, l.width, l.height};
  const std::vector<Box> rows = {l.grille, l.panel, l.desk, l.status};
  for (std::size_t i = 0; i < rows.size(); i++) {
    CHECK(within(rows[i], all));
    for (std::size_t j = 0; j < i; j++) CHECK(apart(rows[i], rows[j]));
  }
  for (const Box& part : {l.twin, l.cabinet, l.leftTube, l.rightTube}) CHECK(within(part, l.grille));
  CHECK(apart(l.twin, l.cabinet) && apart(l.leftTube, l.twin) && apart(l.rightTube, l.cabinet));
  CHECK(apart(l.badge, {l.twin.x, l.twin.y, l.twin.w, l.openTwin.bottom() - l.twin.y}));
  for (const Box& cell : l.knobs) {
    CHECK(within(cell, l.panel));
    CHECK(apart(cell, l.jewel) && apart(cell, l.meters));
    CHECK(l.dial >= 40 && l.dial <= cell.w && l.dial + layout::kUnderDial <= cell.h + 0.01f);
    for (const Box& other : l.knobs) CHECK(&cell == &other || apart(cell, other));
  }
  CHECK(within(l.openTwin, l.twin) && within(l.openCabinet, l.cabinet) && within(l.switchCabinet, l.cabinet));
  CHECK(apart(l.openCabinet, l.switchCabinet));
}

void aHandReachesWhatItPointsAt(const Layout& l) {
  for (const auto& [spot, box] : reachable(l)) {
    CHECK(spotAt(l, box.middleX(), box.middleY()) == spot);
    if (spot.part != Part::knob) continue;
    CHECK(spotAt(l, box.middleX() + 0.41f * l.dial, box.middleY()) == spot);
    CHECK(spotAt(l, box.middleX() + 0.43f * l.dial, box.middleY()) == Spot{});
    CHECK(spotAt(l, box.x + 1, box.y + 1) == Spot{});  // a corner of the square is not on the dial
  }
  CHECK(spotAt(l, l.grille.x + 2, l.grille.y + 2) == Spot{});
  CHECK(spotAt(l, -1, -1) == Spot{});
}

TEST(everything_has_its_place_at_any_size_with_any_number_of_knobs) {
  for (const float scale : {0.7f, 1.0f, 1.37f, 2.0f, 3.0f})
    for (const float wide : {1.0f, 1.3f, 2.5f})
      for (const float tall : {1.0f, 1.25f, 2.0f})
        for (int knobs = 0; knobs <= 24; knobs++) {
          const Layout l = layOut(kPanelWidth * scale * wide, kPanelHeight * scale * tall, knobs);
          CHECK(l.knobs.size() == static_cast<std::size_t>(knobs));
          everythingHasItsPlace(l);
          aHandReachesWhatItPointsAt(l);
        }
  const Layout once = layOut(960, 540, 4), twice = layOut(1920, 1080, 4);
  CHECK(twice.unit == 2 * once.unit && twice.dial == once.dial && twice.knobs[3].x == once.knobs[3].x);
  CHECK(layOut(960, 540, 4).knobs[0].y == layOut(960, 540, 4).knobs[3].y);  // four stand in a row
}

TEST(a_hand_turns_up_and_to_the_right) {
  Grip grip;
  grip.take(0.5f, 100, 100, kTravel);
  CHECK(grip.held());
  CHECK(std::abs(grip.move(100, 100 - 0.1f * kTravel, false) - 0.6f) < 1e-5f);  // up is more
  CHECK(std::abs(grip.move(100 + 0.1f * kTravel, 100 - 0.1f * kTravel, false) - 0.7f) < 1e-5f);  // so is right
  CHECK(grip.move(100, 100 - 9 * kTravel, false) == 1);
  CHECK(std::abs(grip.move(100, 100, false) - 0.5f) < 1e-4f);  // back from past the end, as if it had none
  CHECK(std::abs(grip.move(100, 100 - 0.1f * kTravel, true) - 0.52f) < 1e-4f);  // Shift
  grip.release();
  CHECK(!grip.held());
  CHECK(std::abs(wheeled(0.5f, 1, false) - 0.51f) < 1e-6f && std::abs(wheeled(0.5f, -1, true) - 0.498f) < 1e-6f);
}

TEST(values_read_as_on_the_panel) {
  Dial knob{"Volume", "", 0, 10, 5, 6.54f};
  CHECK(knob.printed() == "6.5" && std::abs(knob.turn() - 0.654f) < 1e-6f && knob.at(2) == 10 && knob.at(-1) == 0);
  CHECK((Dial{"Mid", "", -12, 12, 0, -0.01f}).printed() == "0.0");
  CHECK((Dial{"Freq", "", 0, 1000, 0, 439.7f}).printed() == "440");
  CHECK((Dial{"Input", "dB", -40, 40, 0, -12}).printed() == "-12.0 dB");
  const Dial gate{"Gate", "dB", -100, 0, -100, -100, "off"};
  CHECK(gate.printed() == "off");
  CHECK((Dial{"Gate", "dB", -100, 0, -100, -60, "off"}).printed() == "-60.0 dB");
}

TEST(a_cabinet_carries_its_name) {
  std::string wav = "RIFF....WAVEfmt " + riffNumber(16) + std::string("\1\0\1\0\200\273\0\0\0\167\1\0\2\0\20\0", 16) + "data" +
                    riffNumber(6) + "\1\2\3\4\5\6";
  wav.replace(4, 4, riffNumber(static_cast<std::uint32_t>(wav.size() - 8)));
  const auto samples = [](const std::string& w) {
    return tubetwin::WavReader::read(reinterpret_cast<const unsigned char*>(w.data()), w.size()).samples;
  };
  for (const std::string name : {"4x12 V30", "odd", "Grünback ü"}) {
    const std::string named = withName(wav, name);
    CHECK(nameIn(named, "none") == name);
    CHECK(samples(named) == samples(wav));
    CHECK(riffNumber(named, 4) + 8 == named.size());
    CHECK(withName(named, "another") == named);  // its own name is the better one
  }
  CHECK(nameIn(wav, "none") == "none" && withName(wav, "") == wav);
  const std::string named = withName(wav, "cut");
  std::mt19937 random(1);
  for (std::size_t length = 0; length < named.size(); length++) {
    CHECK(nameIn(named.substr(0, length), "none") == "none");
    std::string broken = named;
    for (int i = 0; i < 4; i++) broken[random() % broken.size()] = static_cast<char>(random());
    withName(broken, nameIn(broken, "none"));
  }
}

void tellWhere(float width, float height, int knobs) {
  const char* const names[] = {"nothing", "knob", "slider", "bypass", "cabinet", "openTwin", "openCabinet"};
  const Layout l = layOut(width, height, knobs);
  for (const auto& [spot, box] : reachable(l))
    std::printf("%s %d %.0f %.0f\n", names[static_cast<int>(spot.part)], spot.index, box.middleX() * l.unit, box.middleY() * l.unit);
  std::printf("status 0 %.0f %.0f\n", l.status.middleX() * l.unit, l.status.middleY() * l.unit);
  std::printf("meters 0 %.0f %.0f\n", l.meters.middleX() * l.unit, l.meters.middleY() * l.unit);
}

}  // namespace

int main(int count, char** arguments) {
  if (count == 4) return tellWhere(std::strtof(arguments[1], nullptr), std::strtof(arguments[2], nullptr), std::atoi(arguments[3])), 0;
  for (const Test& test : tests()) test.run();
  return failures() != 0;
}
