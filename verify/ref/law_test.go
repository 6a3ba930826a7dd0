package ref

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pecvt/pecvt/convert/family"
)

// exact is what two float64 computations of the same numbers may differ by, as
// a share of the largest: sums of a few hundred terms in another order.
const exact = 1e-12

// layered are one checkpoint of each kind of attention, and what positions
// mean to it.
var layered = []struct {
	dir       string
	positions meaning
}{
	{"golden/llama-gqa", distances}, {"golden/llama3-scaled", distances}, {"golden/mistral", distances}, {"golden/qwen2", distances},
	{"golden/qwen3", distances}, {"golden/phi3", distances}, {"golden/gpt-neox", distances},
	{"golden/bloom", distances}, {"golden/bloom-6heads", distances}, {"golden/mpt", distances},
	{"golden/falcon-alibi", places},                                  // each term is rounded where it stands
	{"golden/grape-rope", places}, {"golden/grape-m-nonctx", places}, // a norm after the rotation weighs turned coordinates
	{"golden/grape-m-nonctx-shared", distances}, {"golden/grape-m-ctx", order},
	{"golden/grape-alibi", distances}, {"golden/grape-fox", order},
	{"golden/grape-a-querygated", distances}, {"golden/grape-a-keygated", distances}, {"golden/grape-a-querykeygated", distances},
	{"golden/grape-ap-v1", places}, {"golden/grape-ap-v1-kvshift", places}, {"golden/grape-ap-v1-pktie", places}, // p_i does not turn
}

// meaning is what an encoding reads of positions.
type meaning uint8

const (
	distances meaning = iota // i − j alone
	order                    // nothing: sums over the tokens between
	places                   // i and j
)

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
	for _, f := range layered {
		t.Run(f.dir, func(t *testing.T) {
			m, src := checkpoint(t, f.dir)
			test(t, m, New(m, src))
		})
	}
}

// part cuts positions [from, to) of row out of a (rows, n, width) slice.
func part(x []float64, row, n, width, from, to int) []float64 {
	return x[(row*n+from)*width : (row*n+to)*width]
}

// Positions act through their distances, and they do act: except where the
// encoding counts tokens itself, and where it reads the places.
func TestShift(t *testing.T) {
	for _, f := range layered {
		t.Run(f.dir, func(t *testing.T) {
			m, src := checkpoint(t, f.dir)
			r, ids := New(m, src), tokens(m, 2, 24)
			want := forward(t, r, Input{IDs: ids})
			at := func(stretch, shift int64) []float64 {
				positions := make([][]int64, 2)
				for b := range positions {
					for i := range ids[b] {
						positions[b] = append(positions[b], stretch*int64(i)+shift)
					}
				}
				return forward(t, r, Input{IDs: ids, Positions: positions}).Logits
			}
			if f.positions == places {
				if d := relative(t, at(1, 1000), want.Logits); d < 1e-4 {
					t.Errorf("shifted positions change the logits by %g only", d)
				}
			} else {
				for _, shift := range []int64{1, 1000, 1 << 20, -7} {
					near(t, "all positions shifted", at(1, shift), want.Logits, 1e-9)
				}
			}
			if f.positions == order {
				near(t, "stretched positions", at(3, 0), want.Logits, 0)
			} else if d := relative(t, at(3, 0), want.Logits); d < 1e-3 {
				t.Errorf("stretched positions change the logits by %g only", d)
			}
		})
	}
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
		near(t, "positions from the mask", forward(t, r, Input{IDs: ids, Mask: mask}).Logits, padded.Logits, 0)
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
	// a window and grouped heads; a path and shifted keys and values; a phase; a running sum
	for _, dir := range []string{"golden/mistral", "golden/grape-ap-v1-kvshift", "golden/grape-m-ctx", "golden/grape-fox"} {
		t.Run(dir, func(t *testing.T) {
			m, src := checkpoint(t, dir)
			const n = 20
			r, ids := New(m, src), tokens(m, 2, n)
			whole := forward(t, r, Input{IDs: ids})
			rapid.Check(t, func(t *rapid.T) {
				inPieces(t, m, r, ids, whole, rapid.SliceOfN(rapid.IntRange(1, n), 1, 6).Draw(t, "cuts"))
			})
		})
	}
}

// Rows of different lengths, padded left, in pieces: every piece's logits are
// those of the row alone.
func TestPaddedPiecesAgree(t *testing.T) {
	eachFamily(t, func(t *testing.T, m *family.Model, r *Runner) {
		const n = 21
		pads, whole := []int{0, 6, 9}, tokens(m, 3, n)
		var alone []*Output
		for b, pad := range pads {
			alone = append(alone, forward(t, r, Input{IDs: [][]int64{whole[b][:n-pad]}}))
		}
		for _, cuts := range [][]int{{8, 16}, {4, 5, 6, 7, 8, 9, 10, 20}} { // inside the padding, at its end, behind it
			var past *Cache
			from := 0
			for _, to := range append(cuts, n) {
				var ids, mask [][]int64
				for b, pad := range pads {
					row, visible := make([]int64, to), make([]int64, to)
					for i := pad; i < to; i++ {
						row[i], visible[i] = whole[b][i-pad], 1
					}
					ids, mask = append(ids, row[from:]), append(mask, visible)
				}
				out := forward(t, r, Input{IDs: ids, Mask: mask, Past: past})
				for b, pad := range pads {
					for i := max(from, pad); i < to; i++ {
						near(t, "padded pieces", out.LogitsAt(b, i-from), alone[b].LogitsAt(0, i-pad), exact)
					}
				}
				past, from = out.Cache, to
			}
		}
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
	nearCache(t, past, whole.Cache)
}

// nearCache compares everything that two caches hold.
func nearCache(t tb, got, want *Cache) {
	t.Helper()
	if got.Batch != want.Batch || got.Length != want.Length || !slices.Equal(got.Positions, want.Positions) {
		t.Fatalf("the caches are of %d × %d and %d × %d tokens at %v and %v", got.Batch, got.Length, want.Batch, want.Length, got.Positions, want.Positions)
	}
	for i := range want.Keys {
		near(t, "keys", got.Keys[i], want.Keys[i], exact)
		near(t, "values", got.Values[i], want.Values[i], exact)
		g, w := &got.States[i], &want.States[i]
		for _, part := range []struct {
			what      string
			got, want []float64
		}{{"features", g.Features, w.Features}, {"sums", g.Sums, w.Sums}, {"phase", g.Phase, w.Phase}, {"last key", g.LastKey, w.LastKey}, {"last value", g.LastValue, w.LastValue}} {
			if len(part.got) != len(part.want) || len(part.want) > 0 {
				near(t, part.what, part.got, part.want, exact)
			}
		}
	}
}

// A cache may be continued twice: the first continuation leaves it as it was.
func TestPastIsNotChanged(t *testing.T) {
	eachFamily(t, func(t *testing.T, m *family.Model, r *Runner) {
		ids := tokens(m, 1, 9)
		first := forward(t, r, Input{IDs: [][]int64{ids[0][:8]}})
		before := clone(first.Cache)
		a := forward(t, r, Input{IDs: [][]int64{{1}}, Past: first.Cache})
		b := forward(t, r, Input{IDs: [][]int64{ids[0][8:]}, Past: first.Cache})
		if diff := cmp.Diff(before, first.Cache); diff != "" {
			t.Errorf("the cache changed:\n%s", diff)
		}
		near(t, "second continuation", b.Logits, forward(t, r, Input{IDs: ids}).LogitsAt(0, 8), exact)
		if relative(t, a.Logits, b.Logits) < 1e-3 {
			t.Error("two different tokens gave the same logits")
		}
	})
}

// What a cache holds of a key is written once: the next call's cache begins
// with the same bits.
func TestKeysAreWrittenOnce(t *testing.T) {
	eachFamily(t, func(t *testing.T, m *family.Model, r *Runner) {
		const n, more = 7, 3
		ids := tokens(m, 2, n+more)
		first := forward(t, r, Input{IDs: [][]int64{ids[0][:n], ids[1][:n]}})
		second := forward(t, r, Input{IDs: [][]int64{ids[0][n:], ids[1][n:]}, Past: first.Cache})
		begins := func(what string, long, short []float64) {
			if len(short) == 0 {
				return
			}
			rows := 2 * m.Blocks[0].Attn().Heads
			if what != "features" {
				rows = 2 * m.Blocks[0].Attn().KVHeads
			}
			width := len(short) / (rows * n)
			for h := range rows {
				if !slices.Equal(long[h*(n+more)*width:][:n*width], short[h*n*width:][:n*width]) {
					t.Errorf("%s of row and head %d changed", what, h)
				}
			}
		}
		for i := range m.Blocks {
			begins("keys", second.Cache.Keys[i], first.Cache.Keys[i])
			begins("values", second.Cache.Values[i], first.Cache.Values[i])
			begins("features", second.Cache.States[i].Features, first.Cache.States[i].Features)
		}
	})
}

func clone(c *Cache) *Cache {
	out := &Cache{Batch: c.Batch, Length: c.Length, Positions: slices.Clone(c.Positions)}
	for i := range c.Keys {
		s := c.States[i]
		out.Keys, out.Values = append(out.Keys, slices.Clone(c.Keys[i])), append(out.Values, slices.Clone(c.Values[i]))
		out.States = append(out.States, State{slices.Clone(s.Features), slices.Clone(s.Sums), slices.Clone(s.Phase), slices.Clone(s.LastKey), slices.Clone(s.LastValue), slices.Clone(s.Window), slices.Clone(s.Recurrent)})
	}
	return out
}
