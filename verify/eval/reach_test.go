package eval_test

import (
	"math"
	"testing"

	"github.com/pecvt/pecvt/convert/tune"
	"github.com/pecvt/pecvt/verify/eval"
)

// TestReach: the perplexities of a text longer than the source was trained at, of result
// and source, against those that the scores of its prefixes say: attention is causal, so
// what a range of tokens adds is the difference of two of them.
func TestReach(t *testing.T) {
	const piece, n = 96, 3
	ids := storyTokens(t)[:piece*n]
	other := variant(t, map[string]any{"rope_theta": 20000.0})
	options := eval.Options{Runner: eval.RunnerRef}
	m, err := eval.Engine{Options: options}.Meter(t.Context(), stories, tune.MeterOptions{Sequences: [][]int64{ids[:32]}, Longest: piece, Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var pieces [][]int64
	for at := 0; at < len(ids); at += piece {
		pieces = append(pieces, ids[at:at+piece])
	}
	last := 0
	got, err := m.Reach(t.Context(), other, ids, pieces, func(done, total int) {
		if done <= last || done > total {
			t.Errorf("%d of %d after %d", done, total, last)
		}
		last = done
	})
	if err != nil {
		t.Fatal(err)
	}
	sum := func(dir string, ids []int64) float64 { // of the nll of all tokens but the first
		o := options
		o.Length = len(ids)
		m, err := eval.Open(t.Context(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		r, err := m.Score(t.Context(), [][]int64{ids}, eval.ScoreOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return math.Log(float64(r.PPL)) * float64(len(ids)-1)
	}
	var want [2]float64
	count := 0
	for k := 1; k < n; k++ {
		half, end := k*piece+piece/2, (k+1)*piece
		want[0] += sum(other, ids[:end]) - sum(other, ids[:half+1])
		want[1] += sum(stories, ids[k*piece:end]) - sum(stories, ids[k*piece:half+1])
		count += end - half - 1
	}
	for i, x := range []float64{got.PPL, got.SourcePPL} {
		if y := math.Exp(want[i] / float64(count)); math.Abs(x/y-1) > 1e-5 {
			t.Errorf("perplexity %d is %v, by prefixes %v", i, x, y)
		}
	}
	if got.Length != len(ids) || got.Piece != piece || last == 0 {
		t.Errorf("%+v", got)
	}
}

// storyTokens are the sampled stories, one behind the other.
func storyTokens(t *testing.T) []int64 {
	t.Helper()
	text, err := (eval.Texts{IDs: storyIDs}).Tokens(t.Context(), stories, 512)
	if err != nil {
		t.Fatal(err)
	}
	return text.IDs
}
