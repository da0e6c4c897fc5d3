// The window of the plugin: the picture, the hands on it, and what they tell the host.
//
// DGL, which comes with DPF, opens the window and draws with NanoVG. It knows of no files dropped onto a
// window, so twins and impulse responses come through its file dialog.
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <string>

#include "DistrhoPlugin.hpp"
#include "DistrhoUI.hpp"
#include "panel_door.h"
#include "panel_picture.h"
#include "switches.h"

START_NAMESPACE_DISTRHO

using namespace tubetwin::plugin;

namespace {

constexpr const char* kHint =
    "Drag to turn, scroll for fine steps, double-click for the default. Shift makes both finer.";
constexpr int kSliderSwitch[kSliders] = {kInput, kGate, kOutput};
constexpr float kFallDb = 40;        // a second, as on the page
constexpr double kClipSeconds = 1.5;  // that the lamp stays on
constexpr double kNewsSeconds = 8;    // that a message stays; one of a refusal stays longer
constexpr float kFullScale = 1 - 1 / 32768.0f;  // the highest value of a 16-bit converter

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
float decibels(float peak) { return 20 * std::log10(std::max(peak, 1e-6f)); }

}  // namespace

class PanelWindow : public UI {
 public:
  PanelWindow()
      : UI(static_cast<uint>(kPanelWidth), static_cast<uint>(kPanelHeight)),
        door_(*dynamic_cast<PanelDoor*>(static_cast<Plugin*>(getPluginInstancePointer()))), picture_(*this) {
    suitScale(getScaleFactor());
    for (const PanelKnob& knob : door_.amp().panel())
      shown_.knobs.push_back({knob.name, "", static_cast<float>(knob.minimum), static_cast<float>(knob.maximum),
                              static_cast<float>(knob.initial), 0});
    shown_.sliders = {Dial{"Input", "dB", -kMostDb, kMostDb, 0, 0}, Dial{"Gate", "dB", kGateOff, 0, kGateOff, 0, "off"},
                      Dial{"Output", "dB", -kMostDb, kMostDb, 0, 0}};
    shown_.plate = door_.plate();
    shown_.message = kHint;
    readAll();
    lookAtNames();
    door_.levels.watch(true);
  }
  ~PanelWindow() override { door_.levels.watch(false); }

 protected:
  // ---- from the host ----
  void parameterChanged(uint32_t index, float value) override {
    if (Dial* const dial = dialOf(index)) {
      if (!grip_.held() || parameterOf(held_) != index) dial->value = value;
    } else if (index == first() + kCabinet) {
      shown_.cabinet = value > 0.5f;
    } else if (index == first() + kBypass) {
      shown_.bypass = value > 0.5f;
    }
    repaint();
  }
  void programLoaded(uint32_t) override { readAll(); }
  void stateChanged(const char*, const char*) override {}  // lookAtNames() sees it
  void uiScaleFactorChanged(double scale) override { suitScale(scale); }

  void uiIdle() override {
    const double time = now(), passed = std::min(time - before_, 0.5);
    before_ = time;
    if (door_.amp().loads() != loads_) lookAtNames();
    if (time > newsUntil_ && shown_.message != kHint) say(kHint, false);
    if (listen(time, static_cast<float>(passed))) repaint();
  }

  void onNanoDisplay() override { picture_.draw(layout(), shown_); }

  // ---- hands ----
  bool onMouse(const MouseEvent& event) override {
    if (event.button != 1) return false;
    if (!event.press) return letGo();
    const Spot spot = under(event.pos);
    const double time = now();
    const bool twice = spot == pressed_ && time - pressedAt_ < kDoubleClick;
    pressed_ = spot;
    pressedAt_ = twice ? 0 : time;
    switch (spot.part) {
      case Part::knob:
      case Part::slider: return twice ? turn(spot, dialAt(spot).initial) : take(spot, event.pos);
      case Part::bypass: return set(kBypass, !shown_.bypass);
      case Part::cabinet: return set(kCabinet, !shown_.cabinet);
      case Part::openTwin: return browse("Open a twin");
      case Part::openCabinet: return browse("Open an impulse response (WAV)");
      default: return false;
    }
  }

  bool onMotion(const MotionEvent& event) override {
    if (!grip_.held()) {
      const Spot spot = under(event.pos);
      if (!(spot == shown_.lit)) shown_.lit = spot, repaint();
      return false;
    }
    const double unit = layout().unit;
    move(held_, dialAt(held_).at(grip_.move(static_cast<float>(event.pos.getX() / unit),
                                           static_cast<float>(event.pos.getY() / unit), (event.mod & kModifierShift) != 0)));
    return true;
  }

  bool onScroll(const ScrollEvent& event) override {
    const Spot spot = under(event.pos);
    if (spot.part != Part::knob && spot.part != Part::slider) return false;
    const Dial& dial = dialAt(spot);
    const auto notches = static_cast<float>(event.delta.getY() + event.delta.getX());
    return turn(spot, dial.at(wheeled(dial.turn(), notches, (event.mod & kModifierShift) != 0)));
  }

  void uiFileBrowserSelected(const char* path) override {
    if (!path) return;
    folder_ = std::string(path).substr(0, std::string(path).find_last_of(DISTRHO_OS_SEP));
    const std::string cabinet = shown_.playing.cabinet, refused = door_.open(path);
    if (!refused.empty()) return say(refused, true);
    lookAtNames();
    // One switch is set, so that the host knows of a change, and the new one is heard.
    const bool isCabinet = shown_.playing.cabinet != cabinet;
    set(isCabinet ? kCabinet : kBypass, isCabinet);
    say("Now playing: " + std::string(path).substr(folder_.size() + 1), false);
  }

 private:
  uint32_t first() const { return static_cast<uint32_t>(shown_.knobs.size()); }  // of the switches
  Layout layout() const {
    return layOut(static_cast<float>(std::max(getWidth(), 1u)), static_cast<float>(std::max(getHeight(), 1u)),
                  static_cast<int>(shown_.knobs.size()));
  }
  Spot under(const DGL_NAMESPACE::Point<double>& pixel) const {
    const Layout l = layout();
    return spotAt(l, static_cast<float>(pixel.getX()) / l.unit, static_cast<float>(pixel.getY()) / l.unit);
  }

  // Large enough to read, on whatever screen.
  void suitScale(double scale) {
    setGeometryConstraints(static_cast<uint>(kPanelWidth * kLeastScale * scale),
                           static_cast<uint>(kPanelHeight * kLeastScale * scale));
    if (scale != scale_) setSize(static_cast<uint>(getWidth() / scale_ * scale), static_cast<uint>(getHeight() / scale_ * scale));
    scale_ = scale;
  }

  uint32_t parameterOf(const Spot& spot) const {
    return spot.part == Part::knob ? static_cast<uint32_t>(spot.index)
                                   : first() + static_cast<uint32_t>(kSliderSwitch[spot.index]);
  }
  Dial& dialAt(const Spot& spot) {
    const auto index = static_cast<std::size_t>(spot.index);
    return spot.part == Part::knob ? shown_.knobs[index] : shown_.sliders[index];
  }
  Dial* dialOf(uint32_t parameter) {
    if (parameter < first()) return &shown_.knobs[parameter];
    for (int s = 0; s < kSliders; s++)
      if (parameter == first() + static_cast<uint32_t>(kSliderSwitch[s])) return &shown_.sliders[static_cast<std::size_t>(s)];
    return nullptr;
  }
  void readAll() {
    for (uint32_t p = 0; p < first() + kSwitches; p++) parameterChanged(p, door_.value(p));
  }

  void lookAtNames() {
    loads_ = door_.amp().loads();
    shown_.playing = door_.amp().playing();
    repaint();
  }

  void say(const std::string& message, bool bad) {
    shown_.message = message;
    shown_.bad = bad;
    newsUntil_ = now() + (bad ? 3 : 1) * kNewsSeconds;
    repaint();
  }

  // Whether there is something new to see.
  bool listen(double time, float seconds) {
    const float in = door_.levels.takeIn(), out = door_.levels.takeOut();
    if (in >= kFullScale || out > 1) {
      clippedAt_ = time;
      shown_.clip = in >= kFullScale ? "CLIP IN" : "CLIP OUT";
    }
    const Shown was = shown_;
    shown_.clipped = time - clippedAt_ < kClipSeconds;
    shown_.inDb = std::max({decibels(in), was.inDb - kFallDb * seconds, kFloorDb});
    shown_.outDb = std::max({decibels(out), was.outDb - kFallDb * seconds, kFloorDb});
    shown_.glow += (1 - std::exp(-8 * seconds)) * (std::min(std::pow(10.0f, shown_.outDb / 20), 1.0f) - was.glow);
    return shown_.inDb != was.inDb || shown_.outDb != was.outDb || shown_.clipped != was.clipped ||
           std::abs(shown_.glow - was.glow) > 0.002f;
  }

  bool take(const Spot& spot, const DGL_NAMESPACE::Point<double>& pixel) {
    const Layout l = layout();
    const float travel = spot.part == Part::slider ? Picture::trackOf(l.sliders[static_cast<std::size_t>(spot.index)]).w : kTravel;
    grip_.take(dialAt(spot).turn(), static_cast<float>(pixel.getX()) / l.unit, static_cast<float>(pixel.getY()) / l.unit, travel);
    held_ = shown_.lit = spot;
    editParameter(parameterOf(spot), true);
    repaint();
    return true;
  }

  bool letGo() {
    if (!grip_.held()) return false;
    grip_.release();
    editParameter(parameterOf(held_), false);
    return true;
  }

  void move(const Spot& spot, float value) {
    Dial& dial = dialAt(spot);
    if (value == dial.value) return;
    dial.value = value;
    setParameterValue(parameterOf(spot), value);
    repaint();
  }

  // In one step, as a gesture of its own.
  bool turn(const Spot& spot, float value) {
    editParameter(parameterOf(spot), true);
    move(spot, value);
    editParameter(parameterOf(spot), false);
    return true;
  }

  bool set(int which, bool on) {
    const uint32_t parameter = first() + static_cast<uint32_t>(which);
    (which == kCabinet ? shown_.cabinet : shown_.bypass) = on;
    editParameter(parameter, true);
    setParameterValue(parameter, on);
    editParameter(parameter, false);
    repaint();
    return true;
  }

  bool browse(const char* title) {
    DISTRHO_NAMESPACE::FileBrowserOptions options;
    options.title = title;
    if (!folder_.empty()) options.startDir = folder_.c_str();
    return openFileBrowser(options);
  }

  PanelDoor& door_;
  Picture picture_;
  Shown shown_;
  Grip grip_;
  Spot held_, pressed_;
  std::string folder_ = std::getenv("HOME") ? std::getenv("HOME") : "";  // where the next file may lie
  unsigned loads_ = 0;
  double scale_ = 1, before_ = now(), pressedAt_ = 0, newsUntil_ = 0, clippedAt_ = -kClipSeconds;

  DISTRHO_DECLARE_NON_COPYABLE_WITH_LEAK_DETECTOR(PanelWindow)
};

UI* createUI() { return new PanelWindow; }

END_NAMESPACE_DISTRHO
