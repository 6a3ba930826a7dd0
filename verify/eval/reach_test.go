package eval_test

import (
	"bytes"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/pecvt/pecvt/convert/tune"
	"github.com/pecvt/pecvt/verify/eval"
	"github.com/pecvt/pecvt/verify/ort/orttest"
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
	prefix := map[string]float64{}
	upTo := func(dir string, ids []int64) float64 {
		key := fmt.Sprint(dir, len(ids), ids[0])
		if _, known := prefix[key]; !known && len(ids) > 1 {
			prefix[key] = sum(dir, ids)
		}
		return prefix[key]
	}
	for _, b := range got.Bands {
		x := upTo(other, ids[:min(b.To+2, len(ids))]) - upTo(other, ids[:b.From+1])
		if y := math.Exp(x / float64(b.To+1-b.From)); math.Abs(b.PPL/y-1) > 1e-5 {
			t.Errorf("%+v: perplexity by prefixes %v", b, y)
		}
		if b.To >= piece { // of several pieces
			continue
		}
		end := min(b.To+2, piece)
		x = upTo(stories, ids[:end]) - upTo(stories, ids[:b.From+1])
		same := upTo(other, ids[:end]) - upTo(other, ids[:b.From+1])
		count := float64(end - 1 - b.From)
		if y, z := math.Exp(x/count), math.Exp((same-x)/count); math.Abs(b.SourcePPL/y-1) > 1e-5 || math.Abs(b.OfSource/z-1) > 1e-5 {
			t.Errorf("%+v: the source has %v, and of it %v", b, y, z)
		}
	}
	if far := got.Bands[len(got.Bands)-2]; len(got.Bands) != 6 || far.From != piece || far.To != 2*piece-1 || got.Bands[5].To != len(ids)-2 {
		t.Errorf("bands %+v", got.Bands)
	}
	half, end := piece+piece/2, 2*piece
	x := (upTo(other, ids[:end]) - upTo(other, ids[:half+1])) - (sum(stories, ids[piece:end]) - sum(stories, ids[piece:half+1]))
	if y := math.Exp(x / float64(end-half-1)); math.Abs(got.Bands[4].OfSource/y-1) > 1e-5 {
		t.Errorf("%+v: of the source by prefixes %v", got.Bands[4], y)
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

// TestCopyBeyond: the copy probe over more positions than a model was trained at, in a
// graph whose tables are made for it and in the reference, which has none; a star says so.
func TestCopyBeyond(t *testing.T) {
	orttest.Require(t)
	far := variant(t, map[string]any{"max_position_embeddings": 128,
		"rope_parameters": map[string]any{"rope_type": "yarn", "rope_theta": 10000.0, "factor": 2.0, "original_max_position_embeddings": 64}})
	var by [2]*eval.Report
	for i, runner := range []string{eval.RunnerORT, eval.RunnerRef} {
		var err error
		by[i], err = eval.Run(t.Context(), eval.Config{Models: []string{far}, Against: stories, IDs: storyIDs, Lengths: []int{320}, Sequences: 1,
			Copy: 2, CopyTokens: 8, CopyDistances: []int{40, 300}, Options: eval.Options{Runner: runner}})
		if err != nil {
			t.Fatal(err)
		}
	}
	for k, x := range by[0].Results {
		for i, a := range x.Copy {
			b := by[1].Results[k].Copy[i]
			if a.Distance != b.Distance || a.Tokens != 14 || math.Abs(float64(a.NLL/b.NLL-1)) > 1e-4 || math.Abs(float64(a.First/b.First-1)) > 1e-4 {
				t.Errorf("%s: %+v in a graph, %+v in the reference", x.Model, a, b)
			}
		}
	}
	var text bytes.Buffer
	if err := by[0].WriteText(&text); err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(far)
	for want, n := range map[string]int{`(?m)^ +\*300 +` + name + ` `: 1, `(?m)^ +300 +stories260K `: 1, `(?m)^ +40 +` + name + ` `: 1} {
		if got := len(regexp.MustCompile(want).FindAllString(text.String(), -1)); got != n {
			t.Errorf("%d lines of %s in\n%s", got, want, text.String())
		}
	}
}
