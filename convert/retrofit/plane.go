package retrofit

import "math"

// planeView is a layer's queries and keys, turned and not.
type planeView[F Float] struct {
	*Layer[F]
	angles    *table[float64] // by distance
	rows      []int
	q, k      heads[F]
	still, sq heads[F] // as normalised, before the rotation
}

func newPlaneView[F Float](l *Layer[F], h []F, rows []int) *planeView[F] {
	v := &planeView[F]{Layer: l, rows: rows}
	at := make([]F, len(rows)*l.Hidden)
	gather(at, h, rows, l.Hidden)
	last := rows[len(rows)-1] + 1
	l.queries(&v.q, at, rows)
	l.keys(&v.k, h, last)
	none := &Turn{InvFreq: make([][]float64, l.KVHeads), Gain: 1, QueryScale: l.Turn.QueryScale}
	for g := range none.InvFreq {
		none.InvFreq[g] = make([]float64, l.planes())
	}
	flat := NewLayer(l.Shape, l.Weights, none, last)
	flat.queries(&v.sq, at, rows)
	flat.keys(&v.still, h, last)
	plain := *l.Turn
	plain.Gain = 1
	v.angles = newTable[float64](&plain, last)
	return v
}

// costScratch holds log a, a and δ of a row, and its scores before the cap.
type costScratch struct{ logA, a, delta, raw []float64 }

// scores returns head's scores at row r and the first key it sees.
func (v *planeView[F]) scores(work *costScratch, head, r int) ([]float64, int) {
	pos, d := v.rows[r], v.HeadDim
	first := 0
	if v.Window > 0 {
		first = max(0, pos-v.Window+1)
	}
	a, raw := room(&work.logA, pos+1-first), room(&work.raw, pos+1-first)
	q := v.q.at(head, r, d)[:d]
	beta := v.Turn.slope(head)
	for j := range a {
		k := v.k.at(head/v.share(), first+j, d)[:d]
		var sum F
		for i, x := range q {
			sum += x * k[i]
		}
		raw[j] = v.Scale * float64(sum)
		a[j] = v.capped(raw[j]) - beta*float64(pos-first-j)
	}
	return a, first
}

// delta returns δ of plane p for one query and key, and what the turned plane
// adds to the score, without scale and gain.
func (v *planeView[F]) delta(head, r, key, p int, cos, sin float64) float64 {
	step, offset := v.coordinates()
	a, b := p*step, p*step+offset
	q, k := v.sq.at(head, r, v.HeadDim), v.still.at(head/v.share(), key, v.HeadDim)
	dot := float64(q[a])*float64(k[a]) + float64(q[b])*float64(k[b])
	cross := float64(q[a])*float64(k[b]) - float64(q[b])*float64(k[a])
	return dot - (dot*cos + cross*sin)
}

// row writes the cost of each plane at one head and row.
func (v *planeView[F]) row(work *costScratch, head, r int, planes []int, out []float64) {
	pos, group := v.rows[r], head/v.share()
	logA, first := v.scores(work, head, r)
	raw := work.raw
	a, delta := room(&work.a, len(logA)), room(&work.delta, len(logA))
	work.logA, work.a, work.delta = logA, a, delta
	copy(a, logA)
	sink := v.sink(head)
	lse := softmax(a, sink)
	for j := range logA {
		logA[j] -= lse
	}
	scale := v.Scale * v.Turn.Gain * v.Turn.Gain
	for i, p := range planes {
		if v.Turn.InvFreq[group][p] == 0 || v.Turn.removed(p) {
			out[i] = 0
			continue
		}
		// KL = log Σ exp(log a + δ) − Σ a δ: with log a, mass that moves to keys
		// whose a is 0 in floating point still counts
		top, moved := sink-lse, 0.0 // a sink stays where it is
		for j := range delta {
			cos, sin := v.angles.row(group, pos-first-j)
			d := scale * v.delta(head, r, first+j, p, cos[p], sin[p])
			if v.Cap > 0 {
				d = v.capped(raw[j]+d) - v.capped(raw[j])
			}
			delta[j] = logA[j] + d
			top = max(top, delta[j])
			moved += a[j] * d
		}
		sum := math.Exp(sink - lse - top)
		for _, d := range delta {
			sum += math.Exp(d - top)
		}
		out[i] = max(top+math.Log(sum)-moved, 0)
	}
}
