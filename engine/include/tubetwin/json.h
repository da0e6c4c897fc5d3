// A small strict JSON reader (RFC 8259) for descriptions that come from outside.
#pragma once

#include <cmath>
#include <cstddef>
#include <locale>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tubetwin {

struct BadJson : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// One value. Objects keep their keys in order, keys[i] belonging to items[i].
struct Json {
  enum class Type { null, boolean, number, string, array, object };
  Type type = Type::null;
  bool boolean = false;
  double number = 0;
  std::string text;
  std::vector<std::string> keys;
  std::vector<Json> items;

  bool is(Type wanted) const { return type == wanted; }
  const Json* find(std::string_view key) const {
    for (std::size_t i = 0; i < keys.size(); i++)
      if (keys[i] == key) return &items[i];
    return nullptr;
  }
};

class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : text_(text) {}

  // Raises BadJson.
  Json read() {
    Json value = readValue(0);
    skipSpace();
    if (at_ != text_.size()) fail("something follows its end");
    return value;
  }

 private:
  static constexpr int kDeepest = 32;
  static constexpr std::size_t kMostKeys = 1000;

  [[noreturn]] void fail(const std::string& what) const {
    throw BadJson("not JSON: " + what + " at byte " + std::to_string(at_));
  }
  bool done() const { return at_ == text_.size(); }
  char peek() const { return done() ? '\0' : text_[at_]; }
  char next() {
    if (done()) fail("it stops short");
    return text_[at_++];
  }
  void skipSpace() {
    while (!done() && std::string_view(" \t\n\r").find(text_[at_]) != std::string_view::npos) at_++;
  }
  bool take(char wanted) {
    skipSpace();
    if (done() || text_[at_] != wanted) return false;
    at_++;
    return true;
  }
  void expect(char wanted) {
    if (!take(wanted)) fail(std::string("no '") + wanted + "'");
  }

  Json readValue(int depth) {
    if (depth > kDeepest) fail("nested too deep");
    skipSpace();
    switch (peek()) {
      case '{': return readObject(depth);
      case '[': return readArray(depth);
      case '"': return readText();
      case 't': return readWord("true", Json::Type::boolean, true);
      case 'f': return readWord("false", Json::Type::boolean, false);
      case 'n': return readWord("null", Json::Type::null, false);
      default: return readNumber();
    }
  }

  Json readObject(int depth) {
    Json object;
    object.type = Json::Type::object;
    expect('{');
    if (take('}')) return object;
    do {
      skipSpace();
      std::string key = readString();
      if (object.keys.size() == kMostKeys) fail("too many keys");
      if (object.find(key)) fail("the key \"" + key + "\" is there twice");
      expect(':');
      object.items.push_back(readValue(depth + 1));
      object.keys.push_back(std::move(key));
    } while (take(','));
    expect('}');
    return object;
  }

  Json readArray(int depth) {
    Json array;
    array.type = Json::Type::array;
    expect('[');
    if (take(']')) return array;
    do array.items.push_back(readValue(depth + 1));
    while (take(','));
    expect(']');
    return array;
  }

  Json readWord(std::string_view word, Json::Type type, bool boolean) {
    if (text_.substr(at_, word.size()) != word) fail("an unknown word");
    at_ += word.size();
    Json value;
    value.type = type;
    value.boolean = boolean;
    return value;
  }

  bool digits() {
    const std::size_t start = at_;
    while (peek() >= '0' && peek() <= '9') at_++;
    return at_ > start;
  }

  Json readNumber() {
    const std::size_t start = at_;
    if (peek() == '-') at_++;
    const bool zero = peek() == '0';
    const std::size_t whole = at_;
    bool good = digits() && !(zero && at_ - whole > 1);
    if (good && peek() == '.') good = (at_++, digits());
    if (good && (peek() == 'e' || peek() == 'E')) {
      at_++;
      if (peek() == '+' || peek() == '-') at_++;
      good = digits();
    }
    if (!good) fail("no value");
    Json value;
    value.type = Json::Type::number;
    std::istringstream stream{std::string(text_.substr(start, at_ - start))};
    stream.imbue(std::locale::classic());  // a host may have set a locale with decimal commas
    if (!(stream >> value.number) || !std::isfinite(value.number)) fail("a number too large");
    return value;
  }

  Json readText() {
    Json value;
    value.type = Json::Type::string;
    value.text = readString();
    return value;
  }

  std::string readString() {
    std::string text;
    expect('"');
    while (true) {
      const unsigned char c = static_cast<unsigned char>(next());
      if (c == '"') return text;
      if (c < 0x20) fail("a control character in a string");
      if (c == '\\')
        readEscape(text);
      else if (c < 0x80)
        text += static_cast<char>(c);
      else
        readUtf8(text, c);
    }
  }

  void readEscape(std::string& text) {
    const char c = next();
    const std::string_view from = "\"\\/bfnrt", to = "\"\\/\b\f\n\r\t";
    if (c == 'u') return append(text, readCodePoint());
    const std::size_t i = from.find(c);
    if (i == std::string_view::npos) fail("an unknown escape");
    text += to[i];
  }

  unsigned readHex() {
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
      const char c = next();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) fail("a bad \\u escape");
      value = value * 16 + static_cast<unsigned>(digit);
    }
    return value;
  }

  unsigned readCodePoint() {
    const unsigned first = readHex();
    if (first < 0xD800 || first > 0xDFFF) return first;
    if (first > 0xDBFF || next() != '\\' || next() != 'u') fail("half a surrogate pair");
    const unsigned second = readHex();
    if (second < 0xDC00 || second > 0xDFFF) fail("half a surrogate pair");
    return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
  }

  static void append(std::string& text, unsigned point) {
    const auto byte = [&](unsigned value) { text += static_cast<char>(value); };
    if (point < 0x80) return byte(point);
    if (point < 0x800) {
      byte(0xC0 | point >> 6);
    } else if (point < 0x10000) {
      byte(0xE0 | point >> 12);
      byte(0x80 | (point >> 6 & 0x3F));
    } else {
      byte(0xF0 | point >> 18);
      byte(0x80 | (point >> 12 & 0x3F));
      byte(0x80 | (point >> 6 & 0x3F));
    }
    byte(0x80 | (point & 0x3F));
  }

  void readUtf8(std::string& text, unsigned first) {
    const int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
    unsigned point = first & (0x3F >> more);
    bool good = first >= 0xC2 && first <= 0xF4;
    for (int i = 0; good && i < more; i++) {
      const unsigned c = static_cast<unsigned char>(next());
      good = (c & 0xC0) == 0x80;
      point = point << 6 | (c & 0x3F);
    }
    const unsigned least[] = {0, 0x80, 0x800, 0x10000};
    good = good && point >= least[more] && point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF);
    if (!good) fail("a string that is not UTF-8");
    append(text, point);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace tubetwin
