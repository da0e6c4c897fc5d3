// Programs that are loaded while another runs, on Linux and on Windows: what the tests' hosts need of them.
#pragma once

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
#else
#include <dlfcn.h>
#endif

#include <cstdio>
#include <cstdlib>

namespace tubetwin::plugin {

#ifdef _WIN32
using Library = HMODULE;
inline Library openLibrary(const char* path) {
  const HMODULE library = LoadLibraryA(path);
  if (!library) std::exit((std::printf("no program: Windows' error %lu\n", GetLastError()), 1));
  return library;
}
template <class Function>
Function find(Library library, const char* name) {
  return reinterpret_cast<Function>(reinterpret_cast<void*>(GetProcAddress(library, name)));
}
inline void closeLibrary(Library library) { FreeLibrary(library); }
#else
using Library = void*;
inline Library openLibrary(const char* path) {
  void* const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) std::exit((std::puts(dlerror()), 1));
  return library;
}
template <class Function>
Function find(Library library, const char* name) {
  return reinterpret_cast<Function>(dlsym(library, name));
}
inline void closeLibrary(Library library) { dlclose(library); }
#endif

}  // namespace tubetwin::plugin
