package verify

import (
	"context"
	"fmt"
)

// engine executes a graph: integer inputs and float inputs by name, float
// outputs by name.
type engine interface {
	run(ctx context.Context, ints map[string]array[int64], past map[string]any) (logits array[float64], present map[string]any, err error)
	// empty makes an empty past of shape (batch, kv_heads, 0, head_dim).
	empty(shape []int64) any
	close() error
}

// array is a dense row-major tensor.
type array[T any] struct {
	Shape []int64
	Data  []T
}

// graphRunner runs an emitted graph by its interface, whatever executes it.
type graphRunner struct {
	name string
	info *graphInfo
	eng  engine
}

func (g *graphRunner) Name() string    { return g.name }
func (g *graphRunner) Positions() bool { return g.info.Positions }
func (g *graphRunner) Close() error    { return g.eng.close() }

// cacheName is the suffix shared by a layer's past input and present output.
func cacheName(layer int, part string) string { return fmt.Sprintf("%d.%s", layer, part) }

func (g *graphRunner) Run(ctx context.Context, in Input, past State) (*Logits, State, error) {
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
	for layer := range g.info.Layers {
		for _, part := range []string{"key", "value"} {
			name := cacheName(layer, part)
			if caches == nil {
				feeds["past_key_values."+name] = g.eng.empty([]int64{int64(b), int64(g.info.KVHeads), 0, int64(g.info.HeadDim)})
				continue
			}
			feeds["past_key_values."+name] = caches["present."+name]
		}
	}
	logits, present, err := g.eng.run(ctx, ints, feeds)
	if err != nil {
		return nil, nil, err
	}
	if len(logits.Shape) != 3 || logits.Shape[0] != int64(b) || logits.Shape[1] != int64(s) {
		return nil, nil, fmt.Errorf("output \"logits\" has shape %v: expected [%d %d vocabulary]", logits.Shape, b, s)
	}
	for layer := range g.info.Layers {
		for _, part := range []string{"key", "value"} {
			if _, ok := present["present."+cacheName(layer, part)]; !ok {
				return nil, nil, fmt.Errorf("output %q is missing", "present."+cacheName(layer, part))
			}
		}
	}
	return &Logits{B: b, S: s, V: int(logits.Shape[2]), Data: logits.Data}, present, nil
}

// flatten joins rows of equal length into (rows, columns).
func flatten(rows [][]int64) array[int64] {
	a := array[int64]{Shape: []int64{int64(len(rows)), int64(len(rows[0]))}}
	for _, r := range rows {
		a.Data = append(a.Data, r...)
	}
	return a
}
