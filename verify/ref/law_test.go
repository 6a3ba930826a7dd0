package ref

import (
	"context"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/pecvt/pecvt/convert/family"
)

// exact is what two float64 computations of the same numbers may differ by, as
// a share of the largest: sums of a few hundred terms in another order.
const exact = 1e-12

// families are one checkpoint of each kind of attention.
var families = []string{"golden/llama-gqa", "golden/llama3-scaled", "golden/mistral", "golden/qwen2", "golden/qwen3", "golden/phi3"}

func tokens(m *family.Model, rows, n int) [][]int64 {
	out := make([][]int64, rows)
	for b := range out {
		for i := range n {
			out[b] = append(out[b], int64((b*37+i*i*7+i*13+5)%m.Vocab))
		}
	}
	return out
}

func forward(t tb, r *Runner, in Input) *Output {
	t.Helper()
	out, err := r.Forward(context.Background(), in, Options{KeepHidden: true})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// near fails unless the two are the same but for rounding.
func near(t tb, what string, got, want []float64, limit float64) {
	t.Helper()
	if r := relative(t, got, want); r > limit {
		t.Errorf("%s: %.3g of the largest apart, limit %g", what, r, limit)
	}
}

func eachFamily(t *testing.T, test func(t *testing.T, m *family.Model, r *Runner)) {
	for _, dir := range families {
		t.Run(dir, func(t *testing.T) {
			m, src := checkpoint(t, dir)
			test(t, m, New(m, src))
		})
	}
}

// part cuts positions [from, to) of row out of a (rows, n, width) slice.
func part(x []float64, row, n, width, from, to int) []float64 {
	return x[(row*n+from)*width : (row*n+to)*width]
}

func TestShift(t *testing.T) {
	eachFamily(t, func(t *testing.T, m *family.Model, r *Runner) {
		ids := tokens(m, 2, 24)
		want := forward(t, r, Input{IDs: ids})
		for _, shift := range []int64{1, 1000, 1 << 20, -7} {
			positions := make([][]int64, 2)
			for b := range positions {
				for i := range ids[b] {
					positions[b] = append(positions[b], int64(i)+shift)
				}
			}
			near(t, "all positions shifted", forward(t, r, Input{IDs: ids, Positions: positions}).Logits, want.Logits, 1e-9)
		}
		// and positions do matter: stretched ones give other logits
		stretched := make([][]int64, 2)
		for b := range stretched {
			for i := range ids[b] {
				stretched[b] = append(stretched[b], int64(3*i))
			}
		}
		if d := relative(t, forward(t, r, Input{IDs: ids, Positions: stretched}).Logits, want.Logits); d < 1e-3 {
			t.Errorf("stretched positions change the logits by %g only", d)
		}
	})
}

func TestPrefixIgnoresWhatFollows(t *testing.T) {
	eachFamily(t, func(t *testing.T, m *family.Model, r *Runner) {
		ids := tokens(m, 1, 30)
		long := forward(t, r, Input{IDs: ids})
		short := forward(t, r, Input{IDs: [][]int64{ids[0][:17]}})
		near(t, "prefix", part(long.Logits, 0, 30, m.Vocab, 0, 17), short.Logits, exact)
	})
}

func TestRowsAreIndependent(t *testing.T) {
	eachFamily(t, func(t *testing.T, m *family.Model, r *Runner) {
		ids := tokens(m, 3, 20)
		all := forward(t, r, Input{IDs: ids})
		for b := range ids {
			one := forward(t, r, Input{IDs: ids[b : b+1]})
			near(t, "row", part(all.Logits, b, 20, m.Vocab, 0, 20), one.Logits, exact)
		}
	})
}

func TestLeftPadding(t *testing.T) {
	eachFamily(t, func(t *testing.T, m *family.Model, r *Runner) {
		const n = 24
		whole := tokens(m, 3, n)
		pads := []int{0, 5, 13}
		var mask, ids [][]int64
		for b, pad := range pads {
			row, visible := make([]int64, n), make([]int64, n)
			for i := pad; i < n; i++ {
				row[i], visible[i] = whole[b][i-pad], 1
			}
			ids, mask = append(ids, row), append(mask, visible)
		}
		padded := forward(t, r, Input{IDs: ids, Mask: mask, Positions: PaddedPositions(mask, n)})
		for _, v := range padded.Logits {
			if math.IsNaN(v) {
				t.Fatal("a padded row made NaN")
			}
		}
		for b, pad := range pads {
			plain := forward(t, r, Input{IDs: [][]int64{whole[b][:n-pad]}})
			near(t, "left padding", part(padded.Logits, b, n, m.Vocab, pad, n), plain.Logits, exact)
		}
		// one more token for every row, through the cache
		next := [][]int64{{3}, {4}, {5}}
		for b := range mask {
			mask[b] = append(mask[b], 1)
		}
		step := forward(t, r, Input{IDs: next, Mask: mask, Positions: PaddedPositions(mask, 1), Past: padded.Cache})
		for b, pad := range pads {
			plain := forward(t, r, Input{IDs: [][]int64{append(append([]int64(nil), whole[b][:n-pad]...), next[b][0])}})
			near(t, "left padding, next token", part(step.Logits, b, 1, m.Vocab, 0, 1), plain.LogitsAt(0, n-pad), exact)
		}
	})
}

func TestRightPadding(t *testing.T) {
	eachFamily(t, func(t *testing.T, m *family.Model, r *Runner) {
		ids := tokens(m, 1, 20)
		mask := [][]int64{make([]int64, 20)}
		for i := range 12 {
			mask[0][i] = 1
		}
		padded := forward(t, r, Input{IDs: ids, Mask: mask})
		plain := forward(t, r, Input{IDs: [][]int64{ids[0][:12]}})
		near(t, "right padding", part(padded.Logits, 0, 20, m.Vocab, 0, 12), plain.Logits, exact)
	})
}

func TestPaddedPositions(t *testing.T) {
	mask := [][]int64{{0, 0, 1, 1, 1}, {1, 1, 1, 1, 1}, {0, 0, 0, 0, 0}}
	want := [][]int64{{0, 1, 2}, {2, 3, 4}, {0, 0, 0}}
	for b, row := range PaddedPositions(mask, 3) {
		for i, v := range row {
			if v != want[b][i] {
				t.Errorf("row %d: positions %v, want %v", b, row, want[b])
				break
			}
		}
	}
}

func TestFullyMaskedRowReadsNothing(t *testing.T) {
	m, src := checkpoint(t, "golden/llama-gqa")
	r := New(m, src)
	ids := tokens(m, 2, 6)
	mask := [][]int64{make([]int64, 6), {1, 1, 1, 1, 1, 1}}
	seen := false
	out, err := r.Forward(context.Background(), Input{IDs: ids, Mask: mask}, Options{Tap: func(name string, v []float64, shape []int) {
		if name != "/layers.1/attn/context" {
			return
		}
		seen = true
		for i, x := range v[:len(v)/2] {
			if x != 0 {
				t.Fatalf("context %d of the masked row is %v, want 0", i, x)
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !seen {
		t.Fatal("the attention's context was never tapped")
	}
	near(t, "the other row", part(out.Logits, 1, 6, m.Vocab, 0, 6), forward(t, r, Input{IDs: ids[1:]}).Logits, exact)
}

// Prefill, prefill in pieces, and token by token are the same numbers: the
// logits, every hidden state and the cache.
func TestPiecesAgree(t *testing.T) {
	eachFamily(t, func(t *testing.T, m *family.Model, r *Runner) {
		const n = 30
		ids := tokens(m, 2, n)
		whole := forward(t, r, Input{IDs: ids})
		inPieces(t, m, r, ids, whole, nil)
		inPieces(t, m, r, ids, whole, []int{29})
		inPieces(t, m, r, ids, whole, []int{7, 1, 9})
		inPieces(t, m, r, ids, whole, slices.Repeat([]int{1}, n))
	})
}

func TestAnyPiecesAgree(t *testing.T) {
	m, src := checkpoint(t, "golden/mistral") // a window and grouped heads
	const n = 20
	r, ids := New(m, src), tokens(m, 2, n)
	whole := forward(t, r, Input{IDs: ids})
	rapid.Check(t, func(t *rapid.T) {
		inPieces(t, m, r, ids, whole, rapid.SliceOfN(rapid.IntRange(1, n), 1, 6).Draw(t, "cuts"))
	})
}

// inPieces runs the tokens through a cache, cuts[k] at a time and then the
// rest, and compares with the whole.
func inPieces(t tb, m *family.Model, r *Runner, ids [][]int64, whole *Output, cuts []int) {
	n := len(ids[0])
	var past *Cache
	for from, k := 0, 0; from < n; k++ {
		to := n
		if k < len(cuts) {
			to = min(from+cuts[k], n)
		}
		piece := make([][]int64, len(ids))
		for b := range ids {
			piece[b] = ids[b][from:to]
		}
		out := forward(t, r, Input{IDs: piece, Past: past})
		for b := range ids {
			near(t, "logits", part(out.Logits, b, to-from, m.Vocab, 0, to-from), part(whole.Logits, b, n, m.Vocab, from, to), exact)
			for i := range out.Hidden {
				near(t, "hidden", part(out.Hidden[i], b, to-from, m.Hidden, 0, to-from), part(whole.Hidden[i], b, n, m.Hidden, from, to), exact)
			}
		}
		past, from = out.Cache, to
	}
	if past.Length != n {
		t.Fatalf("the cache holds %d positions, want %d", past.Length, n)
	}
	for i := range past.Keys {
		near(t, "keys", past.Keys[i], whole.Cache.Keys[i], exact)
		near(t, "values", past.Values[i], whole.Cache.Values[i], exact)
	}
}

// A cache may be continued twice: the first continuation leaves it as it was.
func TestPastIsNotChanged(t *testing.T) {
	m, src := checkpoint(t, "golden/llama-gqa")
	r := New(m, src)
	ids := tokens(m, 1, 9)
	first := forward(t, r, Input{IDs: [][]int64{ids[0][:8]}})
	before := append([]float64(nil), first.Cache.Keys[0]...)
	a := forward(t, r, Input{IDs: [][]int64{{1}}, Past: first.Cache})
	b := forward(t, r, Input{IDs: [][]int64{ids[0][8:]}, Past: first.Cache})
	near(t, "keys", first.Cache.Keys[0], before, 0)
	near(t, "second continuation", b.Logits, forward(t, r, Input{IDs: ids}).LogitsAt(0, 8), exact)
	if relative(t, a.Logits, b.Logits) < 1e-3 {
		t.Error("two different tokens gave the same logits")
	}
}
