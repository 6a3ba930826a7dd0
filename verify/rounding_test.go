package verify_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/verify"
)

// loud gives every k_proj bias of a float32 checkpoint large values, which
// makes large scores.
func loud(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, "model.safetensors")
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rng, changed := rand.New(rand.NewPCG(1, 1)), 0
	for _, w := range f.Tensors() {
		if !strings.HasSuffix(w.Name, "k_proj.bias") {
			continue
		}
		if w.DType != tensor.F32 {
			t.Fatalf("%s is %v", w.Name, w.DType)
		}
		for at := f.DataStart() + w.Begin; at < f.DataStart()+w.End; at += 4 {
			binary.LittleEndian.PutUint32(data[at:], math.Float32bits(float32(60*rng.NormFloat64())))
		}
		changed++
	}
	f.Close()
	if changed == 0 {
		t.Fatal("no bias of keys")
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	unsummed(t, path)
}

// TestLargeScores: the tables' rounding, which large scores magnify past the
// interpreter's limit, is told from a fault.
func TestLargeScores(t *testing.T) {
	runtimePresent(t)
	c := conversion{model: "golden/qwen2", to: "rope"}
	emit := func(t *testing.T) string {
		dir := c.write(t)
		loud(t, dir)
		if err := c.emit(dir); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	t.Run("no fault", func(t *testing.T) {
		t.Parallel()
		r, past := verified(t, emit(t), verify.Options{OptLevel: "all"}), 0
		for _, c := range r.Checks {
			if c.Runner == "ort-cpu" {
				// Float32's own rounding grows with the scores too, and the budget with it.
				if c.Verdict == verify.Fail {
					t.Errorf("%s of %s: %s %s", c.Name, c.Runner, c.Detail, c.Blame)
				}
				continue
			}
			if c.Verdict == verify.Fail {
				t.Errorf("%s of %s: %s %s", c.Name, c.Runner, c.Detail, c.Blame)
			}
			if c.Limit > 0 && c.MaxRel > c.Limit {
				past++
				if !strings.Contains(c.Detail, "rounding of the cos and sin tables") {
					t.Errorf("%s of %s passes at %v of %v: %q", c.Name, c.Runner, c.MaxRel, c.Limit, c.Detail)
				}
			}
		}
		if past == 0 {
			t.Error("no check is past its limit: the scores are too small to show anything")
		}
	})
	t.Run("a fault", func(t *testing.T) {
		t.Parallel()
		dir := emit(t)
		graphFault(func(t *testing.T, g *graphOf) {
			attribute(t, g.node(t, "/layers.1/attn/Attention"), "scale").F *= 1.0001
		})(t, dir)
		c, _ := find(verified(t, dir, verify.Options{OptLevel: "all"}), "prefill", "interp")
		if c.Verdict != verify.Fail || !strings.Contains(c.Blame, "layer 1 (the last)") {
			t.Errorf("prefill: %s (max rel %v), blame %q", c.Verdict, c.MaxRel, c.Blame)
		}
	})
	t.Run("a table off by less than the tables' limit allows", func(t *testing.T) {
		t.Parallel()
		dir := emit(t)
		graphFault(func(t *testing.T, g *graphOf) {
			g.table(t, "/rotary/sin_table", func(_, _ int, x float64) float64 { return x * (1 + 4e-7) })
		})(t, dir)
		r := verified(t, dir, verify.Options{OptLevel: "all"})
		for _, name := range []string{"tables", "prefill"} {
			if c, _ := find(r, name, "interp"); c.Verdict != verify.Fail || !strings.Contains(c.Blame, "config.json was changed") {
				t.Errorf("%s: %s (max rel %v), blame %q", name, c.Verdict, c.MaxRel, c.Blame)
			}
		}
	})
}
