// A twin in a host, as VST3, CLAP, LV2 and on JACK: its knobs are the host's parameters, and the sound is the engine's.
//
// There is no DSP here. What the plugin is called, and which twin it plays, lies in files beside the
// program (bundle.h), so that one program is many amps. DPF (dpf-source, ISC licence) speaks to the hosts.
#include <atomic>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#if defined(DISTRHO_PLUGIN_TARGET_JACK)
#include <unistd.h>
#endif

#include "amp.h"
#include "panel_door.h"
#include "switches.h"
#include "DistrhoPlugin.hpp"
#include "DistrhoPluginUtils.hpp"

START_NAMESPACE_DISTRHO

using namespace tubetwin::plugin;

namespace {

enum States { kTwinState, kCabinetState, kStates };
constexpr const char* kStateKeys[kStates] = {"twin", "cabinet"};
constexpr std::uintmax_t kLargest = 64 << 20;  // bytes; an IR of 2 s, at any rate and in any coding, is smaller

// Where the files of bundle.h lie, without their endings.
std::string stemOf(std::string binary) {
#if defined(DISTRHO_PLUGIN_TARGET_CLAP) && !defined(DISTRHO_OS_MAC)
  return binary.substr(0, binary.rfind('.'));  // on Linux and Windows a CLAP plugin is one file
#elif defined(DISTRHO_PLUGIN_TARGET_JACK)
  return binary;
#else
  binary.resize(binary.rfind(DISTRHO_OS_SEP));
#if defined(DISTRHO_PLUGIN_TARGET_VST3) || defined(DISTRHO_PLUGIN_TARGET_CLAP)
  return binary.substr(0, binary.rfind(DISTRHO_OS_SEP)) + "/Resources/amp";
#else
  return binary + "/amp";
#endif
#endif
}

// The amp's own number, which is not in the source: the compiler must look it up.
std::int64_t ownNumber() {
  static volatile const char id[] = TUBETWIN_PLUGIN_ID;
  std::string digits;
  for (std::size_t i = sizeof id - 9; i < sizeof id - 1; i++) digits += id[i];
  return static_cast<std::int64_t>(std::strtoul(digits.c_str(), nullptr, 16));
}

// A name that no description file stumbles over.
std::string plain(std::string name) {
  for (char& c : name)
    if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' ') c = '\'';
  return name;
}

// Knob 2, "Mid-Bite" -> "knob_mid_bite"; with its number if another is called so.
std::string symbolOf(const std::vector<PanelKnob>& panel, std::size_t knob) {
  const auto spelt = [](const std::string& name) {
    std::string symbol = "knob_";
    for (const unsigned char c : name) symbol += std::isalnum(c) && c < 128 ? static_cast<char>(std::tolower(c)) : '_';
    return symbol;
  };
  const std::string symbol = spelt(panel[knob].name);
  for (std::size_t other = 0; other < panel.size(); other++)
    if (other != knob && spelt(panel[other].name) == symbol) return symbol + "_" + std::to_string(knob + 1);
  return symbol;
}

}  // namespace

class AmpPlugin : public Plugin, public PanelDoor {
 public:
  AmpPlugin(const Bundle& bundle, std::unique_ptr<Amp> amp)
      : Plugin(static_cast<std::uint32_t>(amp->panel().size() + kSwitches),
               static_cast<std::uint32_t>(bundle.programs.size()), kStates),
        amp_(std::move(amp)), name_(plain(bundle.name)), programs_(bundle.programs), knobs_(amp_->panel().size()),
        values_(std::make_unique<std::atomic<float>[]>(knobs_ + kSwitches)) {
    for (std::size_t k = 0; k < knobs_; k++) values_[k] = static_cast<float>(amp_->panel()[k].initial);
    values_[knobs_ + kGate] = kGateOff;
    values_[knobs_ + kCabinet] = 1;
    applyAll();
    if (!isDummyInstance()) sampleRateChanged(getSampleRate());
  }

  // What the window asks for. [main-thread]
  Amp& amp() override { return *amp_; }
  std::string plate() const override { return name_; }
  float value(std::uint32_t parameter) const override { return values_[parameter]; }
  std::string open(const std::string& path) override {
    const std::string refused = loadFile(path);
    if (refused.empty()) takeOver();
    return refused;
  }

 protected:
  const char* getName() const override { return name_.c_str(); }
  const char* getLabel() const override { return "tubetwin"; }
  const char* getDescription() const override { return "A tube amplifier, knobs and all"; }
  const char* getMaker() const override { return "tubetwin"; }
  const char* getLicense() const override { return "MIT"; }
  std::uint32_t getVersion() const override { return d_version(0, 1, 0); }
  std::int64_t getUniqueId() const override { return ownNumber(); }

  void initAudioPort(bool input, std::uint32_t index, AudioPort& port) override {
    port.groupId = TUBETWIN_SIDES == 1 ? kPortGroupMono : kPortGroupStereo;
    Plugin::initAudioPort(input, index, port);
  }

  void initParameter(std::uint32_t index, Parameter& parameter) override {
    parameter.hints = kParameterIsAutomatable;
    if (index < knobs_) return initKnob(index, parameter);
    switch (index - knobs_) {
      case kInput: return describe(parameter, "Input trim", "input_db", "dB", -kMostDb, kMostDb, 0);
      case kOutput: return describe(parameter, "Output level", "output_db", "dB", -kMostDb, kMostDb, 0);
      case kGate: return describe(parameter, "Noise gate", "gate_db", "dB", kGateOff, 0, kGateOff);
      case kCabinet:
        parameter.hints |= kParameterIsBoolean | kParameterIsInteger;
        return describe(parameter, "Cabinet", "cabinet", "", 0, 1, 1);
      default: parameter.initDesignation(kParameterDesignationBypass);
    }
  }

  void initProgramName(std::uint32_t index, String& name) override { name = plain(programs_[index].name).c_str(); }

  void initState(std::uint32_t index, State& state) override {
    state.hints = kStateIsBase64Blob | kStateIsOnlyForDSP;
    state.key = kStateKeys[index];
    state.label = index == kTwinState ? "Twin" : "Cabinet";
  }

  float getParameterValue(std::uint32_t index) const override { return values_[index]; }

  void setParameterValue(std::uint32_t index, float value) override {
    if (!std::isfinite(value)) return;
    values_[index] = value;
    apply(index);
  }

  // Knobs that a program leaves out go back to their defaults. [main-thread]
  void loadProgram(std::uint32_t index) override {
    for (std::size_t k = 0; k < knobs_; k++) {
      const PanelKnob& knob = amp_->panel()[k];
      double value = knob.initial;
      for (const auto& [name, printed] : programs_[index].knobs)
        if (name == knob.name) value = std::clamp(printed, knob.minimum, knob.maximum);
      setParameterValue(static_cast<std::uint32_t>(k), static_cast<float>(value));
    }
  }

  // An instance that only describes itself keeps the description files short. [main-thread]
  String getState(const char* key) const override {
    if (isDummyInstance()) return String();
    const bool twin = std::strcmp(key, kStateKeys[kTwinState]) == 0;
    return String((twin ? amp_->twinState() : amp_->cabinetState()).c_str());
  }

  // Nothing at all, as in the programs of LV2, changes nothing. [main-thread]
  void setState(const char* key, const char* value) override {
    if (!*value) return;
    if (std::strcmp(key, kStateKeys[kCabinetState]) == 0) amp_->restoreCabinet(value);
    if (std::strcmp(key, kStateKeys[kTwinState]) == 0 && amp_->restoreTwin(value)) takeOver();
  }

  void sampleRateChanged(double hostHz) override {
    amp_->prepare(hostHz, TUBETWIN_SIDES);
    setLatency(static_cast<std::uint32_t>(amp_->latency()));
  }

  void activate() override { amp_->reset(); }

  void run(const float** in, float** out, std::uint32_t samples) override {
    levels.in(in, TUBETWIN_SIDES, samples);  // before `out`, which may be the same memory
    amp_->process(in, out, TUBETWIN_SIDES, static_cast<int>(samples));
    levels.out(out, TUBETWIN_SIDES, samples);
  }

 private:
  static void describe(Parameter& parameter, const char* name, const char* symbol, const char* unit, float minimum,
                       float maximum, float initial) {
    parameter.name = name;
    parameter.symbol = symbol;
    parameter.unit = unit;
    parameter.ranges = ParameterRanges(initial, minimum, maximum);
  }

  void initKnob(std::uint32_t index, Parameter& parameter) const {
    const PanelKnob& knob = amp_->panel()[index];
    describe(parameter, plain(knob.name).c_str(), symbolOf(amp_->panel(), index).c_str(), "",
             static_cast<float>(knob.minimum), static_cast<float>(knob.maximum), static_cast<float>(knob.initial));
  }

  // [any-thread]
  void apply(std::size_t index) {
    const float value = values_[index];
    tubetwin_player* const player = amp_->player();
    if (!player) return;
    if (index < knobs_) return amp_->turn(static_cast<int>(index), value);
    switch (index - knobs_) {
      case kInput: return tubetwin_set_input_db(player, value);
      case kOutput: return tubetwin_set_output_db(player, value);
      case kGate: return tubetwin_set_gate_db(player, value > kGateOff ? value : -std::numeric_limits<float>::infinity());
      case kCabinet: return tubetwin_set_cabinet(player, value > 0.5f);
      default: return tubetwin_set_bypass(player, value > 0.5f);
    }
  }

  void applyAll() {
    for (std::size_t index = 0; index < knobs_ + kSwitches; index++) apply(index);
  }

  std::string loadFile(const std::string& path) {
    const std::string name = path.substr(path.find_last_of(DISTRHO_OS_SEP) + 1);
    std::error_code missing;
    const std::uintmax_t size = std::filesystem::file_size(path, missing);
    if (missing || size > kLargest) return name + " cannot be opened: choose a twin, or a WAV file of up to 2 s";
    return amp_->load(tubetwin::plugin::contents(path), name);
  }

  // The knobs as the host has them, whatever twin has come.
  void takeOver() {
    applyAll();
    setLatency(static_cast<std::uint32_t>(amp_->latency()));
  }

  const std::unique_ptr<Amp> amp_;
  const std::string name_;
  const std::vector<tubetwin::plugin::Program> programs_;
  const std::size_t knobs_;
  const std::unique_ptr<std::atomic<float>[]> values_;  // as printed

  DISTRHO_DECLARE_NON_COPYABLE_WITH_LEAK_DETECTOR(AmpPlugin)
};

// Where this program lies.
std::string binaryPath() {
#if defined(DISTRHO_PLUGIN_TARGET_JACK)
  char path[4096];  // DPF only knows how it was called, which may be a name to be searched for
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  if (length > 0) return std::string(path, static_cast<std::size_t>(length));
#endif
  return getBinaryFilename();
}

Plugin* createPlugin() {
  const Bundle bundle = readBundle(stemOf(binaryPath()));
  return new AmpPlugin(bundle, std::make_unique<Amp>(bundle));
}

END_NAMESPACE_DISTRHO
