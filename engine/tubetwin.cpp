// The C door: nothing that C++ throws goes through it.
#include "tubetwin.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "dispatch.h"
#include "tubetwin/player.h"
#include "tubetwin/probe.h"
#include "tubetwin/twin_file.h"
#include "tubetwin/wav.h"

using tubetwin::BadTwin;
using tubetwin::InstructionSet;
using tubetwin::Kernels;
using tubetwin::Knob;
using tubetwin::Part;
using tubetwin::Player;
using tubetwin::Twin;

namespace {

constexpr double kLargestCheckError = 1e-4;  // docs/twin-file.md
constexpr double kLargestCompactError = 5e-3;  // the largest, not the mean: halves err by 2e-4 of a value
constexpr double kCheckWork = 4e9;           // multiply-adds: a monstrous twin still opens in seconds

double workPerSample(const tubetwin::Architecture& shape) {
  const double C = shape.channels, wide = shape.dense ? C : 1, mixed = shape.fullMix ? C : 1;
  return shape.layers * C * (shape.kernelSize * wide + mixed + 10);  // 10: Snake
}

// Plays the check signal; the largest error relative to the peak.
double playCheck(Player& player, const Twin& twin) {
  const tubetwin::Check& check = twin.check;
  const int knobs = static_cast<int>(twin.knobs.size());
  const double affordable = kCheckWork / workPerSample(twin.architecture) / check.settings;
  const int samples = static_cast<int>(std::min<double>(check.samples, std::max(affordable, 1.0)));
  std::vector<float> out(samples);
  double peak = 0, error = 0;
  for (int s = 0; s < check.settings; s++) {
    for (int k = 0; k < knobs; k++) player.setKnob(k, check.knobs[s * knobs + k]);
    player.reset();
    player.process(check.input.data(), out.data(), samples);
    const float* expected = check.output.data() + static_cast<std::size_t>(s) * check.samples;
    for (int t = 0; t < samples; t++) {
      peak = std::max(peak, std::abs(static_cast<double>(expected[t])));
      const double difference = std::abs(static_cast<double>(out[t]) - expected[t]);
      error = std::isfinite(difference) ? std::max(error, difference) : HUGE_VAL;
    }
  }
  return error == 0 ? 0 : error / peak;
}

float normalised(const Knob& knob) {
  return static_cast<float>((knob.initial - knob.minimum) / (knob.maximum - knob.minimum));
}

void explain(const char* what, char* error, std::size_t size) {
  if (error && size) std::snprintf(error, size, "%s", what);
}

// Runs work(); what it throws becomes `error` and `failed`.
template <class Result, class Work>
Result guarded(Result failed, char* error, std::size_t size, const Work& work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    explain("not enough memory", error, size);
  } catch (const std::exception& exception) {
    explain(exception.what(), error, size);
  }
  return failed;
}

}  // namespace

struct tubetwin_player {
  tubetwin_player(const Twin& twin, const Kernels& kernels, bool compact) : player(twin, kernels, compact) {
    checkError = playCheck(player, twin);
    for (std::size_t k = 0; k < twin.knobs.size(); k++) player.setKnob(static_cast<int>(k), normalised(twin.knobs[k]));
    player.reset();
    describe(twin);
  }

  void describe(const Twin& twin) {
    description = twin.description;
    rate = twin.sampleRateHz;
    knobs = twin.knobs;
  }

  Player player;
  std::string description;  // of the twin loaded last
  double rate = 0;
  std::vector<Knob> knobs;
  double checkError = 0;
};

namespace {

std::unique_ptr<tubetwin_player> checked(const Twin& twin, const std::string& name, const Kernels& kernels,
                                         bool compact) {
  auto player = std::make_unique<tubetwin_player>(twin, kernels, compact);
  if (player->checkError > (compact ? kLargestCompactError : kLargestCheckError))
    throw BadTwin(name + ": answers its check signal wrongly (error " + std::to_string(player->checkError) +
                  " of the peak); the file is damaged, or from a program that computes something else");
  return player;
}

tubetwin_player* opened(const Twin& twin, const std::string& name, bool compact) {
  return checked(twin, name, tubetwin::chosenKernels(), compact).release();
}

int loaded(tubetwin_player* handle, const Twin& twin, const std::string& name) {
  const double error = checked(twin, name, handle->player.kernels(), handle->player.compact())->checkError;
  handle->player.loadTwin(twin);
  handle->describe(twin);
  handle->checkError = error;
  return 0;
}

int loadedCabinet(tubetwin_player* handle, const float* response, std::size_t samples, double rate) {
  if (!(rate >= 1 && rate <= 1e9)) throw std::invalid_argument("an impulse response needs a sample rate");
  if (static_cast<double>(samples) > 2 * rate) throw std::invalid_argument("an impulse response may last up to 2 s");
  for (std::size_t i = 0; i < samples; i++)
    if (!std::isfinite(response[i])) throw std::invalid_argument("the impulse response is not finite");
  handle->player.loadCabinet(response, static_cast<int>(samples), rate);
  return 0;
}

}  // namespace

tubetwin_player* tubetwin_open(const char* path, char* error, size_t size) {
  return guarded<tubetwin_player*>(nullptr, error, size, [&] { return opened(tubetwin::loadTwin(path), path, false); });
}

tubetwin_player* tubetwin_open_bytes(const void* bytes, size_t count, const char* name, char* error, size_t size) {
  return guarded<tubetwin_player*>(nullptr, error, size,
                                   [&] { return opened(tubetwin::readTwin(bytes, count, name), name, false); });
}

tubetwin_player* tubetwin_open_compact(const char* path, char* error, size_t size) {
  return guarded<tubetwin_player*>(nullptr, error, size, [&] { return opened(tubetwin::loadTwin(path), path, true); });
}

int tubetwin_load_twin(tubetwin_player* handle, const char* path, char* error, size_t size) {
  return guarded(-1, error, size, [&] { return loaded(handle, tubetwin::loadTwin(path), path); });
}

int tubetwin_load_twin_bytes(tubetwin_player* handle, const void* bytes, size_t count, const char* name, char* error,
                             size_t size) {
  return guarded(-1, error, size, [&] { return loaded(handle, tubetwin::readTwin(bytes, count, name), name); });
}

void tubetwin_close(tubetwin_player* handle) { delete handle; }

const char* tubetwin_description(const tubetwin_player* handle) { return handle->description.c_str(); }
double tubetwin_sample_rate_hz(const tubetwin_player* handle) { return handle->rate; }

int tubetwin_knob_count(const tubetwin_player* handle) { return static_cast<int>(handle->knobs.size()); }
const char* tubetwin_knob_name(const tubetwin_player* handle, int knob) { return handle->knobs[knob].name.c_str(); }
double tubetwin_knob_minimum(const tubetwin_player* handle, int knob) { return handle->knobs[knob].minimum; }
double tubetwin_knob_maximum(const tubetwin_player* handle, int knob) { return handle->knobs[knob].maximum; }
double tubetwin_knob_default(const tubetwin_player* handle, int knob) { return handle->knobs[knob].initial; }

void tubetwin_set_knob(tubetwin_player* handle, int knob, float value) { handle->player.setKnob(knob, value); }
void tubetwin_set_ramp(tubetwin_player* handle, int samples) { handle->player.setRamp(samples); }

int tubetwin_set_knob_at(tubetwin_player* handle, int knob, float value, int sample) {
  return handle->player.setKnob(knob, value, sample) ? 0 : -1;
}

void tubetwin_set_input_db(tubetwin_player* handle, float db) { handle->player.setInput(db); }
void tubetwin_set_output_db(tubetwin_player* handle, float db) { handle->player.setOutput(db); }
void tubetwin_set_gate_db(tubetwin_player* handle, float db) { handle->player.setGate(db); }
void tubetwin_set_cabinet(tubetwin_player* handle, int on) { handle->player.setCabinet(on != 0); }
void tubetwin_set_bypass(tubetwin_player* handle, int on) { handle->player.setBypass(on != 0); }

int tubetwin_prepare(tubetwin_player* handle, double hostHz, int channels, char* error, size_t size) {
  return guarded(-1, error, size, [&] {
    handle->player.prepare(hostHz, channels);
    return 0;
  });
}

int tubetwin_load_cabinet(tubetwin_player* handle, const float* response, long samples, char* error, size_t size) {
  return tubetwin_load_cabinet_at(handle, response, samples, handle->rate, error, size);
}

int tubetwin_load_cabinet_at(tubetwin_player* handle, const float* response, long samples, double rate, char* error,
                             size_t size) {
  return guarded(-1, error, size, [&] {
    if (samples < 0) throw std::invalid_argument("an impulse response of less than no samples");
    return loadedCabinet(handle, response, static_cast<std::size_t>(samples), rate);
  });
}

int tubetwin_load_cabinet_wav(tubetwin_player* handle, const char* path, char* error, size_t size) {
  return guarded(-1, error, size, [&] {
    const tubetwin::Wav wav = tubetwin::loadWav(path);
    return loadedCabinet(handle, wav.samples.data(), wav.samples.size(), wav.rateHz);
  });
}

void tubetwin_collect(tubetwin_player* handle) { handle->player.collect(); }

void tubetwin_process(tubetwin_player* handle, const float* in, float* out, long samples) {
  for (long done = 0; done < samples;) {
    const int count = static_cast<int>(std::min(samples - done, 1L << 24));
    handle->player.process(in + done, out + done, count);
    done += count;
  }
}

void tubetwin_process_channels(tubetwin_player* handle, const float* const* in, float* const* out, int samples) {
  handle->player.process(in, out, samples);
}

void tubetwin_reset(tubetwin_player* handle) { handle->player.reset(); }
int tubetwin_latency(const tubetwin_player* handle) { return handle->player.latency(); }
double tubetwin_check_error(const tubetwin_player* handle) { return handle->checkError; }

int tubetwin_measure(const tubetwin_player* handle, long* latency, long* field, char* error, size_t size) {
  return guarded(-1, error, size, [&] {
    const tubetwin::Reach reach = tubetwin::measureReach(handle->player.shape(), handle->player.kernels());
    *latency = reach.latency;
    *field = reach.receptiveField;
    return 0;
  });
}

const char* tubetwin_memory_part(int part) {
  static const char* const names[] = {"delay_lines", "weights", "film", "scratch", "cabinet", "resampler", "padding", "player"};
  return part >= 0 && part <= tubetwin::kParts ? names[part] : nullptr;
}

size_t tubetwin_memory_bytes(const tubetwin_player* handle, int part) {
  return part == tubetwin::kParts ? handle->player.objectBytes() : handle->player.bytes(static_cast<Part>(part));
}

const char* tubetwin_instruction_set(void) { return tubetwin::nameOf(tubetwin::instructionSet()); }

const char* tubetwin_instruction_sets(int index) {
  const int widest = static_cast<int>(tubetwin::widestInstructionSet());
  return index >= 0 && index <= widest ? tubetwin::nameOf(static_cast<InstructionSet>(index)) : nullptr;
}
