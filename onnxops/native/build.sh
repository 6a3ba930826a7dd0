#!/usr/bin/env bash
# Builds the library of kernels for the operators of ai.pecvt and prints its path.
#
#   onnxops/native/build.sh [FILE]        default: build/libpecvt_ops.so (.dylib on macOS)
#   SANITIZE=address,undefined …          with these sanitizers
#
# Needs a C++17 compiler (CXX, default c++) and go, whose module of ONNX Runtime has
# the headers; nothing else is fetched, and the same compiler makes the same bytes.
set -euo pipefail
src=$(cd "$(dirname "$0")/src" && pwd)
root=$(cd "$src/../../.." && pwd)
cxx=${CXX:-c++}
command -v "$cxx" >/dev/null || { echo "build.sh: no C++ compiler $cxx: install one, or name it with CXX" >&2; exit 1; }
suffix=so
[ "$(uname -s)" != Darwin ] || suffix=dylib
out=${1:-$root/build/libpecvt_ops.$suffix}
headers=$(cd "$root" && "${GO:-go}" list -m -f '{{.Dir}}' github.com/yalue/onnxruntime_go)
[ -n "$headers" ] || { (cd "$root" && "${GO:-go}" mod download github.com/yalue/onnxruntime_go) && headers=$(cd "$root" && "${GO:-go}" list -m -f '{{.Dir}}' github.com/yalue/onnxruntime_go); }

mkdir -p "$(dirname "$out")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags=(-std=c++17 -O3 -fPIC -fvisibility=hidden -fno-math-errno -fno-trapping-math -Wall -Wextra -Wno-unknown-pragmas -Wno-psabi "-ffile-prefix-map=$root=." -I "$headers")
link=(-shared)
if [ -n "${SANITIZE:-}" ]; then
	flags+=(-g "-fsanitize=$SANITIZE" -fno-sanitize-recover=undefined)
	link+=("-fsanitize=$SANITIZE")
fi
compile() { # source, object, flags
	"$cxx" "${flags[@]}" "${@:3}" -c "$src/$1.cc" -o "$work/$2.o"
}
for file in api register rotation sums biases attention target; do compile $file $file; done
compile attend attend_base -DPECVT_TARGET=base
if [ "$(uname -m)" = x86_64 ]; then
	compile attend attend_avx2 -DPECVT_TARGET=avx2 -mavx2 -mfma
	compile attend attend_avx512 -DPECVT_TARGET=avx512 -mavx512f -mavx2 -mfma
fi
"$cxx" "${link[@]}" -o "$out.tmp.$$" "$work"/*.o
mv "$out.tmp.$$" "$out"
echo "$out"
