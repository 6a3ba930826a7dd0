package verify_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/ort/orttest"
	"github.com/pecvt/pecvt/verify/run"
)

var onCPU = verify.Options{Provider: "cpu", OptLevel: "all"}

// extracted bisects dir into a repro.
func extracted(t *testing.T, dir string) (string, *verify.Report) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "repro")
	opts := onCPU
	opts.Extract = out
	r, err := verify.Verify(context.Background(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	if r.Bisect == nil || r.Bisect.Extracted != out {
		t.Fatalf("nothing was extracted: %+v", r.Bisect)
	}
	return out, r
}

// check returns a report's check of a name and a runner.
func checkOf(t *testing.T, r *verify.Report, name, runner string) verify.Check {
	t.Helper()
	for _, c := range r.Checks {
		if c.Name == name && c.Runner == runner {
			return c
		}
	}
	t.Fatalf("no check %s/%s among %+v", name, runner, r.Checks)
	return verify.Check{}
}

// A repro fails as the graph did, and passes once its one fault is mended: what
// goes in and what is expected are right.
func TestExtract(t *testing.T) {
	for _, c := range []struct {
		name  string
		in    conversion
		node  string
		plant func(t *testing.T, g *graphOf)
		mend  func(t *testing.T, g *graphOf)
	}{
		{
			"an epsilon", hopeLlama, "/layers.1/mlp_norm/RMSNormalization",
			func(t *testing.T, g *graphOf) {
				attribute(t, g.node(t, "/layers.1/mlp_norm/RMSNormalization"), "epsilon").F = 1e-3
			},
			func(t *testing.T, g *graphOf) {
				attribute(t, g.node(t, "/layers.1/mlp_norm/RMSNormalization"), "epsilon").F = 1e-6
			},
		},
		{
			"a rotation, which is a function", hopeLlama, "/layers.0/attn/q/Rotation",
			func(t *testing.T, g *graphOf) {
				attribute(t, g.node(t, "/layers.0/attn/q/Rotation"), "interleaved").I = 1
			},
			func(t *testing.T, g *graphOf) {
				attribute(t, g.node(t, "/layers.0/attn/q/Rotation"), "interleaved").I = 0
			},
		},
		{
			"a weight in bf16, which is cast", conversion{model: "golden/llama-tied-bf16", to: "hope"}, "/layers.1/attn/v_proj/Gemm",
			func(t *testing.T, g *graphOf) { g.shift(t, "model.layers.1.self_attn.v_proj.weight", 64*2) },
			nil,
		},
		{
			"nodes that nothing is known of", hopeLlama, "/mask/real/Cast",
			func(t *testing.T, g *graphOf) { g.node(t, "/mask/real/Cast").Input[0] = g.allOnes(t) },
			nil,
		},
		{
			"the form for ONNX Runtime", conversion{model: "golden/llama-gqa", to: "rope", attention: "ort"}, "/layers.1/attn/GroupQueryAttention",
			func(t *testing.T, g *graphOf) {
				attribute(t, g.node(t, "/layers.1/attn/GroupQueryAttention"), "scale").F = 0.26
			},
			func(t *testing.T, g *graphOf) {
				attribute(t, g.node(t, "/layers.1/attn/GroupQueryAttention"), "scale").F = 0.25
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := c.in.write(t)
			graphFault(c.plant)(t, dir)
			repro, r := extracted(t, dir)
			if r.Verdict != verify.Fail || r.Bisect.Node.Name != c.node {
				t.Fatalf("verdict %s, node %+v", r.Verdict, r.Bisect.Node)
			}
			entries, err := os.ReadDir(repro)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, e := range entries {
				names = append(names, e.Name())
			}
			if got := strings.Join(names, " "); got != "expected.safetensors inputs.safetensors model.onnx pecvt-repro.json" {
				t.Errorf("the repro holds %s", got)
			}
			again, err := verify.Verify(context.Background(), repro, onCPU)
			if err != nil {
				t.Fatal(err)
			}
			if got := checkOf(t, again, "repro", "interp"); again.Verdict != verify.Fail || got.Verdict != verify.Fail || !strings.Contains(got.Blame, c.node) {
				t.Errorf("verdict %s, check %+v", again.Verdict, got)
			}
			if runtimePresent(t) {
				if got := checkOf(t, again, "repro", "ort-cpu"); got.Verdict != verify.Fail {
					t.Errorf("check %+v", got)
				}
			}
			if c.mend == nil {
				return
			}
			graphFault(c.mend)(t, repro)
			mended, err := verify.Verify(context.Background(), repro, onCPU)
			if err != nil {
				t.Fatal(err)
			}
			for _, got := range mended.Checks {
				if got.Verdict != verify.Pass && got.Verdict != verify.Unavailable {
					t.Errorf("mended: %+v", got)
				}
			}
		})
	}
}

// A fault of the runtime alone is followed there, against the interpreter, and
// its repro passes in the interpreter and fails in the runtime.
func TestBisectOfTheRuntime(t *testing.T) {
	orttest.Require(t)
	for _, c := range []struct {
		name, stage, node string
		plant             func(t *testing.T, g *graphOf)
	}{
		{"a norm", "layer 1", "/layers.1/attn_norm/RMSNormalization", func(t *testing.T, g *graphOf) {
			attribute(t, g.node(t, "/layers.1/attn_norm/RMSNormalization"), "epsilon").F = 1e-2
		}},
		{"a causal mask", "layer 0", "/mask/causal/LessOrEqual", func(t *testing.T, g *graphOf) {
			g.node(t, "/mask/causal/LessOrEqual").OpType = "GreaterOrEqual"
		}},
		{"the head", "head", "/final_norm/RMSNormalization", func(t *testing.T, g *graphOf) {
			attribute(t, g.node(t, "/final_norm/RMSNormalization"), "epsilon").F = 1e-2
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := hopeLlama.write(t)
			copyFile(t, filepath.Join(dir, "model.onnx"), filepath.Join(dir, "good.onnx"))
			graphFault(c.plant)(t, dir)
			if err := os.Rename(filepath.Join(dir, "model.onnx"), filepath.Join(dir, "runtime.onnx")); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(filepath.Join(dir, "good.onnx"), filepath.Join(dir, "model.onnx")); err != nil {
				t.Fatal(err)
			}
			opts := onCPU
			opts.Bisect = true
			opts.Runners = graphAndRuntime(t, dir, "runtime.onnx")
			r, err := verify.Verify(context.Background(), dir, opts)
			if err != nil {
				t.Fatal(err)
			}
			b := r.Bisect
			if b.Runner != "ort-cpu" || b.Against != "interp" || b.Stage != c.stage || b.Node == nil || b.Node.Name != c.node || len(b.Between) > 0 {
				t.Errorf("%+v, node %+v", b, b.Node)
			}
			if !strings.Contains(b.Advice, "the interpreter computes the same node right") {
				t.Errorf("advice %q", b.Advice)
			}
			for _, r := range opts.Runners {
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}
			left, err := filepath.Glob(filepath.Join(dir, ".*.pecvt-*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v (%v)", left, err)
			}
		})
	}
}

// A target that exists is refused before any work, unless it is a repro and is to
// be replaced; what is not a repro is never replaced.
func TestExtractTarget(t *testing.T) {
	dir := hopeLlama.write(t)
	graphFault(func(t *testing.T, g *graphOf) {
		attribute(t, g.node(t, "/layers.0/attn/Attention"), "scale").F = 0.3
	})(t, dir)
	repro, _ := extracted(t, dir)
	opts := onCPU
	opts.Extract = repro
	if _, err := verify.Verify(context.Background(), dir, opts); err == nil || !strings.Contains(err.Error(), "exists: choose another, or replace it with Options.Force") {
		t.Errorf("error %v", err)
	}
	opts.Force = true
	if _, err := verify.Verify(context.Background(), dir, opts); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(repro, "notes.txt"), []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := verify.Verify(context.Background(), dir, opts); err == nil || !strings.Contains(err.Error(), "holds notes.txt, which is no part of a repro") {
		t.Errorf("error %v", err)
	}
	opts.Extract = filepath.Join(dir, "model.onnx")
	if _, err := verify.Verify(context.Background(), dir, opts); err == nil || !strings.Contains(err.Error(), "is not a folder") {
		t.Errorf("error %v", err)
	}
	opts.Extract = filepath.Join(t.TempDir(), "no", "such")
	if _, err := verify.Verify(context.Background(), dir, opts); err == nil || !strings.Contains(err.Error(), "cannot write beside it") {
		t.Errorf("error %v", err)
	}
	// Nothing is extracted of a right graph, and no folder is made.
	opts.Extract = filepath.Join(t.TempDir(), "none")
	r, err := verify.Verify(context.Background(), hopeLlama.write(t), opts)
	if err != nil || r.Bisect.Extracted != "" {
		t.Errorf("%+v, error %v", r, err)
	}
	if _, err := os.Stat(opts.Extract); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v", opts.Extract, err)
	}
}

// Damaged repros are errors that name the file.
func TestDamagedRepro(t *testing.T) {
	dir := hopeLlama.write(t)
	graphFault(func(t *testing.T, g *graphOf) {
		attribute(t, g.node(t, "/layers.0/attn/Attention"), "scale").F = 0.3
	})(t, dir)
	repro, _ := extracted(t, dir)
	for _, c := range []struct{ file, data, message string }{
		{"pecvt-repro.json", `{"schema": 1}`, "expected schema 1, a node and positive limits"},
		{"pecvt-repro.json", `{"schema": 1, "colour": 2}`, `unknown field "colour"`},
		{"model.onnx", "no graph", "not an ONNX model"},
		{"inputs.safetensors", "", "inputs.safetensors"},
	} {
		broken := filepath.Join(t.TempDir(), "broken")
		if err := os.CopyFS(broken, os.DirFS(repro)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(broken, c.file), []byte(c.data), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := verify.Verify(context.Background(), broken, onCPU); err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: error %v, want %q", c.file, err, c.message)
		}
	}
	// A graph that no longer fits its inputs is a finding.
	graphFault(func(t *testing.T, g *graphOf) {
		g.model.Graph.Input[0].Name = "elsewhere"
	})(t, repro)
	r, err := verify.Verify(context.Background(), repro, onCPU)
	if err != nil || r.Verdict != verify.Fail {
		t.Errorf("%+v, error %v", r, err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

// graphAndRuntime are the interpreter on a folder's graph, and ONNX Runtime on
// another graph of it: what is wrong with that is wrong in the runtime alone.
func graphAndRuntime(t *testing.T, dir, graph string) []run.Runner {
	t.Helper()
	info, err := run.ReadGraph(dir)
	if err != nil {
		t.Fatal(err)
	}
	i, err := run.OpenInterp(info)
	if err != nil {
		t.Fatal(err)
	}
	o, err := run.OpenORT(dir, graph, info, ort.Options{Provider: ort.ProviderCPU, OptLevel: ort.OptAll})
	if err != nil {
		t.Fatal(err)
	}
	return []run.Runner{i, o}
}
