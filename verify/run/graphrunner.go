package run

import (
	"context"
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/verify/interp"
	"github.com/pecvt/pecvt/verify/report"
)

// engine executes a graph: integer inputs and float inputs by name, float
// outputs by name.
type engine interface {
	run(ctx context.Context, ints map[string]array[int64], past map[string]any) (logits array[float64], present map[string]any, err error)
	// floats makes a past of the given numbers, rounded to a type; one dimension may be 0.
	floats(d tensor.DType, shape []int64, data []float64) (any, error)
	// array is a value as the interpreter has values.
	array(v any) (*interp.Array, error)
	close() error
}

// array is a dense row-major tensor.
type array[T any] struct {
	Shape []int64
	Data  []T
}

// graphRunner runs an emitted graph by its interface, whatever executes it.
type graphRunner struct {
	info *GraphInfo
	eng  engine
}

// Positions reports whether the graph takes position_ids.
func (g *graphRunner) Positions() bool { return g.info.Positions }

// Close frees what executes the graph.
func (g *graphRunner) Close() error { return g.eng.close() }

// Run makes one call of the graph.
func (g *graphRunner) Run(ctx context.Context, in Input, past State) (*report.Logits, State, error) {
	b, s := in.Batch()
	ints := map[string]array[int64]{
		names.InputIDs:      Flatten(in.IDs),
		names.AttentionMask: Flatten(in.Mask),
	}
	if g.info.Positions {
		ints[names.PositionIDs] = Flatten(in.Positions)
	}
	caches, _ := past.(map[string]any)
	feeds := map[string]any{}
	for _, c := range g.info.Caches {
		if caches != nil {
			feeds[c.Past] = caches[c.Present]
			continue
		}
		shape := append([]int64{int64(b)}, c.Dims[1:]...)
		empty, err := g.eng.floats(c.DType, shape, make([]float64, Elements(shape)))
		if err != nil {
			return nil, nil, fmt.Errorf("input %q: %w", c.Past, err)
		}
		feeds[c.Past] = empty
	}
	logits, present, err := g.eng.run(ctx, ints, feeds)
	if err != nil {
		return nil, nil, err
	}
	if g.info.Logits == LogitsLast {
		s = 1
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

// Flatten joins rows of equal length into (rows, columns).
func Flatten(rows [][]int64) array[int64] {
	a := array[int64]{Shape: []int64{int64(len(rows)), int64(len(rows[0]))}}
	for _, r := range rows {
		a.Data = append(a.Data, r...)
	}
	return a
}

// Elements is the number of elements of a shape.
func Elements(shape []int64) int64 {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	return n
}

// TakePast makes a state of a past that no runner computed.
func (g *graphRunner) TakePast(p *Past) State {
	values := map[string]*interp.Array{}
	for _, c := range g.info.Caches {
		layer, kind, _ := names.CacheOf(c.Past)
		d := p.dims[layer]
		if kind == names.Value {
			values[c.Present] = interp.Floats(p.values[layer], 1, d.heads, p.length, d.value)
			continue
		}
		values[c.Present] = interp.Floats(p.keys[layer], 1, d.heads, p.length, d.key)
	}
	return g.State(values)
}

// State is a state that holds given values, by the names that Caches has, rounded to
// the types that the graph has for them.
func (g *graphRunner) State(values map[string]*interp.Array) State {
	caches := map[string]any{}
	for name, a := range values {
		shape := make([]int64, len(a.Shape))
		for i, n := range a.Shape {
			shape[i] = int64(n)
		}
		d := tensor.F32
		if i := slices.IndexFunc(g.info.Caches, func(c cacheInfo) bool { return c.Present == name }); i >= 0 {
			d = g.info.Caches[i].DType
		}
		v, err := g.eng.floats(d, shape, a.F)
		if err != nil { // floats round to every type of floats, and a graph has no other caches
			panic(err)
		}
		caches[name] = v
	}
	return caches
}

// Caches reads a state.
func (g *graphRunner) Caches(s State) (map[string]*interp.Array, error) {
	caches, _ := s.(map[string]any)
	out := map[string]*interp.Array{}
	for name, v := range caches {
		a, err := g.eng.array(v)
		if err != nil {
			return nil, fmt.Errorf("cache %q: %w", name, err)
		}
		out[name] = a
	}
	return out, nil
}

// EmptyCaches are the values of an empty past of a batch, by the graph's input.
func (g *GraphInfo) EmptyCaches(batch int) map[string]*interp.Array {
	out := map[string]*interp.Array{}
	for _, c := range g.Caches {
		shape := append([]int64{int64(batch)}, c.Dims[1:]...)
		out[c.Past] = interp.Floats(make([]float64, Elements(shape)), Dims(shape)...)
	}
	return out
}
