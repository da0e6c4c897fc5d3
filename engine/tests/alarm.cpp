// Stands in front of malloc, free, pthread_mutex_lock, write and throw (through the linker's --wrap) and
// of operator new and delete.
#include "alarm.h"

#include <pthread.h>
#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <typeinfo>

namespace {

thread_local bool listening = false;
thread_local int calls = 0;
std::atomic<long> live{0};

void ring() {
  if (listening) calls++;
}

// The size goes in front of what is handed out.
void* handOut(std::size_t size, std::size_t alignment) {
  ring();
  const std::size_t room = alignment < 64 ? 64 : alignment;
  char* start = static_cast<char*>(std::aligned_alloc(room, (size + room) / room * room + room));
  if (!start) throw std::bad_alloc();
  *reinterpret_cast<std::size_t*>(start) = size;
  *reinterpret_cast<std::size_t*>(start + sizeof(std::size_t)) = room;
  live += static_cast<long>(size);
  return start + room;
}

void takeBack(void* pointer, std::size_t alignment) {
  ring();
  if (!pointer) return;
  char* start = static_cast<char*>(pointer) - (alignment < 64 ? 64 : alignment);
  live -= static_cast<long>(*reinterpret_cast<std::size_t*>(start));
  std::free(start);
}

}  // namespace

void alarm_bell::start() {
  calls = 0;
  listening = true;
}

int alarm_bell::stop() {
  listening = false;
  return calls;
}

long alarm_bell::liveBytes() { return live; }

void* operator new(std::size_t size) { return handOut(size, 64); }
void* operator new[](std::size_t size) { return handOut(size, 64); }
void* operator new(std::size_t size, std::align_val_t a) { return handOut(size, static_cast<std::size_t>(a)); }
void operator delete(void* p) noexcept { takeBack(p, 64); }
void operator delete[](void* p) noexcept { takeBack(p, 64); }
void operator delete(void* p, std::size_t) noexcept { takeBack(p, 64); }
void operator delete[](void* p, std::size_t) noexcept { takeBack(p, 64); }
void operator delete(void* p, std::align_val_t a) noexcept { takeBack(p, static_cast<std::size_t>(a)); }
void operator delete(void* p, std::size_t, std::align_val_t a) noexcept { takeBack(p, static_cast<std::size_t>(a)); }

extern "C" {
void* __real_malloc(std::size_t);
void* __wrap_malloc(std::size_t size) {
  ring();
  return __real_malloc(size);
}
void __real_free(void*);
void __wrap_free(void* pointer) {
  ring();
  __real_free(pointer);
}
int __real_pthread_mutex_lock(pthread_mutex_t*);
int __wrap_pthread_mutex_lock(pthread_mutex_t* mutex) {
  ring();
  return __real_pthread_mutex_lock(mutex);
}
void __real___cxa_throw(void*, std::type_info*, void (*)(void*)) __attribute__((noreturn));
void __wrap___cxa_throw(void* thrown, std::type_info* type, void (*destroy)(void*)) __attribute__((noreturn));
void __wrap___cxa_throw(void* thrown, std::type_info* type, void (*destroy)(void*)) {
  ring();
  __real___cxa_throw(thrown, type, destroy);
}
ssize_t __real_write(int, const void*, std::size_t);
ssize_t __wrap_write(int file, const void* bytes, std::size_t size) {
  ring();
  return __real_write(file, bytes, size);
}
}
