#!/bin/sh
# What the build and the tests need from the system: installed where we may, named where we may not.
# `need.sh fuzz` also asks for what `make fuzz` needs.
set -eu
packages=""
command -v g++ > /dev/null || packages="$packages g++"
command -v cmake > /dev/null || packages="$packages cmake"
command -v make > /dev/null || packages="$packages make"
command -v python3 > /dev/null || packages="$packages python3"
python3 -c 'import venv, ensurepip' 2> /dev/null || packages="$packages python3-venv"
command -v ngspice > /dev/null || packages="$packages ngspice"  # the judge of the circuit
if [ "${1:-}" = fuzz ]; then
  command -v clang++ > /dev/null || packages="$packages clang"
  echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }' |
    clang++ -x c++ -fsanitize=fuzzer,address - -o /dev/null 2> /dev/null || packages="$packages libclang-rt-dev"
fi
[ -z "$packages" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
  echo "installing$packages"
  apt-get update -qq && apt-get install -y -qq --no-install-recommends $packages > /dev/null
else
  echo "please install:$packages  (on Debian or Ubuntu: sudo apt-get install$packages)" >&2
  exit 2
fi
