package retrofit

import "math"

// away is what a source is taken to do at distances that it was never trained at, so
// that it can teach there: planes that turn at most once over its trained length L count
// a distance of L or more as L − 1, the others, which have met all their angles, turn on.
// Seen from so far, a query is turned by θ·(L − 1) in the former planes, and a key not at
// all; in the others both as ever. (ReRoPE, github.com/bojone/rerope, holds all planes.)
type away[F Float] struct {
	span          int // L − 1
	queries, keys *Layer[F]
}

// newAway makes it of a source's layer, for positions below length.
func newAway[F Float](l *Layer[F], trained, length int) *away[F] {
	still := *l.Turn
	still.InvFreq = make([][]float64, len(l.Turn.InvFreq))
	for g, row := range l.Turn.InvFreq {
		still.InvFreq[g] = make([]float64, len(row))
		for p, f := range row {
			if math.Abs(f)*float64(trained) > 2*math.Pi {
				still.InvFreq[g][p] = f
			}
		}
	}
	a := &away[F]{span: trained - 1, keys: NewLayer(l.Shape, l.Weights, &still, length), queries: NewLayer(l.Shape, l.Weights, &still, length)}
	t := a.queries.table
	if t.groups < l.table.groups { // spectra of heads that differ in held planes alone
		t = newTableOf[F](&still, still.InvFreq, length)
		a.queries.table = t
	}
	for g := range t.groups {
		for p, f := range l.Turn.InvFreq[g] {
			if f == still.InvFreq[g][p] || l.Turn.removed(p) {
				continue
			}
			s, c := math.Sincos(f * float64(a.span))
			for i := range length {
				at := (g*length+i)*t.planes + p
				t.cos[at], t.sin[at] = F(l.Turn.Gain*c), F(l.Turn.Gain*s)
			}
		}
	}
	return a
}

// beyond counts the keys from first on that are L or more away from pos.
func (a *away[F]) beyond(pos, first int, upTo func(int) int) int {
	return max(0, upTo(pos-a.span-1)-first)
}
