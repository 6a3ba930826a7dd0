package retrofit

import (
	"math"
	"math/cmplx"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pecvt/pecvt/posenc"
)

// naive is KL(source ‖ student) of a head at a row by sums over the drawn keys, each 1/π
// times: score by score, planes as complex numbers, with what is seen written as conditions.
func (c *layerCase) naive(t *testing.T, head, pos int, places []int, times []float64) float64 {
	s := &c.shape
	d, group := s.HeadDim, head/(s.Heads/s.KVHeads)
	project := func(w, bias []float64, norm *HeadNorm, row, at int) []float64 {
		out := make([]float64, d)
		for i := range out {
			for j := range s.Hidden {
				out[i] += w[(row*d+i)*s.Hidden+j] * c.h[at*s.Hidden+j]
			}
			if bias != nil {
				out[i] += bias[row*d+i]
			}
		}
		if norm != nil {
			square := norm.Eps
			for _, v := range out {
				square += v * v / float64(d)
			}
			for i := range out {
				out[i] *= norm.Weight[i] / math.Sqrt(square)
			}
		}
		return out
	}
	plane := func(x []float64, p int) complex128 {
		if s.Pairing == posenc.Interleaved {
			return complex(x[2*p], x[2*p+1])
		}
		return complex(x[p], x[p+s.RotaryDim/2])
	}
	score := func(w *Weights[float64], turn *Turn, key, trained int) float64 {
		q, k := project(w.Q, w.QBias, s.QNorm, head, pos), project(w.K, w.KBias, s.KNorm, group, key)
		var sum float64
		for i := s.RotaryDim; i < d; i++ {
			sum += q[i] * k[i]
		}
		for p, f := range turn.InvFreq[group] {
			if turn.removed(p) {
				continue
			}
			distance := pos - key
			if trained > 0 && distance >= trained && f*float64(trained) <= 2*math.Pi {
				distance = trained - 1
			}
			sum += turn.Gain * turn.Gain * real(plane(q, p)*cmplx.Exp(complex(0, f*float64(distance)))*cmplx.Conj(plane(k, p)))
		}
		sum *= s.Scale
		if q := turn.QueryScale; q != nil { // of whole lengths behind it
			sum *= 1 + q.Beta*math.Log(1+float64(pos/int(q.Length)))
		}
		if s.Cap > 0 {
			sum = s.Cap * math.Tanh(sum/s.Cap)
		}
		return sum - turn.slope(head)*float64(pos-key)
	}
	var za, zb float64
	if s.Sinks != nil {
		za = math.Exp(s.Sinks[head])
		zb = za
	}
	var list [][3]float64
	for i, key := range places {
		if key > pos || s.Window > 0 && pos-key >= s.Window {
			continue
		}
		a, b := score(c.sourceW, &c.source, key, c.trained), score(c.studentW, &c.student, key, 0)
		za += times[i] * math.Exp(a)
		zb += times[i] * math.Exp(b)
		list = append(list, [3]float64{times[i], a, b})
	}
	kl := 0.0
	if s.Sinks != nil {
		kl = math.Exp(s.Sinks[head]) / za * (math.Log(zb) - math.Log(za))
	}
	for _, x := range list {
		kl += x[0] * math.Exp(x[1]) / za * (x[1] - math.Log(za) - x[2] + math.Log(zb))
	}
	return kl
}

// TestEstimateByHand: the divergence by drawn keys, and by all, is that of sums over single
// scores, in every form of layer whose norms are of single heads.
func TestEstimateByHand(t *testing.T) {
	for name, c := range layerCases() {
		s := &c.shape
		if s.Clip > 0 || s.together(s.QNorm) || s.together(s.KNorm) {
			continue
		}
		p, keys := c.pair()
		rows := slices.Compact(slices.Clone(c.rows))
		for _, chance := range []float64{1, .5} {
			of := drawSome[float64](rand.New(rand.NewPCG(8, 1)), rows, chance, 2)
			places, times := make([]int, c.positions), make([]float64, c.positions)
			for i := range places {
				places[i], times[i] = i, 1
			}
			if of != nil {
				places, times = of.places, nil
				for i, j := range places {
					sure := j < earliest || slices.Contains(rows, j) || slices.Contains(rows, j+1)
					if sure != (of.logs[i] == 0) {
						t.Fatalf("key %d: sure %v, log %v", j, sure, of.logs[i])
					}
					times = append(times, map[bool]float64{true: 1, false: 1 / chance}[sure])
				}
			}
			got := p.estimate(c.h, keys, rows, of, nil)
			for head := range s.Heads {
				for i, pos := range rows {
					want := c.naive(t, head, pos, places, times)
					if x := got[head*len(rows)+i]; math.Abs(x-want) > 1e-12 {
						t.Errorf("%s, chance %v: head %d at %d: %v, by hand %v", name, chance, head, pos, x, want)
					}
				}
			}
		}
	}
}
