package interp

import (
	"errors"
	"fmt"
	"math"
)

// groupQueryAttention is com.microsoft's GroupQueryAttention without
// quantized, windowed or ring-buffer caches. Inputs: query (batch, sequence,
// heads · size), or query, key and value packed in that order along the last
// axis; key, value; past_key and past_value (batch, kv heads, past, size);
// seqlens_k, the number of valid keys less one, per batch entry;
// total_sequence_length, their longest; cos_cache and sin_cache (positions, w)
// with 2w <= size: the first 2w coordinates turn; then attention_bias as input
// 10.
//
// Where the sequence is the whole of total_sequence_length it is a prompt and
// begins at position 0, padded at the right; otherwise it begins at seqlens_k
// + 1 - sequence. local_window_size W shows query i the keys i-W < j <= i. head_sink
// (heads), input 11, is one more score of every query, whose value is nothing.
func groupQueryAttention(c *call) ([]*Array, error) {
	if err := gqaRefusals(c); err != nil {
		return nil, err
	}
	q, k, v, err := gqaHeads(c)
	if err != nil {
		return nil, err
	}
	start, valid, present, err := gqaLengths(c, q.Shape[0], q.Shape[2])
	if err != nil {
		return nil, err
	}
	if c.int("do_rotary", 0) != 0 {
		if err := gqaRotate(c, q, start); err != nil {
			return nil, err
		}
		if err := gqaRotate(c, k, start); err != nil {
			return nil, err
		}
	}
	if k, err = gqaCache(c.arg(3), k, start, present); err != nil {
		return nil, fmt.Errorf("past_key: %w", err)
	}
	if v, err = gqaCache(c.arg(4), v, start, present); err != nil {
		return nil, fmt.Errorf("past_value: %w", err)
	}
	s, err := newScores(q, k, v)
	if err != nil {
		return nil, err
	}
	if s.scale = c.number("scale", 0); s.scale == 0 {
		s.scale = 1 / math.Sqrt(float64(s.size))
	}
	s.softcap = c.number("softcap", 0)
	if sinks := c.arg(11); sinks != nil {
		if err := c.need(11, Float); err != nil {
			return nil, err
		}
		if !equalShape(sinks.Shape, []int{s.heads}) {
			return nil, fmt.Errorf("head_sink %v: expected one for each of %d heads", sinks, s.heads)
		}
		s.sinks = sinks.F
	}
	if s.bias, err = gqaBias(c, s, start, valid); err != nil {
		return nil, err
	}
	y, err := s.run(c.ctx, nil)
	if err != nil {
		return nil, err
	}
	y, err = joinHeads(y)
	return []*Array{y, k, v}, err
}

// gqaRefusals names what a node asks for that is not computed here.
func gqaRefusals(c *call) error {
	for _, name := range []string{"smooth_softmax", "sliding_window_cache", "qk_output", "kv_cache_bit_width"} {
		if n := c.int(name, 0); n > 0 {
			return fmt.Errorf("%s = %d is not supported", name, n)
		}
	}
	for _, name := range []string{"k_quant_type", "v_quant_type"} {
		if t := c.text(name, "NONE"); t != "NONE" {
			return fmt.Errorf("%s = %s is not supported", name, t)
		}
	}
	if c.int("causal", 1) != 1 {
		return errors.New("causal = 0 is not supported")
	}
	if c.arg(9) != nil {
		return errors.New("input 9 (position_ids) is not supported")
	}
	return nil
}

// gqaHeads is q, k and v as (batch, heads, sequence, size), free to write to.
func gqaHeads(c *call) (q, k, v *Array, err error) {
	heads, kvHeads := c.int("num_heads", 0), c.int("kv_num_heads", 0)
	if heads <= 0 || kvHeads <= 0 {
		return nil, nil, nil, errors.New("num_heads and kv_num_heads are required")
	}
	if (c.arg(1) == nil) != (c.arg(2) == nil) {
		return nil, nil, nil, errors.New("key and value must be given together")
	}
	if err := c.need(0, Float); err != nil {
		return nil, nil, nil, err
	}
	if c.arg(1) == nil {
		all, err := splitHeads(c.in[0], heads+2*kvHeads)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("packed query: %w", err)
		}
		parts, from := [3]*Array{}, whole(all)
		for i, n := range []int{heads, kvHeads, kvHeads} {
			shape := []int{all.Shape[0], n, all.Shape[2], all.Shape[3]}
			if parts[i], err = gathered(all, from, shape); err != nil {
				return nil, nil, nil, err
			}
			from.offset += n * from.strides[1]
		}
		return parts[0], parts[1], parts[2], nil
	}
	parts := [3]*Array{}
	for i, n := range []int{heads, kvHeads, kvHeads} {
		if err := c.need(i, Float); err != nil {
			return nil, nil, nil, err
		}
		if parts[i], err = splitHeads(c.in[i], n); err != nil {
			return nil, nil, nil, err
		}
	}
	q, k, v = parts[0], parts[1], parts[2]
	if q.Shape[0] != k.Shape[0] || q.Shape[2] != k.Shape[2] || !equalShape(k.Shape, v.Shape) || q.Shape[3] != k.Shape[3] {
		return nil, nil, nil, fmt.Errorf("heads %v, %v and %v do not go together", q, k, v)
	}
	return q, k, v, nil
}

// gqaLengths is, per batch entry, the position of the first query and the
// number of valid keys; and the length of the present cache.
func gqaLengths(c *call, batch, sequence int) (start, valid []int, present int, err error) {
	lengths, err := c.intsOf(5)
	if err != nil {
		return nil, nil, 0, err
	}
	if len(lengths) != batch {
		return nil, nil, 0, fmt.Errorf("seqlens_k has %d entries for a batch of %d", len(lengths), batch)
	}
	n, err := c.scalar(6)
	if err != nil {
		return nil, nil, 0, err
	}
	if n < int64(sequence) || n > int64(maxElements) {
		return nil, nil, 0, fmt.Errorf("total_sequence_length is %d for a sequence of %d", n, sequence)
	}
	total, past := int(n), 0
	if (c.arg(3) == nil) != (c.arg(4) == nil) {
		return nil, nil, 0, errors.New("past_key and past_value must be given together")
	}
	if c.arg(3) != nil {
		if len(c.in[3].Shape) != 4 {
			return nil, nil, 0, errors.New("past_key must have 4 axes")
		}
		past = c.in[3].Shape[2]
	}
	if sequence > 1 && sequence != total && batch != 1 {
		return nil, nil, 0, fmt.Errorf("a batch of %d chunks of %d tokens after a past: the operator takes one at a time", batch, sequence)
	}
	for b, l := range lengths {
		first := 0
		if sequence != total {
			first = int(l) + 1 - sequence
		}
		if l < 0 || l >= n || first < 0 || first > past {
			return nil, nil, 0, fmt.Errorf("seqlens_k[%d] = %d does not fit a past of %d, a sequence of %d and a total of %d",
				b, l, past, sequence, total)
		}
		start, valid = append(start, first), append(valid, int(l)+1)
	}
	return start, valid, max(total, past), nil
}

// gqaRotate turns x, (batch, heads, sequence, size), in place. Past the tables
// nothing turns, as in ONNX Runtime's CUDA provider; its CPU provider refuses them.
func gqaRotate(c *call, x *Array, start []int) error {
	for i := 7; i <= 8; i++ {
		if err := c.need(i, Float); err != nil {
			return err
		}
	}
	cos, sin := c.in[7], c.in[8]
	size := x.Shape[3]
	if len(cos.Shape) != 2 || !equalShape(cos.Shape, sin.Shape) || 2*cos.Shape[1] > size {
		return fmt.Errorf("cos_cache %v and sin_cache %v for head size %d", cos, sin, size)
	}
	w := cos.Shape[1]
	for b, first := range start {
		for h := range x.Shape[1] {
			for s := range x.Shape[2] {
				p := first + s
				if p >= cos.Shape[0] {
					continue
				}
				at := ((b*x.Shape[1]+h)*x.Shape[2] + s) * size
				turn(x.F[at:at+size], cos.F[p*w:(p+1)*w], sin.F[p*w:(p+1)*w], c.int("rotary_interleaved", 0) != 0)
			}
		}
	}
	return nil
}

// gqaCache is the present cache: per batch entry the past up to where the new
// rows begin, then those, then zeros.
func gqaCache(past, x *Array, start []int, present int) (*Array, error) {
	s := x.Shape
	out, err := newArray(Float, s[0], s[1], present, s[3])
	if err != nil {
		return nil, err
	}
	if past != nil {
		p := past.Shape
		if past.Kind != Float || len(p) != 4 || p[0] != s[0] || p[1] != s[1] || p[3] != s[3] {
			return nil, fmt.Errorf("%v does not go before %v", past, x)
		}
	}
	to, from := whole(out), whole(x)
	for b, first := range start {
		if past != nil {
			if first > past.Shape[2] {
				return nil, fmt.Errorf("%v holds fewer than %d positions", past, first)
			}
			old := whole(past)
			old.offset = b * old.strides[0]
			copyRegion(out, view{b * to.strides[0], to.strides}, past, old, []int{1, s[1], first, s[3]})
		}
		copyRegion(out, view{b*to.strides[0] + first*to.strides[2], to.strides},
			x, view{b * from.strides[0], from.strides}, []int{1, s[1], s[2], s[3]})
	}
	return out, nil
}

// gqaBias hides what a query may not see, and adds attention_bias.
func gqaBias(c *call, s *scores, start, valid []int) (func(b, h, i int, row []float64), error) {
	var add func(b, h, i int, row []float64)
	columns := s.keys
	if m := c.arg(10); m != nil {
		if err := c.need(10, Float); err != nil {
			return nil, err
		}
		total, err := c.scalar(6)
		if err != nil {
			return nil, err
		}
		columns = int(total)
		if add, err = maskBias(m, s.batch, s.heads, s.queries, columns); err != nil {
			return nil, fmt.Errorf("attention_bias: %w", err)
		}
	}
	window := c.int("local_window_size", -1)
	return func(b, h, i int, row []float64) {
		if add != nil {
			add(b, h, i, row[:columns])
		}
		at := start[b] + i
		for j := range row {
			if j > at || j >= valid[b] || (window > 0 && at-j >= window) {
				row[j] = math.Inf(-1)
			}
		}
	}, nil
}
