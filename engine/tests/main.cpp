// Runs the engine's laws, all or those whose name contains the argument.
#include <cstring>

#include "check.h"

int main(int argc, char** argv) {
  for (const Test& test : tests()) {
    if (argc > 1 && !std::strstr(test.name, argv[1])) continue;
    const int before = failures();
    test.run();
    std::printf("%s %s\n", failures() == before ? "ok  " : "FAIL", test.name);
  }
  return failures() ? 1 : 0;
}
