package ref

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
)

// A cache that lacks what the encoding needs, positions without distances, and
// a bias that no formula stands for are errors that say so.
func TestBadEncodings(t *testing.T) {
	cases := []struct {
		name, dir string
		model     func(a *family.Attention)
		cache     func(c *Cache)
		positions []int64
		want      string
	}{
		{name: "features", dir: "golden/grape-fox", cache: func(c *Cache) { c.States[1].Features = nil }, want: "layer 1: the cache has 0 numbers of features of keys: expected 16"},
		{name: "sums", dir: "golden/grape-fox", cache: func(c *Cache) { c.States[0].Sums = c.States[0].Sums[1:] }, want: "layer 0: the cache has 3 numbers of running sums: expected 4"},
		{name: "phase", dir: "golden/grape-m-ctx", cache: func(c *Cache) { c.States[1].Phase = nil }, want: "0 numbers of phases: expected 1"},
		{name: "last key", dir: "golden/grape-ap-v1-kvshift", cache: func(c *Cache) { c.States[0].LastKey = nil }, want: "0 numbers of last keys: expected 64"},
		{name: "last value", dir: "golden/grape-ap-v1-kvshift", cache: func(c *Cache) { c.States[0].LastValue = nil }, want: "0 numbers of last values: expected 64"},
		{name: "a state too many", dir: "golden/grape-rope", cache: func(c *Cache) { c.States[0].Phase = []float64{1} }, want: "1 numbers of phases: expected 0"},
		{name: "no states", dir: "golden/grape-rope", cache: func(c *Cache) { c.States = nil }, want: "0 of states, the model 2 layers"},
		{name: "no positions", dir: "golden/grape-alibi", cache: func(c *Cache) { c.Positions = nil }, want: "the cache has 0 positions for 1 rows of 4"},
		{name: "same position", dir: "golden/grape-alibi", positions: []int64{4, 4}, want: "row 0: position 4 at index 5 follows position 4: a bias needs positions that rise"},
		{name: "behind the cache", dir: "golden/grape-ap-v1", positions: []int64{3, 4}, want: "row 0: position 3 at index 4 follows position 3"},
		{name: "kind", dir: "golden/grape-alibi", model: func(a *family.Attention) { a.Bias.Kind = 77 }, want: "kind 77"},
		{name: "heads", dir: "golden/grape-alibi", model: func(a *family.Attention) { a.Bias.Slopes = a.Bias.Slopes[1:] }, want: "bias: 3 heads, the layer has 4"},
		{name: "slope", dir: "golden/grape-a-keygated", model: func(a *family.Attention) { a.Bias.Slopes = []float64{1, 2, math.NaN(), 1} }, want: "of head 2 is NaN"},
		{name: "no gate", dir: "golden/grape-a-keygated", model: func(a *family.Attention) { a.Bias.U = nil }, want: "at least one gate"},
		{name: "epsilon", dir: "golden/grape-ap-v1", model: func(a *family.Attention) { a.Bias.Eps = 1e-6 }, want: "expected float32's machine epsilon"},
		{name: "tie", dir: "golden/grape-ap-v1-pktie", model: func(a *family.Attention) { a.Bias.Tie = "o" }, want: "tied to \"o\": expected q, k or v"},
		{name: "tied width", dir: "golden/grape-ap-v1-pktie", model: func(a *family.Attention) { a.Bias.PDim = 8 }, want: "path vectors of 8 numbers"},
		{name: "rounded gates", dir: "golden/grape-a-keygated", model: func(a *family.Attention) { a.Bias.RoundBF16 = true }, want: "that is ALiBi's alone"},
		{name: "phase scale", dir: "golden/grape-m-ctx", model: func(a *family.Attention) { a.Phase.C = 0 }, want: "contextual phase: scale 0"},
		{name: "phase rows", dir: "golden/grape-m-ctx", model: func(a *family.Attention) { a.Phase.Gate = a.Q; a.Phase.Gate.Weight.Shape = []int64{64, 64} }, want: "has 64 rows: expected 1 or one per key/value head (4)"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m, src := checkpoint(t, c.dir)
			r := New(m, src)
			ids := tokens(m, 1, 6)
			past := forward(t, r, Input{IDs: [][]int64{ids[0][:4]}}).Cache
			in := Input{IDs: [][]int64{ids[0][4:]}, Past: past}
			if c.positions != nil {
				in.Positions = [][]int64{c.positions}
			}
			if c.cache != nil {
				c.cache(past)
			}
			if c.model != nil {
				in.Past = nil
				c.model(m.Blocks[0].Attn())
			}
			_, err := r.Forward(context.Background(), in, Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// The names of Forward's list, where an encoding has steps of its own.
func TestEncodingTaps(t *testing.T) {
	cases := []struct{ dir, want string }{
		{"golden/grape-m-ctx", "phase q_proj q_rotated q_norm k_proj k_rotated k_norm v_proj context o_proj"},
		{"golden/grape-ap-v1-kvshift", "q_proj q_norm k_proj k_shift k_norm v_proj v_shift context o_proj"},
		{"golden/grape-fox", "q_proj q_norm k_proj k_norm v_proj context o_proj"},
		{"golden/bloom", "q_proj k_proj v_proj context o_proj"},
	}
	for _, c := range cases {
		m, src := checkpoint(t, c.dir)
		var all, names []string
		_, err := New(m, src).Forward(context.Background(), Input{IDs: tokens(m, 2, 3)}, Options{Tap: func(name string, v []float64, shape []int) {
			n := 1
			for _, s := range shape {
				n *= s
			}
			if n != len(v) {
				t.Errorf("%s: %d numbers of shape %v", name, len(v), shape)
			}
			all = append(all, name)
			if step, ok := strings.CutPrefix(name, "/layers.1/attn/"); ok {
				names = append(names, step)
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.dir, got, c.want)
		}
		if slices.Contains(all, "/embed_norm") != (c.dir == "golden/bloom") {
			t.Errorf("%s: taps %v", c.dir, all)
		}
	}
}
