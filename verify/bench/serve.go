package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pecvt/pecvt/verify/generate"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/run"
)

// request is one piece of work, a line of JSON.
type request struct {
	// Open loads a folder's graph.
	Open       string      `json:"open,omitempty"`
	ORTLibrary string      `json:"ort_library,omitempty"`
	ORT        ort.Options `json:"ort,omitzero"`
	// Prefill runs a prompt of so many tokens. Reach brings the text to a number of
	// tokens, and Decode makes so many one by one.
	Prefill int `json:"prefill,omitempty"`
	Reach   int `json:"reach,omitempty"`
	Decode  int `json:"decode,omitempty"`
}

// answer is what it took.
type answer struct {
	Seconds   float64 `json:"seconds"`
	CPU       float64 `json:"cpu"` // seconds of processor time
	Runtime   string  `json:"runtime,omitempty"`
	Vocab     int     `json:"vocab,omitempty"`
	MaxLength int     `json:"max_length,omitempty"`
	Error     string  `json:"error,omitempty"`
	// Unavailable says of an error that it matches [ort.ErrUnavailable].
	Unavailable bool `json:"unavailable,omitempty"`
}

// chunk is how many tokens are run at once where no time is taken.
const chunk = 256

// Serve answers requests for one folder until there are no more: the other end of
// [Run], in a process of its own.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	w := &worker{}
	defer w.close()
	lines := bufio.NewScanner(in)
	enc := json.NewEncoder(out)
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return fmt.Errorf("bench: request: %w", err)
		}
		a, err := w.do(ctx, r)
		if err != nil {
			a.Error, a.Unavailable = err.Error(), errors.Is(err, ort.ErrUnavailable)
		}
		if err := enc.Encode(a); err != nil {
			return err
		}
	}
	return lines.Err()
}

type worker struct {
	graph *generate.Graph
	ids   []int64
}

func (w *worker) close() {
	if w.graph != nil {
		w.graph.Close()
	}
}

func (w *worker) do(ctx context.Context, r request) (a answer, err error) {
	switch {
	case r.Open != "":
		lib, err := ort.Load(r.ORTLibrary)
		if err != nil {
			return a, err
		}
		a, err = timed(func() (err error) {
			w.graph, err = generate.OpenAny(r.Open, r.ORT)
			return err
		})
		if err == nil {
			a.Runtime, a.Vocab, a.MaxLength = lib.Version, w.graph.Vocab(), w.graph.MaxLength()
		}
		return a, err
	case r.Prefill > 0:
		w.graph.Begin(r.Prefill)
		ids := w.tokens(0, r.Prefill)
		return timed(func() error {
			_, err := w.graph.Next(ctx, ids)
			return err
		})
	case r.Reach > 0:
		if w.graph.Length() > r.Reach || w.graph.Length() == 0 {
			w.graph.Begin(0)
		}
		for w.graph.Length() < r.Reach {
			if _, err := w.graph.Next(ctx, w.tokens(w.graph.Length(), min(w.graph.Length()+chunk, r.Reach))); err != nil {
				return a, err
			}
		}
		return a, nil
	}
	ids := w.tokens(w.graph.Length(), w.graph.Length()+r.Decode)
	return timed(func() error {
		for i := range ids {
			if _, err := w.graph.Next(ctx, ids[i:i+1]); err != nil {
				return err
			}
		}
		return nil
	})
}

// tokens are those of positions [from, to), the same in every process.
func (w *worker) tokens(from, to int) []int64 {
	const most = 1 << 16
	if w.ids == nil {
		w.ids = run.RandomIDs(most, w.graph.Vocab(), 1)[0]
	}
	out := make([]int64, 0, to-from)
	for i := from; i < to; i++ {
		out = append(out, w.ids[i%most])
	}
	return out
}

func timed(f func() error) (answer, error) {
	begin, cpu := time.Now(), processorTime()
	err := f()
	return answer{Seconds: time.Since(begin).Seconds(), CPU: processorTime() - cpu}, err
}
