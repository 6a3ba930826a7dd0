#!/usr/bin/env bash
# Runs every fuzz target of the module for the given time, one after the other:
# .ci/fuzz.sh 30s. Go runs one target at a time, so they are listed first.
set -euo pipefail

go=${GO:-go}
time=${1:-30s}
targets=0
failed=0
for package in $("$go" list ./...); do
	for target in $("$go" test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		targets=$((targets + 1))
		echo "== $package $target $time"
		"$go" test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package" || failed=$((failed + 1))
	done
done
echo "fuzz: $targets targets, $failed failed"
[ "$targets" -gt 0 ] && [ "$failed" -eq 0 ]
