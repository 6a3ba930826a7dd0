package bisect

import (
	"fmt"
	"math"
	"slices"

	"github.com/pecvt/pecvt/verify/interp"
)

// wanted is what a value of the graph should be: one of f, i and b.
type wanted struct {
	shape []int // nil where only the elements and their order are known
	f     []float64
	i     []int64
	b     []bool
	// keep tells which elements count, nil for all: what padding computes does
	// not matter.
	keep func(k int) bool
}

func (w *wanted) len() int { return max(len(w.f), len(w.i), len(w.b)) }

func (w *wanted) bytes() int64 { return int64(8*len(w.f) + 8*len(w.i) + len(w.b)) }

// off is how far a value is from what it should be: max |got − want| over max
// |want|, 1 for a wrong integer or truth value, +Inf for what is not finite or
// of another shape, and in words where it is worst.
func (w *wanted) off(a *interp.Array) (float64, string) {
	if w.shape != nil && !slices.Equal(w.shape, a.Shape) {
		return math.Inf(1), fmt.Sprintf("its shape is %v: expected %v", a.Shape, w.shape)
	}
	if a.Len() != w.len() {
		return math.Inf(1), fmt.Sprintf("it has %d elements: expected %d", a.Len(), w.len())
	}
	kept := func(k int) bool { return w.keep == nil || w.keep(k) }
	switch {
	case w.f != nil && a.Kind == interp.Float:
		return offFloats(a.F, w.f, kept, func(k int) string { return element(a.Shape, k) })
	case w.i != nil && a.Kind == interp.Int:
		for k, x := range w.i {
			if kept(k) && a.I[k] != x {
				return 1, fmt.Sprintf("%s is %d: expected %d", element(a.Shape, k), a.I[k], x)
			}
		}
	case w.b != nil && a.Kind == interp.Bool:
		for k, x := range w.b {
			if kept(k) && a.B[k] != x {
				return 1, fmt.Sprintf("%s is %v: expected %v", element(a.Shape, k), a.B[k], x)
			}
		}
	case w.len() > 0:
		return math.Inf(1), fmt.Sprintf("its elements are of kind %v", a.Kind)
	}
	return 0, ""
}

func offFloats(got, want []float64, kept func(int) bool, at func(int) string) (float64, string) {
	var worst, largest float64
	place := -1
	for k, x := range want {
		if !kept(k) {
			continue
		}
		d := math.Abs(got[k] - x)
		if got[k] == x { // also of infinities
			d = 0
		}
		if math.IsNaN(d) {
			d = math.Inf(1)
		}
		if d > worst {
			worst, place = d, k
		}
		if !math.IsInf(x, 0) {
			largest = max(largest, math.Abs(x))
		}
	}
	if place < 0 {
		return 0, ""
	}
	if largest == 0 {
		return math.Inf(1), fmt.Sprintf("%s is %.6g: expected 0", at(place), got[place])
	}
	return worst / largest, fmt.Sprintf("%s is %.6g: expected %.6g", at(place), got[place], want[place])
}

// element spells an index of a shape.
func element(shape []int, k int) string {
	at := make([]int, len(shape))
	for i := len(shape) - 1; i >= 0; i-- {
		if shape[i] > 0 {
			at[i] = k % shape[i]
			k /= shape[i]
		}
	}
	return fmt.Sprintf("%v", at)
}
