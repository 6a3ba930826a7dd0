package ref

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
)

// blockOutputs runs the model and returns its output beside the residual stream
// after every block, the final norm left out.
func blockOutputs(t *testing.T, r *Runner, in Input) (*Output, [][]float64) {
	t.Helper()
	var blocks [][]float64
	out, err := r.Forward(context.Background(), in, Options{KeepHidden: true, Tap: func(name string, v []float64, _ []int) {
		if name == fmt.Sprintf("/layers.%d/output", len(blocks)) {
			blocks = append(blocks, slices.Clone(v))
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	return out, blocks
}

// encodingCases are the checkpoints as they are whose goldens say something else
// than those of a stock model (plainGoldens).
var encodingCases = []struct {
	dir, golden string
	// blocks: the golden's hidden.i is the output of block i.
	blocks bool
	edit   func(a *family.Attention)
}{
	// The eager path of transformers 5.23.0 adds Falcon's bias twice: in the
	// mask and to the scores. Its sdpa path, the default, adds it once.
	{"falcon-alibi", "golden.eager", false, func(a *family.Attention) {
		twice := *a.Bias
		twice.Slopes = nil
		for _, s := range a.Bias.Slopes {
			twice.Slopes = append(twice.Slopes, 2*s)
		}
		a.Bias = &twice
	}},
	{"grape-rope", "golden", true, nil},
	{"grape-alibi", "golden", true, nil},
	{"grape-fox", "golden", true, nil},
	{"grape-m-nonctx", "golden", true, nil},
	{"grape-m-nonctx-shared", "golden", true, nil},
	{"grape-m-ctx", "golden", true, nil},
	{"grape-a-querygated", "golden", true, nil},
	{"grape-a-keygated", "golden", true, nil},
	{"grape-a-querykeygated", "golden", true, nil},
	{"grape-ap-v1", "golden", true, nil},
	{"grape-ap-v1-kvshift", "golden", true, nil},
	{"grape-ap-v1-pktie", "golden", true, nil},
	{"grape-rope-subln", "golden", true, nil},
	{"grape-alibi-6heads", "golden", true, nil},
	{"grape-a-querykeygated-plain", "golden", true, nil},
	{"grape-m-ctx-heads", "golden", true, nil},
	{"grape-ap-v1-pqtie", "golden", true, nil},
	{"grape-ap-v1-pvtie", "golden", true, nil},
	{"grape-fox-rope", "golden", true, nil},
}

// What a golden says of its own: the official GRAPE models, whose hidden.i is
// the output of block i, and a doubled bias.
func TestEncodingGoldens(t *testing.T) {
	for _, c := range encodingCases {
		t.Run(c.dir+"/"+c.golden, func(t *testing.T) {
			m, src := checkpoint(t, "golden/"+c.dir)
			for i := range m.Blocks {
				if c.edit != nil {
					c.edit(m.Blocks[i].Attn())
				}
			}
			g := readGolden(t, filepath.Join("golden", c.dir, c.golden+".safetensors"))
			out, blocks := blockOutputs(t, New(m, src), Input{IDs: g.ids})
			states := out.Hidden
			if c.blocks {
				states = blocks
			}
			if len(g.hidden) != len(states) {
				t.Fatalf("the golden has %d hidden states, want %d", len(g.hidden), len(states))
			}
			compareGolden(t, out.Logits, states, g)
		})
	}
}

func compareGolden(t *testing.T, logits []float64, states [][]float64, g golden) {
	t.Helper()
	report := fmt.Sprintf("of the largest: logits %.1e", relative(t, logits, g.logits))
	near(t, "logits", logits, g.logits, limit)
	for i, want := range g.hidden {
		near(t, fmt.Sprintf("hidden.%d", i), states[i], want, limit)
		report += fmt.Sprintf(", hidden.%d %.1e", i, relative(t, states[i], want))
	}
	t.Log(report)
}

// official are the forms of the official GRAPE models that no case under
// testdata/golden has: norms of each head's output, shifted keys and values,
// and each variant's own options. gen_grape.py writes them.
var official = []string{"rope", "rope-unnormed", "alibi", "alibi-3heads", "fox", "fox-rope", "m-nonctx", "m-ctx", "m-ctx-perhead",
	"a-keygated", "a-querygated", "a-querykeygated", "ap-v1", "ap-v1-pqtie", "ap-v1-pktie", "ap-v1-pvtie"}

func TestOfficialForms(t *testing.T) {
	for _, name := range official {
		t.Run(name, func(t *testing.T) {
			dir := "../verify/ref/testdata/grape-" + name
			m, src := checkpoint(t, dir)
			r, g := New(m, src), readGolden(t, dir+"/golden.safetensors")
			out, blocks := blockOutputs(t, r, Input{IDs: g.ids})
			if len(g.hidden) != len(blocks) {
				t.Fatalf("the golden has %d hidden states, want %d", len(g.hidden), len(blocks))
			}
			compareGolden(t, out.Logits, blocks, g)
			inPieces(t, m, r, g.ids, out, slices.Repeat([]int{1}, len(g.ids[0])))
			inPieces(t, m, r, g.ids, out, []int{5, 1, 9})
		})
	}
}
