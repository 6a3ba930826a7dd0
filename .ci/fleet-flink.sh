#!/usr/bin/env bash
# Runs a batch on a Flink cluster of this machine, and compares what it writes with what
# Prism, the runner inside of pecvt, does.
#
#   .ci/fleet-flink.sh PECVT        a cluster of a JobManager and a TaskManager with two
#                                   slots, a job server of Beam before it, and workers of
#                                   each --environment
#
# Needs java (17 was tried) and mvn, which takes Beam 2.62.0 and Flink 1.19.0 with what
# they need (.ci/flink/pom.xml, 162 files, 152 MB) into the cache; ONNX Runtime's library.
set -euo pipefail

die() { printf 'fleet-flink: %s\n' "$*" >&2; exit 1; }
say() { printf 'fleet-flink: %s\n' "$*" >&2; }

[ $# -eq 1 ] || die "name the program: expected .ci/fleet-flink.sh bin/pecvt"
pecvt=$(readlink -f "$1")
here=$(cd "$(dirname "$0")" && pwd)
model=$(readlink -f "$here/../testdata/models/stories260K")
for tool in java mvn python3; do
	command -v $tool >/dev/null || die "no $tool here: it takes java, maven and python3"
done

cache=${PECVT_CACHE:-${XDG_CACHE_HOME:-${HOME:?set HOME, XDG_CACHE_HOME or PECVT_CACHE}/.cache}/pecvt}
jars=$cache/flink-1.19.0-beam-2.62.0
if [ ! -d "$jars" ]; then
	mkdir -p "$cache"
	fetched=$(mktemp -d "$cache/fetch.XXXXXX")
	say "fetching Beam's job server and Flink"
	mvn -q -B -f "$here/flink/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.0:copy-dependencies -DoutputDirectory="$fetched" ||
		{ rm -rf "$fetched"; die "maven did not get them"; }
	mv -T "$fetched" "$jars"
fi

work=$(mktemp -d)
started=()
trap 'kill "${started[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
read -r rpc rest job pool < <(python3 -c '
import socket
held = [socket.socket() for _ in range(4)]
for s in held: s.bind(("localhost", 0))
print(*[s.getsockname()[1] for s in held])')
mkdir "$work/conf"
sed "s/@RPC@/$rpc/; s/@REST@/$rest/" "$here/flink/config.yaml" >"$work/conf/config.yaml"

# start NAME MEMORY CLASS ARGUMENTS: a process of Java. Flink 1.19 looks into Java's own
# packages, which later versions do not let it.
start() {
	local name=$1 memory=$2
	shift 2
	java -Xmx"$memory" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
		--add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.lang.invoke=ALL-UNNAMED \
		--add-opens=java.base/java.nio=ALL-UNNAMED --add-opens=java.base/java.time=ALL-UNNAMED \
		--add-opens=java.base/java.util=ALL-UNNAMED --add-opens=java.base/java.util.concurrent=ALL-UNNAMED \
		-Djava.io.tmpdir="$work" -cp "$jars/*" "$@" >"$work/$name.log" 2>&1 &
	started+=($!)
}

# until_true WHAT COMMAND: waits for two minutes at most.
until_true() {
	local what=$1
	shift
	for _ in $(seq 120); do
		if "$@" >/dev/null 2>&1; then return; fi
		sleep 1
	done
	tail -n 20 "$work"/*.log >&2
	die "$what did not come up"
}
slots() { python3 -c 'import json,sys,urllib.request; sys.exit(json.load(urllib.request.urlopen(sys.argv[1]))["slots-available"] < 2)' "http://localhost:$rest/overview"; }
answers() { (: </dev/tcp/localhost/"$1"); }

start jobmanager 400m org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint --configDir "$work/conf"
start taskmanager 500m org.apache.flink.runtime.taskexecutor.TaskManagerRunner --configDir "$work/conf"
start jobserver 500m org.apache.beam.runners.flink.FlinkJobServerDriver --job-host=localhost --job-port="$job" \
	--artifact-port=0 --expansion-port=0 --artifacts-dir="$work/artifacts" --flink-master="localhost:$rest"
until_true "the cluster" slots
until_true "the job server" answers "$job"
export PECVT_BATCH_SECRET
PECVT_BATCH_SECRET=$(python3 -c 'import secrets; print(secrets.token_hex(16))')

cd "$work"
cat >jobs.yaml <<JOBS
defaults:
  convert: {to: hope}
jobs:
  - {name: whole, verb: convert, model: $model, out: out/whole}
  - {name: partial, verb: convert, model: $model, out: out/partial, options: {layout: partial}}
  - {name: calibrated, verb: convert, model: $model, out: out/calibrated, options: {calibrate: true, select: "planes=60%", ids: $model/sampled.safetensors, steps: 3, measure-tokens: 128, calib-length: 64, calib-tokens: 256, over-budget: true}}
  - {name: figures, verb: eval, model: $model, options: {ids: $model/sampled.safetensors, lengths: "64", sequences: 8}}
  - {name: proof, verb: verify, model: out/whole, options: {tokens: 16, opt-level: all}}
JOBS

# run_on NAME OPTIONS: the batch, its results in NAME/.
run_on() {
	local name=$1
	shift
	say "the batch on $name"
	"$pecvt" batch jobs.yaml --records "$name.records" --workers 2 --json -q "$@" >"$name.json" ||
		{ cat "$name.json"; tail -n 20 "$work"/*.log; die "$name: the batch failed"; }
	mv out "$name"
}
run_on prism
run_on loopback --runner "localhost:$job"
"$pecvt" batch --serve "localhost:$pool" --workers 2 &
started+=($!)
until_true "the workers" answers "$pool"
run_on external --runner "localhost:$job" --environment "external:localhost:$pool"
run_on process --runner "localhost:$job" --environment "process:$pecvt"

python3 - <<'PYTHON'
import json
def read(name):
    report = json.load(open(name + ".json"))
    figures = next(j for j in report["jobs"] if j["name"] == "figures")["result"]
    del figures["seconds"]
    assert all(j["status"] == "done" for j in report["jobs"]), name
    return report, figures
want = read("prism")[1]
for name in "prism", "loopback", "external", "process":
    report, figures = read(name)
    assert figures == want, f"{name}: other figures than on Prism"
    print(f"{name:9} {len(report['jobs'])} jobs, " + ", ".join(f"{j['parts']} parts of {j['name']}" for j in report["jobs"] if j.get("parts")) + f", {report['seconds']:.1f} s")
PYTHON
for name in loopback external process; do
	for job in whole partial calibrated; do
		diff -r "prism/$job" "$name/$job" || die "$name: other bytes of $job than on Prism"
	done
done
python3 -c '
import json, sys, urllib.request
o = json.load(urllib.request.urlopen(sys.argv[1]))
assert o["jobs-finished"] >= 3 and o["jobs-failed"] == 0, o
print("Flink %s: %d jobs finished on %d TaskManager with %d slots; bytes and figures are those of Prism" % (o["flink-version"], o["jobs-finished"], o["taskmanagers"], o["slots-total"]))' "http://localhost:$rest/overview"
