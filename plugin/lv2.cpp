// LV2 for hosts that offer little: tools such as lv2apply give a plugin neither numbers for names, nor options,
// nor a thread to work in, nor a place for events.
//
// DPF gives up without them, and reads and writes events unasked. So what a host leaves out, it gets from here:
// names are numbered, there are no options, no events, and work is refused. Only the window hands work out, and
// hosts with windows have threads. bundle.py describes it all as optional.
#define lv2_descriptor tubetwin_dpf_descriptor
#include "DistrhoPluginMain.cpp"
#undef lv2_descriptor

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace {

constexpr std::uint32_t kEventsIn = 2 * TUBETWIN_SIDES, kEventsOut = kEventsIn + 1;  // DPF's order

const LV2_Descriptor& dpf() { return *tubetwin_dpf_descriptor(0); }

LV2_URID numberOf(LV2_URID_Map_Handle, const char* uri) {
  static std::mutex lock;
  static std::map<std::string, LV2_URID> numbers;
  const std::lock_guard<std::mutex> guard(lock);
  return numbers.emplace(uri, static_cast<LV2_URID>(numbers.size() + 1)).first->second;
}

LV2_Worker_Status refuse(LV2_Worker_Schedule_Handle, std::uint32_t, const void*) { return LV2_WORKER_ERR_UNKNOWN; }

// Empty, and room for nothing.
struct NoEvents {
  LV2_Atom_Sequence in{{sizeof(LV2_Atom_Sequence_Body), 0}, {0, 0}}, out = in;
};

std::mutex instancesLock;
std::map<LV2_Handle, std::unique_ptr<NoEvents>> instances;

LV2_Handle instantiate(const LV2_Descriptor*, double hostHz, const char* path, const LV2_Feature* const* offered) {
  static LV2_URID_Map map{nullptr, numberOf};
  static LV2_Worker_Schedule worker{nullptr, refuse};
  static const LV2_Options_Option none{};
  static const LV2_Feature spare[] = {{LV2_URID__map, &map}, {LV2_WORKER__schedule, &worker},
                                      {LV2_OPTIONS__options, const_cast<LV2_Options_Option*>(&none)}};
  std::vector<const LV2_Feature*> features;
  for (; offered && *offered; offered++) features.push_back(*offered);
  const std::size_t theirs = features.size();
  for (const LV2_Feature& one : spare) {
    bool missing = true;
    for (std::size_t i = 0; i < theirs; i++) missing = missing && std::strcmp(features[i]->URI, one.URI) != 0;
    if (missing) features.push_back(&one);
  }
  features.push_back(nullptr);
  const LV2_Handle instance = dpf().instantiate(&dpf(), hostHz, path, features.data());
  if (!instance) return nullptr;
  auto events = std::make_unique<NoEvents>();
  dpf().connect_port(instance, kEventsIn, &events->in);
  dpf().connect_port(instance, kEventsOut, &events->out);
  const std::lock_guard<std::mutex> guard(instancesLock);
  instances[instance] = std::move(events);
  return instance;
}

// A host that takes its place for events away gets none again. [audio-thread, without the lock but then]
void connect(LV2_Handle instance, std::uint32_t port, void* place) {
  if (!place && (port == kEventsIn || port == kEventsOut)) {
    const std::lock_guard<std::mutex> guard(instancesLock);
    NoEvents& none = *instances[instance];
    place = port == kEventsIn ? &none.in : &none.out;
  }
  dpf().connect_port(instance, port, place);
}

void cleanup(LV2_Handle instance) {
  dpf().cleanup(instance);
  const std::lock_guard<std::mutex> guard(instancesLock);
  instances.erase(instance);
}

}  // namespace

DISTRHO_PLUGIN_EXPORT const LV2_Descriptor* lv2_descriptor(std::uint32_t index) {
  static const LV2_Descriptor ours{dpf().URI,         instantiate,      connect, dpf().activate,
                                   dpf().run,         dpf().deactivate, cleanup, dpf().extension_data};
  return index == 0 ? &ours : nullptr;
}
