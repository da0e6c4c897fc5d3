#!/bin/sh
# Builds the page into a folder that any static host serves: make-web.sh [FOLDER [SETTING ...]]
#
# The compiler is the Clang of the Python package ziglang, so nothing is installed system-wide. Its
# first run builds a C++ library, which takes a minute or two. With SETTINGs, the amp itself is
# recorded at these only ("none": at none), which saves a minute.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
folder=${1:-build/web}
[ $# -eq 0 ] || shift
objects=build/wasm
mkdir -p "$folder" $objects

target="-target wasm32-wasi -O3 -DNDEBUG -msimd128"
# A broken twin is refused by an exception, and a page that plays on needs it caught. The toolchain
# compiles exceptions but leaves their run-time half out: its own sources for it are compiled here.
target="$target -fwasm-exceptions -mexception-handling -mllvm -wasm-enable-eh"
library=$("$python" -c 'import os, ziglang; print(os.path.join(os.path.dirname(ziglang.__file__), "lib"))')
runtime="-std=c++23 -I$library/libcxxabi/include -I$library/libcxxabi/src -I$library/libcxx/src
  -I$library/libunwind/include -D_LIBCXXABI_BUILDING_LIBRARY -D_LIBCPP_BUILDING_LIBRARY
  -D_LIBCXXABI_HAS_NO_THREADS -D_LIBCXXABI_DISABLE_VISIBILITY_ANNOTATIONS"
engine="-std=c++17 -Iengine -Iengine/include -DTUBETWIN_ISA=baseline
  -DTUBETWIN_KERNELS_TABLE=kKernelsBaseline"

# compile SOURCE FLAGS: an object beside the others, unless the one there is newer than the engine.
compile() {
  object=$objects/$(basename "$1" | sed 's/\.[a-z]*$/.o/')
  built="$built $object"
  [ -z "$(find "$1" engine scripts/make-web.sh -newer "$object" 2>&1 | head -1)" ] && return
  source=$1
  shift
  "$python" -m ziglang c++ $target "$@" -c "$source" -o "$object"
}

built=""  # in this order: what comes first is preferred to the C++ library's own, which gives up
compile web/wasm.cpp -std=c++17
compile "$library/libcxxabi/src/cxa_exception.cpp" $runtime
compile "$library/libcxxabi/src/cxa_personality.cpp" $runtime
compile "$library/libunwind/src/Unwind-wasm.c" -x c -I"$library/libunwind/include" -w \
  -D_LIBUNWIND_HAS_NO_THREADS -D_LIBUNWIND_HIDE_SYMBOLS
compile engine/tubetwin.cpp $engine
compile engine/kernels.cpp $engine

if [ -n "$(find $built -newer "$folder/engine.wasm" 2>&1 | head -1)" ]; then
  exported="-Wl,--export=malloc,--export=free"
  for name in open_bytes description set_knob set_ramp load_cabinet process reset; do
    exported="$exported,--export=tubetwin_$name"
  done
  "$python" -m ziglang c++ $target -mexec-model=reactor -Wl,--gc-sections,--strip-all \
    $exported $built -o "$folder/engine.wasm"
fi

cp web/*.html web/*.js web/*.css web/*.svg "$folder"
"$python" scripts/make_web_files.py "$folder" "$@"
echo "$folder: $(find "$folder" -type f ! -name 'amp-*' -exec gzip -9 -c {} + | wc -c) bytes compressed, and the amp's recordings"
