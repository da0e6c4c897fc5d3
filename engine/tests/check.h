// A test is a function that checks; a failed check says where, and the program goes on and fails.
#pragma once

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

struct Test {
  const char* name;
  std::function<void()> run;
};

inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

inline int& failures() {
  static int count = 0;
  return count;
}

struct Registered {
  Registered(const char* name, void (*run)()) { tests().push_back({name, run}); }
};

#define TEST(name)                                  \
  static void test_##name();                        \
  static const Registered registered_##name(#name, test_##name); \
  static void test_##name()

#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) {                                                       \
      failures()++;                                                           \
      std::printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);     \
    }                                                                         \
  } while (0)
