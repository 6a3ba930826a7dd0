#!/usr/bin/env bash
# Puts ONNX Runtime's CPU library into the cache and prints its path.
#
#   .ci/fetch-ort.sh            fetch unless it is there already
#   .ci/fetch-ort.sh --where    print the path it would have, fetch nothing
#
# The library is taken from a package of an ordinary registry by that registry's
# own client: pip (python3) first, npm where there is no pip. Versions and sha256
# are pinned below. Nothing is fetched when the library is in the cache already,
# or when PECVT_ORT_LIB names one.
#
# The cache is $PECVT_CACHE, else pecvt/ in the user's cache folder; verify/ort
# looks in the same place (verify/ort/locate.go: keep both in step).
set -euo pipefail

pip_version=1.32.0 # onnxruntime
npm_version=1.30.0 # onnxruntime-node
npm_sha256=6e3390d6b783e7be946fad629292799da28d0b42f84856e50d2c1b0383291e75

say() { printf 'fetch-ort: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

system=$(uname -s)
machine=$(uname -m)
case "$system/$machine" in
Linux/x86_64)
	platform=manylinux_2_28_x86_64
	sha256=5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d
	member=libonnxruntime.so.$pip_version
	npm_member=linux/x64/libonnxruntime.so.1
	npm_name=libonnxruntime.so.$npm_version
	;;
Linux/aarch64)
	platform=manylinux_2_28_aarch64
	sha256=2303372a85299b6757b0e11e1cbf13e410ddf7e10c37f4b37e99d1c90e7daf7c
	member=libonnxruntime.so.$pip_version
	npm_member=linux/arm64/libonnxruntime.so.1
	npm_name=libonnxruntime.so.$npm_version
	;;
Darwin/arm64)
	platform=macosx_14_0_arm64
	sha256=366b9e53d07812cc5c92822cecf7563b76a8a0f32ba3bb8dd232a206ac3bcb6c
	member=libonnxruntime.$pip_version.dylib
	npm_member=darwin/arm64/libonnxruntime.1.dylib
	npm_name=libonnxruntime.$npm_version.dylib
	;;
MINGW*/x86_64 | MSYS*/x86_64)
	platform=win_amd64
	sha256=d7e0c45cc5f456ad7805e6dd256a7662736cda9c2fd17becae194eb3c2f6df72
	member=onnxruntime.dll
	npm_member=win32/x64/onnxruntime.dll
	npm_name=onnxruntime.dll
	;;
*) die "no pinned library for $system on $machine; set PECVT_ORT_LIB to one you have (ONNX Runtime 1.26 or later)" ;;
esac

if [ -n "${PECVT_CACHE:-}" ]; then
	cache=$PECVT_CACHE
else
	case "$system" in
	Darwin) cache=${HOME:?set HOME or PECVT_CACHE}/Library/Caches/pecvt ;;
	MINGW* | MSYS*) cache=${LOCALAPPDATA:?set LOCALAPPDATA or PECVT_CACHE}/pecvt ;;
	*) cache=${XDG_CACHE_HOME:-${HOME:?set HOME, XDG_CACHE_HOME or PECVT_CACHE}/.cache}/pecvt ;;
	esac
fi
from_pip=$cache/onnxruntime-$pip_version/$member
from_npm=$cache/onnxruntime-$npm_version/$npm_name

if [ "${1:-}" = --where ]; then
	echo "$from_pip"
	exit 0
fi
if [ -n "${PECVT_ORT_LIB:-}" ]; then
	say "PECVT_ORT_LIB is set, nothing to fetch"
	echo "$PECVT_ORT_LIB"
	exit 0
fi
for have in "$from_pip" "$from_npm"; do
	if [ -s "$have" ]; then
		echo "$have"
		exit 0
	fi
done

mkdir -p "$cache"
work=$(mktemp -d "$cache/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT

digest() {
	if command -v sha256sum >/dev/null; then
		sha256sum "$1" | cut -d' ' -f1
	elif command -v shasum >/dev/null; then
		shasum -a 256 "$1" | cut -d' ' -f1
	else
		openssl dgst -sha256 -r "$1" | cut -d' ' -f1
	fi
}

check() { # check FILE SHA256
	local got
	got=$(digest "$1")
	[ "$got" = "$2" ] || die "$(basename "$1"): sha256 is $got, pinned is $2: not using it"
}

install() { # install NEW TARGET: readers see the whole file or none
	mkdir -p "$(dirname "$2")"
	chmod 0644 "$1"
	mv -f "$1" "$2"
	say "ready: $2"
	echo "$2"
}

pip=
for try in "python3 -m pip" "python -m pip" pip3 pip; do
	# shellcheck disable=SC2086 # each is a command with its arguments
	if $try --version >/dev/null 2>&1; then
		pip=$try
		break
	fi
done
unpack=
for try in python3 python; do
	if command -v "$try" >/dev/null; then
		unpack=$try
		break
	fi
done

if [ -n "$pip" ] && [ -n "$unpack" ]; then
	say "onnxruntime $pip_version ($platform) with $pip"
	printf 'onnxruntime==%s --hash=sha256:%s\n' "$pip_version" "$sha256" >"$work/pin.txt"
	# The tags are spelled out, so that the pinned file is the one fetched
	# whatever Python this machine has.
	# shellcheck disable=SC2086
	if $pip download --quiet --no-deps --only-binary=:all: --implementation cp \
		--python-version 3.11 --abi cp311 --platform "$platform" \
		--require-hashes -r "$work/pin.txt" -d "$work/wheel" >&2; then
		set -- "$work"/wheel/*.whl
		check "$1" "$sha256"
		"$unpack" -c 'import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z, z.open(sys.argv[2]) as src, open(sys.argv[3], "wb") as dst:
    shutil.copyfileobj(src, dst)' "$1" "onnxruntime/capi/$member" "$work/library"
		install "$work/library" "$from_pip"
		exit 0
	fi
	say "pip could not fetch it"
fi

if command -v npm >/dev/null; then
	say "onnxruntime-node $npm_version with npm"
	if (cd "$work" && npm pack --silent "onnxruntime-node@$npm_version" >/dev/null); then
		archive=$work/onnxruntime-node-$npm_version.tgz
		check "$archive" "$npm_sha256"
		tar -xzOf "$archive" "package/bin/napi-v6/$npm_member" >"$work/library"
		install "$work/library" "$from_npm"
		exit 0
	fi
	say "npm could not fetch it"
fi

die "needs python3 with pip, or npm, and the registry they use; or set PECVT_ORT_LIB to a library you have (ONNX Runtime 1.26 or later)"
