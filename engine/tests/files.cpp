// The laws of reading: whatever the bytes are, a twin, a sound or a refusal comes out, never anything else.
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "check.h"
#include "made.h"
#include "tubetwin/twin_file.h"
#include "tubetwin/wav.h"

using namespace tubetwin;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);  // fuzz.cpp

namespace {

Twin small() {
  Architecture shape;
  shape.channels = 2;
  shape.kernelSize = 2;
  shape.layers = 2;
  shape.dilations[0] = 1;
  shape.dilations[1] = 3;
  Twin twin = made::twin(shape, 3);
  twin.check = {1, 8, made::di(8), {0.1f, 0.2f, 0.3f, 0.4f}, made::di(8, 2)};
  return twin;
}

std::string quoted(const std::string& text) {
  std::string all = "\"";
  for (const char c : text) all += (c == '"' || c == '\\') ? std::string("\\") + c : std::string(1, c);
  return all + "\"";
}

// The file of a small twin, with its knobs and architecture.
std::string file(const Twin& twin) {
  std::string knobs, header, data;
  for (const Knob& knob : twin.knobs)
    knobs += (knobs.empty() ? "" : ",") + ("{\"name\":" + quoted(knob.name) + ",\"minimum\":0,\"maximum\":10,\"default\":5}");
  const std::string description =
      "{\"format\":1,\"name\":\"small \\u266b\",\"sample_rate_hz\":48000,\"knobs\":[" + knobs +
      "],\"architecture\":{\"channels\":2,\"kernel_size\":2,\"dilations\":[1,3],\"taps\":\"depthwise\",\"mix\":\"scale\"}}";
  const auto add = [&](const std::string& name, const std::string& shape, const std::vector<float>& values) {
    header += ",\"" + name + "\":{\"dtype\":\"F32\",\"shape\":[" + shape + "],\"data_offsets\":[" +
              std::to_string(data.size()) + "," + std::to_string(data.size() + 4 * values.size()) + "]}";
    data.append(reinterpret_cast<const char*>(values.data()), 4 * values.size());
  };
  add("lift.weight", "2", twin.lift);
  add("lift.bias", "2", twin.liftBias);
  add("taps.weight", "2,2,2", twin.taps);
  add("taps.bias", "2,2", twin.tapsBias);
  add("snake.alpha", "2,2", twin.alpha);
  add("mix.weight", "1,2", twin.mix);
  add("mix.bias", "1,2", twin.mixBias);
  add("head.weight", "2,2", twin.head);
  add("head.bias", "1", {twin.headBias});
  for (std::size_t i = 0; i < twin.film.size(); i++) {
    const FilmLayer& layer = twin.film[i];
    const std::string rows = std::to_string(layer.rows), name = "film." + std::to_string(i);
    add(name + ".weight", rows + "," + std::to_string(layer.columns), layer.weight);
    add(name + ".bias", rows, layer.bias);
  }
  add("check.input", "8", twin.check.input);
  add("check.settings", "1,4", twin.check.knobs);
  add("check.output", "1,8", twin.check.output);
  header = "{\"__metadata__\":{\"format\":\"tubetwin\",\"tubetwin\":" + quoted(description) + "}" + header + "}";
  std::string size(8, '\0');
  for (int i = 0; i < 8; i++) size[i] = static_cast<char>(header.size() >> 8 * i & 0xFF);
  return size + header + data;
}

// Why the bytes are refused; empty: they are not.
std::string refusal(const std::string& bytes) {
  try {
    readTwin(bytes.data(), bytes.size(), "it");
    return "";
  } catch (const BadTwin& error) {
    return error.what();
  }
}

// Little endian.
std::string number(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; i++) text += static_cast<char>(value >> 8 * i & 0xFF);
  return text;
}

// A WAV file of one or more channels at 44.1 kHz, with a chunk of odd length before the sound.
std::string wav(int coding, int bits, int channels, const std::string& data) {
  const std::string format = number(coding, 2) + number(channels, 2) + number(44100, 4) +
                             number(44100 * channels * bits / 8, 4) + number(channels * bits / 8, 2) + number(bits, 2);
  return "RIFF" + number(36 + 12 + data.size(), 4) + "WAVEfmt " + number(16, 4) + format + "LIST" + number(3, 4) +
         std::string("abc\0", 4) + "data" + number(data.size(), 4) + data;
}

std::string wavRefusal(const std::string& bytes) {
  try {
    WavReader::read(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    return "";
  } catch (const BadWav& error) {
    return error.what();
  }
}

std::vector<float> wavSamples(const std::string& bytes) {
  return WavReader::read(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()).samples;
}

std::string jsonFault(const std::string& text) {
  try {
    JsonReader(text).read();
    return "";
  } catch (const BadJson& error) {
    return error.what();
  }
}

}  // namespace

TEST(a_twin_is_read_to_the_bit) {
  const Twin wrote = small();
  const std::string bytes = file(wrote);
  const Twin twin = readTwin(bytes.data(), bytes.size());
  CHECK(twin.name == "small \xE2\x99\xAB");
  CHECK(twin.knobs.size() == 4 && twin.knobs[3].name == "Mid-Bite" && twin.knobs[3].initial == 5);
  CHECK(twin.taps == wrote.taps && twin.alpha == wrote.alpha && twin.head == wrote.head);
  CHECK(twin.film.size() == 3 && twin.film[2].weight == wrote.film[2].weight);
  CHECK(twin.check.output == wrote.check.output);
}

TEST(no_damage_is_worse_than_a_refusal) {
  const std::string good = file(small());
  made::Random random(3);
  const auto upTo = [&](std::size_t count) { return static_cast<std::size_t>((random() + 1) / 2 * 0.999999 * count); };
  CHECK(refusal(good).empty());
  for (std::size_t size = 0; size < good.size(); size++) CHECK(!refusal(good.substr(0, size)).empty());
  int refused = 0;
  for (int i = 0; i < 20000; i++) {
    std::string bytes = good;
    for (std::size_t hits = 1 + upTo(4); hits > 0; hits--) {
      const std::size_t at = upTo(bytes.size()), size = upTo(12);
      if (hits % 2)
        bytes[at] = static_cast<char>(upTo(256));
      else if (i % 2)
        bytes.erase(at, size);
      else
        bytes.insert(at, bytes, upTo(bytes.size()), size);
    }
    refused += !refusal(bytes).empty();
  }
  CHECK(refused > 10000);
}

TEST(json_is_read_strictly) {
  for (const char* good : {"{}", "[1, -2.5e-3, 0, true, false, null]", "\"\\ud83c\\udfb8 \\n\"", " {\"a\": {\"b\": []}} "})
    CHECK(jsonFault(good).empty());
  for (const char* bad : {"", "{", "[1,]", "{\"a\":1,}", "01", "1.", ".5", "+1", "1e", "nul", "NaN", "1 2", "'a'", "\"\\x\"",
                          "\"\n\"", "\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\xC0\x80\"", "\"\xED\xA0\x80\"", "\"\xF5\x80\x80\x80\"",
                          "\"\xE2\x99\"", "{\"a\":1,\"a\":2}", "1e999", "{1:2}"})
    CHECK(!jsonFault(bad).empty());
  const std::string deep(40, '[');
  CHECK(jsonFault(deep).find("nested too deep") != std::string::npos);
}

TEST(a_response_is_read_from_every_usual_wav_file) {
  const std::vector<float> truth = {0.5f, -0.25f};
  CHECK(wavSamples(wav(1, 8, 1, number(192, 1) + number(96, 1))) == truth);
  CHECK(wavSamples(wav(1, 16, 1, number(0x4000, 2) + number(0xE000, 2))) == truth);
  CHECK(wavSamples(wav(1, 24, 1, number(0x400000, 3) + number(0xE00000, 3))) == truth);
  CHECK(wavSamples(wav(1, 32, 1, number(0x40000000, 4) + number(0xE0000000, 4))) == truth);
  CHECK(wavSamples(wav(3, 32, 1, number(0x3F000000, 4) + number(0xBE800000, 4))) == truth);
  CHECK(wavSamples(wav(3, 64, 1, number(0x3FE0000000000000, 8) + number(0xBFD0000000000000, 8))) == truth);
  const std::string stereo = wav(1, 16, 2, number(0x4000, 2) + number(1, 2) + number(0xE000, 2) + number(2, 2));
  CHECK(wavSamples(stereo) == truth);
}

TEST(a_broken_wav_file_says_what_is_wrong) {
  const std::string good = wav(1, 16, 1, number(0x4000, 2) + number(0xE000, 2));
  CHECK(wavRefusal(good).empty());
  for (std::size_t size = 0; size < good.size(); size++) CHECK(!wavRefusal(good.substr(0, size)).empty());
  CHECK(wavRefusal("RIFX").find("not a WAV") != std::string::npos);
  CHECK(wavRefusal(wav(2, 4, 1, "ab")).find("coded as number 2 with 4 bits") != std::string::npos);
  CHECK(wavRefusal(wav(1, 16, 0, "ab")).find("no channels") != std::string::npos);
  CHECK(wavRefusal(wav(3, 32, 1, number(0x7FC00000, 4))).find("not finite") != std::string::npos);
  CHECK(wavRefusal(good.substr(0, good.size() - 2)).find("cut short") != std::string::npos);
}

TEST(what_the_fuzzer_once_found_interesting_stays_harmless) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TUBETWIN_CORPUS)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    count += LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()) == 0;
  }
  CHECK(count > 50);
}
