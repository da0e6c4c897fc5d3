// A small CLAP host for tests/test_plugin.py: it does what standard input says, a command a line, and answers.
//
//     clap_host FILE.clap RATE BLOCK
//
//     about                id, name and features
//     parameters           a line each: name, minimum, maximum, value
//     set VALUE NAME       at the first sample of the next block
//     vary                 from now on, blocks of many lengths in turn
//     play IN OUT          raw floats, a channel after another; blocks of BLOCK, the last one shorter
//     save FILE | load FILE    the state; load says whether the plugin took it
//     latency              in samples
//     pace COUNT SAMPLES   seconds that COUNT more instances take to play so much noise, a block each in turn
//     again COUNT          more instances, each made, played and destroyed
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "clap/entry.h"
#include "clap/events.h"
#include "clap/ext/latency.h"
#include "clap/ext/params.h"
#include "clap/ext/state.h"
#include "clap/host.h"
#include "clap/plugin-factory.h"
#include "clap/plugin.h"
#include "library.h"

namespace {

using Events = std::vector<clap_event_param_value_t>;

struct Bytes {
  std::string text;
  std::size_t at = 0;
};

void ignore(const clap_host_t*) {}
const clap_host_latency_t kLatency{ignore};
// DPF 1.6 asks for this one, and calls it without looking.
const void* extensionOfHost(const clap_host_t*, const char* name) {
  return std::strcmp(name, CLAP_EXT_LATENCY) == 0 ? &kLatency : nullptr;
}
std::uint32_t countEvents(const clap_input_events_t* list) {
  return static_cast<std::uint32_t>(static_cast<const Events*>(list->ctx)->size());
}
const clap_event_header_t* event(const clap_input_events_t* list, std::uint32_t index) {
  return &(*static_cast<const Events*>(list->ctx))[index].header;
}
bool swallow(const clap_output_events_t*, const clap_event_header_t*) { return true; }
std::int64_t write(const clap_ostream_t* stream, const void* bytes, std::uint64_t count) {
  static_cast<Bytes*>(stream->ctx)->text.append(static_cast<const char*>(bytes), count);
  return static_cast<std::int64_t>(count);
}
std::int64_t read(const clap_istream_t* stream, void* bytes, std::uint64_t count) {
  Bytes& from = *static_cast<Bytes*>(stream->ctx);
  const std::size_t given = std::min<std::size_t>({count, from.text.size() - from.at, 1000});  // in pieces
  std::memcpy(bytes, from.text.data() + from.at, given);
  from.at += given;
  return static_cast<std::int64_t>(given);
}

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

const clap_host_t kHost{CLAP_VERSION, nullptr, "clap_host", "tubetwin", "", "1", extensionOfHost, ignore, ignore, ignore};

class Instance {
 public:
  Instance(const clap_plugin_factory_t* factory, double rate, std::uint32_t block) : block_(block) {
    about_ = factory->get_plugin_descriptor(factory, 0);
    plugin_ = factory->create_plugin(factory, &kHost, about_->id);
    if (!plugin_ || !plugin_->init(plugin_)) std::exit((std::puts("no plugin"), 1));
    for (const char* const* feature = about_->features; *feature; feature++)
      if (std::strcmp(*feature, "stereo") == 0) sides_ = 2;
    plugin_->activate(plugin_, rate, 1, block);
    plugin_->start_processing(plugin_);
  }
  ~Instance() {
    plugin_->stop_processing(plugin_);
    plugin_->deactivate(plugin_);
    plugin_->destroy(plugin_);
  }

  void about() const {
    std::printf("%s\t%s", about_->id, about_->name);
    for (const char* const* feature = about_->features; *feature; feature++) std::printf("\t%s", *feature);
    std::puts("");
  }

  void parameters() const {
    const auto* params = extension<clap_plugin_params_t>(CLAP_EXT_PARAMS);
    std::printf("%u\n", params->count(plugin_));
    for (const clap_param_info_t& info : infos()) {
      double value = 0;
      params->get_value(plugin_, info.id, &value);
      std::printf("%s\t%.9g\t%.9g\t%.9g\n", info.name, info.min_value, info.max_value, value);
    }
  }

  void set(double value, const std::string& name) {
    clap_event_param_value_t change{};
    change.header = {sizeof change, 0, CLAP_CORE_EVENT_SPACE_ID, CLAP_EVENT_PARAM_VALUE, 0};
    for (const clap_param_info_t& info : infos())
      if (name == info.name) change.param_id = info.id;
    change.note_id = change.port_index = change.channel = change.key = -1;
    change.value = value;
    events_.push_back(change);
  }

  void play(const std::string& from, const std::string& to) {
    const std::string bytes = contents(from);
    const std::size_t length = bytes.size() / sizeof(float) / sides_;
    std::vector<float> in(length * sides_), out(length * sides_);
    std::memcpy(in.data(), bytes.data(), in.size() * sizeof(float));
    std::size_t turn = 0;
    for (std::size_t at = 0, count = 0; at < length; at += count) {
      count = std::min<std::size_t>({varies_ ? kLengths[turn++ % std::size(kLengths)] : block_, block_, length - at});
      float *ins[2], *outs[2];
      for (std::uint32_t s = 0; s < sides_; s++) ins[s] = in.data() + s * length + at, outs[s] = out.data() + s * length + at;
      process(ins, outs, static_cast<std::uint32_t>(count));
    }
    std::ofstream(to, std::ios::binary).write(reinterpret_cast<const char*>(out.data()), static_cast<std::streamsize>(out.size() * sizeof(float)));
    std::puts("played");
  }

  void vary() { varies_ = true; }

  void save(const std::string& path) const {
    Bytes bytes;
    const clap_ostream_t stream{&bytes, write};
    const bool done = extension<clap_plugin_state_t>(CLAP_EXT_STATE)->save(plugin_, &stream);
    std::ofstream(path, std::ios::binary).write(bytes.text.data(), static_cast<std::streamsize>(bytes.text.size()));
    std::printf("%d\n", done);
  }

  void load(const std::string& path) {
    Bytes bytes{contents(path)};
    const clap_istream_t stream{&bytes, read};
    std::printf("%d\n", extension<clap_plugin_state_t>(CLAP_EXT_STATE)->load(plugin_, &stream));
  }

  void latency() const { std::printf("%u\n", extension<clap_plugin_latency_t>(CLAP_EXT_LATENCY)->get(plugin_)); }

  void process(float** in, float** out, std::uint32_t samples) {
    clap_audio_buffer_t from{in, nullptr, sides_, 0, 0}, to{out, nullptr, sides_, 0, 0};
    const clap_input_events_t changes{&events_, countEvents, event};
    const clap_output_events_t answers{nullptr, swallow};
    clap_process_t work{};
    work.frames_count = samples;
    work.audio_inputs = &from;
    work.audio_outputs = &to;
    work.audio_inputs_count = work.audio_outputs_count = 1;
    work.in_events = &changes;
    work.out_events = &answers;
    plugin_->process(plugin_, &work);
    events_.clear();
  }

 private:
  template <class Extension>
  const Extension* extension(const char* name) const {
    return static_cast<const Extension*>(plugin_->get_extension(plugin_, name));
  }

  std::vector<clap_param_info_t> infos() const {
    const auto* params = extension<clap_plugin_params_t>(CLAP_EXT_PARAMS);
    std::vector<clap_param_info_t> all(params->count(plugin_));
    for (std::uint32_t i = 0; i < all.size(); i++) params->get_info(plugin_, i, &all[i]);
    return all;
  }

  const clap_plugin_descriptor_t* about_;
  const clap_plugin_t* plugin_;
  static constexpr std::size_t kLengths[] = {1, 7, 64, 1000, 333, 2, 8192, 100};

  std::uint32_t block_, sides_ = 1;
  bool varies_ = false;
  Events events_;
};

void pace(const clap_plugin_factory_t* factory, double rate, std::uint32_t block, int count, long samples) {
  std::vector<std::unique_ptr<Instance>> instances;
  for (int i = 0; i < count; i++) instances.push_back(std::make_unique<Instance>(factory, rate, block));
  std::vector<float> noise(block), left(block), right(block);
  std::minstd_rand random(1);
  for (float& sample : noise) sample = static_cast<float>(random() % 2000) / 5000 - 0.2f;
  float *in[] = {noise.data(), noise.data()}, *out[] = {left.data(), right.data()};
  for (const auto& instance : instances)  // touches all its memory once
    for (std::uint32_t done = 0; done < 8192; done += block) instance->process(in, out, block);
  const auto began = std::chrono::steady_clock::now();
  for (long done = 0; done < samples; done += block)
    for (const auto& instance : instances) instance->process(in, out, block);
  std::printf("%.9f\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
}

void playShortly(Instance& instance) {
  std::vector<float> left(64), right(64);
  float* rows[] = {left.data(), right.data()};
  instance.process(rows, rows, 64);
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 4) return std::puts("usage: clap_host FILE.clap RATE BLOCK"), 2;
  const tubetwin::plugin::Library library = tubetwin::plugin::openLibrary(arguments[1]);
  const auto* entry = tubetwin::plugin::find<const clap_plugin_entry_t*>(library, "clap_entry");
  entry->init(arguments[1]);
  const auto* factory = static_cast<const clap_plugin_factory_t*>(entry->get_factory(CLAP_PLUGIN_FACTORY_ID));
  const double rate = std::atof(arguments[2]);
  const auto block = static_cast<std::uint32_t>(std::atoi(arguments[3]));
  {
    Instance instance(factory, rate, block);
    for (std::string line, command, first, rest; std::getline(std::cin, line); std::fflush(stdout)) {
      std::istringstream words(line);
      words >> command >> first;
      std::getline(words >> std::ws, rest);
      if (command == "about") instance.about();
      if (command == "parameters") instance.parameters();
      if (command == "set") instance.set(std::atof(first.c_str()), rest);
      if (command == "play") instance.play(first, rest);
      if (command == "vary") instance.vary();
      if (command == "save") instance.save(first);
      if (command == "load") instance.load(first);
      if (command == "pace") pace(factory, rate, block, std::atoi(first.c_str()), std::atol(rest.c_str()));
      if (command == "latency") instance.latency();
      for (int i = command == "again" ? std::atoi(first.c_str()) : 0; i > 0; i--) {
        Instance another(factory, rate, block);
        playShortly(another);
      }
      if (command == "again") std::puts("done");
      first.clear();
      rest.clear();
    }
  }
  entry->deinit();
  return 0;
}
