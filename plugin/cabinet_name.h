// The name that an impulse response carries in its WAV file: the title, as studio programs write it.
//
// So a project remembers what its cabinet is called, and needs no further key for it. RIFF/WAVE: the chunk
// INAM in a LIST of type INFO (Microsoft and IBM 1991, chapter 2).
#pragma once

#include <cstdint>
#include <cstring>
#include <string>

namespace tubetwin::plugin {

inline std::uint32_t riffNumber(const std::string& bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (int i = 3; i >= 0; i--) value = value << 8 | static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(i)]);
  return value;
}
inline std::string riffNumber(std::uint32_t value) {
  std::string bytes;
  for (int i = 0; i < 4; i++) bytes += static_cast<char>(value >> 8 * i & 255);
  return bytes;
}

// `otherwise` if there is none. Any bytes will do.
inline std::string nameIn(const std::string& wav, const std::string& otherwise) {
  for (std::size_t at = 12; at + 8 <= wav.size();) {
    const std::size_t length = riffNumber(wav, at + 4), end = at + 8 + length;
    const bool info = wav.compare(at, 4, "LIST") == 0 && length >= 4 && wav.compare(at + 8, 4, "INFO") == 0;
    if (info && end <= wav.size())
      for (std::size_t part = at + 12; part + 8 <= end;) {
        const std::size_t size = riffNumber(wav, part + 4);
        if (wav.compare(part, 4, "INAM") == 0 && size > 1 && part + 8 + size <= end)
          return std::string(wav.substr(part + 8, size).c_str());
        part += 8 + size + size % 2;
      }
    at = end + length % 2;
  }
  return otherwise;
}

// The file with a name of its own if it had none; cut files are left as they are.
inline std::string withName(const std::string& wav, const std::string& name) {
  if (name.empty() || !nameIn(wav, "").empty()) return wav;
  if (wav.size() < 12 || std::size_t{riffNumber(wav, 4)} + 8 > wav.size()) return wav;
  std::string title = name + '\0';
  const std::uint32_t length = static_cast<std::uint32_t>(title.size());
  if (length % 2 == 1) title += '\0';
  const std::string info = "INFOINAM" + riffNumber(length) + title;
  std::string whole = wav.substr(0, std::size_t{riffNumber(wav, 4)} + 8);
  if (whole.size() % 2 == 1) whole += '\0';
  whole += "LIST" + riffNumber(static_cast<std::uint32_t>(info.size())) + info;
  return whole.replace(4, 4, riffNumber(static_cast<std::uint32_t>(whole.size() - 8)));
}

}  // namespace tubetwin::plugin
