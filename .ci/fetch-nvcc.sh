#!/usr/bin/env bash
# Puts NVIDIA's compiler into the cache and prints the path of nvcc.
#
#   .ci/fetch-nvcc.sh            fetch unless it is there already (101 MB, 254 MB unpacked)
#   .ci/fetch-nvcc.sh --where    print the path it would have, fetch nothing
#
# It is taken from packages of an ordinary registry by pip (python3); versions and
# sha256 are pinned below. CUDA 13.0 is the release that onnxruntime-gpu 1.31 is built
# for. No CUDA device and no driver is needed to compile.
set -euo pipefail

version=13.0.88 # nvidia-cuda-nvcc, nvidia-nvvm, nvidia-cuda-crt, nvidia-cuda-runtime
die() { printf 'fetch-nvcc: %s\n' "$*" >&2; exit 1; }

cache=${PECVT_CACHE:-${XDG_CACHE_HOME:-${HOME:?set HOME, XDG_CACHE_HOME or PECVT_CACHE}/.cache}/pecvt}
target=$cache/nvcc-$version
nvcc=$target/nvidia/cu13/bin/nvcc
if [ "${1:-}" = --where ] || [ -x "$nvcc" ]; then
	echo "$nvcc"
	exit 0
fi
[ "$(uname -s)/$(uname -m)" = Linux/x86_64 ] || die "no pinned compiler for $(uname -s) on $(uname -m): install CUDA's nvcc and name it with NVCC"
python3 -m pip --version >/dev/null 2>&1 || die "needs python3 with pip; or install CUDA's nvcc and name it with NVCC"

mkdir -p "$cache"
work=$(mktemp -d "$cache/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
cat >"$work/pins.txt" <<-END
	nvidia-cuda-nvcc==$version --hash=sha256:56fe502eb77625a12f25172caa3cdddb4e4c8ba2c8c17dba44b164761b380f03
	nvidia-nvvm==$version --hash=sha256:c5f41ffeb6466944a026dfa5317d7d85355c119bbec279205d22f1869d1054e0
	nvidia-cuda-crt==$version --hash=sha256:2c8043c7c9e02492716426e9919fc78d2c5b3b2a7a768a88e952676b08aa55a4
	nvidia-cuda-runtime==$version --hash=sha256:422a38f7c739ecbdd3a4b6ec7ed0a1d74db43d8e9bc26685f3d845638922b178
	nvidia-cuda-cuobjdump==13.2.86 --hash=sha256:d332c2ffe78e703ca0a3894be927f83124244e2acf0d792b8c12b4362d44d837
END
echo "fetch-nvcc: nvcc $version with pip (101 MB)" >&2
python3 -m pip download --quiet --no-deps --only-binary=:all: --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
	--platform manylinux2010_x86_64 --require-hashes -r "$work/pins.txt" -d "$work/wheels" >&2 || die "pip could not fetch it; or install CUDA's nvcc and name it with NVCC"
python3 - "$work" <<-'END'
	import pathlib, sys, zipfile
	work = pathlib.Path(sys.argv[1])
	for wheel in sorted((work / "wheels").glob("*.whl")):
	    zipfile.ZipFile(wheel).extractall(work / "tree")
	for folder in ("nvidia/cu13/bin", "nvidia/cu13/nvvm/bin"):
	    for file in (work / "tree" / folder).iterdir():
	        if file.is_file():
	            file.chmod(0o755)
END
"$work/tree/nvidia/cu13/bin/nvcc" --version >/dev/null || die "nvcc does not run here"
rm -rf "$target"
mv "$work/tree" "$target"
echo "$nvcc"
