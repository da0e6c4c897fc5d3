// One block of memory for everything a player needs, and the account of what each part takes.
//
// The parts are placed twice: a first time to measure, and after `allocate` for real.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

namespace tubetwin {

enum class Part { delayLines, weights, film, scratch, cabinet, resampler, padding };
constexpr int kParts = 7;
constexpr std::size_t kAlignment = 64;  // a cache line, and the widest vector

class Memory {
 public:
  Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() { release(); }

  // The next `count` elements of T; a null pointer while measuring. [main-thread]
  template <class T>
  T* take(Part part, std::size_t count) {
    const std::size_t start = (used_ + kAlignment - 1) / kAlignment * kAlignment;
    bytes_[static_cast<int>(Part::padding)] += start - used_;
    bytes_[static_cast<int>(part)] += count * sizeof(T);
    used_ = start + count * sizeof(T);
    return start_ ? reinterpret_cast<T*>(start_ + start) : nullptr;
  }

  // Reserves, zeroed, what was measured, and starts again at its beginning. [main-thread]
  void allocate() {
    start_ = static_cast<char*>(::operator new(used_, std::align_val_t(kAlignment)));
    std::memset(start_, 0, used_);
    used_ = 0;
    std::memset(bytes_, 0, sizeof bytes_);
  }

  // Gives everything back, to measure anew. [main-thread]
  void clear() {
    release();
    used_ = 0;
    std::memset(bytes_, 0, sizeof bytes_);
  }

  // Makes the first `count` bytes those of another block. [main-thread]
  void copy(const Memory& from, std::size_t count) { std::memcpy(start_, from.start_, count); }

  // [main-thread]
  void swap(Memory& other) noexcept {
    std::swap(start_, other.start_);
    std::swap(used_, other.used_);
    std::swap(bytes_, other.bytes_);
  }

  std::size_t bytes(Part part) const { return bytes_[static_cast<int>(part)]; }
  std::size_t total() const { return used_; }

 private:
  void release() {
    if (start_) ::operator delete(start_, std::align_val_t(kAlignment));
    start_ = nullptr;
  }

  char* start_ = nullptr;
  std::size_t used_ = 0;
  std::size_t bytes_[kParts] = {};
};

}  // namespace tubetwin
