// The amp in a plugin: the engine's C door, and the bytes that a project has to remember.
//
// A host knows the panel from the start and for good. So whatever twin comes later must have the same
// knobs; one that has others is refused, and so is everything that is no twin: the old one plays on.
#pragma once

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base64.h"
#include "bundle.h"
#include "cabinet_name.h"
#include "tubetwin.h"
#include "tubetwin/wav.h"

namespace tubetwin::plugin {

struct PanelKnob {
  std::string name;
  double minimum, maximum, initial;

  bool operator==(const PanelKnob& other) const {
    return name == other.name && minimum == other.minimum && maximum == other.maximum;
  }
};

// What plays, in words.
struct Playing {
  std::string twin, twinFacts, cabinet, cabinetFacts;  // empty: none
};

class Amp {
 public:
  explicit Amp(const Bundle& bundle) {
    if (!bundle.twin.empty()) open(bundle.twin);
    if (!bundle.cabinet.empty()) said(loadCabinet(bundle.cabinet, "the cabinet"));
  }
  Amp(const Amp&) = delete;
  Amp& operator=(const Amp&) = delete;
  ~Amp() {
    if (player_) tubetwin_close(player_);
  }

  const std::vector<PanelKnob>& panel() const { return panel_; }

  // [main-thread, while nothing plays]
  void prepare(double hostHz, int sides) {
    const std::lock_guard<std::mutex> lock(loading_);
    char error[kMessage] = "";
    ready_ = player_ && tubetwin_prepare(player_, hostHz, sides, error, sizeof error) == 0;
    if (!ready_ && player_) complain(std::string(error) + "; the guitar passes as it is");
  }
  void reset() {
    if (ready_) tubetwin_reset(player_);
  }
  int latency() const { return ready_ ? tubetwin_latency(player_) : 0; }

  // Values as printed. [any-thread]
  void turn(int knob, double value) {
    const PanelKnob& k = panel_[knob];
    tubetwin_set_knob(player_, knob, static_cast<float>((value - k.minimum) / (k.maximum - k.minimum)));
  }
  tubetwin_player* player() const { return player_; }  // may be null

  // Without a twin, the guitar passes as it is. [audio-thread]
  void process(const float* const* in, float* const* out, int sides, int n) {
    if (ready_) return tubetwin_process_channels(player_, in, out, n);
    for (int s = 0; s < sides; s++)
      if (in[s] != out[s]) std::copy(in[s], in[s] + n, out[s]);
  }

  // What a project keeps: the format's number, and base64. [main-thread]
  std::string twinState() const { return state(twin_); }
  std::string cabinetState() const { return cabinet_.empty() ? kNone : state(cabinet_); }

  // What a project kept; false, a complaint, and all stays as it was, if that is nonsense. The knobs of a
  // new twin stand at its defaults. [main-thread]
  bool restoreTwin(std::string_view text) {
    return restore(text, [this](const std::string& bytes) { return loadTwin(bytes, "the project's twin"); });
  }
  bool restoreCabinet(std::string_view text) {
    if (text == kNone) return said(loadCabinet("", ""));
    return restore(text, [this](const std::string& bytes) { return loadCabinet(bytes, "the project's cabinet"); });
  }

  // A twin with the same knobs, or an impulse response as WAV, called `name` in messages. Returns a sentence,
  // and all stays as it was, if it is neither; else nothing. [main-thread]
  std::string load(const std::string& bytes, const std::string& name) {
    if (bytes.substr(0, 4) != "RIFF") return loadTwin(bytes, name);
    return loadCabinet(withName(bytes, name.substr(0, name.rfind('.'))), name);
  }

  // Counts what was loaded, so that a window knows when to look again. [any-thread]
  unsigned loads() const { return loads_; }
  // [main-thread]
  Playing playing() {
    const std::lock_guard<std::mutex> lock(loading_);
    Playing now;
    if (!player_) return now;
    now.twin = twinName(tubetwin_description(player_));
    now.twinFacts = number(tubetwin_sample_rate_hz(player_) / 1000) + " kHz, " + std::to_string(panel_.size()) +
                    (panel_.size() == 1 ? " knob" : " knobs");
    if (cabinet_.empty()) return now;
    const Wav wav = WavReader::read(reinterpret_cast<const unsigned char*>(cabinet_.data()), cabinet_.size());
    now.cabinet = nameIn(cabinet_, "Impulse response");
    now.cabinetFacts = number(wav.rateHz / 1000.0) + " kHz, " +
                       std::to_string((1000 * wav.samples.size() + wav.rateHz / 2) / wav.rateHz) + " ms";
    return now;
  }

 private:
  static constexpr std::string_view kFormat = "1:";
  static constexpr const char* kNone = "none";
  static constexpr std::size_t kMessage = 1000;

  // Whether all went well; a complaint goes to the host's log.
  static bool said(const std::string& sentence) {
    if (!sentence.empty()) complain(sentence);
    return sentence.empty();
  }

  static std::string number(double value) {
    char text[40];
    std::snprintf(text, sizeof text, "%.4g", value);
    return text;
  }

  static std::string twinName(const char* description) {
    const Json about = JsonReader(description).read();  // the engine has read it before
    const Json* name = about.find("name");
    return name && name->is(Json::Type::string) && !name->text.empty() ? name->text : "A twin";
  }

  static std::string state(const std::string& bytes) { return std::string(kFormat) + toBase64(bytes); }

  template <class Load>
  static bool restore(std::string_view text, const Load& load) {
    if (text.substr(0, kFormat.size()) != kFormat) {
      complain("the project was saved by another version of this plugin; the amp stays as it was");
      return false;
    }
    const auto bytes = fromBase64(text.substr(kFormat.size()));
    if (!bytes || bytes->empty()) complain("what the project kept is damaged; the amp stays as it was");
    return bytes && !bytes->empty() && said(load(*bytes));
  }

  static std::vector<PanelKnob> panelOf(const tubetwin_player* player) {
    std::vector<PanelKnob> panel;
    for (int k = 0; k < tubetwin_knob_count(player); k++)
      panel.push_back({tubetwin_knob_name(player, k), tubetwin_knob_minimum(player, k),
                       tubetwin_knob_maximum(player, k), tubetwin_knob_default(player, k)});
    return panel;
  }

  static tubetwin_player* opened(const std::string& bytes) {
    char error[kMessage] = "";
    tubetwin_player* player = tubetwin_open_bytes(bytes.data(), bytes.size(), "the twin", error, sizeof error);
    if (!player) complain(error);
    return player;
  }

  void open(const std::string& bytes) {
    player_ = opened(bytes);
    if (!player_) return;
    twin_ = bytes;
    panel_ = panelOf(player_);
  }

  std::string loadTwin(const std::string& bytes, const std::string& name) {
    const std::lock_guard<std::mutex> lock(loading_);
    if (!player_) return "a plugin without a twin takes none: export it again";
    if (bytes == twin_) return "";
    char error[kMessage] = "";
    tubetwin_player* const other =  // to see its knobs before anything changes
        tubetwin_open_bytes(bytes.data(), bytes.size(), name.c_str(), error, sizeof error);
    if (!other) return error;
    const std::vector<PanelKnob> knobs = panelOf(other);
    tubetwin_close(other);
    if (knobs != panel_) return name + " has other knobs than this plugin" + named(knobs) + "; the amp stays as it was";
    if (tubetwin_load_twin_bytes(player_, bytes.data(), bytes.size(), name.c_str(), error, sizeof error) != 0)
      return std::string(error) + "; the amp stays as it was";
    twin_ = bytes;
    loads_++;
    return "";
  }

  // " (Volume, Cut)"
  static std::string named(const std::vector<PanelKnob>& knobs) {
    std::string names;
    for (const PanelKnob& knob : knobs) names += (names.empty() ? " (" : ", ") + knob.name;
    return names.empty() ? "" : names + ")";
  }

  std::string loadCabinet(const std::string& bytes, const std::string& name) {
    const std::lock_guard<std::mutex> lock(loading_);
    if (!player_) return "a plugin without a twin takes no cabinet: export it again";
    if (bytes == cabinet_) return "";
    Wav wav;
    try {
      if (!bytes.empty()) wav = WavReader::read(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    } catch (const std::exception& error) {
      return name + " " + error.what() + "; the cabinet stays as it was";
    }
    char error[kMessage] = "";
    if (tubetwin_load_cabinet_at(player_, wav.samples.data(), static_cast<long>(wav.samples.size()),
                                 bytes.empty() ? 48000 : wav.rateHz, error, sizeof error) != 0)
      return std::string(error) + "; the cabinet stays as it was";
    cabinet_ = bytes;
    loads_++;
    return "";
  }

  tubetwin_player* player_ = nullptr;
  std::vector<PanelKnob> panel_;
  std::string twin_, cabinet_;
  bool ready_ = false;
  std::atomic<unsigned> loads_{0};
  std::mutex loading_;  // hosts may load from a thread of their own; the audio thread never takes it
};

}  // namespace tubetwin::plugin
