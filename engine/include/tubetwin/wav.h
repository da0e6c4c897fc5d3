// Reads a WAV file: an impulse response, as speaker makers hand them out.
//
// RIFF/WAVE (Microsoft and IBM 1991): chunks of a name, a size and bytes. Whole numbers of 8 to 32
// bits and floats of 32 and 64 are read; of several channels the first counts.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace tubetwin {

class BadWav : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Wav {
  std::uint32_t rateHz = 0;
  std::vector<float> samples;  // full scale ±1.0, all finite
};

class WavReader {
 public:
  // Raises BadWav. [main-thread]
  static Wav read(const unsigned char* bytes, std::size_t size) {
    if (size < 12 || std::memcmp(bytes, "RIFF", 4) != 0 || std::memcmp(bytes + 8, "WAVE", 4) != 0)
      throw BadWav("is not a WAV file");
    WavReader reader;
    for (std::size_t at = 12; at + 8 <= size;) {
      const std::size_t stated = u32(bytes + at + 4), left = size - at - 8;
      const std::size_t length = stated < left ? stated : left;
      if (std::memcmp(bytes + at, "fmt ", 4) == 0) reader.readFormat(bytes + at + 8, length);
      if (std::memcmp(bytes + at, "data", 4) == 0) return reader.readData(bytes + at + 8, length, stated <= left);
      at += 8 + length + length % 2;
    }
    throw BadWav("has no sound in it: the chunk `data` is missing");
  }

 private:
  enum Coding { whole = 1, floating = 3, extensible = 0xFFFE };

  static std::uint32_t u16(const unsigned char* p) { return p[0] | p[1] << 8; }
  static std::uint32_t u32(const unsigned char* p) { return u16(p) | u16(p + 2) << 16; }

  void readFormat(const unsigned char* chunk, std::size_t length) {
    if (length < 16) throw BadWav("has a format chunk of only " + std::to_string(length) + " bytes");
    coding_ = u16(chunk);
    channels_ = u16(chunk + 2);
    wav_.rateHz = u32(chunk + 4);
    bits_ = u16(chunk + 14);
    if (coding_ == extensible && length >= 26) coding_ = u16(chunk + 24);
    const bool known = coding_ == whole ? bits_ == 8 || bits_ == 16 || bits_ == 24 || bits_ == 32
                                        : coding_ == floating && (bits_ == 32 || bits_ == 64);
    if (!known)
      throw BadWav("is coded as number " + std::to_string(coding_) + " with " + std::to_string(bits_) +
                   " bits; save it as 16, 24 or 32 bits, or as 32-bit float");
    if (channels_ == 0 || wav_.rateHz == 0) throw BadWav("has no channels, or a sample rate of 0");
  }

  Wav readData(const unsigned char* data, std::size_t length, bool complete) {
    if (channels_ == 0) throw BadWav("has no format: the chunk `fmt ` must come before `data`");
    if (!complete) throw BadWav("is cut short");
    const std::size_t frame = std::size_t{channels_} * (bits_ / 8);
    wav_.samples.reserve(length / frame);
    for (std::size_t at = 0; at + frame <= length; at += frame) {
      const double value = sample(data + at);
      if (!(std::abs(value) <= 3e38)) throw BadWav("holds a sample that is not finite");
      wav_.samples.push_back(static_cast<float>(value));
    }
    return std::move(wav_);
  }

  double sample(const unsigned char* p) const {
    if (coding_ == floating && bits_ == 64) {
      double value;
      std::memcpy(&value, p, sizeof value);
      return value;
    }
    if (coding_ == floating) {
      float value;
      std::memcpy(&value, p, sizeof value);
      return static_cast<double>(value);
    }
    if (bits_ == 8) return (p[0] - 128) / 128.0;
    std::uint32_t bits = 0;  // at the upper end, so that the sign is where it belongs
    for (std::uint32_t i = 0; i < bits_ / 8; i++) bits |= static_cast<std::uint32_t>(p[i]) << (32 - bits_ + 8 * i);
    return static_cast<std::int32_t>(bits) / 2147483648.0;
  }

  std::uint32_t coding_ = 0, channels_ = 0, bits_ = 0;
  Wav wav_;
};

// Raises BadWav, whose message names the file. [main-thread]
inline Wav loadWav(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) throw BadWav(path + ": cannot be opened");
  constexpr std::size_t kLargestFile = std::size_t{1} << 28;
  std::vector<unsigned char> bytes, chunk(1 << 16);
  while (const std::size_t count = std::fread(chunk.data(), 1, chunk.size(), file.get())) {
    bytes.insert(bytes.end(), chunk.begin(), chunk.begin() + count);
    if (bytes.size() > kLargestFile) throw BadWav(path + ": is too large to be an impulse response");
  }
  if (std::ferror(file.get())) throw BadWav(path + ": cannot be read");
  try {
    return WavReader::read(bytes.data(), bytes.size());
  } catch (const BadWav& error) {
    throw BadWav(path + ": " + error.what());
  }
}

}  // namespace tubetwin
