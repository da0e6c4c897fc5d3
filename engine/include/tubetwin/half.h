// Half a float: half the memory, 11 bits of precision (IEEE 754 binary16).
#pragma once

namespace tubetwin {

struct Half {
  unsigned short bits;
};

}  // namespace tubetwin
