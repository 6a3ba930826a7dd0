package interp

// view is a strided look at an array's elements.
type view struct {
	offset  int
	strides []int
}

func whole(a *Array) view { return view{0, strides(a.Shape)} }

// copyRegion writes a box of the given shape from src's view into dst's: the
// one primitive under Transpose, Slice, Expand, Tile, Concat, Split and Pad.
func copyRegion(dst *Array, to view, src *Array, from view, shape []int) {
	switch dst.Kind {
	case Float:
		copyBox(dst.F, to, src.F, from, shape)
	case Int:
		copyBox(dst.I, to, src.I, from, shape)
	default:
		copyBox(dst.B, to, src.B, from, shape)
	}
}

func copyBox[T element](dst []T, to view, src []T, from view, shape []int) {
	dt, df := lastStep(to.strides), lastStep(from.strides)
	walk(shape, [][]int{to.strides, from.strides}, func(_ int, at []int, n int) {
		i, j := to.offset+at[0], from.offset+at[1]
		if dt == 1 && df == 1 {
			copy(dst[i:i+n], src[j:j+n])
			return
		}
		for range n {
			dst[i] = src[j]
			i, j = i+dt, j+df
		}
	})
}

// gathered is a new array of the given shape filled from a view of src.
func gathered(src *Array, from view, shape []int) (*Array, error) {
	out, err := newArray(src.Kind, shape...)
	if err != nil {
		return nil, err
	}
	copyRegion(out, whole(out), src, from, shape)
	return out, nil
}
