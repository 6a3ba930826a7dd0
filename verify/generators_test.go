package verify_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/family/familytest"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify"
)

// generated are the folders of testdata/learned whose heads turn by exp(tL), and whether
// their bases fold into W_q and W_k.
var generated = map[string]bool{
	"llama-basis": true, "llama-mixed": true, "llama-mixed-whole": true, "llama-rank2": true, "llama-dense": true, "stablelm-dense": true, "stablelm-mixed": true,
	"qwen3-basis": false, "qwen3-mixed": false, "qwen3-dense": false, "qwen3-basis-scaled": false, // a norm that weights what the basis mixes
}

// TestGenerators: generators as training leaves them are emitted and verified by all
// runners against the logits of another program; what folds has the same logits, and is
// verified against what it was made of.
func TestGenerators(t *testing.T) {
	present := runtimePresent(t)
	good := func(t *testing.T, dir string, o verify.Options) {
		t.Helper()
		r := verified(t, dir, o)
		for _, c := range r.Checks {
			if c.Verdict == verify.Fail || c.Verdict == verify.Incomplete && present {
				t.Errorf("%s of %s: %s: %s (off by %v, limit %v)", c.Name, c.Runner, c.Verdict, c.Detail, c.MaxRel, c.Limit)
			}
		}
		if c, ok := find(r, "generators", "ref"); ok {
			t.Logf("generators: %s, off by %v", c.Verdict, c.MaxRel)
		}
	}
	for name, folds := range generated {
		t.Run(name, func(t *testing.T) {
			dir := familytest.Learned(t, fixtures, name)
			if err := (conversion{maxLength: 300}).emit(dir); err != nil {
				t.Fatal(err)
			}
			good(t, dir, verify.Options{Golden: filepath.Join(fixtures, "learned", name, "golden.safetensors")})
			ids := tokens(t, dir, 40)
			for _, row := range ids {
				for i := range row {
					row[i] %= 24
				}
			}
			want := logits(t, dir, ids, func(*family.Model) {})
			if !folds {
				_, err := convert.NewPlan(dir, convert.Options{Output: filepath.Join(t.TempDir(), "out")}.With(rewrite.Options{To: "grape-m"}))
				if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(fmt.Sprint(err), "only coordinates of equal weight can be mixed before a norm") {
					t.Errorf("error %v, want one of the norm's weights", err)
				}
			} else {
				folded := rewritten(t, dir, rewrite.Options{To: "grape-m"}, rewrite.Exact)
				drift := apart(t, logits(t, folded, ids, func(*family.Model) {}), want)
				if t.Logf("folded: drift %.2g of the largest logit", drift); !(drift <= 1e-6) {
					t.Errorf("folded: drift %.3g of the largest logit", drift)
				}
				if err := (conversion{maxLength: 300}).emit(folded); err != nil {
					t.Fatal(err)
				}
				good(t, folded, verify.Options{Against: dir})
			}
			dense := rewritten(t, dir, rewrite.Options{To: "grape-m:dense"}, rewrite.Exact)
			if drift := apart(t, logits(t, dense, ids, func(*family.Model) {}), want); !(drift <= exactLimit) {
				t.Errorf("dense: drift %.3g of the largest logit", drift)
			}
		})
	}
}

// TestFastestGenerators: generators that turn as fast as a block may are right in the
// graph, at its last positions too.
func TestFastestGenerators(t *testing.T) {
	dir := familytest.Learned(t, fixtures, "llama-dense")
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	m, err := families.Load(s)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range m.Attentions() {
		fastest := 0.0
		for _, row := range a.Spectra.InvFreq {
			for _, theta := range row {
				fastest = max(fastest, math.Abs(theta))
			}
		}
		name := family.BlockTensor(i, "rotation.generator")
		place, ok := s.Place(name)
		raw, err := store.Bytes(s, name)
		if err != nil || !ok {
			t.Fatal(err, ok)
		}
		raw = bytes.Clone(raw)
		for at := 0; at < len(raw); at += 8 {
			x := math.Float64frombits(binary.LittleEndian.Uint64(raw[at:]))
			binary.LittleEndian.PutUint64(raw[at:], math.Float64bits(x*127.9/fastest))
		}
		f, err := os.OpenFile(place.File, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(raw, place.Offset); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := (conversion{maxLength: 4096}).emit(dir); err != nil {
		t.Fatal(err)
	}
	for _, c := range verified(t, dir, verify.Options{}).Checks {
		if c.Verdict == verify.Fail {
			t.Errorf("%s of %s: %s: %s (off by %v, limit %v)", c.Name, c.Runner, c.Verdict, c.Detail, c.MaxRel, c.Limit)
		}
	}
}

// TestGeneratorForms: forms of graphs that have generators, and those that refuse them.
func TestGeneratorForms(t *testing.T) {
	dir := familytest.Learned(t, fixtures, "llama-mixed")
	for _, o := range []onnxops.Options{{DType: onnxops.DTypeFloat16}, {DType: onnxops.DTypeBFloat16}, {Opset: 17}, {Weights: onnxops.WeightsInt8}, {Linear: onnxops.LinearMatMul}, {Logits: onnxops.LogitsLast}, {Portable: true}} {
		o.MaxLength, o.Version, o.Placement = 64, "test", onnxops.PlaceEmbed
		if _, err := onnxops.Emit(dir, o); err != nil {
			t.Errorf("%+v: %v", o, err)
			continue
		}
		for _, c := range verified(t, dir, verify.Options{}).Checks {
			if c.Verdict == verify.Fail {
				t.Errorf("%s %d %s %s: %s of %s: %s (off by %v, limit %v)", o.DType, o.Opset, o.Weights, o.Linear, c.Name, c.Runner, c.Detail, c.MaxRel, c.Limit)
			}
		}
	}
	_, err := onnxops.Emit(dir, onnxops.Options{Attention: onnxops.AttentionORT, MaxLength: 64, Version: "test"})
	if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(fmt.Sprint(err), string(family.RotationsInBases)) {
		t.Errorf("form ort: error %v", err)
	}
}

// TestGeneratorFaults: bases that are turned over, of the other head, or left out of the
// keys are found by the rotation alone, whatever the logits say.
func TestGeneratorFaults(t *testing.T) {
	for name, plant := range map[string]func(t *testing.T, g *graphOf){
		"turned over": func(t *testing.T, g *graphOf) {
			bases(g, func(d int, of func(g, i, j int) float64) func(g, i, j int) float64 {
				return func(g, i, j int) float64 { return of(g, j, i) }
			})
		},
		"of the other head": func(t *testing.T, g *graphOf) {
			bases(g, func(d int, of func(g, i, j int) float64) func(g, i, j int) float64 {
				return func(g, i, j int) float64 { return of(1-g, i, j) }
			})
		},
		"left out of keys": func(t *testing.T, g *graphOf) {
			product := g.node(t, "/layers.1/attn/k_basis/MatMul")
			g.node(t, "/layers.1/attn/k/fold/Reshape").Input[0] = product.Input[0]
		},
	} {
		dir := familytest.Learned(t, fixtures, "llama-mixed")
		if err := (conversion{maxLength: 64}).emit(dir); err != nil {
			t.Fatal(err)
		}
		graphFault(plant)(t, dir)
		r := verified(t, dir, verify.Options{ORTLibrary: noLibrary})
		for _, check := range []string{"rotation", "prefill"} {
			if c, ok := find(r, check, "interp"); !ok || c.Verdict != verify.Fail {
				t.Errorf("%s: %s: %v %s", name, check, c.Verdict, c.Detail)
			}
		}
	}
}

// bases changes the numbers of layer 1's bases.
func bases(g *graphOf, change func(d int, of func(g, i, j int) float64) func(g, i, j int) float64) {
	for _, t := range g.model.Graph.Initializer {
		if t.GetName() != "/layers.1/attn/bases" {
			continue
		}
		old, d := bytes.Clone(t.RawData), int(t.Dims[2])
		made := change(d, func(g, i, j int) float64 {
			return float64(math.Float32frombits(binary.LittleEndian.Uint32(old[4*((g*d+i)*d+j):])))
		})
		for k := range len(old) / 4 {
			binary.LittleEndian.PutUint32(t.RawData[4*k:], math.Float32bits(float32(made(k/d/d, k/d%d, k%d))))
		}
	}
}
