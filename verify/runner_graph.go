package verify

import (
	"context"
	"fmt"
	"github.com/pecvt/pecvt/verify/report"
)

// engine executes a graph: integer inputs and float inputs by name, float
// outputs by name.
type engine interface {
	run(ctx context.Context, ints map[string]array[int64], past map[string]any) (logits array[float64], present map[string]any, err error)
	// floats makes a past of the given numbers; one dimension may be 0.
	floats(shape []int64, data []float64) any
	close() error
}

// array is a dense row-major tensor.
type array[T any] struct {
	Shape []int64
	Data  []T
}

// graphRunner runs an emitted graph by its interface, whatever executes it.
type graphRunner struct {
	name  string
	level string // the optimisation level, "" for one without
	info  *graphInfo
	eng   engine
}

func (g *graphRunner) Name() string    { return g.name }
func (g *graphRunner) Positions() bool { return g.info.Positions }
func (g *graphRunner) Close() error    { return g.eng.close() }

func (g *graphRunner) Run(ctx context.Context, in Input, past State) (*report.Logits, State, error) {
	b, s := in.Batch()
	ints := map[string]array[int64]{
		"input_ids":      flatten(in.IDs),
		"attention_mask": flatten(in.Mask),
	}
	if g.info.Positions {
		ints["position_ids"] = flatten(in.Positions)
	}
	caches, _ := past.(map[string]any)
	feeds := map[string]any{}
	for _, c := range g.info.Caches {
		if caches != nil {
			feeds[c.Past] = caches[c.Present]
			continue
		}
		feeds[c.Past] = zeros(g.eng, append([]int64{int64(b)}, c.Dims[1:]...))
	}
	logits, present, err := g.eng.run(ctx, ints, feeds)
	if err != nil {
		return nil, nil, err
	}
	if len(logits.Shape) != 3 || logits.Shape[0] != int64(b) || logits.Shape[1] != int64(s) {
		return nil, nil, fmt.Errorf("output \"logits\" has shape %v: expected [%d %d vocabulary]", logits.Shape, b, s)
	}
	for _, c := range g.info.Caches {
		if _, ok := present[c.Present]; !ok {
			return nil, nil, fmt.Errorf("output %q is missing", c.Present)
		}
	}
	return &report.Logits{B: b, S: s, V: int(logits.Shape[2]), Data: logits.Data}, present, nil
}

// zeros makes a past of zeros.
func zeros(e engine, shape []int64) any { return e.floats(shape, make([]float64, size(shape))) }

// flatten joins rows of equal length into (rows, columns).
func flatten(rows [][]int64) array[int64] {
	a := array[int64]{Shape: []int64{int64(len(rows)), int64(len(rows[0]))}}
	for _, r := range rows {
		a.Data = append(a.Data, r...)
	}
	return a
}

// size is the number of elements of a shape.
func size(shape []int64) int64 {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	return n
}
