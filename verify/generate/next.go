package generate

import (
	"context"
	"fmt"

	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/ort"
)

// Next goes on with the sequence by these tokens. It returns their logits, row-major
// (tokens, vocabulary), or of a graph that gives no others those of the last one, in
// memory that the next call writes to. An error ends the sequence: what follows begins
// anew.
func (g *Graph) Next(ctx context.Context, ids []int64) ([]float32, error) {
	total := g.length + len(ids)
	if g.maxLength > 0 && total > g.maxLength {
		return nil, hint.Errorf("a sequence of %d tokens: the graph's tables hold %d positions; emit one with a larger "+hint.MaxLength, total, g.maxLength)
	}
	room := g.room(total)
	for len(g.ones) < room {
		g.ones, g.counted = append(g.ones, 1), append(g.counted, int64(len(g.counted)))
	}
	n := int64(len(ids))
	feeds := map[string]ort.Tensor{
		names.InputIDs:      ort.Int64(ids, 1, n),
		names.AttentionMask: ort.Int64(g.ones[:total], 1, int64(total)),
	}
	if g.positions {
		feeds[names.PositionIDs] = ort.Int64(g.counted[g.length:total], 1, n)
	}
	memory := make(map[string]ort.Tensor, len(g.caches)+1)
	for _, c := range g.caches {
		feeds[c.past], memory[c.present] = c.turn(g.length, total, room)
	}
	given := n
	if g.last {
		given = 1
	}
	g.logits.grow(given * int64(g.vocab))
	memory[names.Logits] = g.logits.tensor([]int64{1, given, int64(g.vocab)})

	out, err := g.session.RunInto(ctx, feeds, func(v ort.Value, _ []int64) (ort.Tensor, bool) {
		t, ok := memory[v.Name]
		return t, ok
	})
	if err != nil {
		return nil, err
	}
	for _, c := range g.caches {
		c.turned()
	}
	g.length = total
	return g.numbers(out[names.Logits])
}

// room is how many positions to make room for where total are needed.
func (g *Graph) room(total int) int {
	if total <= g.reserved {
		return g.reserved
	}
	room := max(total+total/2, 128)
	if g.maxLength > 0 {
		room = min(room, g.maxLength)
	}
	return room
}

// numbers are logits as float32.
func (g *Graph) numbers(t ort.Tensor) ([]float32, error) {
	if t.DType == tensor.F32 {
		return t.F32, nil
	}
	n := int(elements(t.Shape))
	if len(g.decoded) < n {
		g.decoded = make([]float32, n)
	}
	if err := tensor.Decode32(g.decoded[:n], t.Bytes, t.DType); err != nil {
		return nil, fmt.Errorf("output %q: %w", names.Logits, err)
	}
	return g.decoded[:n], nil
}
