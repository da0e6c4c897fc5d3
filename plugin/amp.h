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

class Amp {
 public:
  explicit Amp(const Bundle& bundle) {
    if (!bundle.twin.empty()) open(bundle.twin);
    if (!bundle.cabinet.empty()) loadCabinet(bundle.cabinet);
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
    return restore(text, [this](const std::string& bytes) { return loadTwin(bytes); });
  }
  bool restoreCabinet(std::string_view text) {
    if (text == kNone) return loadCabinet("");
    return restore(text, [this](const std::string& bytes) { return loadCabinet(bytes); });
  }

 private:
  static constexpr std::string_view kFormat = "1:";
  static constexpr const char* kNone = "none";
  static constexpr std::size_t kMessage = 1000;

  static std::string state(const std::string& bytes) { return std::string(kFormat) + toBase64(bytes); }

  template <class Load>
  static bool restore(std::string_view text, const Load& load) {
    if (text.substr(0, kFormat.size()) != kFormat) {
      complain("the project was saved by another version of this plugin; the amp stays as it was");
      return false;
    }
    const auto bytes = fromBase64(text.substr(kFormat.size()));
    if (!bytes || bytes->empty()) complain("what the project kept is damaged; the amp stays as it was");
    return bytes && !bytes->empty() && load(*bytes);
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

  bool loadTwin(const std::string& bytes) {
    const std::lock_guard<std::mutex> lock(loading_);
    if (!player_ || bytes == twin_) return player_ != nullptr;
    tubetwin_player* const other = opened(bytes);  // to see its knobs before anything changes
    if (!other) return false;
    const bool fits = panelOf(other) == panel_;
    tubetwin_close(other);
    char error[kMessage] = "the project's twin has other knobs than this plugin";
    const bool done = fits && tubetwin_load_twin_bytes(player_, bytes.data(), bytes.size(), "the twin", error,
                                                       sizeof error) == 0;
    if (done) twin_ = bytes;
    else complain(std::string(error) + "; the amp stays as it was");
    return done;
  }

  bool loadCabinet(const std::string& bytes) {
    const std::lock_guard<std::mutex> lock(loading_);
    if (!player_ || bytes == cabinet_) return player_ != nullptr;
    Wav wav;
    try {
      if (!bytes.empty()) wav = WavReader::read(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    } catch (const std::exception& error) {
      complain(std::string("the cabinet ") + error.what() + "; it stays as it was");
      return false;
    }
    char error[kMessage] = "";
    const bool done = tubetwin_load_cabinet_at(player_, wav.samples.data(), static_cast<long>(wav.samples.size()),
                                               bytes.empty() ? 48000 : wav.rateHz, error, sizeof error) == 0;
    if (done) cabinet_ = bytes;
    else complain(std::string(error) + "; the cabinet stays as it was");
    return done;
  }

  tubetwin_player* player_ = nullptr;
  std::vector<PanelKnob> panel_;
  std::string twin_, cabinet_;
  bool ready_ = false;
  std::mutex loading_;  // hosts may load from a thread of their own; the audio thread never takes it
};

}  // namespace tubetwin::plugin
