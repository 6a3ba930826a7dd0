#!/usr/bin/env bash
# Puts the S3 server of the tests into the cache and prints its path.
#
#   .ci/fetch-s3.sh            build it unless it is there already (some 100 s)
#   .ci/fetch-s3.sh --where    print the path it would have, build nothing
#
# It is versitygw, built by go from its module at a pinned version, which Go's checksum
# database vouches for.
set -euo pipefail

version=v1.8.0 # convert/place/placetest names it too
die() { printf 'fetch-s3: %s\n' "$*" >&2; exit 1; }

cache=${PECVT_CACHE:-${XDG_CACHE_HOME:-${HOME:?set HOME, XDG_CACHE_HOME or PECVT_CACHE}/.cache}/pecvt}
target=$cache/versitygw-$version
program=$target/versitygw
if [ "${1:-}" = --where ] || [ -x "$program" ]; then
	echo "$program"
	exit 0
fi

mkdir -p "$cache"
work=$(mktemp -d "$cache/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
echo "fetch-s3: building versitygw $version" >&2
GOBIN=$work GOFLAGS=-trimpath CGO_ENABLED=0 "${GO:-go}" install "github.com/versity/versitygw/cmd/versitygw@$version" >&2 ||
	die "go could not build it; or name an S3 server's program with PECVT_S3_SERVER"
mkdir -p "$target"
mv "$work/versitygw" "$program"
echo "$program"
