package mutants

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/ref"
)

// Naive is what the simplest check of an exporter makes of a graph.
type Naive struct {
	// Seen tells whether it notices anything; then it warns.
	Seen bool
	// Exit is its exit code: 0 with a warning or without, 1 where the graph does
	// not run at all.
	Exit int
	// Ran tells whether ONNX Runtime was there.
	Ran bool
	// Detail is the warning.
	Detail string
}

// naiveTokens, naiveTolerance: as exporters have them.
const (
	naiveTokens    = 8
	naiveTolerance = 1e-3
)

// naive compares the graph in dir with the checkpoint in meant: 8 tokens, one
// row, no past, the default optimisation level, |a − b| <= atol + rtol |b| with
// 1e-3 for both, and a warning where that does not hold.
func naive(ctx context.Context, dir, meant string) (Naive, error) {
	if _, err := ort.Load(""); err != nil {
		if errors.Is(err, ort.ErrUnavailable) {
			return Naive{}, nil
		}
		return Naive{}, err
	}
	want, vocab, err := naiveReference(ctx, meant)
	if err != nil {
		return Naive{}, err
	}
	got, err := naiveRun(dir, vocab)
	if err != nil {
		return Naive{Ran: true, Seen: true, Exit: 1, Detail: err.Error()}, nil
	}
	if len(got) == vocab { // a graph that gives the last token's alone
		want = want[len(want)-vocab:]
	}
	n := Naive{Ran: true}
	if len(got) != len(want) {
		return Naive{Ran: true, Seen: true, Detail: fmt.Sprintf("%d logits instead of %d", len(got), len(want))}, nil
	}
	for i, w := range want {
		d := math.Abs(float64(got[i]) - w)
		if !(d <= naiveTolerance+naiveTolerance*math.Abs(w)) {
			n.Seen, n.Detail = true, fmt.Sprintf("warning: logit %d is %g, %g was expected", i, got[i], w)
			break
		}
	}
	return n, nil
}

func naiveIDs(vocab int) []int64 {
	rng := rand.New(rand.NewPCG(0, naiveTokens))
	ids := make([]int64, naiveTokens)
	for i := range ids {
		ids[i] = rng.Int64N(int64(vocab))
	}
	return ids
}

// naiveReference are the logits of the model that the graph is meant to be.
func naiveReference(ctx context.Context, dir string) (logits []float64, vocab int, err error) {
	ckpt, err := store.Open(dir)
	if err != nil {
		return nil, 0, err
	}
	defer ckpt.Close()
	m, err := families.Load(ckpt)
	if err != nil {
		return nil, 0, err
	}
	out, err := ref.New(m, ckpt).Forward(ctx, ref.Input{IDs: [][]int64{naiveIDs(m.Vocab)}}, ref.Options{})
	if err != nil {
		return nil, 0, err
	}
	return out.Logits, m.Vocab, nil
}

// naiveRun runs the graph once with an empty past.
func naiveRun(dir string, vocab int) ([]float32, error) {
	s, err := ort.Open(filepath.Join(dir, "model.onnx"), ort.Options{Threads: 1})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	feeds := map[string]ort.Tensor{}
	for _, in := range s.Inputs() {
		row := make([]int64, naiveTokens)
		switch in.Name {
		case "input_ids":
			row = naiveIDs(vocab)
		case "attention_mask":
			for i := range row {
				row[i] = 1
			}
		case "position_ids":
			for i := range row {
				row[i] = int64(i)
			}
		default:
			shape := []int64{1}
			size := int64(1)
			for _, d := range in.Shape[1:] {
				n := max(d, 0)
				shape = append(shape, n)
				size *= n
			}
			if !strings.HasPrefix(in.Name, "past") {
				return nil, fmt.Errorf("input %q is unknown", in.Name)
			}
			feeds[in.Name] = ort.Float32(make([]float32, size), shape...)
			if in.DType != tensor.F32 {
				feeds[in.Name] = ort.Raw(in.DType, make([]byte, int64(in.DType.Size())*size), shape...)
			}
			continue
		}
		feeds[in.Name] = ort.Int64(row, 1, naiveTokens)
	}
	out, err := s.Run(feeds)
	if err != nil {
		return nil, err
	}
	return out["logits"].F32, nil
}
