// What lies in the plugin's folder beside the program: the twin, its cabinet, its name and its programs.
//
// src/tubetwin/bundle.py writes these files. One that is missing or makes no sense is passed over, and the
// host's log says so: a plugin that stops its host is worse than one without a twin.
#pragma once

#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "tubetwin/json.h"

namespace tubetwin::plugin {

struct Program {
  std::string name;
  std::vector<std::pair<std::string, double>> knobs;  // printed name, printed value
};

struct Bundle {
  std::string twin, cabinet;  // the files' bytes; empty: none
  std::string name = "tubetwin without a twin";
  std::vector<Program> programs;
};

inline void complain(const std::string& what) { std::fprintf(stderr, "tubetwin: %s\n", what.c_str()); }

inline std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return file ? std::string(std::istreambuf_iterator<char>(file), {}) : std::string();
}

inline std::vector<Program> readPrograms(const Json& list) {
  std::vector<Program> programs;
  for (std::size_t i = 0; i < list.keys.size(); i++) {
    Program program{list.keys[i], {}};
    for (std::size_t k = 0; k < list.items[i].keys.size(); k++)
      if (list.items[i].items[k].is(Json::Type::number))
        program.knobs.emplace_back(list.items[i].keys[k], list.items[i].items[k].number);
    programs.push_back(std::move(program));
  }
  return programs;
}

// `stem`.twin, `stem`.wav and `stem`.json. [main-thread]
inline Bundle readBundle(const std::string& stem) {
  Bundle bundle;
  bundle.twin = contents(stem + ".twin");
  bundle.cabinet = contents(stem + ".wav");
  if (bundle.twin.empty()) complain("there is no twin at " + stem + ".twin: export the plugin again");
  const std::string text = contents(stem + ".json");
  try {
    const Json about = JsonReader(text).read();
    const Json *name = about.find("name"), *programs = about.find("programs");
    if (name && name->is(Json::Type::string) && !bundle.twin.empty()) bundle.name = name->text;
    if (programs) bundle.programs = readPrograms(*programs);
  } catch (const std::exception& error) {
    complain(stem + ".json: " + error.what());
  }
  return bundle;
}

}  // namespace tubetwin::plugin
