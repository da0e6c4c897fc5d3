// The panel's letters: Liberation 2 (SIL Open Font License 1.1), whole and unchanged inside the program.
#pragma once

#include <cstddef>

namespace tubetwin::plugin {

struct FontFile {
  const unsigned char* bytes;
  std::size_t size;
};

FontFile sansFont();
FontFile boldFont();
FontFile scriptFont();  // for the plate

}  // namespace tubetwin::plugin
