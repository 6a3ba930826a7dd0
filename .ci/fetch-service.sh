#!/usr/bin/env bash
# Puts the servers of the tests, of buckets of three kinds, into the cache, and prints
# the path of each program.
#
#   .ci/fetch-service.sh s3 gs azblob       what is not there already (100, 60 and 40 s)
#   .ci/fetch-service.sh --where s3 ...     print the paths that they would have
#
# versitygw (s3) and fake-gcs-server (gs) are built by go from their modules at pinned
# versions, which Go's checksum database vouches for; Azurite (azblob) is installed by npm
# and needs node.
set -euo pipefail

die() { printf 'fetch-service: %s\n' "$*" >&2; exit 1; }

cache=${PECVT_CACHE:-${XDG_CACHE_HOME:-${HOME:?set HOME, XDG_CACHE_HOME or PECVT_CACHE}/.cache}/pecvt}
where=
if [ "${1:-}" = --where ]; then
	where=1
	shift
fi
[ $# -gt 0 ] || die "name a service: s3, gs, azblob"

work=
trap '[ -z "$work" ] || rm -rf "$work"' EXIT
for name; do
	# convert/place/placetest names program and version too
	case $name in
	s3) target=versitygw-v1.8.0 package=github.com/versity/versitygw/cmd/versitygw@v1.8.0 program=versitygw ;;
	gs) target=fake-gcs-server-v1.52.3 package=github.com/fsouza/fake-gcs-server@v1.52.3 program=fake-gcs-server ;;
	azblob) target=azurite-3.35.0 package=azurite@3.35.0 program=node_modules/.bin/azurite-blob ;;
	*) die "unknown service $name: expected s3, gs or azblob" ;;
	esac
	path=$cache/$target/$program
	if [ -n "$where" ] || [ -x "$path" ]; then
		echo "$path"
		continue
	fi
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/fetch.XXXXXX")
	echo "fetch-service: making $target" >&2
	variable=PECVT_$(printf %s "$name" | tr "[:lower:]" "[:upper:]")_SERVER
	if [ "$name" = azblob ]; then
		command -v npm >/dev/null || die "Azurite is installed by npm, which is not here; or name its program with $variable"
		(cd "$work" && npm install --silent --no-audit --no-fund --no-save "$package" >&2) ||
			die "npm could not install $package; or name its program with $variable"
	else
		GOBIN=$work GOFLAGS=-trimpath CGO_ENABLED=0 "${GO:-go}" install "$package" >&2 ||
			die "go could not build $package; or name its program with $variable"
	fi
	rm -rf "${cache:?}/$target"
	mv "$work" "$cache/$target"
	chmod 755 "$cache/$target"
	work=
	echo "$path"
done
