package verify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

var driftTable = flag.String("drift", "", "write the table of exact rewrites' drifts to this file")

// exactLimit bounds the drift of an exact rewrite, in parts of the largest
// logit: float64 parameters and float64 arithmetic in another order.
const exactLimit = 1e-9

// rotary and additive are the bundled models by what they come with.
var (
	rotary   = []string{"golden/llama-gqa", "models/stories260K", "golden/qwen3", "golden/phi3", "golden/gpt-neox", "golden/mistral", "golden/llama3-scaled", "golden/llama-sharded-f16", "golden/grape-rope"}
	additive = []string{"golden/bloom", "golden/bloom-6heads", "golden/mpt", "golden/falcon-alibi", "golden/grape-alibi"}
)

// TestExactRewrites converts, reads back and runs source and result through the
// float64 reference; then it converts back and asks for the source's logits to
// the bit where the source is stock.
func TestExactRewrites(t *testing.T) {
	type way struct{ to, slope, back string }
	var table strings.Builder
	walked := map[string]bool{}
	defer func() {
		for _, e := range posenc.Encodings() {
			for _, variant := range append([]string{""}, e.Variants...) {
				name := strings.TrimSuffix(e.Name+":"+variant, ":")
				if first := len(e.Variants) > 0 && variant == e.Variants[0]; first { // what the name alone means
					name = e.Name
				}
				if e.Target == nil && !walked[name] && name != "kerple:log" { // fitted: TestFittedKernels
					t.Errorf("--to %s is in no exact rewrite that is computed: add it to the ways of TestExactRewrites (an encoding that one spectrum says needs none: TestRewrittenModelsCompute walks those)", name)
				}
			}
		}
	}()
	for _, set := range []struct {
		models []string
		ways   []way
	}{
		{rotary, []way{{to: "grape-m", back: "rope"}, {to: "hybrid", back: "rope"}, {to: "hybrid:grape-ap", slope: "0", back: "rope"}, {to: "hybrid:alibi", slope: "0", back: "grape-m"},
			{to: "grape-m:basis", back: "rope"}, {to: "grape-m:mixed", back: "rope"}, {to: "grape-m:rank2", back: "rope"}, {to: "grape-m:dense", back: "rope"},
			{to: "hybrid:grape-a:query", back: "rope"}, {to: "hybrid:grape-a:querykey", back: "rope"}, {to: "hybrid:fox", back: "rope"}, {to: "hybrid:kerple:power", back: "rope"}, {to: "hybrid:kerple:log", back: "grape-m"}}},
		{additive, []way{{to: "grape-a", back: "alibi"}, {to: "grape-a:query", back: "alibi"}, {to: "grape-a:querykey", back: "alibi"}, {to: "grape-ap", back: "alibi"}, {to: "fox", back: "alibi"}, {to: "kerple", back: "alibi"}}},
	} {
		for _, name := range set.models {
			ids := tokens(t, filepath.Join(fixtures, name), 40)
			want := logits(t, filepath.Join(fixtures, name), ids, func(*family.Model) {})
			for _, w := range set.ways {
				if name == "golden/grape-rope" && strings.HasPrefix(w.to, posenc.FormPrefix) {
					_, err := convert.NewPlan(filepath.Join(fixtures, name), convert.Options{Output: filepath.Join(t.TempDir(), "out")}.With(rewrite.Options{To: w.to}))
					if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), string(family.NormAfterRotation)) {
						t.Errorf("%s to %s: error %v, want one of its norms", name, w.to, err)
					}
					continue
				}
				walked[w.to], walked[w.back] = true, true
				t.Run(fmt.Sprintf("%s/%s", filepath.Base(name), w.to), func(t *testing.T) {
					kind := rewrite.Exact
					if name == "golden/falcon-alibi" {
						kind = rewrite.Lossy // beyond position 256 alone
					}
					there := rewritten(t, filepath.Join(fixtures, name), rewrite.Options{To: w.to, Slope: w.slope}, kind)
					drift := apart(t, logits(t, there, ids, func(*family.Model) {}), want)
					t.Logf("drift %.2g of the largest logit", drift)
					// Falcon too: its slopes are powers of two, and bf16 rounds no
					// product of theirs below position 256
					if !(drift <= exactLimit) {
						t.Errorf("drift %.3g of the largest logit", drift)
					}
					if w.back == "rope" && strings.Contains(name, "grape") {
						w.back = "grape-m" // no stock spelling
					}
					back := rewritten(t, there, rewrite.Options{To: w.back}, rewrite.Exact)
					again := apart(t, logits(t, back, ids, func(*family.Model) {}), want)
					if !(again <= exactLimit) {
						t.Errorf("and back: drift %.3g", again)
					}
					fmt.Fprintf(&table, "| %s | `%s` | %.1g | `%s` | %.1g |\n", filepath.Base(name), w.to, drift, w.back, again)
					if w.back != "grape-m" {
						sameWeights(t, filepath.Join(fixtures, name), back)
						sameConfig(t, filepath.Join(fixtures, name), back)
					}
				})
			}
		}
	}
	if *driftTable == "" || t.Failed() {
		return
	}
	if err := os.WriteFile(*driftTable, []byte(driftHeader+table.String()), 0o666); err != nil {
		t.Fatal(err)
	}
}

const driftHeader = `# Drift of the exact rewrites

Source and result run in the float64 reference over 2 sequences of 40 tokens; the largest difference of a logit in parts of the largest logit, then the same after converting back. A test bounds each by 1e-9. Hybrids have a slope of 0. Falcon's is exact up to position 256 alone: beyond, bfloat16 rounds its slope × position.

    go test ./verify -run TestExactRewrites -drift ../docs/exact-rewrites.md

| source | to | drift | and back to | drift |
| --- | --- | --- | --- | --- |
`

// TestFalconRounds: beyond position 256 Falcon's bf16 rounds what its rewrites
// do not; the difference is no more than that of the source with its rounding
// taken out in memory.
func TestFalconRounds(t *testing.T) {
	source := filepath.Join(fixtures, "golden/falcon-alibi")
	ids := tokens(t, source, 300)
	plain := logits(t, source, ids, func(*family.Model) {})
	want := logits(t, source, ids, func(m *family.Model) {
		for i := range m.Blocks {
			m.Blocks[i].Attn().Bias.RoundBF16 = false // its slopes are powers of two
		}
	})
	for _, to := range []string{"grape-a", "fox", "grape-ap"} {
		got := logits(t, rewritten(t, source, rewrite.Options{To: to}, rewrite.Lossy), ids, func(*family.Model) {})
		if drift := apart(t, got, want); !(drift <= exactLimit) {
			t.Errorf("%s: %.3g from the source without rounding", to, drift)
		}
		if drift := apart(t, got, plain); !(drift > 0.005 && drift < 0.012) {
			t.Errorf("%s: %.3g from the source, 0.0088 was measured", to, drift)
		}
	}
}

// TestFittedKernels: the logarithm that the rewrite writes is ALiBi's, replaced in
// memory by the formula with a search for r2 of its own; the drift is what is said.
func TestFittedKernels(t *testing.T) {
	for name, most := range map[string]float64{"golden/bloom-6heads": 0.004, "golden/mpt": 0.004} {
		source := filepath.Join(fixtures, name)
		ids := tokens(t, source, 40)
		plain := logits(t, source, ids, func(*family.Model) {})
		want := logits(t, source, ids, func(m *family.Model) {
			for _, a := range m.Attentions() {
				slopes := a.Bias.Slopes
				a.Bias = &family.Bias{Kind: family.Kerple, Slopes: make([]float64, a.Heads), R2: make([]float64, a.Heads)}
				for h, slope := range slopes {
					a.Bias.Slopes[h], a.Bias.R2[h] = 1024, searched(slope)
				}
			}
		})
		there := rewritten(t, source, rewrite.Options{To: "kerple:log"}, rewrite.Lossy)
		got := logits(t, there, ids, func(*family.Model) {})
		if drift := apart(t, got, want); !(drift <= 1e-6) { // the search stops at 1e-6 of r2
			t.Errorf("%s: %.3g from the formula", name, drift)
		}
		drift := apart(t, got, plain)
		t.Logf("%s: %.3g from ALiBi", name, drift)
		if !(drift > 1e-6 && drift < most) {
			t.Errorf("%s: %.3g from ALiBi", name, drift)
		}
		// and through the exact form: the same numbers
		twice := rewritten(t, rewritten(t, source, rewrite.Options{To: "kerple"}, rewrite.Exact), rewrite.Options{To: "kerple:log"}, rewrite.Lossy)
		if drift := apart(t, logits(t, twice, ids, func(*family.Model) {}), got); drift != 0 {
			t.Errorf("%s: by the power form %.3g away", name, drift)
		}
	}
}

// searched is the r2 whose weights (1 + r2 n)^−1024 are nearest to e^−βn, by ever finer
// grids.
func searched(slope float64) float64 {
	at, width := slope/1024, slope/2048
	for range 12 {
		best, least := at, math.Inf(1)
		for k := -10.0; k <= 10; k++ {
			r2, worst := at+k/10*width, 0.0
			for n := 1.0; n*slope < 40; n++ {
				worst = max(worst, math.Abs(math.Exp(-1024*math.Log1p(r2*n))-math.Exp(-slope*n)))
			}
			if worst < least {
				best, least = r2, worst
			}
		}
		at, width = best, width/3
	}
	return at
}

// TestBiasesIntoEachOther goes through every bias in turn: ω = β/ln 2 and its
// like lose nothing that adds up.
func TestBiasesIntoEachOther(t *testing.T) {
	source := filepath.Join(fixtures, "golden/bloom-6heads")
	ids := tokens(t, source, 40)
	want := logits(t, source, ids, func(*family.Model) {})
	at := source
	for _, to := range []string{"fox", "grape-a:query", "grape-ap", "grape-a:querykey", "kerple:power", "fox", "grape-ap", "kerple:power", "grape-a:key", "alibi"} {
		at = rewritten(t, at, rewrite.Options{To: to}, rewrite.Exact)
		if drift := apart(t, logits(t, at, ids, func(*family.Model) {}), want); !(drift <= exactLimit) {
			t.Errorf("as %s: drift %.3g", to, drift)
		}
	}
	sameConfig(t, source, at)
}

// TestHybridWithSlopes: the bias of a lossy hybrid is ALiBi's, put on the
// source in memory.
func TestHybridWithSlopes(t *testing.T) {
	source := filepath.Join(fixtures, "golden/llama-gqa")
	ids := tokens(t, source, 40)
	plain := logits(t, source, ids, func(*family.Model) {})
	for _, slope := range []string{"alibi", "0.3"} {
		want := logits(t, source, ids, func(m *family.Model) {
			for _, a := range m.Attentions() {
				slopes := make([]float64, a.Heads)
				for h := range slopes {
					slopes[h] = 0.3
					if slope == "alibi" {
						slopes[h] = math.Exp2(-2 * float64(h+1)) // 4 heads: 2^(−8(h+1)/4)
					}
				}
				a.Bias = &family.Bias{Kind: family.ALiBi, Slopes: slopes}
			}
		})
		for _, to := range []string{"hybrid", "hybrid:grape-a:query", "hybrid:grape-a:query,key", "hybrid:grape-ap", "hybrid:fox", "hybrid:kerple:power", "hybrid:alibi"} {
			there := rewritten(t, source, rewrite.Options{To: to, Slope: slope}, rewrite.Lossy)
			got := logits(t, there, ids, func(*family.Model) {})
			if drift := apart(t, got, want); !(drift <= exactLimit) {
				t.Errorf("%s --slope %s: %.3g from ALiBi beside the rotation", to, slope, drift)
			}
			if drift := apart(t, got, plain); drift < 1e-3 {
				t.Errorf("%s --slope %s: only %.3g from the source: the bias does nothing", to, slope, drift)
			}
		}
	}
}

// TestSpectraThroughGrapeM: what --to gives from a GRAPE-M block is what it
// gives from the source.
func TestSpectraThroughGrapeM(t *testing.T) {
	source := filepath.Join(fixtures, "golden/llama-gqa")
	ids := tokens(t, source, 40)
	block := rewritten(t, source, rewrite.Options{To: "grape-m"}, rewrite.Exact)
	hope := rewritten(t, source, rewrite.Options{To: "hope"}, rewrite.Lossy)
	for _, to := range []string{"hope", "hope-ab3", "nope"} {
		want := logits(t, rewritten(t, source, rewrite.Options{To: to}, rewrite.Lossy), ids, func(*family.Model) {})
		got := logits(t, rewritten(t, block, rewrite.Options{To: to}, rewrite.Lossy), ids, func(*family.Model) {})
		if drift := apart(t, got, want); !(drift <= exactLimit) {
			t.Errorf("%s through grape-m: %.3g", to, drift)
		}
	}
	// HoPE, PI and YaRN as GRAPE-M: θ = 0 for dropped planes, the factor beside
	yarn := posenc.Scale{Kind: "yarn", Factor: 4}
	for _, o := range []rewrite.Options{{To: "pi", Scale: posenc.Scale{Kind: "pi", Factor: 4}}, {To: "yarn", Scale: yarn}, {To: "hope"}, {To: "hope", Scale: yarn}} {
		lossy := hope
		if o.To != "hope" || o.Scale.Kind != "" {
			lossy = rewritten(t, source, o, rewrite.Lossy)
		}
		there := rewritten(t, lossy, rewrite.Options{To: "grape-m"}, rewrite.Exact)
		want := logits(t, lossy, ids, func(*family.Model) {})
		if drift := apart(t, logits(t, there, ids, func(*family.Model) {}), want); !(drift <= exactLimit) {
			t.Errorf("%s as grape-m: %.3g", o.To, drift)
		}
		sameConfig(t, lossy, rewritten(t, there, rewrite.Options{To: "rope"}, rewrite.Exact)) // longrope of one list of factors too
	}
}

// TestSignFolds: a block whose planes turn by −θ becomes stock by negated rows,
// in every layout of q and k; and the block's numbers are what is computed.
func TestSignFolds(t *testing.T) {
	for _, name := range []string{"llama-gqa", "qwen2", "qwen3", "phi3", "gpt-neox", "llama-sharded-f16", "llama-tied-bf16"} {
		source := filepath.Join(fixtures, "golden", name)
		ids := tokens(t, source, 40)
		plain := logits(t, source, ids, func(*family.Model) {})
		block := rewritten(t, source, rewrite.Options{To: "grape-m"}, rewrite.Exact)
		files, err := filepath.Glob(filepath.Join(block, "*.safetensors"))
		if err != nil || len(files) < 2 {
			t.Fatalf("%v, %v", files, err)
		}
		backward(t, files[len(files)-1])
		want := logits(t, block, ids, func(*family.Model) {})
		if drift := apart(t, want, plain); drift < 1e-3 {
			t.Errorf("%s: turned by −θ the logits move by %.3g alone: the block is not read", name, drift)
		}
		stock := rewritten(t, block, rewrite.Options{To: "rope"}, rewrite.Exact)
		if drift := apart(t, logits(t, stock, ids, func(*family.Model) {}), want); !(drift <= exactLimit) {
			t.Errorf("%s: folded, the logits move by %.3g", name, drift)
		}
		sameConfig(t, source, stock)
	}
}

// backward flips the sign of every number in a file of F64 tensors.
func backward(t testing.TB, path string) {
	t.Helper()
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	begin := int(f.DataStart())
	for _, info := range f.Tensors() {
		if info.DType != tensor.F64 || !family.OfBlock(info.Name) {
			t.Fatalf("%s holds %s of %s", path, info.Name, info.DType)
		}
	}
	f.Close()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := begin + 7; i < len(raw); i += 8 {
		raw[i] ^= 0x80
	}
	if err := os.WriteFile(path, raw, 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestRewriteTable: every cell of the table is what a conversion of a bundled
// model does.
func TestRewriteTable(t *testing.T) {
	sources := map[string]string{"rope": "golden/llama-gqa", "grape-m": "golden/grape-m-nonctx", "grape-m-ctx": "golden/grape-m-ctx", "alibi": "golden/mpt",
		"grape-a": "golden/grape-a-querykeygated", "grape-ap": "golden/grape-ap-v1", "fox": "golden/grape-fox"}
	hybrid := rewritten(t, filepath.Join(fixtures, "golden/llama-gqa"), rewrite.Options{To: "hybrid", Slope: "0.5"}, rewrite.Lossy)
	form := rewritten(t, filepath.Join(fixtures, "golden/llama-gqa"), rewrite.Options{To: "grape-m:basis"}, rewrite.Exact)
	kernel := rewritten(t, filepath.Join(fixtures, "golden/mpt"), rewrite.Options{To: "kerple:power"}, rewrite.Exact)
	for _, cell := range rewrite.Table() {
		source := filepath.Join(fixtures, sources[cell.From])
		switch cell.From {
		case "kerple":
			source = kernel
		case "hybrid":
			source = hybrid
		case "grape-m:form":
			source = form
		}
		o := rewrite.Options{To: cell.To}
		if cell.To == "pi" || cell.To == "yarn" {
			o.Scale = posenc.Scale{Kind: cell.To, Factor: 2}
		}
		p, err := convert.NewPlan(source, convert.Options{Output: filepath.Join(t.TempDir(), "out")}.With(o))
		got := rewrite.Refused
		if err == nil {
			got = p.Rewrite().Kind
		} else if !errors.Is(err, posenc.ErrUnsupported) {
			t.Errorf("%s to %s: %v does not wrap ErrUnsupported", cell.From, cell.To, err)
		}
		want := cell.Kind
		if cell.When != "" && cell.When != hint.Slope+" 0" && !slices.Contains([]string{"alibi", "rope", "kerple"}, cell.From) { // per-head spectra and trained gates; powers of 1 are ALiBi's
			want = cell.Otherwise
		}
		if cell.From == "grape-m:form" && slices.Contains([]string{"grape-m", "rope", "grape-m:basis"}, cell.To) {
			want = cell.Kind // the basis is the identity
		}
		if cell.From == "grape-a" && cell.To == "grape-a" {
			want = rewrite.Refused // key-gated is asked, both gates are there
		}
		if got != want {
			t.Errorf("%s to %s: %s, the table says %s: %v", cell.From, cell.To, got, want, err)
		}
	}
}

// rewritten converts into a fresh folder and requires the kind.
func rewritten(t testing.TB, source string, o rewrite.Options, kind rewrite.Kind) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	p, err := convert.NewPlan(source, convert.Options{Output: out}.With(o))
	if err != nil {
		t.Fatal(err)
	}
	if p.Rewrite().Kind != kind {
		t.Errorf("--to %s is %s, want %s: %s", o.To, p.Rewrite().Kind, kind, p.Rewrite().Reason)
	}
	if _, err := convert.Run(context.Background(), p, convert.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	return out
}

// tokens are a few sequences within a model's vocabulary.
func tokens(t testing.TB, model string, n int) [][]int64 {
	t.Helper()
	ids := make([][]int64, 2)
	for b := range ids {
		for i := range n {
			ids[b] = append(ids[b], int64(i*37+11+b*5)%120)
		}
	}
	return ids
}

// apart is the largest difference in parts of the largest wanted value.
func apart(t testing.TB, got, want []float64) float64 {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d logits, want %d", len(got), len(want))
	}
	var largest, worst float64
	for i := range want {
		largest = math.Max(largest, math.Abs(want[i]))
		if d := math.Abs(got[i] - want[i]); !(d <= worst) {
			worst = d
		}
	}
	return worst / largest
}

// sameConfig compares two folders' configurations as values.
func sameConfig(t testing.TB, a, b string) {
	t.Helper()
	var texts [2]bytes.Buffer
	for i, dir := range []string{a, b} {
		raw, err := os.ReadFile(filepath.Join(dir, "config.json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Compact(&texts[i], raw); err != nil {
			t.Fatal(err)
		}
	}
	if texts[0].String() != texts[1].String() {
		t.Errorf("config.json is\n%s\nand was\n%s", texts[1].String(), texts[0].String())
	}
}

// sameWeights requires the source's tensor files and no others.
func sameWeights(t testing.TB, a, b string) {
	t.Helper()
	for _, dir := range []string{a, b} {
		if _, err := os.Stat(filepath.Join(dir, "golden.safetensors")); err == nil {
			continue // the bundled folder holds more than the model
		}
		left, _ := filepath.Glob(filepath.Join(dir, "*.safetensors"))
		for _, path := range left {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(raw, []byte(family.BlockKey+".layers.")) {
				t.Errorf("%s still holds tensors of the block", filepath.Base(path))
			}
		}
	}
}
