#!/bin/sh
# What the build needs from the system: installed where we may, named where we may not.
# With "tests", also what only the tests need: a browser, and an audio server that needs no card.
# With "plugin", what `make plugin` needs: the plugin framework's sources. With "plugin-tests", hosts.
# With "panel", what the plugin's window needs, with "panel-tests" a screen that nobody sees.
# With "elsewhere-tests", what runs programs for Windows.
# With "fuzz", what `make fuzz` needs.
set -eu
packages=""
command -v g++ > /dev/null || packages="$packages g++"
command -v cmake > /dev/null || packages="$packages cmake"
command -v make > /dev/null || packages="$packages make"
command -v python3 > /dev/null || packages="$packages python3"
python3 -c 'import venv, ensurepip' 2> /dev/null || packages="$packages python3-venv"
command -v ngspice > /dev/null || packages="$packages ngspice"  # the judge of the circuit
python3 -c 'import ctypes.util, sys; sys.exit(not ctypes.util.find_library("portaudio"))' \
  || packages="$packages libportaudio2"  # the sound card, for tubetwin live
if [ "${1:-}" = tests ]; then
  command -v node > /dev/null || packages="$packages nodejs"
  command -v chromium > /dev/null || command -v chromium-browser > /dev/null || packages="$packages chromium"
  command -v jackd > /dev/null || packages="$packages jackd2"
  [ -d /usr/share/fonts/truetype/liberation ] || packages="$packages fonts-liberation"
fi
if [ "${1:-}" = fuzz ]; then
  command -v clang++ > /dev/null || packages="$packages clang"
  echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }' |
    clang++ -x c++ -fsanitize=fuzzer,address - -o /dev/null 2> /dev/null || packages="$packages libclang-rt-dev"
fi
if [ "${1:-}" = plugin ] || [ "${1:-}" = plugin-tests ]; then
  [ -d /usr/share/dpf/distrho ] || packages="$packages dpf-source"
fi
if [ "${1:-}" = plugin-tests ]; then
  command -v jalv > /dev/null || packages="$packages jalv"
  command -v lv2info > /dev/null || packages="$packages lilv-utils"
  command -v sord_validate > /dev/null || packages="$packages sordi"
  command -v jackd > /dev/null || packages="$packages jackd2"
  ls /usr/lib/*/qtractor/qtractor_plugin_scan > /dev/null 2>&1 || packages="$packages qtractor"
  [ -d /usr/lib/lv2/core.lv2 ] || packages="$packages lv2-dev"
  ls /usr/lib/ardour*/ardour-vst3-scanner > /dev/null 2>&1 || packages="$packages ardour"
fi
if [ "${1:-}" = panel ] || [ "${1:-}" = panel-tests ]; then
  command -v pkg-config > /dev/null || packages="$packages pkg-config"
  [ -e /usr/include/GL/glx.h ] || packages="$packages libgl-dev"
  [ -e /usr/include/X11/Xlib.h ] || packages="$packages libx11-dev"
  [ -d /usr/share/fonts/truetype/liberation2 ] || packages="$packages fonts-liberation2"
fi
if [ "${1:-}" = panel-tests ]; then
  command -v Xvfb > /dev/null || packages="$packages xvfb"
  command -v xdotool > /dev/null || packages="$packages xdotool"
  command -v xsettingsd > /dev/null || packages="$packages xsettingsd"  # pedalboard opens no windows
  command -v openbox > /dev/null || packages="$packages openbox"        # without these two
  ls /usr/lib/*/dri/swrast_dri.so > /dev/null 2>&1 || packages="$packages libgl1-mesa-dri"
fi
if [ "${1:-}" = elsewhere-tests ]; then
  command -v wine > /dev/null || [ -x /usr/lib/wine/wine64 ] || packages="$packages wine64"
fi
[ -z "$packages" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
  echo "installing$packages"
  export DEBIAN_FRONTEND=noninteractive  # or jackd2 asks about real time
  apt-get update -qq && apt-get install -y -qq --no-install-recommends $packages > /dev/null
else
  echo "please install:$packages  (on Debian or Ubuntu: sudo apt-get install$packages)" >&2
  exit 2
fi
