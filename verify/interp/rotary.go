package interp

import (
	"errors"
	"fmt"
)

// turn rotates the first 2·len(cos) coordinates of x, one head of one token,
// in place: y1 = x1 cos - x2 sin, y2 = x2 cos + x1 sin, where x1 and x2 are
// the halves of the rotated part, or its even and odd places (interleaved).
func turn(x, cos, sin []float64, interleaved bool) {
	for p := range cos {
		i, j := p, p+len(cos)
		if interleaved {
			i, j = 2*p, 2*p+1
		}
		a, b := x[i], x[j]
		x[i], x[j] = a*cos[p]-b*sin[p], b*cos[p]+a*sin[p]
	}
}

// rotaryEmbedding is ONNX's RotaryEmbedding-23. X is (batch, heads, sequence,
// head size), or (batch, sequence, heads · head size) with num_heads. cos and
// sin are (batch, sequence, r/2), or with position_ids a table (positions,
// r/2); a position outside the table is an error. r is rotary_embedding_dim,
// or the head size.
func rotaryEmbedding(c *call) ([]*Array, error) {
	for i := range 3 {
		if err := c.need(i, Float); err != nil {
			return nil, err
		}
	}
	x := c.in[0]
	g, err := rotaryLayout(x, c.int("num_heads", 0))
	if err != nil {
		return nil, err
	}
	r := c.int("rotary_embedding_dim", 0)
	if r == 0 {
		r = g.size
	}
	if r < 0 || r > g.size || r%2 != 0 {
		return nil, fmt.Errorf("rotary_embedding_dim %d of head size %d", r, g.size)
	}
	places, err := rotaryRows(c, g, r/2)
	if err != nil {
		return nil, err
	}
	out, err := gathered(x, whole(x), x.Shape)
	if err != nil {
		return nil, err
	}
	cos, sin, interleaved := c.in[1].F, c.in[2].F, c.int("interleaved", 0) != 0
	for b := range g.batch {
		for s := range g.sequence {
			row := places[b*g.sequence+s] * (r / 2)
			for h := range g.heads {
				at := g.at(b, h, s)
				turn(out.F[at:at+g.size], cos[row:row+r/2], sin[row:row+r/2], interleaved)
			}
		}
	}
	return []*Array{out}, nil
}

// headLayout is where the heads of an array lie.
type headLayout struct {
	batch, heads, sequence, size int
	packed                       bool // (batch, sequence, heads · size)
}

func (g headLayout) at(b, h, s int) int {
	if g.packed {
		return ((b*g.sequence+s)*g.heads + h) * g.size
	}
	return ((b*g.heads+h)*g.sequence + s) * g.size
}

func rotaryLayout(x *Array, heads int) (headLayout, error) {
	s := x.Shape
	switch {
	case len(s) == 4:
		return headLayout{s[0], s[1], s[2], s[3], false}, nil
	case len(s) != 3:
		return headLayout{}, errors.New("input X must have 3 or 4 axes")
	case heads <= 0 || heads > s[2] || s[2]%heads != 0: // of an empty axis any number would be a part
		return headLayout{}, fmt.Errorf("num_heads is %d for a last axis of %d", heads, s[2])
	}
	return headLayout{s[0], heads, s[1], s[2] / heads, true}, nil
}

// rotaryRows says for each token which row of cos and sin is its own.
func rotaryRows(c *call, g headLayout, planes int) ([]int, error) {
	cos, sin := c.in[1].Shape, c.in[2].Shape
	tokens := g.batch * g.sequence
	want := []int{g.batch, g.sequence, planes}
	if c.arg(3) != nil {
		if len(cos) != 2 {
			return nil, errors.New("with position_ids, cos must be a table of two axes")
		}
		want = []int{cos[0], planes}
	}
	if !equalShape(cos, want) || !equalShape(sin, want) {
		return nil, fmt.Errorf("cos %v and sin %v must be %v", cos, sin, want)
	}
	rows := make([]int, tokens)
	if c.arg(3) == nil {
		for i := range rows {
			rows[i] = i
		}
		return rows, nil
	}
	ids, err := c.intsOf(3)
	if err != nil {
		return nil, err
	}
	if !equalShape(c.in[3].Shape, []int{g.batch, g.sequence}) {
		return nil, fmt.Errorf("position_ids %v must be [%d %d]", c.in[3].Shape, g.batch, g.sequence)
	}
	for i, id := range ids {
		if id < 0 || id >= int64(want[0]) {
			return nil, fmt.Errorf("position %d is outside the table of %d positions", id, want[0])
		}
		rows[i] = int(id)
	}
	return rows, nil
}
