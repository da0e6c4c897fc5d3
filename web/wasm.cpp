// What the engine needs around it in a browser, where there is no operating system.
//
// The C door is exported by the linker (scripts/make-web.sh). Here is what is missing below it: the
// tag that C++ exceptions carry through WebAssembly, which this toolchain leaves to its user, and
// the system calls that the C library would import. They find nothing and fail, so the module
// imports nothing and can touch nothing but its own memory.

#include <cstdint>

asm(R"(
.tagtype __cpp_exception i32
.globl __cpp_exception
__cpp_exception:
)");

// WASI preview 1, as wasi-libc names it; pointers and sizes are 32 bits.
#define WASI(name) __imported_wasi_snapshot_preview1_##name

namespace {
constexpr int kDone = 0, kNotSupported = 58;
}

extern "C" {

int WASI(environ_sizes_get)(std::uint32_t* variables, std::uint32_t* bytes) {
  *variables = *bytes = 0;
  return kDone;
}
int WASI(environ_get)(void*, void*) { return kDone; }
int close(int) { return -1; }
int WASI(fd_seek)(int, std::int64_t, int, void*) { return kNotSupported; }
int WASI(fd_write)(int, const void*, std::uint32_t, void*) { return kNotSupported; }
void WASI(proc_exit)(int) { __builtin_trap(); }
}
