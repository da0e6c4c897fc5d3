// Puts the font files into the program; CMake says where they lie.
#include "panel_fonts.h"

#define TUBETWIN_FONT(name, file)                                                                     \
  extern "C" const unsigned char tubetwin_font_##name[], tubetwin_font_##name##_end[];                \
  __asm__(".section .rodata\n.hidden tubetwin_font_" #name "\n.hidden tubetwin_font_" #name "_end\n"  \
          ".global tubetwin_font_" #name "\n.global tubetwin_font_" #name "_end\n"                    \
          "tubetwin_font_" #name ":\n.incbin \"" TUBETWIN_FONTS "/" file ".ttf\"\n"                   \
          "tubetwin_font_" #name "_end:\n.byte 0\n.previous\n");                                      \
  tubetwin::plugin::FontFile tubetwin::plugin::name##Font() {                                         \
    return {tubetwin_font_##name, static_cast<std::size_t>(tubetwin_font_##name##_end - tubetwin_font_##name)}; \
  }

TUBETWIN_FONT(sans, "LiberationSans-Regular")
TUBETWIN_FONT(bold, "LiberationSans-Bold")
TUBETWIN_FONT(script, "LiberationSerif-BoldItalic")
