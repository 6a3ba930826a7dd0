#!/usr/bin/env bash
# Builds a library of kernels for the operators of ai.pecvt and prints its path.
#
#   onnxops/native/build.sh [FILE]             the processor's kernels, build/libpecvt_ops.so (.dylib on macOS)
#   KIND=cuda …                                those and CUDA's, build/libpecvt_ops_cuda.so
#   KIND=emulated …                            CUDA's on emulated threads of the processor, for tests
#   SANITIZE=address,undefined …               with these sanitizers
#
# Needs a C++17 compiler (CXX, default c++) and go, whose module of ONNX Runtime has
# the headers; nothing else is fetched, and the same compiler makes the same bytes.
# KIND=cuda needs nvcc too: NVCC names it, else the path has it, else .ci/fetch-nvcc.sh
# fetches it. SOURCES is another folder with src and cuda; MACHINE is the architecture that CXX compiles for, where that is another.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
native=${SOURCES:-$root/onnxops/native}
die() { echo "build.sh: $*" >&2; exit 1; }
kind=${KIND:-processor}
case $kind in
processor) name=libpecvt_ops ;;
cuda | emulated) name=libpecvt_ops_$kind ;;
*) die "KIND=$kind: expected processor, cuda or emulated" ;;
esac
cxx=${CXX:-c++}
# shellcheck disable=SC2086 # a compiler with its options
command -v ${cxx%% *} >/dev/null || die "no C++ compiler $cxx: install one, or name it with CXX"
suffix=so
[ "$(uname -s)" != Darwin ] || suffix=dylib
out=${1:-$root/build/$name.$suffix}
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
	# shellcheck disable=SC2086
	$cxx "${flags[@]}" "${@:3}" -c "$native/$1" -o "$work/$2.o"
}
case $kind in
emulated) flags+=(-DPECVT_DEVICE_OPS -DPECVT_EMULATED) ;;
cuda)
	nvcc=${NVCC:-$(command -v nvcc || "$root/.ci/fetch-nvcc.sh")}
	cuda=$(cd "$(dirname "$nvcc")/.." && pwd)
	flags+=(-DPECVT_DEVICE_OPS)
	link+=(-ldl)
	# What the compiler knows of: the first architecture of each kind with its own code,
	# and one that a driver can compile for whatever comes later.
	codes=()
	known=$("$nvcc" --list-gpu-arch)
	for arch in 70 75 80 86 89 90 100 120; do
		[[ "$known" != *compute_$arch* ]] || codes+=(-gencode "arch=compute_$arch,code=sm_$arch")
	done
	codes+=(-gencode arch=compute_90,code=compute_90)
	command -v "$nvcc" >/dev/null || die "no compiler $nvcc for CUDA"
	"$nvcc" -std=c++17 -O3 -fatbin --threads 0 "${codes[@]}" -o "$work/kernels.fatbin" "$native/cuda/kernels.cu"
	cat >"$work/fatbin.S" <<-END
		.section .nv_fatbin, "a"
		.balign 16
		.globl pecvt_fatbin
		.hidden pecvt_fatbin
		pecvt_fatbin:
		.incbin "$work/kernels.fatbin"
		.section .note.GNU-stack,"",%progbits
	END
	# shellcheck disable=SC2086
	$cxx -c "$work/fatbin.S" -o "$work/fatbin.o"
	;;
esac
for file in api shapes register; do compile src/$file.cc $file; done
if [ $kind != emulated ]; then
	for file in rotation sums biases attention target; do compile src/$file.cc $file; done
	compile src/attend.cc attend_base -DPECVT_TARGET=base
	if [ "${MACHINE:-$(uname -m)}" = x86_64 ]; then
		compile src/attend.cc attend_avx2 -DPECVT_TARGET=avx2 -mavx2 -mfma
		compile src/attend.cc attend_avx512 -DPECVT_TARGET=avx512 -mavx512f -mavx2 -mfma
	fi
fi
case $kind in
emulated) for file in ops emulate; do compile cuda/$file.cc device_$file; done ;;
cuda)
	compile cuda/ops.cc device_ops
	compile cuda/driver.cc device_driver -I "$cuda/include"
	;;
esac
# shellcheck disable=SC2086
$cxx "${link[@]}" -o "$out.tmp.$$" "$work"/*.o
mv "$out.tmp.$$" "$out"
echo "$out"
