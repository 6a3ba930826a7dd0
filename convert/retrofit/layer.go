package retrofit

import "github.com/pecvt/pecvt/convert/gemm"

// Layer is one layer's scores: what its weights and its rotation make of h.
type Layer[F Float] struct {
	*Shape
	Weights *Weights[F]
	Turn    *Turn
	table   *table[F]
}

// NewLayer returns the layer for positions below length. The weights are read
// when scores are made: they may change in between.
func NewLayer[F Float](s *Shape, w *Weights[F], t *Turn, length int) *Layer[F] {
	s.check()
	return &Layer[F]{Shape: s, Weights: w, Turn: t, table: newTable[F](t, length)}
}

// heads are the queries or keys of some positions, turned, and what they were
// projected to before norm and rotation, both (positions, heads·HeadDim).
type heads[F Float] struct {
	n, count    int
	pre, turned []F
	away        *heads[F] // keys as the source sees them from afar, or nil
}

// at is head i at position index j.
func (v *heads[F]) at(i, j, d int) []F { return v.turned[(j*v.count+i)*d:] }

// of are n positions of head i from index j on.
func (v *heads[F]) of(i, j, n, d int) gemm.View[F] {
	return gemm.Of(n, d, v.count*d, v.at(i, j, d))
}

// keys makes the keys of positions [0, n) of h (…, Hidden) in v's room.
func (l *Layer[F]) keys(v *heads[F], h []F, n int) { l.keysAt(v, h, n, every) }

// every is the position of index i where nothing is left out.
func every(i int) int { return i }

// keysAt makes the keys of n positions, h holding what they read.
func (l *Layer[F]) keysAt(v *heads[F], h []F, n int, pos func(int) int) {
	l.project(v, h, n, l.KVHeads, l.Weights.K, l.Weights.KBias, l.KNorm, 1, nil, pos)
}

// queries makes the queries of rows, at is their rows of h.
func (l *Layer[F]) queries(v *heads[F], at []F, rows []int) {
	l.project(v, at, len(rows), l.Heads, l.Weights.Q, l.Weights.QBias, l.QNorm, l.share(), l.Turn.factor(), func(i int) int { return rows[i] })
}

func (l *Layer[F]) project(v *heads[F], h []F, n, count int, w, bias []F, norm *HeadNorm, share int, factor func(int64) float64, pos func(int) int) {
	d := l.HeadDim
	width := count * d
	v.n, v.count = n, count
	v.pre, v.turned = room(&v.pre, n*width), room(&v.turned, n*width)
	gemm.Share(1, gemm.Of(n, l.Hidden, l.Hidden, h), gemm.Of(width, l.Hidden, l.Hidden, w).T(), 0, gemm.Of(n, width, width, v.pre))
	together := l.together(norm)
	spread(n, func(begin, end int) {
		var all []F // a row after a norm over all heads
		if together {
			all = make([]F, width)
		}
		for i := begin; i < end; i++ {
			row := v.pre[i*width : (i+1)*width]
			for j, b := range bias {
				row[j] += b
			}
			l.clip(row)
			from := row
			if together {
				apply(norm, all, row)
				from = all
			}
			for g := range count {
				x := v.at(g, i, d)[:d]
				copy(x, from[g*d:])
				if norm != nil && !together {
					apply(norm, x, x)
				}
				cos, sin := l.table.row(g/share, pos(i))
				rotate(l.Shape, x, cos, sin)
				times(x, factor, pos(i))
			}
		}
	})
}

// backward turns derivatives in turned heads, shaped as v.turned, into those in
// the projections.
func (l *Layer[F]) backward(v *heads[F], derivatives []F, norm *HeadNorm, share int, factor func(int64) float64, pos func(int) int) {
	d, width := l.HeadDim, v.count*l.HeadDim
	together := l.together(norm)
	spread(v.n, func(begin, end int) {
		for i := begin; i < end; i++ {
			row, pre := derivatives[i*width:(i+1)*width], v.pre[i*width:(i+1)*width]
			for g := range v.count {
				x := row[g*d : (g+1)*d]
				cos, sin := l.table.row(g/share, pos(i))
				times(x, factor, pos(i))
				rotateBack(l.Shape, x, cos, sin)
				if norm != nil && !together {
					back(norm, x, pre[g*d:(g+1)*d])
				}
			}
			if together {
				back(norm, row, pre)
			}
			l.clipBack(row, pre)
		}
	})
}

// times multiplies a head by the factor of its position, where there is one.
func times[F Float](x []F, factor func(int64) float64, position int) {
	if factor == nil {
		return
	}
	f := F(factor(int64(position)))
	for i := range x {
		x[i] *= f
	}
}

// clip brings projections within the bounds.
func (l *Layer[F]) clip(x []F) {
	if c := F(l.Clip); c > 0 {
		for i, v := range x {
			x[i] = min(max(v, -c), c)
		}
	}
}

// clipBack takes the derivative from what was brought within them, x being what clip
// left.
func (l *Layer[F]) clipBack(dx, x []F) {
	if c := F(l.Clip); c > 0 {
		for i := range dx {
			if x[i] <= -c || x[i] >= c {
				dx[i] = 0
			}
		}
	}
}

// gather copies rows of h (…, width).
func gather[F Float](dst, h []F, rows []int, width int) {
	for i, r := range rows {
		copy(dst[i*width:(i+1)*width], h[r*width:])
	}
}
