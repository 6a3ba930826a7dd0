# pecvt: build, test and check. Needs go, make, a C compiler, and python3 with
# pip (or npm) for ONNX Runtime's library. `make help` lists the targets.

GO ?= go
FUZZTIME ?= 30s
BENCH ?= .
FAULTS ?= 200
GENERATE ?= ./...
BENCHTIME ?= 1s
# Tests of properties draw their cases from a seed: a fixed one, so that a red run
# is the change's fault; `make test-long` draws another each time and prints it.
SEED ?= 20261128
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

BIN := bin/pecvt
TOOLS := $(CURDIR)/build/tools
# Google's storage library without what reaches buckets by gRPC inside of its cloud: a
# binary 13 MB smaller that starts 3 ms sooner.
TAGS := disable_grpc_modules
LDFLAGS := -s -w -X main.version=$(VERSION)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

DEMO_MODEL := testdata/models/stories260K
DEMO := build/demo

.DEFAULT_GOAL := build
.PHONY: help build test test-long check fmt vet lint cross tidy gen gen-check mutants race faults fleet-flink fuzz bench bench-peers demo interop interop-quick families ort s3 services shapes ops ops-cuda ops-sanitize clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## bin/pecvt, the version from git
	$(GO) build -trimpath -tags '$(TAGS)' -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/pecvt

s3: ## build the S3 server of the tests into the cache (pinned; some 100 s)
	@GO='$(GO)' .ci/fetch-service.sh s3

services: s3 ## beside it those of gs:// and azblob:// (by go and npm; PECVT_REQUIRE_GS=1, PECVT_REQUIRE_AZBLOB=1: without is a failure)
	@GO='$(GO)' .ci/fetch-service.sh gs || { echo "services: gs:// is not tested here"; [ -z "$$PECVT_REQUIRE_GS" ]; }
	@GO='$(GO)' .ci/fetch-service.sh azblob || { echo "services: azblob:// is not tested here"; [ -z "$$PECVT_REQUIRE_AZBLOB" ]; }

ort: ## fetch ONNX Runtime's CPU library into the cache (pinned, checksummed)
	@.ci/fetch-ort.sh

ops: ## build/libpecvt_ops.so, kernels of ai.pecvt's operators for ONNX Runtime (needs a C++17 compiler): docs/serving.md
	@GO='$(GO)' onnxops/native/build.sh

ops-cuda: ort ## build/libpecvt_ops_cuda.so, those and CUDA's kernels (NVCC, nvcc on the path, or 101 MB fetched, pinned), and what is in it checked
	@GO='$(GO)' KIND=cuda onnxops/native/build.sh
	$(GO) test -count=1 -run CUDA ./onnxops/native

ops-sanitize: ort ## the kernels' tests with the address and undefined behaviour sanitizers
	@GO='$(GO)' onnxops/native/sanitize.sh

test: ort services ## every test; without the ONNX Runtime library or the S3 server is a failure
	PECVT_REQUIRE_ORT=1 PECVT_REQUIRE_S3=1 RAPID_SEED=$(SEED) $(GO) test -timeout 40m ./...

test-long: SEED := $(if $(filter file,$(origin SEED)),$(shell date +%s),$(SEED))
test-long: ort services ops-sanitize ## the slow tests too, and cases that no run had before (SEED=... repeats one)
	@echo "seed $(SEED)"
	PECVT_REQUIRE_ORT=1 PECVT_REQUIRE_S3=1 PECVT_LONG=1 RAPID_SEED=$(SEED) PECVT_SEED=$(SEED) $(GO) test -timeout 60m ./... || { echo "seed $(SEED)"; exit 1; }

check: fmt vet lint cross tidy gen-check race ## all that is checked but not tested (.ci/run: this, then test)

fmt: ## gofmt would change nothing
	@out=$$(gofmt -l cmd convert onnxops posenc verify); \
	if [ -n "$$out" ]; then echo "gofmt -w these:"; echo "$$out"; exit 1; fi

vet: ## go vet, with cgo and without
	$(GO) vet ./...
	CGO_ENABLED=0 $(GO) vet ./...

lint: ## staticcheck, pinned
	$(GO) run $(STATICCHECK) ./...

cross: ## builds without cgo, here and on the other systems
	CGO_ENABLED=0 $(GO) build ./...
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 $(GO) build ./...
	CGO_ENABLED=0 GOOS=darwin GOARCH=arm64 $(GO) build ./...
	CGO_ENABLED=0 GOOS=windows GOARCH=amd64 $(GO) build ./...

tidy: ## go.mod and go.sum are what the imports need
	$(GO) mod tidy -diff
	$(GO) mod verify

gen: ort ## generate again what is generated (needs protoc for onnxops/onnxpb)
	@command -v protoc >/dev/null || { echo "gen: protoc is not on the path; install protobuf's compiler (Debian: protobuf-compiler)"; exit 1; }
	$(GO) build -o $(TOOLS)/protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go
	PATH="$(TOOLS):$$PATH" $(GO) generate $(GENERATE)

gen-check: ## generated files are up to date
	@GO='$(GO)' MAKE='$(MAKE)' .ci/gen-check.sh

mutants: ort ## planted faults: docs/mutants.md, what finds each; a survivor is a failure
	$(GO) generate ./verify/mutants

race: ort services ## what starts goroutines under the race detector
	@PECVT_REQUIRE_ORT=1 PECVT_REQUIRE_S3=1 GO='$(GO)' .ci/race.sh

faults: ort s3 ## kills, failing system calls, full disks (Linux, root, strace; FAULTS=N kills): docs/reliability.md
	PECVT_FAULTS=$(FAULTS) PECVT_FAULTS_TABLE=1 $(GO) test -count=1 -timeout 120m ./cmd/pecvt/faults

fleet-flink: build ort ## a batch on a Flink cluster of this machine against one on Prism (java, maven; fetches 152 MB, pinned): docs/scale.md
	@.ci/fleet-flink.sh $(BIN)

fuzz: ## every fuzz target for FUZZTIME (default 30s) each
	@GO='$(GO)' .ci/fuzz.sh '$(FUZZTIME)'

bench: ort ## benchmarks; BENCH and BENCHTIME choose
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchtime '$(BENCHTIME)' -benchmem -timeout 60m ./...

bench-peers: ort build ## other exporters' graphs and ours, pinned and cached: docs/performance.md (MODEL=DIR, TEXT=FILE, THREADS=N; QUICK=1 a trial)
	python3 testdata/tools/bench_peers.py --pecvt $(BIN) $(if $(MODEL),--model '$(MODEL)') $(if $(TEXT),--text '$(TEXT)') $(if $(THREADS),--threads '$(THREADS)') $(if $(QUICK),--quick)

demo: ort build ## stories260K to HoPE, ONNX, and the report of verify
	@rm -rf $(DEMO)
	@mkdir -p $(DEMO)
	$(BIN) convert --to hope $(DEMO_MODEL) -o $(DEMO)/stories260K-hope
	$(BIN) verify $(DEMO)/stories260K-hope --golden $(DEMO_MODEL)/golden/hope.safetensors

shapes: ## checkpoints of published shapes, 1B to a trillion, made of holes: docs/scale.md (DIR=… where, SHAPES=a,b some, FILL=0,30 layers with numbers)
	@test -n '$(DIR)' || { echo "shapes: say where: make shapes DIR=path"; exit 2; }
	$(GO) run ./cmd/pecvt/shapes -dir '$(DIR)' -shapes '$(SHAPES)' -fill '$(FILL)'

interop: build ## results in other tools, pinned and cached: docs/interop.md (MODEL=DIR one more model, ONLY=NAME,… some tools)
	python3 testdata/interop/interop.py --pecvt $(BIN) $(if $(MODEL),--model '$(MODEL)') $(if $(ONLY),--only '$(ONLY)')
	$(if $(ONLY),,python3 testdata/interop/learned.py --pecvt $(BIN))

families: build ort ## every decoder of transformers through inspect, export, verify, hope and grape-m: docs/families.md (TYPES=a,b some)
	python3 testdata/tools/families.py --pecvt $(BIN) $(if $(TYPES),--types '$(TYPES)')

interop-quick: build ## onnx's checker and reference; transformers where `make interop` has installed it
	python3 testdata/interop/interop.py --pecvt $(BIN) --quick

clean: ## remove bin/ and build/ (the library's cache stays)
	rm -rf bin build
