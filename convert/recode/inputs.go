package recode

import (
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/quant/compensate"
)

// inputs are the moments of what the maps of one layer read.
type inputs struct {
	groups []*group
	of     map[string]*group // by the map's weight
	// last are the marks of what was added last: maps that follow each other often read
	// the same.
	last   mark
	within *group
}

// group are maps that read the same inputs, each time.
type group struct {
	moments *compensate.Moments
	maps    []*family.Linear
}

// mark tells inputs from others.
type mark struct {
	size int
	sum  uint64
}

func newInputs() *inputs { return &inputs{of: map[string]*group{}} }

// see adds what a map reads. A map that is seen for the first time right after another
// that read the same joins it; inputs that a group has are added once.
func (in *inputs) see(l *family.Linear, x []float32) error {
	n := int(l.Weight.Shape[1])
	m := mark{len(x), sumOf(x)}
	same := in.within != nil && m == in.last && in.within.moments.Size() == n
	key := keyOf(l.Weight)
	g := in.of[key]
	switch {
	case g == nil && same && in.within.moments.Rows() == len(x)/n: // of their first inputs
		g = in.within
		g.maps = append(g.maps, l)
		in.of[key] = g
		return nil
	case g == nil:
		g = &group{moments: compensate.NewMoments(n), maps: []*family.Linear{l}}
		in.groups, in.of[key] = append(in.groups, g), g
	case same && g == in.within && slices.ContainsFunc(g.maps[1:], func(o *family.Linear) bool { return o == l }):
		return nil
	}
	in.last, in.within = m, g
	return g.moments.Add(x)
}

// sumOf is FNV-1a over the numbers' bits.
func sumOf(x []float32) uint64 {
	h := uint64(14695981039346656037)
	for _, v := range x {
		h = (h ^ uint64(math.Float32bits(v))) * 1099511628211
	}
	return h
}
