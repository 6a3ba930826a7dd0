#!/usr/bin/env bash
# The race detector over what starts goroutines. It makes Go some ten times slower,
# and most tests only wait for one another in it, so each package has the tests that
# run its goroutines; a package that starts some and is not listed is an error.
set -euo pipefail
cd "$(dirname "$0")/.."

go=${GO:-go}
listed=()
failed=0
race() { # race PACKAGE TESTS
	listed+=("$1")
	"$go" test -race -short -timeout 20m -run "$2" "./$1" || failed=1
}

# rows of the tables, in chunks, and codes that are made ahead of the writing
race onnxops/headtables .
# heads of a layer's generators
race convert/family 'Generator'
race onnxops '^(TestCosSin|TestTablePerRotation|TestWriteFiles|TestAhead)$'
# parts of an object under way at once
race convert/place .
# a store that several read at once
race convert/store .
# headers of shards
race convert/safetensors 'Shard'
# rows of a GGUF file, decoded
race convert/gguf/unpack .
# shares of a product
race convert/gemm '^(TestSameBits|TestExact)$'
# rows whose codes are compensated
race convert/quant/compensate '^(TestBetter|TestOnTheGrid)$'
# layers and sequences of a calibration, and that the order of the workers is of no matter
race convert/retrofit '^(TestCalibrateDeterministic|TestCalibrateTogether|TestWalk)$'
# rows and heads of the reference's kernels; the first error stops the others
race verify/ref '^(TestGolden|TestEncodingGoldens|TestFloat32|TestCancelled|TestParallel.*)$'
# rows of the interpreter's products, and runs of one program at once
race verify/interp '^(TestCases|TestConcurrentRuns|TestCancelled|TestProductKeepsNaN)$'
# sessions, the watch over a context, the library's memory
race verify/ort .
# source and candidate in step
race verify/eval '^(TestRun|TestSelf|TestRememberedFile|TestErrors)$'
# all of them in one verification, several verifications side by side, one with a bisection
race verify '^(TestGolden|TestBisectOfTheRuntime)$/^(llama-gqa|llama-sharded-f16)?$'
# mutants by several workers
race verify/mutants '^TestBases$/^(stories-hope|grape-m-ctx)$'
# jobs of a pipeline, and what a process shares between them
# (not TestInterrupted: where a runner hangs up, Beam 2.77.0's dataWriter receives from the
# stream that its reader receives from, to ask what went wrong)
race cmd/pecvt/batch '^(TestOrder|TestShared|TestParts|TestSlots|TestElsewhere)$'
# verbs side by side in one process
race cmd/pecvt '^TestBatchTogether$'
# progress, signals
race cmd/pecvt '^(TestProgress.*|TestSteps.*|TestBar.*|TestInterrupt|TestQuiet|TestScripts)$/^(convert|eval|)$'

started=$(grep -rlE 'go func|\.Go\(|errgroup\.' --include='*.go' cmd convert onnxops posenc verify | grep -v '_test\.go$' | xargs -n1 dirname | sort -u)
for package in $started; do
	case " ${listed[*]} " in
	*" $package "*) ;;
	*" ${package%/*test} "*) ;; # a suite that other packages' tests run
	*)
		echo "race: $package starts goroutines and is not tested for races: add it to .ci/race.sh"
		failed=1
		;;
	esac
done
exit "$failed"
