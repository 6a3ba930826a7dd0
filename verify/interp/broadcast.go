package interp

import "fmt"

// broadcastShape joins shapes by ONNX's multidirectional rule: aligned at the
// right, a dimension of 1 stretches.
func broadcastShape(shapes ...[]int) ([]int, error) {
	rank := 0
	for _, s := range shapes {
		rank = max(rank, len(s))
	}
	out := make([]int, rank)
	for i := range out {
		out[i] = 1
	}
	for _, s := range shapes {
		for i, d := range s {
			o := &out[rank-len(s)+i]
			switch {
			case d == *o || d == 1:
			case *o == 1:
				*o = d
			default:
				return nil, fmt.Errorf("shapes %v do not broadcast", shapes)
			}
		}
	}
	return out, nil
}

// broadcastStrides are the strides by which an array of the given shape is
// walked along out: 0 where it stretches.
func broadcastStrides(shape, out []int) []int {
	s := make([]int, len(out))
	own := strides(shape)
	for i, d := range shape {
		if d != 1 {
			s[len(out)-len(shape)+i] = own[i]
		}
	}
	return s
}

// walk visits out in row-major order, a run of its last dimension at a time:
// row gets the run's place in out and, for each operand, where it starts. The
// step of operand k within the run is steps[k][last].
func walk(out []int, steps [][]int, row func(at int, from []int, n int)) {
	if count(out) == 0 {
		return
	}
	if len(out) == 0 {
		row(0, make([]int, len(steps)), 1)
		return
	}
	last := len(out) - 1
	n := out[last]
	index := make([]int, last)
	from := make([]int, len(steps))
	for at := 0; ; at += n {
		row(at, from, n)
		d := last - 1
		for ; d >= 0; d-- {
			index[d]++
			for k := range steps {
				from[k] += steps[k][d]
			}
			if index[d] < out[d] {
				break
			}
			for k := range steps {
				from[k] -= steps[k][d] * out[d]
			}
			index[d] = 0
		}
		if d < 0 {
			return
		}
	}
}

// lastStep of an operand's strides: 0 for a scalar.
func lastStep(steps []int) int {
	if len(steps) == 0 {
		return 0
	}
	return steps[len(steps)-1]
}

// combine applies f to the broadcast of x and y.
func combine[T, R element](x, y *Array, kind Kind, f func(T, T) R) (*Array, error) {
	shape, err := broadcastShape(x.Shape, y.Shape)
	if err != nil {
		return nil, err
	}
	out, err := newArray(kind, shape...)
	if err != nil {
		return nil, err
	}
	a, b, r := data[T](x), data[T](y), data[R](out)
	sa, sb := broadcastStrides(x.Shape, shape), broadcastStrides(y.Shape, shape)
	da, db := lastStep(sa), lastStep(sb)
	walk(shape, [][]int{sa, sb}, func(at int, from []int, n int) {
		i, j := from[0], from[1]
		for k := range n {
			r[at+k] = f(a[i], b[j])
			i += da
			j += db
		}
	})
	return out, nil
}

// apply maps f over a.
func apply[T, R element](a *Array, kind Kind, f func(T) R) (*Array, error) {
	out, err := newArray(kind, a.Shape...)
	if err != nil {
		return nil, err
	}
	r := data[R](out)
	for i, x := range data[T](a) {
		r[i] = f(x)
	}
	return out, nil
}

// sameKind checks that all inputs given are of one kind and returns it.
func (c *call) sameKind(kinds ...Kind) (Kind, error) {
	if err := c.needAll(kinds...); err != nil {
		return 0, err
	}
	k := c.in[0].Kind
	return k, c.needAll(k)
}
