package ref

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
)

// mixtures are the goldens that have any.
func mixtures(t *testing.T) (dirs []string) {
	t.Helper()
	list, err := os.ReadDir(filepath.Join(testdata, "families"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if !e.IsDir() {
			continue
		}
		dir := filepath.Join("families", e.Name())
		m, _ := checkpoint(t, dir)
		for i := range m.Blocks {
			if m.Blocks[i].Mixture() != nil || m.Blocks[i].Shortcut != nil {
				dirs = append(dirs, dir)
				break
			}
		}
	}
	return dirs
}

// choicesOf are a pass's choices by place, row and column.
func choicesOf[T Float](t *testing.T, r *RunnerOf[T], ids [][]int64) map[Choice]Choice {
	t.Helper()
	all := map[Choice]Choice{}
	_, err := r.Forward(context.Background(), InputOf[T]{IDs: ids}, OptionsOf[T]{Choices: func(c Choice) {
		all[Choice{Place: c.Place, Row: c.Row, Column: c.Column}] = c
	}})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestTurn: what float32 does to the margin of a choice is within what Near allows
// for, and not far below it, in every kind of router.
func TestTurn(t *testing.T) {
	for _, dir := range mixtures(t) {
		m, src := checkpoint(t, dir)
		ids := tokens(m, 4, 48)
		exact, plain := choicesOf(t, New(m, src), ids), choicesOf(t, New32(m, src), ids)
		worst, sum, n := 0.0, 0.0, 0
		for at, c := range exact {
			p := plain[at]
			if p.Of != c.Of || p.Kept != c.Kept || p.Left != c.Left {
				if !c.Near(unit) {
					t.Errorf("%s: %+v, and in float32 %+v", dir, c, p)
				}
				continue
			}
			off := math.Abs(p.Margin-c.Margin) * c.Turn / c.Margin / unit / math.Sqrt(float64(1+c.Layer))
			worst, sum, n = max(worst, off), sum+off*off, n+1
		}
		mean := math.Sqrt(sum / float64(n))
		t.Logf("%-28s %.2f u √(1+l) in the mean square, %.2f at the most, of %d", dir, mean, worst, n)
		if n < len(exact)/2 || worst > turnedBy || mean < 0.05 || mean > 1 {
			t.Errorf("%s: choices are off by %.2f u √(1+l), by %.2f at the most", dir, mean, worst)
		}
	}
}

// TestChoice: margins and what turns them, by hand. Inputs have size 2, rows of the
// router size 1, 2, ….
func TestChoice(t *testing.T) {
	third := 1.0 / 3
	for _, tt := range []struct {
		name  string
		r     family.Router
		s, by []float64
		want  Choice
	}{
		{"sigmoid", family.Router{Score: "sigmoid", TopK: 2}, []float64{0.5, 0.25, 0.75}, []float64{0.5, 0.25, 0.75},
			// dσ = s (1 − s) · 2 · (1 + e), and its rounding
			Choice{Of: "experts", Kept: 0, Left: 1, Margin: 0.25, Turn: 0.25 / (0.25*2 + 0.5 + 0.1875*4 + 0.25)}},
		{"corrected", family.Router{Score: "sigmoid", TopK: 1}, []float64{0.5, 0.25}, []float64{0.5, 1.25},
			Choice{Of: "experts", Kept: 1, Left: 0, Margin: 0.75, Turn: 0.75 / (0.25*2 + 0.5 + 0.1875*4 + 1.25)}},
		{"softmax", family.Router{Score: "softmax", TopK: 1}, []float64{third, 2 * third}, []float64{third, 2 * third},
			// ds = s (dz + mean of dz) with dz 2 and 4
			Choice{Of: "experts", Kept: 1, Left: 0, Margin: third, Turn: third / (third*(2+10*third) + third + 2*third*(4+10*third) + 2*third)}},
		{"by logits", family.Router{Score: "softmax", ByLogits: true, TopK: 1}, []float64{0.9, 0.1}, []float64{3, 1},
			Choice{Of: "experts", Kept: 0, Left: 1, Margin: 2, Turn: 2.0 / (2 + 3 + 4 + 1)}},
		{"alike", family.Router{Score: "sigmoid", TopK: 1}, []float64{0.5, 0.5}, []float64{0.5, 0.5}, Choice{Of: "experts", Kept: 0, Left: 1}},
		{"all of them", family.Router{Score: "sigmoid", TopK: 2}, []float64{0.5, 0.5}, []float64{0.5, 0.5}, Choice{Turn: math.Inf(1)}},
		// groups of two by their best: 0.9 and 0.8 of the groups, of which the first has experts 0.9 and 0.1
		{"groups", family.Router{Score: "sigmoid", TopK: 1, Groups: 2, KeptGroups: 1, GroupBest: 1}, []float64{0.9, 0.1, 0.2, 0.875}, []float64{0.9, 0.1, 0.2, 0.875},
			Choice{Of: "groups", Kept: 0, Left: 1, Margin: 0.9 - 0.875, Turn: (0.9 - 0.875) / (0.9*0.1*2 + 0.9 + 0.875*0.125*8 + 0.875)}},
		{"within a group", family.Router{Score: "sigmoid", TopK: 1, Groups: 2, KeptGroups: 1, GroupBest: 2}, []float64{0.5, 0.5, 0.1, 0.1}, []float64{0.5, 0.5, 0.1, 0.1},
			Choice{Of: "experts", Kept: 0, Left: 1}},
	} {
		r := watched{rule: &tt.r, norms: []float64{1, 2, 3, 4}[:len(tt.s)], z: make([]float64, len(tt.s)), by: make([]float64, len(tt.s))}
		if got := r.nearest(2, tt.s, slices.Clone(tt.by)); !closeTo(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
	for _, tt := range []struct {
		name string
		z    []float64
		want Choice
	}{
		{"first", []float64{4, 3.99, -9}, Choice{Of: "experts", Kept: 0, Left: 1, Margin: 0.01, Turn: 0.01 / (2 + 4)}},
		{"second", []float64{9, 4, 3.99}, Choice{Of: "experts", Kept: 1, Left: 2, Margin: 0.01, Turn: 0.01 / (4 + 6)}},
		// (4 − z) / 4 ≤ 0.5: an expert of 1.96 just shares no weight with the first
		{"weights", []float64{4, 3, 1.96}, Choice{Of: "weights", Kept: 0, Left: 2, Margin: 0.04, Turn: 0.04 / (1.5 * (2 + 6))}},
	} {
		r := watched{rule: &family.Router{Score: "sparsemixer", TopK: 2, Jitter: 0.25}, norms: []float64{1, 2, 3}, z: make([]float64, 3)}
		if got := r.mixed(2, tt.z); !closeTo(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// closeTo compares two choices, their figures to rounding.
func closeTo(a, b Choice) bool {
	near := func(x, y float64) bool { return x == y || math.Abs(x-y) <= 1e-9*math.Abs(y) }
	return a.Of == b.Of && a.Kept == b.Kept && a.Left == b.Left && near(a.Margin, b.Margin) && near(a.Turn, b.Turn)
}

// TestChoiceOfPadding: padding has none, and a past's columns are counted.
func TestChoiceOfPadding(t *testing.T) {
	m, src := checkpoint(t, "families/mixtral")
	ids := tokens(m, 2, 8)
	mask := [][]int64{{1, 1, 1, 1, 1, 1, 1, 1}, {0, 0, 0, 1, 1, 1, 1, 1}}
	r := New(m, src)
	count := map[[2]int]int{}
	ask := func(in Input) *Output {
		out, err := r.Forward(context.Background(), in, Options{Choices: func(c Choice) { count[[2]int{c.Row, c.Column}]++ }})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	past := ask(Input{IDs: [][]int64{ids[0][:5], ids[1][:5]}, Mask: [][]int64{mask[0][:5], mask[1][:5]}})
	ask(Input{IDs: [][]int64{ids[0][5:], ids[1][5:]}, Mask: mask, Past: past.Cache})
	for row := range mask {
		for col, real := range mask[row] {
			if got := count[[2]int{row, col}]; got != int(real)*len(m.Blocks) {
				t.Errorf("row %d, column %d: %d choices", row, col, got)
			}
		}
	}
}
