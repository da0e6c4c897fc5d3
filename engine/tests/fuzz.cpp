// Feeds whatever libFuzzer thinks of to everything that reads bytes from outside: make fuzz.
//
// The first byte chooses the reader: a twin, or a WAV file as an impulse response. What is accepted
// is played, so that a file cannot be wrong in a way that only shows later.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <vector>

#include "tubetwin/native.h"
#include "tubetwin/player.h"
#include "tubetwin/wav.h"

using namespace tubetwin;

namespace {

constexpr double kMostWork = 1e6;  // histories in floats: a monstrous twin is valid, but slow to fuzz

bool finite(float sample) { return std::isfinite(sample); }

void tryTwin(const std::uint8_t* bytes, std::size_t size) {
  const Twin twin = readTwin(bytes, size, "fuzz");
  double columns = 0;
  for (int l = 0; l < twin.architecture.layers; l++) columns += twin.architecture.dilations[l];
  if (columns * twin.architecture.kernelSize * twin.architecture.channels > kMostWork) return;
  Player player(twin, kNativeKernels);
  std::vector<float> out(100);
  for (int k = 0; k < static_cast<int>(twin.knobs.size()); k++) player.setKnob(k, 0.7f);
  player.process(std::vector<float>(100, 0.3f).data(), out.data(), 100);
}

void tryResponse(const std::uint8_t* bytes, std::size_t size) {
  static Twin wire = [] {
    Twin twin;
    twin.architecture.channels = twin.architecture.kernelSize = twin.architecture.layers = 1;
    twin.architecture.dilations[0] = 1;
    twin.sampleRateHz = 48000;
    twin.lift = twin.taps = twin.head = {1};
    twin.liftBias = twin.tapsBias = {0};
    twin.alpha = {1e-6f};
    return twin;
  }();
  const Wav wav = WavReader::read(bytes, size);
  if (!std::all_of(wav.samples.begin(), wav.samples.end(), finite)) std::abort();
  Player player(wire, kNativeKernels);
  try {
    player.loadCabinet(wav.samples.data(), static_cast<int>(wav.samples.size()), wav.rateHz);
  } catch (const std::invalid_argument&) {  // a rate out of all reason
  }
  std::vector<float> out(5000, 0.1f);
  player.process(out.data(), out.data(), 5000);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  try {
    if (bytes[0] == 'W')
      tryResponse(bytes + 1, size - 1);
    else
      tryTwin(bytes + 1, size - 1);
  } catch (const BadTwin&) {
  } catch (const BadWav&) {
  }
  return 0;
}
