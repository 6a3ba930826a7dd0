package bisect

import (
	"slices"

	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/verify/run"
)

// ofGuard are the guard's values, where every position is inside the tables as it
// is in all that is bisected; nil for another node.
func (e *expecter) ofGuard(name string) *wanted {
	truth := func(v bool, shape ...int) *wanted {
		n := 1
		for _, d := range shape {
			n *= d
		}
		return &wanted{shape: shape, b: slices.Repeat([]bool{v}, n)}
	}
	zeros := func(shape ...int) *wanted {
		return &wanted{shape: shape, i: make([]int64, len(truth(false, shape...).b))}
	}
	switch name {
	case names.GuardPositions:
		return &wanted{shape: []int{e.b, e.n}, i: run.Flatten(e.in.Positions).Data}
	case names.GuardInside, names.GuardTokens:
		return truth(true, e.b, e.n)
	case names.GuardColumn:
		return truth(true, e.b, 1, e.n, 1)
	case names.GuardTotal:
		return truth(true, 1)
	case names.GuardBefore:
		return truth(false, e.b, 1, e.old, 1)
	case names.GuardNow:
		return truth(false, e.b, 1, e.n, 1)
	case names.GuardOutside:
		return truth(false, e.b, 1, e.total(), 1)
	case names.GuardOutside1:
		return zeros(e.b, 1, e.total(), 1)
	case names.GuardCount:
		return zeros(e.b, 1)
	case names.GuardRow:
		return truth(true, e.b, 1)
	case names.GuardTokenRows:
		return truth(true, e.b*e.n, 1)
	}
	return nil
}
