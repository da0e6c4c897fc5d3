// A VST3 host that only comes and goes: tests/test_plugin_loads.py looks for what is left behind.
//
//     vst3_loads PROGRAM.so ROUNDS
//
// A round: load the program, make the plugin, play, take its state and give it back, give it noise as state, play,
// unload. Prints the memory in use after each tenth of the rounds, in KB.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "library.h"
#include "travesty/audio_processor.h"
#include "travesty/base.h"
#include "travesty/bstream.h"
#include "travesty/component.h"
#include "travesty/factory.h"

namespace {

// A state in memory, as an object of VST3's kind: its first word points at its functions.
struct Stream {
  struct Functions : v3_funknown {
    v3_bstream stream;
  };
  Functions* functions = &table;
  std::string bytes;
  std::size_t at = 0;

  static v3_result V3_API read(void* self, void* to, std::int32_t count, std::int32_t* done) {
    Stream& s = *static_cast<Stream*>(self);
    *done = static_cast<std::int32_t>(std::min<std::size_t>(static_cast<std::size_t>(count), s.bytes.size() - s.at));
    std::memcpy(to, s.bytes.data() + s.at, static_cast<std::size_t>(*done));
    s.at += static_cast<std::size_t>(*done);
    return V3_OK;
  }
  static v3_result V3_API write(void* self, void* from, std::int32_t count, std::int32_t* done) {
    static_cast<Stream*>(self)->bytes.append(static_cast<const char*>(from), static_cast<std::size_t>(count));
    *done = count;
    return V3_OK;
  }
  v3_bstream** object() { return reinterpret_cast<v3_bstream**>(&functions); }
  static Functions table;
};

Stream::Functions streamFunctions() {
  Stream::Functions functions{};
  functions.stream.read = Stream::read;
  functions.stream.write = Stream::write;
  return functions;
}
Stream::Functions Stream::table = streamFunctions();

[[noreturn]] void fail(const char* what) { std::exit((std::puts(what), 1)); }
void must(bool done, const char* what) {
  if (!done) fail(what);
}

void play(v3_audio_processor** processor) {
  std::vector<float> left(64, 0.1f), right(64, 0.1f);
  float* rows[] = {left.data(), right.data()};
  v3_audio_bus_buffers in{}, out{};
  in.num_channels = out.num_channels = 1;
  in.channel_buffers_32 = out.channel_buffers_32 = rows;
  v3_process_data data{};
  data.symbolic_sample_size = V3_SAMPLE_32;
  data.nframes = 64;
  data.num_input_buses = data.num_output_buses = 1;
  data.inputs = &in;
  data.outputs = &out;
  must(v3_cpp_obj(processor)->process(processor, &data) == V3_OK, "it does not play");
}

void useShortly(v3_component** component, v3_audio_processor** processor, const std::string& noise) {
  v3_process_setup setup{V3_REALTIME, V3_SAMPLE_32, 64, 48000};
  must(v3_cpp_obj(processor)->setup_processing(processor, &setup) == V3_OK, "it cannot be set up");
  must(v3_cpp_obj(component)->set_active(component, true) == V3_OK, "it cannot be activated");
  play(processor);
  Stream kept, broken;
  must(v3_cpp_obj(component)->get_state(component, kept.object()) == V3_OK, "it gives no state");
  must(kept.bytes.size() > 1000, "the twin is not in the state");
  must(v3_cpp_obj(component)->set_state(component, kept.object()) == V3_OK, "it does not take its own state");
  broken.bytes = kept.bytes.substr(0, kept.bytes.size() / 2) + noise;
  v3_cpp_obj(component)->set_state(component, broken.object());
  play(processor);
  v3_cpp_obj(component)->set_active(component, false);
}

void round(const char* path, const std::string& noise) {
  using namespace tubetwin::plugin;
  const Library library = openLibrary(path);
#ifdef _WIN32
  const auto enter = find<bool (*)()>(library, "InitDll"), leave = find<bool (*)()>(library, "ExitDll");
  must(enter && enter(), "no VST3 program");
#else
  const auto enter = find<bool (*)(void*)>(library, "ModuleEntry");
  const auto leave = find<bool (*)()>(library, "ModuleExit");
  must(enter && enter(library), "no VST3 program");
#endif
  const auto get = find<v3_plugin_factory** (*)()>(library, "GetPluginFactory");
  must(get && leave, "no VST3 program");
  v3_plugin_factory** const factory = get();
  v3_class_info about{};
  v3_cpp_obj(factory)->get_class_info(factory, 0, &about);
  v3_component** component = nullptr;
  v3_cpp_obj(factory)->create_instance(factory, about.class_id, v3_component_iid, reinterpret_cast<void**>(&component));
  must(component && v3_cpp_obj_initialize(component, nullptr) == V3_OK, "no plugin");
  v3_audio_processor** processor = nullptr;
  v3_cpp_obj_query_interface(component, v3_audio_processor_iid, &processor);
  must(processor, "no audio");
  useShortly(component, processor, noise);
  v3_cpp_obj_unref(processor);
  v3_cpp_obj_terminate(component);
  v3_cpp_obj_unref(component);
  v3_cpp_obj_unref(factory);
  leave();
  closeLibrary(library);
}

std::string memory() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == "VmRSS:") return status >> word, word;
  return "0";
}

}  // namespace

int main(int count, char** words) {
  if (count < 3) return std::puts("usage: vst3_loads PROGRAM.so ROUNDS"), 2;
  std::minstd_rand random(1);
  std::string noise(5000, '\0');
  for (char& byte : noise) byte = static_cast<char>(random());
  const int rounds = std::atoi(words[2]);
  for (int i = 1; i <= rounds; i++) {
    round(words[1], noise);
    if (i % std::max(1, rounds / 10) == 0) std::puts(memory().c_str());
  }
  return 0;
}
