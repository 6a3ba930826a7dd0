package graph

import "fmt"

// codeOps compute with matrices of codes that share scales in blocks of a row.
var codeOps = []Schema{
	{Domain: Microsoft, Op: "MatMulNBits", MinIn: 3, MaxIn: 4, Infer: matMulNBits},
	{Domain: Microsoft, Op: "GatherBlockQuantized", MinIn: 3, MaxIn: 4, Infer: gatherBlockQuantized},
}

// matMulNBits knows the form A (…, K) with codes (N, blocks, bytes), scales
// (N, blocks) and zero points of bytes.
func matMulNBits(c *Call) ([]Type, error) {
	n, k, bits, block := c.Int("N", 0), c.Int("K", 0), c.Int("bits", 4), c.Int("block_size", 0)
	a := c.In[0].Shape()
	if len(a) == 0 || a[len(a)-1] != (Dim{N: k}) {
		return nil, fmt.Errorf("input 0 (%s) has shape %s, expected %d in its last dimension", c.In[0].name, a, k)
	}
	if err := c.blocks(1, n, k, bits, block, false); err != nil {
		return nil, err
	}
	if err := c.Want(2, c.In[0].DType()); err != nil {
		return nil, err
	}
	out := append(Shape{}, a...)
	out[len(out)-1] = Dim{N: n}
	return []Type{{DType: c.In[0].DType(), Shape: out}}, nil
}

// gatherBlockQuantized knows the form of rows of a matrix (N, bytes) with scales
// (N, blocks) and zero points of bytes.
func gatherBlockQuantized(c *Call) ([]Type, error) {
	if c.Int("gather_axis", 0) != 0 || c.Int("quantize_axis", 1) != 1 {
		return nil, fmt.Errorf("gathers along axis %d what is quantised along %d: known are 0 and 1", c.Int("gather_axis", 0), c.Int("quantize_axis", 1))
	}
	if err := c.Want(1, Int64, Int32); err != nil {
		return nil, err
	}
	if err := c.WantRank(0, 2); err != nil {
		return nil, err
	}
	bits := c.Int("bits", 4)
	rows, width := c.In[0].Shape()[0], c.In[0].Shape()[1]
	if !rows.IsFixed() || !width.IsFixed() {
		return nil, fmt.Errorf("input 0 (%s) has shape %s, expected a constant one", c.In[0].name, c.In[0].Shape())
	}
	k := width.N * 8 / bits
	if err := c.blocks(0, rows.N, k, bits, c.Int("block_size", 128), true); err != nil {
		return nil, err
	}
	return []Type{{DType: c.In[2].DType(), Shape: append(append(Shape{}, c.In[1].Shape()...), Dim{N: k})}}, nil
}

// blocks checks codes of n rows of k in the input given, scales in input 2 and zero
// points in input 3.
func (c *Call) blocks(codes int, n, k, bits, block int64, flat bool) error {
	if bits != 4 && bits != 8 || block < 16 || block&(block-1) != 0 || k < 1 {
		return fmt.Errorf("codes of %d bits in blocks of %d: expected 4 or 8 bits in blocks of a power of two from 16 on", bits, block)
	}
	across := (k + block - 1) / block
	want := Shape{{N: n}, {N: across}, {N: block * bits / 8}}
	if flat {
		want = Shape{{N: n}, {N: across * block * bits / 8}}
	}
	if err := c.Want(codes, UInt8); err != nil {
		return err
	}
	if err := c.WantShape(codes, want); err != nil {
		return err
	}
	if err := c.Want(2, Float, Float16); err != nil {
		return err
	}
	if err := c.WantShape(2, Shape{{N: n}, {N: across}}); err != nil {
		return err
	}
	if !c.Has(3) {
		return nil
	}
	if err := c.Want(3, UInt8); err != nil {
		return err
	}
	return c.WantShape(3, Shape{{N: n}, {N: (across*bits + 7) / 8}})
}
