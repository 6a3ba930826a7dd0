package ref

import (
	"math"

	"github.com/pecvt/pecvt/convert/family"
)

// Choice is where a token's routing in one mixture is nearest to being another:
// the last one chosen and the first one left, and what lies between the two.
type Choice struct {
	// Place is the router's, as [Options.Tap] names it: "/layers.3/mlp/router".
	Place string
	// Layer is the number of its block.
	Layer int
	// Row and Column are the token's, of so many Columns, the past's counted.
	Row, Column, Columns int
	// Of is what is chosen: "experts", or "groups" of them; "weights" is of the
	// sparse mixer, where an expert is just within those that share a weight.
	Of string
	// Kept and Left are the numbers of the two.
	Kept, Left int
	// Margin is how far the one kept is ahead, in the router's selection score.
	Margin float64
	// Turn is the least relative error of the router's input and sums that can turn the
	// two round, to first order: with every logit z_e = w_e·x off by Turn ‖w_e‖ ‖x‖
	// (Euclidean norms) they can be equal. It is 0 where they are.
	Turn float64
}

// turnedBy is how far off a router's logits may be in an arithmetic, in unit
// roundoffs of ‖w‖ ‖x‖. Each of the 2 l branches before layer l adds some roundings to
// the stream, independent of each other, so that they grow as √l, and the router's own
// sums add one or two. A plain pass in float32 over the bundled mixtures is off by
// 0.1 to 0.7 u √(1+l) in the mean square, and at the most by 2.3 u √(1+l) in all but
// two models, by 12 in those (TestTurn).
const turnedBy = 16

// Near tells whether an arithmetic of unit roundoff u may choose otherwise: whether
// Turn is within 16 u √(1 + Layer).
func (c Choice) Near(u float64) bool { return c.Turn <= turnedBy*u*math.Sqrt(float64(1+c.Layer)) }

// watched is what the choices of one router are judged by.
type watched struct {
	rule  *family.Router
	at    Choice    // place and layer
	norms []float64 // of its rows
	z     []float64 // what each logit of the token at hand is off by, per unit
	by    []float64 // what each selection score is
}

// watch prepares to judge a router's choices; nil where nobody asks.
func (p *pass[T]) watch(r *family.Router, place string) (*watched, error) {
	if p.opts.Choices == nil {
		return nil, nil
	}
	w, err := p.open(r.Linear.Weight)
	if err != nil {
		return nil, err
	}
	x := &watched{rule: r, at: Choice{Place: place, Layer: p.block}, norms: make([]float64, w.rows), z: make([]float64, w.rows), by: make([]float64, w.rows)}
	row := make([]T, w.cols)
	for e := range x.norms {
		if err := decode(&w, row, e, e+1); err != nil {
			return nil, err
		}
		x.norms[e] = norm2(row)
	}
	p.release(r.Linear.Weight)
	return x, nil
}

// input takes the size of what the router reads of a token.
func (r *watched) input(size float64) {
	for e, n := range r.norms {
		r.z[e] = n * size
	}
}

// nearest is the nearest choice by scores s, whose selection scores are by, of an
// input of a size.
func (r *watched) nearest(size float64, s, by []float64) Choice {
	r.input(size)
	r.scores(s, by)
	c := none()
	if r.rule.Groups > 0 {
		c = r.groups(by)
		dropGroups(by, r.rule.Groups, r.rule.KeptGroups, r.rule.GroupBest)
	}
	return nearer(c, r.last("experts", by, r.by, r.rule.TopK))
}

// scores says what the selection scores by, made of s, can be off by, to first order.
func (r *watched) scores(s, by []float64) {
	mean := 0.0 // of softmax: dsₑ = sₑ (dzₑ − Σ s_j dz_j)
	for e, v := range s {
		mean += v * r.z[e]
	}
	for e, v := range s {
		switch {
		case r.rule.ByLogits:
			r.by[e] = r.z[e]
		case r.rule.Score == "softmax":
			r.by[e] = v * (r.z[e] + mean)
		case r.rule.Score == "sigmoid":
			r.by[e] = v * (1 - v) * r.z[e]
		}
		r.by[e] += math.Abs(by[e]) // its own rounding
	}
}

// between is the choice that keeps a and leaves b, which the margin parts and an
// error of off per unit can turn.
func (r *watched) between(of string, a, b int, margin, off float64) Choice {
	c := r.at
	c.Of, c.Kept, c.Left, c.Margin = of, a, b, margin
	if c.Turn = margin / off; margin == 0 {
		c.Turn = 0
	}
	return c
}

// none is a choice that nothing turns.
func none() Choice { return Choice{Turn: math.Inf(1)} }

// nearer returns the one that is nearer to being another.
func nearer(a, b Choice) Choice {
	if b.Turn < a.Turn {
		return b
	}
	return a
}

// last is the choice of the k largest of by.
func (r *watched) last(of string, by, off []float64, k int) Choice {
	order := largest(by, len(by))
	if k >= len(order) || math.IsInf(by[order[k]], -1) { // all of them, or of those that may be
		return none()
	}
	a, b := order[k-1], order[k]
	return r.between(of, a, b, by[a]-by[b], off[a]+off[b])
}

// groups is the choice of the groups whose best scores sum to most.
func (r *watched) groups(by []float64) Choice {
	n := r.rule.Groups
	size := len(by) / n
	sums, off := make([]float64, n), make([]float64, n)
	for g := range sums {
		for _, e := range largest(by[g*size:(g+1)*size], r.rule.GroupBest) {
			sums[g] += by[g*size+e]
			off[g] += r.by[g*size+e]
		}
	}
	return r.last("groups", sums, off, r.rule.KeptGroups)
}

// mixed is the sparse mixer's: which two experts, in which order, and who shares
// their weights.
func (r *watched) mixed(size float64, z []float64) Choice {
	r.input(size)
	c := nearer(r.last("experts", z, r.z, 1), r.last("experts", z, r.z, 2))
	spread := 2 * r.rule.Jitter
	best := largest(z, 2)
	for i, a := range best {
		for e, v := range z {
			if e == a || i == 1 && e == best[0] {
				continue
			}
			size := max(math.Abs(v), z[a])
			m := math.Abs(z[a] - v - spread*size)
			c = nearer(c, r.between("weights", a, e, m, (1+spread)*(r.z[a]+r.z[e])))
		}
	}
	return c
}

func norm2[T Float](x []T) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}

func widened[T Float](x []T) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// chose tells of a token's choice. Padding has none.
func (p *pass[T]) chose(c Choice, token int) {
	c.Row, c.Column, c.Columns = token/p.in.seq, p.in.past+token%p.in.seq, p.in.total()
	if !p.in.isHidden(c.Row, c.Column) {
		p.opts.Choices(c)
	}
}
