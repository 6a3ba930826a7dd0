package report

import (
	"fmt"
	"math"
)

// Metrics compares logits got with logits wanted over every position of every
// row that is not padding.
type Metrics struct {
	// MaxAbs is max |got − want|.
	MaxAbs float64
	// MaxRel is MaxAbs over the largest |want|: the figure that is judged.
	// Elementwise ratios say nothing for logits near 0.
	MaxRel float64
	// NMSE is Σ(got − want)² / Σ want².
	NMSE float64
	// Cosine is the cosine between all of got and all of want.
	Cosine float64
	// KL is the mean over positions of KL(softmax want ‖ softmax got), in nats,
	// MaxKL the largest.
	KL, MaxKL float64
	// Top1 is the share of positions whose largest logit is the same token. Tokens
	// whose wanted logits are equal are one: either is right.
	Top1 float64
	// Ties are the positions with another first token. Their logits are off by at
	// least half the margin: an error that passes its limit can turn a near tie
	// only.
	Ties []Tie
	// Positions is the number of positions compared.
	Positions int
	// WorstRow and WorstPosition say where MaxAbs is.
	WorstRow, WorstPosition int
}

// Tie is a position whose first token changed.
type Tie struct {
	Row, Position int
	// Want and Got are the first tokens, Margin is the wanted logits' distance
	// between the two, Error max |got − want| at the position.
	Want, Got     int
	Margin, Error float64
}

// Compare computes Metrics. keep, where not nil, tells whether position s of
// row b counts. A NaN or infinity in got makes MaxAbs and MaxRel infinite.
func Compare(got, want *Logits, keep func(b, s int) bool) (Metrics, error) {
	if got.B != want.B || got.S != want.S || got.V != want.V {
		return Metrics{}, fmt.Errorf("logits have shape [%d %d %d]: expected [%d %d %d]", got.B, got.S, got.V, want.B, want.S, want.V)
	}
	var m Metrics
	var largest, errSum, wantSum, gotSum, dot float64
	same := 0
	for b := range want.B {
		for s := range want.S {
			if keep != nil && !keep(b, s) {
				continue
			}
			g, w := got.At(b, s), want.At(b, s)
			m.Positions++
			here := 0.0
			for v, x := range w {
				d := math.Abs(g[v] - x)
				if math.IsNaN(d) {
					d = math.Inf(1)
				}
				if d > m.MaxAbs {
					m.MaxAbs, m.WorstRow, m.WorstPosition = d, b, s
				}
				here = max(here, d)
				largest = max(largest, math.Abs(x))
				errSum += d * d
				wantSum += x * x
				gotSum += g[v] * g[v]
				dot += g[v] * x
			}
			kl := Divergence(w, g)
			m.KL += kl
			m.MaxKL = max(m.MaxKL, kl)
			first, got := ArgMax(w), ArgMax(g)
			if w[first] == w[got] {
				same++
			} else {
				m.Ties = append(m.Ties, Tie{Row: b, Position: s, Want: first, Got: got, Margin: w[first] - w[got], Error: here})
			}
		}
	}
	if m.Positions == 0 {
		return m, fmt.Errorf("no position to compare")
	}
	m.KL /= float64(m.Positions)
	m.Top1 = float64(same) / float64(m.Positions)
	m.MaxRel = Ratio(m.MaxAbs, largest)
	m.NMSE = Ratio(errSum, wantSum)
	m.Cosine = Ratio(dot, math.Sqrt(wantSum)*math.Sqrt(gotSum))
	return m, nil
}

// Ratio is a/b, and 0 for 0/0.
func Ratio(a, b float64) float64 {
	if a == 0 {
		return 0
	}
	return a / b
}

// Divergence is KL(softmax p ‖ softmax q) in nats, computed from log
// probabilities so that it is exact for nearly equal rows.
func Divergence(p, q []float64) float64 {
	lp, lq := logSumExp(p), logSumExp(q)
	kl := 0.0
	for i := range p {
		a := p[i] - lp
		kl += math.Exp(a) * (a - (q[i] - lq))
	}
	return max(kl, 0)
}

func logSumExp(x []float64) float64 {
	top := math.Inf(-1)
	for _, v := range x {
		top = max(top, v)
	}
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(v - top)
	}
	return top + math.Log(sum)
}

func ArgMax(x []float64) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}
