#!/bin/sh
# Builds the plugins' programs for another system: make-plugins-elsewhere.sh windows|macos [FOLDER]
#
# The compiler is the Clang of the Python package ziglang, which brings what it needs of both systems. Its
# first run builds a C++ library for each, which takes minutes.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
dpf=/usr/share/dpf/distrho
folder=${2:-build/plugin/programs}/$1
objects=build/plugin-$1-make
mkdir -p "$folder" "$objects"

case $1 in
windows)
  target="-target x86_64-windows-gnu" ending=.dll libraries="-lole32 -luuid"
  kernels="baseline avx2 avx512"
  ;;
macos)
  target="-target aarch64-macos" ending=.dylib libraries="-Wl,-undefined,dynamic_lookup"
  kernels=baseline
  ;;
*)
  echo "make-plugins-elsewhere.sh windows|macos [FOLDER], not $1" >&2
  exit 2
  ;;
esac
flags="$target -std=c++17 -O3 -DNDEBUG -fno-sanitize=all -fvisibility=hidden -fdata-sections -ffunction-sections
  -Iengine -Iengine/include -Iplugin -isystem $dpf"

# compile OBJECT SOURCE FLAGS: unless the one there is newer than everything of ours.
compile() {
  object=$objects/$1 source=$2
  built="$built $object"
  [ -z "$(find "$source" engine plugin/*.h scripts/make-plugins-elsewhere.sh -newer "$object" 2>&1 | head -1)" ] && return
  shift 2
  "$python" -m ziglang c++ $flags "$@" -c "$source" -o "$object"
}

# The same tables as in CMakeLists.txt.
built=""
compile tubetwin.o engine/tubetwin.cpp
for isa in $kernels; do
  case $isa in
  baseline) options="-DTUBETWIN_KERNELS_TABLE=kKernelsBaseline" ;;
  avx2) options="-DTUBETWIN_KERNELS_TABLE=kKernelsAvx2 -march=x86_64_v3" ;;
  avx512) options="-DTUBETWIN_KERNELS_TABLE=kKernelsAvx512 -march=x86_64_v4" ;;
  esac
  compile "kernels-$isa.o" engine/kernels.cpp -DTUBETWIN_ISA="$isa" $options
done
engine=$built

for format in CLAP VST3 LV2; do
  for sides in 1 2; do
    built=$engine
    options="-DDISTRHO_PLUGIN_TARGET_$format -DTUBETWIN_SIDES=$sides"
    compile "plugin-$format-$sides.o" plugin/plugin.cpp $options
    main=$dpf/DistrhoPluginMain.cpp
    [ $format = LV2 ] && main=plugin/lv2.cpp
    compile "main-$format-$sides.o" "$main" -w $options
    "$python" -m ziglang c++ $target -O3 -shared -s $built $libraries -o "$folder/$format-$sides$ending"
  done
done
rm -f "$folder"/*.lib  # for linkers, which nobody needs here

# Beside what the programs carry here (`make plugin` has written it): what the compiler adds.
zig=$("$python" -c 'import ziglang; print(ziglang.__path__[0])')
licences="$zig/LICENSE $zig/lib/libcxx/LICENSE.TXT"
[ "$1" = windows ] && licences="$licences $zig/lib/libc/mingw/COPYING $zig/lib/libc/musl/COPYRIGHT"
{
  cat "$folder/../LICENCES.txt"
  for text in $licences; do
    printf '\n---- ziglang/%s\n\n' "${text#"$zig/"}"
    cat "$text"
  done
} > "$folder/LICENCES.txt"

# The hosts of the tests: Wine runs them.
if [ "$1" = windows ]; then
  for host in clap_host vst3_loads; do
    built=""
    compile $host.o plugin/tests/$host.cpp -isystem $dpf/src
    "$python" -m ziglang c++ $target -O3 -s $built -o "$objects/$host.exe"
  done
fi
