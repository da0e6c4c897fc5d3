// Reads a twin, the file that docs/twin-file.md describes, and refuses what is not one.
//
// With safetensors.h and json.h the only code that touches bytes from outside. Every refusal names
// the file, the key and the fault.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tubetwin/network.h"
#include "tubetwin/safetensors.h"

namespace tubetwin {

// One control of the amp, in the values printed on its panel.
struct Knob {
  std::string name;
  double minimum = 0, maximum = 1, initial = 0;
};

struct FilmLayer {
  int rows = 0, columns = 0;
  std::vector<float> weight, bias;  // (rows, columns), (rows)
};

// What the twin answers, from silence, at each setting.
struct Check {
  int settings = 0, samples = 0;
  std::vector<float> input, knobs, output;  // (samples), (settings, K), (settings, samples)
};

// Everything the file says, validated; shapes as in docs/twin-file.md.
struct Twin {
  std::string name;
  std::string description;  // the JSON object, as it stands in the file
  double sampleRateHz = 0;
  std::vector<Knob> knobs;
  Architecture architecture;
  std::vector<float> lift, liftBias, taps, tapsBias, alpha, mix, mixBias, head;
  float headBias = 0;
  std::vector<FilmLayer> film;
  Check check;
};

class TwinReader {
 public:
  // Raises BadTwin. [main-thread]
  static Twin read(const unsigned char* bytes, std::size_t size) {
    TwinReader reader(bytes, size);
    reader.readDescription();
    reader.takeTensors();
    return std::move(reader.twin_);
  }

 private:
  static constexpr double kLargestField = 1 << 20;  // samples: 22 s at 48 kHz

  TwinReader(const unsigned char* bytes, std::size_t size) : file_(bytes, size) {}
  [[noreturn]] static void fail(const std::string& what) { TensorFile::fail(what); }

  // ---- the description ----

  void readDescription() {
    const std::string* format = file_.metadata("format");
    const std::string* text = file_.metadata("tubetwin");
    if (!format || *format != "tubetwin" || !text)
      fail("is a safetensors file, but no twin: it has no description `tubetwin`");
    twin_.description = *text;
    const Json description = TensorFile::readJson(*text, "description");
    const double version = number(description, "format", "description");
    if (version != 1) fail("is of twin format " + shown(version) + "; this program reads format 1");
    twin_.name = string(description, "name", "description");
    twin_.sampleRateHz = number(description, "sample_rate_hz", "description");
    if (twin_.name.empty()) fail("description: name is empty");
    if (!(twin_.sampleRateHz >= 1 && twin_.sampleRateHz <= 1e9) || twin_.sampleRateHz != std::floor(twin_.sampleRateHz))
      fail("description: sample_rate_hz is " + shown(twin_.sampleRateHz));
    readKnobs(member(description, "knobs", Json::Type::array, "description"));
    readArchitecture(member(description, "architecture", Json::Type::object, "description"));
  }

  void readKnobs(const Json& list) {
    if (list.items.size() > kMaxKnobs) fail("description: more than " + std::to_string(kMaxKnobs) + " knobs");
    for (const Json& item : list.items) {
      const std::string who = "description: knob " + std::to_string(twin_.knobs.size() + 1);
      Knob knob{string(item, "name", who), number(item, "minimum", who), number(item, "maximum", who),
                number(item, "default", who)};
      if (knob.name.empty()) fail(who + " has no name");
      if (!(knob.minimum < knob.maximum) || knob.initial < knob.minimum || knob.initial > knob.maximum)
        fail(who + ", " + knob.name + ", needs minimum <= default <= maximum, minimum < maximum");
      for (const Knob& other : twin_.knobs)
        if (lower(other.name) == lower(knob.name)) fail("description: two knobs are called " + knob.name);
      twin_.knobs.push_back(std::move(knob));
    }
  }

  static std::string lower(std::string name) {
    for (char& c : name)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 'a' - 'A');
    return name;
  }

  void readArchitecture(const Json& from) {
    const std::string who = "architecture";
    Architecture& shape = twin_.architecture;
    shape.channels = whole(from, "channels", 1, kMaxChannels);
    shape.kernelSize = whole(from, "kernel_size", 1, kMaxKernelSize);
    const Shape dilations = TensorFile::integers(from.find("dilations"), who + ": dilations is no list of whole numbers");
    if (dilations.empty() || dilations.size() > kMaxLayers)
      fail(who + ": " + std::to_string(dilations.size()) + " dilations, not 1 to " + std::to_string(kMaxLayers));
    double field = 1;
    for (const std::int64_t dilation : dilations) {
      if (dilation < 1) fail(who + ": a dilation is 0");
      field += static_cast<double>(dilation) * (shape.kernelSize - 1);
      if (field > kLargestField || dilation > kLargestField)
        fail(who + ": the receptive field is longer than " + shown(kLargestField) + " samples");
      shape.dilations[shape.layers++] = static_cast<int>(dilation);
    }
    shape.dense = choice(from, "taps", "depthwise", "dense");
    shape.fullMix = choice(from, "mix", "scale", "full");
  }

  // Whether `key` is the second of two words.
  static bool choice(const Json& from, const char* key, const char* first, const char* second) {
    const std::string word = string(from, key, "architecture");
    if (word != first && word != second)
      fail(std::string("architecture: ") + key + " is \"" + word + "\", not " + first + " or " + second);
    return word == second;
  }

  static int whole(const Json& from, const char* key, int least, int most) {
    const double value = number(from, key, "architecture");
    if (!(value >= least && value <= most) || value != std::floor(value))
      fail(std::string("architecture: ") + key + " is " + shown(value) + ", not a whole number from " +
           std::to_string(least) + " to " + std::to_string(most));
    return static_cast<int>(value);
  }

  static const Json& member(const Json& object, const char* key, Json::Type type, const std::string& who) {
    const Json* found = object.find(key);
    if (!found) fail(who + " lacks " + key);
    if (!found->is(type)) fail(who + ": " + key + " is of the wrong type");
    return *found;
  }
  static double number(const Json& object, const char* key, const std::string& who) {
    return member(object, key, Json::Type::number, who).number;
  }
  static std::string string(const Json& object, const char* key, const std::string& who) {
    return member(object, key, Json::Type::string, who).text;
  }
  static std::string shown(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.15g", value);
    return text;
  }

  // ---- the tensors, each by name and shape ----

  void takeTensors() {
    const Architecture& shape = twin_.architecture;
    const std::int64_t L = shape.layers, C = shape.channels, n = shape.kernelSize;
    twin_.lift = file_.take("lift.weight", {C});
    twin_.liftBias = file_.take("lift.bias", {C});
    twin_.taps = file_.take("taps.weight", shape.dense ? Shape{L, n, C, C} : Shape{L, n, C});
    twin_.tapsBias = file_.take("taps.bias", {L, C});
    twin_.alpha = file_.take("snake.alpha", {L, C});
    for (const float alpha : twin_.alpha)
      if (!(alpha > 0)) fail("tensor snake.alpha holds a value that is not above 0");
    twin_.mix = file_.take("mix.weight", shape.fullMix ? Shape{L - 1, C, C} : Shape{L - 1, C});
    twin_.mixBias = file_.take("mix.bias", {L - 1, C});
    twin_.head = file_.take("head.weight", {L, C});
    twin_.headBias = file_.take("head.bias", {1})[0];
    if (!twin_.knobs.empty()) takeFilm(2 * L * C);
    takeCheck();
    file_.expectEmpty();
  }

  void takeFilm(std::int64_t values) {
    const auto name = [](int i) { return "film." + std::to_string(i); };
    const Shape* first = file_.shapeOf("film.0.weight");
    const std::int64_t hidden = first && !first->empty() ? (*first)[0] : 0;
    std::int64_t columns = static_cast<std::int64_t>(twin_.knobs.size());
    for (int i = 0; i == 0 || file_.shapeOf(name(i) + ".weight"); i++) {
      const std::int64_t rows = file_.shapeOf(name(i + 1) + ".weight") ? hidden : values;
      std::vector<float> weight = file_.take(name(i) + ".weight", {rows, columns});
      std::vector<float> bias = file_.take(name(i) + ".bias", {rows});
      twin_.film.push_back({static_cast<int>(rows), static_cast<int>(columns), std::move(weight), std::move(bias)});
      columns = rows;
    }
  }

  void takeCheck() {
    Check& check = twin_.check;
    const Shape* input = file_.shapeOf("check.input");
    const Shape* settings = file_.shapeOf("check.settings");
    const std::int64_t samples = input && input->size() == 1 ? (*input)[0] : 0;
    const std::int64_t count = settings && settings->size() == 2 ? (*settings)[0] : 0;
    if (samples > INT32_MAX || count > INT32_MAX) fail("tensor check.input is too large");
    check.samples = static_cast<int>(samples);
    check.settings = static_cast<int>(count);
    check.input = file_.take("check.input", {samples});
    check.knobs = file_.take("check.settings", {count, static_cast<std::int64_t>(twin_.knobs.size())});
    check.output = file_.take("check.output", {count, samples});
    if (count < 1) fail("tensor check.settings holds no setting");
    for (const float knob : check.knobs)
      if (knob < 0 || knob > 1) fail("tensor check.settings holds a value outside 0 to 1");
    std::int64_t field = 1;
    for (int l = 0; l < twin_.architecture.layers; l++)
      field += static_cast<std::int64_t>(twin_.architecture.kernelSize - 1) * twin_.architecture.dilations[l];
    if (samples <= field)
      fail("tensor check.input has " + std::to_string(samples) + " samples, not more than the receptive field, " +
           std::to_string(field));
  }

  TensorFile file_;
  Twin twin_;
};

// From memory, for hosts that keep twins in their own files; error messages call it `name`.
// Raises BadTwin. [main-thread]
inline Twin readTwin(const void* bytes, std::size_t size, const std::string& name = "twin") {
  try {
    return TwinReader::read(static_cast<const unsigned char*>(bytes), size);
  } catch (const BadTwin& error) {
    throw BadTwin(name + ": " + error.what());
  }
}

// Raises BadTwin. [main-thread]
inline Twin loadTwin(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) throw BadTwin(path + ": cannot be opened");
  constexpr std::size_t kLargestFile = std::size_t{1} << 30;
  std::vector<unsigned char> bytes, chunk(1 << 16);
  while (const std::size_t count = std::fread(chunk.data(), 1, chunk.size(), file.get())) {
    bytes.insert(bytes.end(), chunk.begin(), chunk.begin() + count);
    if (bytes.size() > kLargestFile) throw BadTwin(path + ": is too large to be a twin");
  }
  if (std::ferror(file.get())) throw BadTwin(path + ": cannot be read");
  return readTwin(bytes.data(), bytes.size(), path);
}

}  // namespace tubetwin
