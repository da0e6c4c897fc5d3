// Numbers below 1e-38 make some processors a hundred times slower: count them as zero meanwhile.
#pragma once

#include <cstdint>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace tubetwin {

// Sets flush-to-zero for its lifetime, and puts back what the host had. [audio-thread]
class WithoutDenormals {
 public:
  WithoutDenormals() noexcept : before_(read()) { write(before_ | kFlush); }
  ~WithoutDenormals() { write(before_); }
  WithoutDenormals(const WithoutDenormals&) = delete;
  WithoutDenormals& operator=(const WithoutDenormals&) = delete;

 private:
#if defined(__SSE__)
  static constexpr std::uint64_t kFlush = 0x8040;  // results and operands: FTZ, DAZ
  static std::uint64_t read() noexcept { return _mm_getcsr(); }
  static void write(std::uint64_t state) noexcept { _mm_setcsr(static_cast<unsigned>(state)); }
#elif defined(__aarch64__)
  static constexpr std::uint64_t kFlush = 1u << 24;  // FZ
  static std::uint64_t read() noexcept {
    std::uint64_t state;
    asm volatile("mrs %0, fpcr" : "=r"(state));
    return state;
  }
  static void write(std::uint64_t state) noexcept { asm volatile("msr fpcr, %0" : : "r"(state)); }
#else  // WebAssembly has no such switch
  static constexpr std::uint64_t kFlush = 0;
  static std::uint64_t read() noexcept { return 0; }
  static void write(std::uint64_t) noexcept {}
#endif

  std::uint64_t before_;
};

}  // namespace tubetwin
