package graph

import "fmt"

// attentionOps are rotary embedding and attention.
var attentionOps = []Schema{
	{Op: "RotaryEmbedding", MinIn: 3, MaxIn: 3, Infer: rotaryEmbedding},
	{Op: "Attention", MinIn: 3, MaxIn: 6, Infer: attention},
	{Domain: Microsoft, Op: "GroupQueryAttention", MinIn: 9, MaxIn: 12, Gaps: true, Infer: groupQueryAttention},
}

// rotaryEmbedding knows the form X (B, N, S, D), cos and sin (B, S, r/2).
func rotaryEmbedding(c *Call) ([]Type, error) {
	return RotaryTypes(c)
}

// RotaryTypes is the shape rule of a rotation of heads: X (batch, heads,
// sequence, D) with cos and sin of (batch, sequence, r/2), r being the
// attribute rotary_embedding_dim (0: D).
func RotaryTypes(c *Call) ([]Type, error) {
	if err := c.SameType(); err != nil {
		return nil, err
	}
	if err := c.WantRank(0, 4); err != nil {
		return nil, err
	}
	x := c.In[0].Shape()
	r, d := c.Int("rotary_embedding_dim", 0), x[3].N
	if r == 0 {
		r = d
	}
	if !x[3].IsFixed() || r < 2 || r > d || r%2 != 0 {
		return nil, fmt.Errorf("rotary_embedding_dim is %d, expected an even number from 2 to the head size %s", r, x[3])
	}
	want := Shape{x[0], x[2], Dim{N: r / 2}}
	for i := 1; i <= 2; i++ {
		if err := c.WantShape(i, want); err != nil {
			return nil, err
		}
	}
	return c.same(0), nil
}

// attention knows the four-dimensional form: Q (B, N, S, D), K (B, G, S, D),
// V (B, G, S, E), a mask that broadcasts to (B, N, S, total), and past keys and
// values of (B, G, past, D or E).
func attention(c *Call) ([]Type, error) {
	for i := range 3 {
		if err := c.WantRank(i, 4); err != nil {
			return nil, err
		}
	}
	q, k, v := c.In[0].Shape(), c.In[1].Shape(), c.In[2].Shape()
	if err := c.WantShape(1, Shape{q[0], k[1], k[2], q[3]}); err != nil {
		return nil, err
	}
	if err := c.WantShape(2, Shape{q[0], k[1], k[2], v[3]}); err != nil {
		return nil, err
	}
	if err := wholeGroups(q[1], k[1]); err != nil {
		return nil, err
	}
	total := k[2]
	if c.Has(4) != c.Has(5) {
		return nil, fmt.Errorf("past key and past value come together")
	}
	types := []Type{{DType: c.In[0].DType(), Shape: Shape{q[0], q[1], q[2], v[3]}}}
	if c.Has(4) {
		if err := c.WantRank(4, 4); err != nil {
			return nil, err
		}
		past := c.In[4].Shape()[2]
		for i, last := range []Dim{q[3], v[3]} {
			if err := c.WantShape(4+i, Shape{q[0], k[1], past, last}); err != nil {
				return nil, err
			}
		}
		total = c.Sum(past, k[2])
		types = append(types,
			Type{DType: c.In[1].DType(), Shape: Shape{q[0], k[1], total, q[3]}},
			Type{DType: c.In[2].DType(), Shape: Shape{q[0], k[1], total, v[3]}})
	}
	if c.Has(3) {
		full := Shape{q[0], q[1], q[2], total}
		if s, ok := broadcast(full, c.In[3].Shape()); !ok || !s.Equal(full) {
			return nil, fmt.Errorf("input 3 (%s) has shape %s, which does not broadcast to %s", c.In[3].name, c.In[3].Shape(), full)
		}
	}
	return types, nil
}

func wholeGroups(heads, kv Dim) error {
	if heads.IsFixed() && kv.IsFixed() && kv.N > 0 && heads.N%kv.N == 0 {
		return nil
	}
	return fmt.Errorf("has %s query heads and %s key/value heads, expected a whole number of query heads for each", heads, kv)
}

// groupQueryAttention knows the rotating form: query (B, S, N*D), key and value
// (B, S, G*D), or the three side by side as query (B, S, (N+2G)*D) with key and
// value left out; past key and value (B, G, past, D), seqlens_k (B), total
// length (scalar), cos and sin (positions, r/2); behind two gaps sinks, (N).
func groupQueryAttention(c *Call) ([]Type, error) {
	heads, kv := c.Int("num_heads", 0), c.Int("kv_num_heads", 0)
	if err := wholeGroups(Dim{N: heads}, Dim{N: kv}); err != nil {
		return nil, err
	}
	if err := c.WantRank(0, 3); err != nil {
		return nil, err
	}
	q, side := c.In[0].Shape(), heads
	if !c.Has(1) && !c.Has(2) {
		side += 2 * kv
	}
	if !q[2].IsFixed() || q[2].N%side != 0 {
		return nil, fmt.Errorf("input 0 (%s) has shape %s, expected %d heads side by side", c.In[0].name, q, side)
	}
	d := q[2].N / side
	for i := 1; i <= 2 && side == heads; i++ {
		if err := c.WantShape(i, Shape{q[0], q[1], {N: kv * d}}); err != nil {
			return nil, err
		}
	}
	if err := c.WantRank(3, 4); err != nil {
		return nil, err
	}
	past := c.In[3].Shape()[2]
	for i := 3; i <= 4; i++ {
		if err := c.WantShape(i, Shape{q[0], {N: kv}, past, {N: d}}); err != nil {
			return nil, err
		}
	}
	if err := c.WantShape(5, Shape{q[0]}); err != nil {
		return nil, err
	}
	if err := c.WantRank(6, 0); err != nil {
		return nil, err
	}
	for i := 5; i <= 6; i++ {
		if err := c.Want(i, Int32); err != nil {
			return nil, err
		}
	}
	if err := c.WantRank(7, 2); err != nil {
		return nil, err
	}
	if err := c.WantShape(8, c.In[7].Shape()); err != nil {
		return nil, err
	}
	if w := c.In[7].Shape()[1]; !w.IsFixed() || w.N%8 != 0 || 2*w.N > d {
		return nil, fmt.Errorf("cos and sin are %s wide, expected a multiple of 8 up to half the head size %d", w, d)
	}
	if c.Has(9) || c.Has(10) {
		return nil, fmt.Errorf("position ids and a bias are not known here")
	}
	if c.Has(11) {
		if err := c.WantShape(11, Shape{{N: heads}}); err != nil {
			return nil, err
		}
	}
	present := Type{DType: c.In[0].DType(), Shape: Shape{q[0], {N: kv}, c.Sum(past, q[1]), {N: d}}}
	out := Type{DType: c.In[0].DType(), Shape: Shape{q[0], q[1], {N: heads * d}}}
	return []Type{out, present, present}, nil
}
