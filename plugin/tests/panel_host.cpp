// A CLAP host with a window, for tests/test_plugin_panel.py and the pictures: it opens the plugin's panel, plays to
// it in pace with the clock, and does what standard input says, a command a line.
//
//     panel_host FILE.clap SCALE
//
//     value NAME     of a parameter, as printed
//     told           what the panel told since asked last: begin, set and end, each with its parameter
//     play FILE      raw floats at 48 kHz, again and again
//     size WIDTH HEIGHT    of the window, in pixels
//     save FILE      the state
//     settle         until all is drawn and told; every other command does so first
//     close          and open again
#include <X11/Xlib.h>
#include <dlfcn.h>
#include <poll.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "clap/entry.h"
#include "clap/events.h"
#include "clap/ext/gui.h"
#include "clap/ext/latency.h"
#include "clap/ext/params.h"
#include "clap/ext/state.h"
#include "clap/ext/timer-support.h"
#include "clap/host.h"
#include "clap/plugin-factory.h"
#include "clap/plugin.h"

namespace {

constexpr int kTickMs = 16, kTickSamples = 768;  // 48 kHz

void ignore(const clap_host_t*) {}
clap_id timer = CLAP_INVALID_ID;
bool startTimer(const clap_host_t*, std::uint32_t, clap_id* id) { return *id = timer = 1, true; }
bool stopTimer(const clap_host_t*, clap_id) { return timer = CLAP_INVALID_ID, true; }
bool refuse(const clap_host_t*, std::uint32_t, std::uint32_t) { return false; }
bool agree(const clap_host_t*) { return true; }
void closed(const clap_host_t*, bool) {}
const clap_host_latency_t kLatency{ignore};
const clap_host_timer_support_t kTimer{startTimer, stopTimer};
const clap_host_gui_t kGui{ignore, refuse, agree, agree, closed};

const void* extension(const clap_host_t*, const char* name) {
  if (std::strcmp(name, CLAP_EXT_LATENCY) == 0) return &kLatency;
  if (std::strcmp(name, CLAP_EXT_TIMER_SUPPORT) == 0) return &kTimer;
  return std::strcmp(name, CLAP_EXT_GUI) == 0 ? &kGui : nullptr;
}
const clap_host_t kHost{CLAP_VERSION, nullptr, "panel_host", "tubetwin", "", "1", extension, ignore, ignore, ignore};

std::uint32_t none(const clap_input_events_t*) { return 0; }
const clap_event_header_t* nothing(const clap_input_events_t*, std::uint32_t) { return nullptr; }
std::int64_t write(const clap_ostream_t* stream, const void* bytes, std::uint64_t count) {
  static_cast<std::string*>(stream->ctx)->append(static_cast<const char*>(bytes), count);
  return static_cast<std::int64_t>(count);
}

class Host {
 public:
  Host(const char* path, double scale) : scale_(scale) {
    void* const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) fail(dlerror());
    const auto* entry = static_cast<const clap_plugin_entry_t*>(dlsym(library, "clap_entry"));
    entry->init(path);
    const auto* factory = static_cast<const clap_plugin_factory_t*>(entry->get_factory(CLAP_PLUGIN_FACTORY_ID));
    plugin_ = factory->create_plugin(factory, &kHost, factory->get_plugin_descriptor(factory, 0)->id);
    if (!plugin_ || !plugin_->init(plugin_)) fail("no plugin");
    plugin_->activate(plugin_, 48000, 1, kTickSamples);
    plugin_->start_processing(plugin_);
    screen_ = XOpenDisplay(nullptr);
    if (!screen_) fail("no screen");
    open();
  }
  ~Host() {
    gui()->destroy(plugin_);
    plugin_->stop_processing(plugin_);
    plugin_->deactivate(plugin_);
    plugin_->destroy(plugin_);
    XCloseDisplay(screen_);
  }

  void open() {
    if (!gui()->create(plugin_, CLAP_WINDOW_API_X11, false)) fail("no window");
    gui()->set_scale(plugin_, scale_);
    std::uint32_t width = 0, height = 0;
    gui()->get_size(plugin_, &width, &height);
    window_ = XCreateSimpleWindow(screen_, DefaultRootWindow(screen_), 0, 0, width, height, 0, 0, 0);
    XMapWindow(screen_, window_);
    XSync(screen_, False);
    clap_window_t parent{};
    parent.api = CLAP_WINDOW_API_X11;
    parent.x11 = window_;
    gui()->set_parent(plugin_, &parent);
    gui()->show(plugin_);
    std::printf("%u %u %d\n", width, height, gui()->can_resize(plugin_));
  }

  void close() {
    gui()->destroy(plugin_);
    XDestroyWindow(screen_, window_);
    XSync(screen_, False);
  }

  void size(std::uint32_t width, std::uint32_t height) {
    gui()->adjust_size(plugin_, &width, &height);
    XResizeWindow(screen_, window_, width, height);
    XSync(screen_, False);
    gui()->set_size(plugin_, width, height);
    std::printf("%u %u\n", width, height);
  }

  void play(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    sound_.resize(bytes.size() / sizeof(float));
    std::memcpy(sound_.data(), bytes.data(), sound_.size() * sizeof(float));
    std::puts("playing");
  }

  void value(const std::string& name) const {
    double found = 0;
    for (const clap_param_info_t& info : infos())
      if (name == info.name) params()->get_value(plugin_, info.id, &found);
    std::printf("%.6g\n", found);
  }

  void told() {
    std::puts(told_.empty() ? "nothing" : told_.c_str());
    told_.clear();
  }

  void save(const std::string& path) const {
    std::string bytes;
    const clap_ostream_t stream{&bytes, write};
    const bool done = static_cast<const clap_plugin_state_t*>(plugin_->get_extension(plugin_, CLAP_EXT_STATE))->save(plugin_, &stream);
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    std::printf("%d\n", done);
  }

  // Until what a hand did has arrived: drawing without a graphics card takes its time.
  void settle() {
    for (int quiet = 0; quiet < 5; quiet++) {
      const std::size_t before = told_.size();
      poll(nullptr, 0, kTickMs);
      tick();
      if (told_.size() != before) quiet = 0;
    }
  }

  void tick() {
    std::vector<float> in(kTickSamples), out(kTickSamples);
    for (float& sample : in) sample = sound_.empty() ? 0 : sound_[at_++ % sound_.size()];
    float *from = in.data(), *to = out.data();
    clap_audio_buffer_t input{&from, nullptr, 1, 0, 0}, output{&to, nullptr, 1, 0, 0};
    const clap_input_events_t changes{nullptr, none, nothing};
    const clap_output_events_t answers{this, hear};
    clap_process_t work{};
    work.frames_count = kTickSamples;
    work.audio_inputs = &input;
    work.audio_outputs = &output;
    work.audio_inputs_count = work.audio_outputs_count = 1;
    work.in_events = &changes;
    work.out_events = &answers;
    plugin_->process(plugin_, &work);
    if (timer == CLAP_INVALID_ID) return;
    static_cast<const clap_plugin_timer_support_t*>(plugin_->get_extension(plugin_, CLAP_EXT_TIMER_SUPPORT))->on_timer(plugin_, timer);
  }

 private:
  [[noreturn]] static void fail(const char* why) { std::puts(why), std::exit(1); }

  const clap_plugin_gui_t* gui() const {
    return static_cast<const clap_plugin_gui_t*>(plugin_->get_extension(plugin_, CLAP_EXT_GUI));
  }
  const clap_plugin_params_t* params() const {
    return static_cast<const clap_plugin_params_t*>(plugin_->get_extension(plugin_, CLAP_EXT_PARAMS));
  }
  std::vector<clap_param_info_t> infos() const {
    std::vector<clap_param_info_t> all(params()->count(plugin_));
    for (std::uint32_t i = 0; i < all.size(); i++) params()->get_info(plugin_, i, &all[i]);
    return all;
  }

  static bool hear(const clap_output_events_t* list, const clap_event_header_t* event) {
    auto* const host = static_cast<Host*>(list->ctx);
    const bool begins = event->type == CLAP_EVENT_PARAM_GESTURE_BEGIN, ends = event->type == CLAP_EVENT_PARAM_GESTURE_END;
    const clap_id id = begins || ends ? reinterpret_cast<const clap_event_param_gesture_t*>(event)->param_id
                                      : reinterpret_cast<const clap_event_param_value_t*>(event)->param_id;
    for (const clap_param_info_t& info : host->infos())
      if (info.id == id)
        host->told_ += std::string(host->told_.empty() ? "" : ";") + (begins ? "begin " : ends ? "end " : "set ") + info.name;
    return true;
  }

  const clap_plugin_t* plugin_ = nullptr;
  Display* screen_ = nullptr;
  Window window_ = 0;
  const double scale_;
  std::vector<float> sound_;
  std::size_t at_ = 0;
  std::string told_;
};

void obey(Host& host, const std::string& line) {
  std::istringstream words(line);
  std::string command, rest;
  words >> command;
  std::getline(words >> std::ws, rest);
  host.settle();
  if (command == "value") host.value(rest);
  if (command == "told") host.told();
  if (command == "play") host.play(rest);
  if (command == "save") host.save(rest);
  if (command == "settle") std::puts("settled");
  if (command == "close") host.close(), host.open();
  std::uint32_t width = 0, height = 0;
  if (command == "size" && std::istringstream(rest) >> width >> height) host.size(width, height);
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) return std::puts("usage: panel_host FILE.clap SCALE"), 2;
  Host host(arguments[1], std::atof(arguments[2]));
  std::fflush(stdout);
  for (std::string line;;) {
    pollfd input{0, POLLIN, 0};
    poll(&input, 1, kTickMs);
    if (input.revents != 0) {
      if (!std::getline(std::cin, line)) return 0;
      obey(host, line);
    }
    host.tick();
  }
}
