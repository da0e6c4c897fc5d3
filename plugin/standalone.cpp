// A twin as a program of its own: a client of the JACK audio server, without a window. MIDI turns the knobs.
//
//     NAME [PARAMETER=VALUE ...]    such as Volume=7 "Output level=-6"
//
// The plugin is the one that hosts load; DPF's bridge finds the JACK library when the program runs. DPF has a
// client of its own too, but that file is under the LGPL, and what ships here is not.
#define DISTRHO_IS_STANDALONE 1
#include "src/DistrhoPlugin.cpp"
#include "src/DistrhoUtils.cpp"
#include "src/jackbridge/JackBridge.cpp"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "DistrhoPluginInternal.hpp"

USE_NAMESPACE_DISTRHO

namespace {

constexpr int kOutputLevel = 7;  // MIDI's own number for volume

// The free numbers, in order: 20 to 31, then 102 to 119.
int controllerOf(std::uint32_t knob) { return static_cast<int>(knob < 12 ? 20 + knob : knob < 30 ? 90 + knob : 128); }

struct Control {
  int controller;
  std::uint32_t index;
};

class Client {
 public:
  explicit Client(jack_client_t* client) : client_(client), plugin_(nullptr, nullptr, nullptr, nullptr) {
    std::uint32_t knobs = 0;
    for (std::uint32_t i = 0; i < plugin_.getParameterCount(); i++) {
      if (plugin_.getParameterSymbol(i).startsWith("knob_")) controls_.push_back({controllerOf(knobs++), i});
      if (plugin_.getParameterSymbol(i) == "output_db") controls_.push_back({kOutputLevel, i});
    }
  }
  ~Client() {
    jackbridge_deactivate(client_);
    plugin_.deactivateIfNeeded();
    jackbridge_client_close(client_);
  }

  // "Volume=7". Whether there is such a parameter, and the value is in its range.
  bool turn(const std::string& word) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) return false;
    char* end = nullptr;
    const float value = std::strtof(word.c_str() + equals + 1, &end);
    for (std::uint32_t i = 0; i < plugin_.getParameterCount(); i++) {
      const ParameterRanges& range = plugin_.getParameterRanges(i);
      if (strcasecmp(plugin_.getParameterName(i), word.substr(0, equals).c_str()) != 0) continue;
      if (!word[equals + 1] || *end || !(range.min <= value && value <= range.max)) return false;
      return plugin_.setParameterValue(i, value), true;
    }
    return false;
  }

  bool start() {
    for (int s = 0; s < TUBETWIN_SIDES; s++) {
      const std::string side = std::to_string(s + 1);
      in_[s] = jackbridge_port_register(client_, ("in_" + side).c_str(), JACK_DEFAULT_AUDIO_TYPE, JackPortIsInput, 0);
      out_[s] = jackbridge_port_register(client_, ("out_" + side).c_str(), JACK_DEFAULT_AUDIO_TYPE, JackPortIsOutput, 0);
    }
    midi_ = jackbridge_port_register(client_, "midi", JACK_DEFAULT_MIDI_TYPE, JackPortIsInput, 0);
    jackbridge_set_process_callback(client_, [](jack_nframes_t n, void* self) { return static_cast<Client*>(self)->process(n); }, this);
    jackbridge_set_latency_callback(client_, [](jack_latency_callback_mode_t mode, void* self) { static_cast<Client*>(self)->tellLatency(mode); }, this);
    jackbridge_on_shutdown(client_, [](void* self) { static_cast<Client*>(self)->gone_ = true; }, this);
    plugin_.activate();
    return jackbridge_activate(client_);
  }

  void introduce() const {
    std::printf("%s plays. MIDI controllers:", jackbridge_get_client_name(client_));
    for (const Control& c : controls_) std::printf(" %d %s,", c.controller, plugin_.getParameterName(c.index).buffer());
    std::printf(" programs:");
    for (std::uint32_t i = 0; i < plugin_.getProgramCount(); i++) std::printf(" %u %s,", i, plugin_.getProgramName(i).buffer());
    std::puts(" Ctrl-C ends it.");
    std::fflush(stdout);
  }

  bool gone() const { return gone_; }  // the server has ended

 private:
  // [audio-thread]
  int process(jack_nframes_t n) {
    void* const events = jackbridge_port_get_buffer(midi_, n);
    for (std::uint32_t i = 0; i < jackbridge_midi_get_event_count(events); i++) {
      jack_midi_event_t event;
      if (jackbridge_midi_event_get(&event, events, i)) hear(event);
    }
    const float* in[TUBETWIN_SIDES];
    float* out[TUBETWIN_SIDES];
    for (int s = 0; s < TUBETWIN_SIDES; s++) {
      in[s] = static_cast<const float*>(jackbridge_port_get_buffer(in_[s], n));
      out[s] = static_cast<float*>(jackbridge_port_get_buffer(out_[s], n));
    }
    plugin_.run(in, out, n);
    return 0;
  }

  // On any channel, at the start of the block; the knobs glide.
  void hear(const jack_midi_event_t& event) {
    const int kind = event.buffer[0] & 0xf0;
    if (kind == 0xc0 && event.size == 2 && event.buffer[1] < plugin_.getProgramCount()) plugin_.loadProgram(event.buffer[1]);
    if (kind != 0xb0 || event.size != 3) return;
    for (const Control& c : controls_)
      if (c.controller == event.buffer[1])
        plugin_.setParameterValue(c.index, plugin_.getParameterRanges(c.index).getUnnormalizedValue(event.buffer[2] / 127.0f));
  }

  void tellLatency(jack_latency_callback_mode_t mode) {
    for (int s = 0; s < TUBETWIN_SIDES; s++) {
      jack_latency_range_t range{};
      jackbridge_port_get_latency_range(mode == JackCaptureLatency ? in_[s] : out_[s], mode, &range);
      range.min += plugin_.getLatency();
      range.max += plugin_.getLatency();
      jackbridge_port_set_latency_range(mode == JackCaptureLatency ? out_[s] : in_[s], mode, &range);
    }
  }

  jack_client_t* const client_;
  PluginExporter plugin_;
  std::vector<Control> controls_;
  jack_port_t *in_[TUBETWIN_SIDES] = {}, *out_[TUBETWIN_SIDES] = {}, *midi_ = nullptr;
  std::atomic<bool> gone_{false};
};

int fail(const std::string& sentence) { return std::fprintf(stderr, "tubetwin: %s\n", sentence.c_str()), 2; }

// The program's own name as JACK takes it: short, and without its separator.
std::string clientName(std::string path) {
  std::string name = path.substr(path.rfind('/') + 1);
  std::size_t most = static_cast<std::size_t>(jackbridge_client_name_size()) - 1;
  while (most < name.size() && (name[most] & 0xc0) == 0x80) most--;  // not within a letter
  return name.substr(0, most);
}

}  // namespace

int main(int count, char** words) {
  sigset_t ends;
  sigemptyset(&ends);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ends, signal);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // JACK's threads inherit that: only this one waits for them
  jack_status_t status{};
  jack_client_t* const jack = jackbridge_client_open(clientName(words[0]).c_str(), JackNoStartServer, &status);
  if (!jack) return fail("there is no JACK server to play on: start one, such as jackd, or PipeWire's pw-jack");
  d_nextBufferSize = jackbridge_get_buffer_size(jack);
  d_nextSampleRate = jackbridge_get_sample_rate(jack);
  Client client(jack);
  for (int i = 1; i < count; i++)
    if (!client.turn(words[i]))
      return fail(std::string(words[i]) + " is no parameter with a value in its range, such as Volume=7");
  if (!client.start()) return fail("the JACK server takes no more clients");
  client.introduce();
  const timespec shortly{0, 200'000'000};
  while (sigtimedwait(&ends, nullptr, &shortly) < 0)
    if (client.gone()) return fail("the JACK server has ended");
  return 0;
}
