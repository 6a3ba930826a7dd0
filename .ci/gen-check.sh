#!/usr/bin/env bash
# Fails when `make gen` changes a file. Works in a tree with other changes too:
# what is compared is the tree before and after. protoc writes its own version
# into a comment; that line does not count. docs/mutants.md takes minutes to make
# and is left out: TestMutants compares it with what it finds.
set -euo pipefail

if ! command -v protoc >/dev/null; then
	echo "gen-check: protoc is not on the path; install protobuf's compiler (Debian: protobuf-compiler)" >&2
	exit 1
fi

before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
git ls-files -z --cached --others --exclude-standard |
	while IFS= read -r -d '' f; do [ -f "$f" ] && printf '%s\0' "$f" || true; done |
	tar --null -T - -cf - | tar -xf - -C "$before"

"${MAKE:-make}" --no-print-directory gen GENERATE="$("${GO:-go}" list ./... | grep -v '/verify/mutants$' | tr '\n' ' ')" >&2

stale=0
while IFS= read -r -d '' f; do
	[ -f "$f" ] || continue
	if [ ! -f "$before/$f" ]; then
		echo "gen-check: $f is generated but not there"
		stale=1
	elif ! cmp -s "$f" "$before/$f" &&
		! diff -q -I '^//[[:space:]]*protoc ' "$before/$f" "$f" >/dev/null; then
		echo "gen-check: $f is out of date"
		diff -u "$before/$f" "$f" | head -20
		stale=1
	fi
done < <(git ls-files -z --cached --others --exclude-standard)
if [ "$stale" -ne 0 ]; then
	echo "gen-check: run 'make gen' and commit what it changes" >&2
fi
exit "$stale"
