package interp

import (
	"errors"
	"fmt"
	"math"
)

// attention is ONNX's Attention-23. Q, K and V are (batch, heads, sequence,
// size), or (batch, sequence, heads · size) with q_num_heads and kv_num_heads;
// the past is always of the first form, and K and V are appended to it.
// is_causal shows query i the keys j <= i + past length. A query that sees no
// key gets zeros. qk_matmul_output is known in mode 0 only.
func attention(c *call) ([]*Array, error) {
	for i := range 3 {
		if err := c.need(i, Float); err != nil {
			return nil, err
		}
	}
	packed := len(c.in[0].Shape) == 3
	q, k, v, err := attentionHeads(c, packed)
	if err != nil {
		return nil, err
	}
	past := 0
	if (c.arg(4) == nil) != (c.arg(5) == nil) {
		return nil, errors.New("past_key and past_value must be given together")
	}
	if c.arg(4) != nil {
		if k, err = appendPast(c, 4, k); err != nil {
			return nil, fmt.Errorf("past_key: %w", err)
		}
		if v, err = appendPast(c, 5, v); err != nil {
			return nil, fmt.Errorf("past_value: %w", err)
		}
		past = c.in[4].Shape[2]
	}
	s, err := newScores(q, k, v)
	if err != nil {
		return nil, err
	}
	s.scale = c.number("scale", 1/math.Sqrt(float64(s.size)))
	s.softcap = c.number("softcap", 0)
	var mask func(b, h, i int, row []float64)
	if c.arg(3) != nil {
		if err := c.need(3, Bool, Float); err != nil {
			return nil, err
		}
		if mask, err = maskBias(c.in[3], s.batch, s.heads, s.queries, s.keys); err != nil {
			return nil, err
		}
	}
	causal := c.int("is_causal", 0) != 0
	s.bias = func(b, h, i int, row []float64) {
		if mask != nil {
			mask(b, h, i, row)
		}
		for j := i + past + 1; causal && j < len(row); j++ {
			row[j] = math.Inf(-1)
		}
	}
	var raw *Array
	var into []float64
	if c.wants(3) {
		if mode := c.int("qk_matmul_output_mode", 0); mode != 0 {
			return nil, fmt.Errorf("qk_matmul_output_mode %d is not supported; want 0", mode)
		}
		if raw, err = newArray(Float, s.batch, s.heads, s.queries, s.keys); err != nil {
			return nil, err
		}
		into = raw.F
	}
	y, err := s.run(c.ctx, into)
	if err == nil && packed {
		y, err = joinHeads(y)
	}
	return []*Array{y, k, v, raw}, err
}

func attentionHeads(c *call, packed bool) (q, k, v *Array, err error) {
	q, k, v = c.in[0], c.in[1], c.in[2]
	if packed {
		if q, err = splitHeads(q, c.int("q_num_heads", 0)); err != nil {
			return nil, nil, nil, fmt.Errorf("q_num_heads: %w", err)
		}
		if k, err = splitHeads(k, c.int("kv_num_heads", 0)); err != nil {
			return nil, nil, nil, fmt.Errorf("kv_num_heads: %w", err)
		}
		if v, err = splitHeads(v, c.int("kv_num_heads", 0)); err != nil {
			return nil, nil, nil, fmt.Errorf("kv_num_heads: %w", err)
		}
		return q, k, v, nil
	}
	for _, a := range []*Array{q, k, v} {
		if len(a.Shape) != 4 {
			return nil, nil, nil, errors.New("inputs Q, K and V must all have 3 axes or all 4")
		}
	}
	if h := c.int("q_num_heads", q.Shape[1]); h != q.Shape[1] {
		return nil, nil, nil, fmt.Errorf("q_num_heads is %d, Q has %d", h, q.Shape[1])
	}
	if h := c.int("kv_num_heads", k.Shape[1]); h != k.Shape[1] {
		return nil, nil, nil, fmt.Errorf("kv_num_heads is %d, K has %d", h, k.Shape[1])
	}
	return q, k, v, nil
}

// appendPast joins input i and x along the sequence.
func appendPast(c *call, i int, x *Array) (*Array, error) {
	if err := c.need(i, Float); err != nil {
		return nil, err
	}
	past := c.in[i]
	if len(past.Shape) != 4 || past.Shape[0] != x.Shape[0] || past.Shape[1] != x.Shape[1] || past.Shape[3] != x.Shape[3] {
		return nil, fmt.Errorf("%v does not go before %v", past, x)
	}
	out, err := newArray(Float, x.Shape[0], x.Shape[1], past.Shape[2]+x.Shape[2], x.Shape[3])
	if err != nil {
		return nil, err
	}
	to := whole(out)
	copyRegion(out, to, past, whole(past), past.Shape)
	to.offset += past.Shape[2] * to.strides[2]
	copyRegion(out, to, x, whole(x), x.Shape)
	return out, nil
}

// newScores checks that q, k and v, each (batch, heads, sequence, size), go
// together.
func newScores(q, k, v *Array) (*scores, error) {
	a, b, d := q.Shape, k.Shape, v.Shape
	switch {
	case a[0] != b[0] || a[0] != d[0]:
		return nil, errors.New("batches differ")
	case b[1] != d[1] || b[2] != d[2]:
		return nil, fmt.Errorf("keys %v and values %v differ in heads or length", k, v)
	case a[3] != b[3]:
		return nil, fmt.Errorf("query size %d and key size %d differ", a[3], b[3])
	}
	return &scores{
		batch: a[0], heads: a[1], kvHeads: b[1], queries: a[2], keys: b[2], size: a[3], valueSize: d[3],
		q: q.F, k: k.F, v: v.F,
	}, nil
}
