package retrofit

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

// heads are the queries or keys of some positions, (heads, positions,
// HeadDim), turned. pre are the projections before norm and rotation,
// (positions, heads·HeadDim).
type heads[F Float] struct {
	n           int
	pre, turned []F
}

// at is head i at position index j.
func (v *heads[F]) at(i, j, d int) []F { return v.turned[(i*v.n+j)*d:] }

// keys makes the keys of positions [0, n) of h (…, Hidden) in v's room.
func (l *Layer[F]) keys(v *heads[F], h []F, n int) {
	l.project(v, h, n, l.KVHeads, l.Weights.K, l.Weights.KBias, l.KNorm, 1, nil, func(i int) int { return i })
}

// queries makes the queries of rows, at is their rows of h.
func (l *Layer[F]) queries(v *heads[F], at []F, rows []int) {
	l.project(v, at, len(rows), l.Heads, l.Weights.Q, l.Weights.QBias, l.QNorm, l.share(), l.QueryScale, func(i int) int { return rows[i] })
}

func (l *Layer[F]) project(v *heads[F], h []F, n, count int, w, bias []F, norm *HeadNorm, share int, factor func(int64) float64, pos func(int) int) {
	d := l.HeadDim
	width := count * d
	v.n = n
	v.pre, v.turned = room(&v.pre, n*width), room(&v.turned, n*width)
	mulT(n, width, l.Hidden, 1, h, l.Hidden, w, l.Hidden, 0, v.pre, width)
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
// the projections, transposed: (heads·HeadDim, positions). It uses dturned up.
func (l *Layer[F]) backward(v *heads[F], dturned, out []F, norm *HeadNorm, share int, factor func(int64) float64, pos func(int) int) {
	d := l.HeadDim
	count := len(v.turned) / (v.n * d)
	together := l.together(norm)
	spread(v.n, func(begin, end int) {
		for g := range count {
			for i := begin; i < end; i++ {
				x := dturned[(g*v.n+i)*d:][:d]
				cos, sin := l.table.row(g/share, pos(i))
				times(x, factor, pos(i))
				rotateBack(l.Shape, x, cos, sin)
				if norm != nil && !together {
					back(norm, x, v.pre[(i*count+g)*d:][:d])
				}
			}
		}
		if together {
			backTogether(norm, dturned, v.pre, begin, end, count, v.n, d)
		}
		for g := range count {
			for i := begin; i < end; i++ {
				l.clipBack(dturned[(g*v.n+i)*d:][:d], v.pre[(i*count+g)*d:])
			}
			transpose(out[g*d*v.n+begin:], v.n, dturned[(g*v.n+begin)*d:], d, end-begin, d)
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

// backTogether is back for rows [begin, end) of a norm over all heads: dturned is
// (heads, n, d), pre (n, heads·d).
func backTogether[F Float](norm *HeadNorm, dturned, pre []F, begin, end, heads, n, d int) {
	all := make([]F, heads*d)
	for i := begin; i < end; i++ {
		for g := range heads {
			copy(all[g*d:], dturned[(g*n+i)*d:][:d])
		}
		back(norm, all, pre[i*heads*d:][:heads*d])
		for g := range heads {
			copy(dturned[(g*n+i)*d:][:d], all[g*d:])
		}
	}
}

// gather copies rows of h (…, width).
func gather[F Float](dst, h []F, rows []int, width int) {
	for i, r := range rows {
		copy(dst[i*width:(i+1)*width], h[r*width:])
	}
}
