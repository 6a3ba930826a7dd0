#!/usr/bin/env bash
# Runs the kernels' tests with the library built under the address and the undefined
# behaviour sanitizers, at each set of vector instructions that this processor has.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cxx=${CXX:-c++}
[ "$(uname -s)" = Linux ] || { echo "sanitize.sh: preloading the sanitizers is known on Linux alone" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
SANITIZE=address,undefined "$here/build.sh" "$work/libpecvt_ops.so"
(cd "$here" && "${GO:-go}" test -c -o "$work/native.test" .)
cd "$here"
for target in base avx2 avx512; do
	echo "sanitize: $target"
	# Go's runtime keeps stacks of its own, which leak detection does not know.
	PECVT_REQUIRE_ORT=1 PECVT_OPS_LIB=$work/libpecvt_ops.so PECVT_OPS_TARGET=$target \
		ASAN_OPTIONS=detect_leaks=0:handle_segv=0:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
		LD_PRELOAD="$("$cxx" -print-file-name=libasan.so) $("$cxx" -print-file-name=libubsan.so)" \
		"$work/native.test" -test.count=1
done
