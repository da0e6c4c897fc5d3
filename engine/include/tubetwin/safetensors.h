// A safetensors file in memory: named tensors and a few lines of text, nothing that runs.
//
// 8 bytes of header size, little endian; a JSON header; the data. Format:
// https://github.com/huggingface/safetensors. Whatever the bytes are, nothing is read beyond them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tubetwin/json.h"

namespace tubetwin {

struct BadTwin : std::runtime_error {
  using std::runtime_error::runtime_error;
};

using Shape = std::vector<std::int64_t>;

class TensorFile {
 public:
  // The bytes must outlive it. Raises BadTwin. [main-thread]
  TensorFile(const unsigned char* bytes, std::size_t size) {
    if (size < 8) fail("is too short to be a twin (a safetensors file)");
    std::uint64_t header = 0;
    for (int i = 7; i >= 0; i--) header = header << 8 | bytes[i];
    if (header > kLargestHeader) fail("is not a twin (a safetensors file)");
    if (header > size - 8) fail("is truncated: its header stops short");
    const std::size_t length = static_cast<std::size_t>(header);
    header_ = readJson({reinterpret_cast<const char*>(bytes) + 8, length}, "header");
    data_ = bytes + 8 + length;
    for (std::size_t i = 0; i < header_.keys.size(); i++)
      if (header_.keys[i] != "__metadata__")
        tensors_.push_back(readEntry(header_.keys[i], header_.items[i], size - 8 - length));
    checkCoverage(size - 8 - length);
  }

  // A JSON object. Raises BadTwin that calls it `what`.
  static Json readJson(std::string_view text, const std::string& what) {
    try {
      Json object = JsonReader(text).read();
      if (!object.is(Json::Type::object)) fail("the " + what + " is no JSON object");
      return object;
    } catch (const BadJson& error) {
      fail("the " + what + " is " + error.what());
    }
  }

  // The text under `key`, or null.
  const std::string* metadata(const char* key) const {
    const Json* all = header_.find("__metadata__");
    const Json* entry = all ? all->find(key) : nullptr;
    return entry && entry->is(Json::Type::string) ? &entry->text : nullptr;
  }

  // The shape of a tensor not yet taken, or null.
  const Shape* shapeOf(const std::string& name) const {
    const Tensor* tensor = find(name);
    return tensor ? &tensor->shape : nullptr;
  }

  // The values of one tensor, which is then off the list. Raises BadTwin.
  std::vector<float> take(const std::string& name, const Shape& shape) {
    const Tensor* tensor = find(name);
    if (!tensor) fail("tensor " + name + " is missing");
    if (tensor->shape != shape)
      fail("tensor " + name + " has the shape " + shown(tensor->shape) + ", not " + shown(shape));
    std::vector<float> values((tensor->end - tensor->begin) / sizeof(float));
    if (!values.empty()) std::memcpy(values.data(), data_ + tensor->begin, tensor->end - tensor->begin);
    for (const float value : values)
      if (!std::isfinite(value)) fail("tensor " + name + " holds a value that is not finite");
    tensors_.erase(tensors_.begin() + (tensor - tensors_.data()));
    return values;
  }

  // Raises BadTwin if a tensor is left.
  void expectEmpty() const {
    if (!tensors_.empty()) fail("tensor " + tensors_[0].name + " is no part of a twin of this architecture");
  }

  // The list as whole numbers >= 0. Raises BadTwin(otherwise).
  static Shape integers(const Json* list, const std::string& otherwise) {
    Shape values;
    if (!list || !list->is(Json::Type::array)) fail(otherwise);
    for (const Json& item : list->items) {
      const bool fits = item.is(Json::Type::number) && item.number >= 0 && item.number <= 1e15;
      if (!fits || item.number != std::floor(item.number)) fail(otherwise);
      values.push_back(static_cast<std::int64_t>(item.number));
    }
    return values;
  }

  [[noreturn]] static void fail(const std::string& what) { throw BadTwin(what); }

 private:
  struct Tensor {
    std::string name;
    Shape shape;
    std::size_t begin, end;  // bytes of data_
  };

  static constexpr std::size_t kLargestHeader = 1 << 20;

  static Tensor readEntry(const std::string& name, const Json& entry, std::size_t data) {
    const std::string who = "tensor " + name;
    const Json* type = entry.find("dtype");
    if (!type || !type->is(Json::Type::string)) fail(who + " states no dtype");
    if (type->text != "F32") fail(who + " is of type " + type->text + ", not F32");
    const Shape shape = integers(entry.find("shape"), who + " has a bad shape");
    const Shape offsets = integers(entry.find("data_offsets"), who + " has bad data_offsets");
    if (offsets.size() != 2 || offsets[0] > offsets[1]) fail(who + " has bad data_offsets");
    if (static_cast<std::uint64_t>(offsets[1]) > data) fail("is truncated: " + who + " lies beyond its end");
    std::int64_t bytes = 4;
    for (const std::int64_t side : shape) {
      if (side != 0 && bytes > offsets[1] / side) fail(who + " is larger than its data");
      bytes *= side;
    }
    if (bytes != offsets[1] - offsets[0]) fail(who + " has a shape that does not fit its data");
    return {name, shape, static_cast<std::size_t>(offsets[0]), static_cast<std::size_t>(offsets[1])};
  }

  // Tensors lie side by side: no gap, no overlap, nothing behind the last.
  void checkCoverage(std::size_t data) const {
    std::vector<const Tensor*> order;
    for (const Tensor& tensor : tensors_) order.push_back(&tensor);
    std::sort(order.begin(), order.end(), [](const Tensor* a, const Tensor* b) {
      return std::make_pair(a->begin, a->end) < std::make_pair(b->begin, b->end);
    });
    std::size_t at = 0;
    for (const Tensor* tensor : order) {
      if (tensor->begin < at) fail("tensor " + tensor->name + " overlaps another");
      if (tensor->begin > at) fail("there is a hole before tensor " + tensor->name);
      at = tensor->end;
    }
    if (at != data) fail("has " + std::to_string(data - at) + " bytes behind its last tensor");
  }

  const Tensor* find(const std::string& name) const {
    for (const Tensor& tensor : tensors_)
      if (tensor.name == name) return &tensor;
    return nullptr;
  }

  static std::string shown(const Shape& shape) {
    std::string text = "(";
    for (std::size_t i = 0; i < shape.size(); i++) text += (i ? ", " : "") + std::to_string(shape[i]);
    return text + ")";
  }

  Json header_;
  const unsigned char* data_ = nullptr;
  std::vector<Tensor> tensors_;
};

}  // namespace tubetwin
