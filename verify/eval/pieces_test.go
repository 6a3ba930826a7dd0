package eval_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/verify/eval"
	"github.com/pecvt/pecvt/verify/ort/orttest"
)

// TestPieces: pieces of two evaluations, in any order and through gob, make the report
// of one to the last digit: in lock-step, alone, and with the copy probe.
func TestPieces(t *testing.T) {
	orttest.Require(t)
	scaled := variant(t, map[string]any{"rope_theta": 20000.0})
	for name, c := range map[string]eval.Config{
		"with a source": {Models: []string{scaled}, Against: stories, IDs: storyIDs, Lengths: []int{256, 64}, Sequences: 3, Copy: 2},
		"alone":         {Models: []string{stories, scaled}, IDs: storyIDs, Lengths: []int{96}, Sequences: 2, Copy: 1},
		"reference":     {Models: []string{scaled}, Against: stories, IDs: storyIDs, Lengths: []int{48}, Sequences: 3, Options: eval.Options{Runner: eval.RunnerRef}},
	} {
		whole, err := eval.Run(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		var both [2]*eval.Evaluation
		for i := range both {
			if both[i], err = eval.Begin(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			defer both[i].Close()
		}
		pieces := make([]*eval.Piece, both[0].Pieces())
		for n := range pieces {
			i := len(pieces) - 1 - n
			p, err := both[n%2].Piece(t.Context(), i)
			if err != nil {
				t.Fatal(err)
			}
			var raw bytes.Buffer
			if err := gob.NewEncoder(&raw).Encode(p); err != nil {
				t.Fatal(err)
			}
			if err := gob.NewDecoder(&raw).Decode(&pieces[i]); err != nil {
				t.Fatal(err)
			}
		}
		joined, err := both[0].Report(pieces)
		if err != nil {
			t.Fatal(err)
		}
		joined.Seconds = whole.Seconds
		a, errA := json.Marshal(whole)
		b, errB := json.Marshal(joined)
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: %s, want %s", name, b, a)
		}
	}
}

// TestFronts: a sequence that a longer one begins with is not run again, and its figures
// are those of a run of its own; where the rotation follows the length it is.
func TestFronts(t *testing.T) {
	dynamic := variant(t, map[string]any{"rope_scaling": map[string]any{"type": "dynamic", "factor": 2.0}, "max_position_embeddings": 48})
	for dir, pieces := range map[string]int{stories: 4 + 2, dynamic: 4 + 4} { // 64 tokens: the first and the third
		c := eval.Config{Models: []string{dir}, IDs: storyIDs, Lengths: []int{128, 64}, Sequences: 4, Options: eval.Options{Runner: eval.RunnerRef}}
		e, err := eval.Begin(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Pieces(); got != pieces {
			t.Errorf("%s: %d pieces, want %d", dir, got, pieces)
		}
		e.Close()
		both, err := eval.Run(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		c.Lengths = []int{64}
		alone, err := eval.Run(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		a, b := both.Results[0], alone.Results[0]
		if a.Length != 64 || a.Sequences != 4 || math.Abs(float64(a.PPL/b.PPL-1)) > 1e-5 || math.Abs(float64(a.PPLLast/b.PPLLast-1)) > 1e-5 || len(a.Buckets) != len(b.Buckets) {
			t.Errorf("%s: %+v, alone %+v", dir, a, b)
		}
	}
}

// TestPiecesOfAnother: what is no piece of the evaluation, or was run by another runner,
// makes no report.
func TestPiecesOfAnother(t *testing.T) {
	c := eval.Config{Models: []string{stories}, IDs: storyIDs, Lengths: []int{32}, Sequences: 2, Options: eval.Options{Runner: eval.RunnerRef}}
	e, err := eval.Begin(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var good [2]eval.Piece
	for i := range good {
		p, err := e.Piece(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		good[i] = *p
	}
	other, none, short := good[1], eval.Piece{}, good[1]
	other.Runs = []eval.RunBy{{Runner: "ort-cpu", Runtime: "1.0.0"}}
	short.Traces = []eval.Trace{{NLL: good[1].Traces[0].NLL[:10]}}
	for want, pieces := range map[string][]*eval.Piece{
		"1 pieces: expected 2":                                   {&good[0]},
		"piece 2 of 2 is of another evaluation":                  {&good[0], &none},
		"run by the Go reference and by ort-cpu of ONNX Runtime": {&good[0], &other},
		"expected sequences of 32 tokens":                        {&good[0], &short},
	} {
		if _, err := e.Report(pieces); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
