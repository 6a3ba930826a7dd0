package verify

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/verify/ref"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// generatorLimit bounds what the laws of exp(tL) may be off, of a vector's length.
const generatorLimit = 1e-9

// generatorReach bounds the positions that are looked at: the largest angle there, in
// radians, times D + 16, D being the coordinates that turn. A generator brought to planes
// has its rates to 3 to D/4 roundoffs of the largest (random ones of 4 to 128
// coordinates), so that the laws are off by 4e-10 there at the most. What the graph does
// at positions beyond, the check of rotated values sees, to float32.
const generatorReach = 1 << 23

// generators holds the generators of every head against the laws of exp(tL), and what
// they were brought to, planes in a basis and closed forms, against exp(tL) itself.
func (s *session) generators() {
	c := report.Check{Name: report.CheckGenerators, Runner: run.RefName, Against: "itself", Verdict: report.Pass, Limit: generatorLimit}
	var exps ref.Exponentials
	var f finding
	for i, a := range s.model.Attentions() {
		if a.Generators == nil {
			continue
		}
		for g := range a.KVHeads {
			lawsOf(&f, &exps, a, g, int64(s.info.MaxLength-1), fmt.Sprintf("layer %d, key/value head %d", i, g))
		}
	}
	c.MaxAbs, c.MaxRel, c.Positions = report.Number(f.off), report.Number(f.off), f.positions
	if f.positions == 0 {
		return // no head turns in a basis of its own
	}
	if !(f.off <= generatorLimit) {
		c.Verdict, c.Detail = report.Fail, f.where
	}
	s.add(c)
}

// lawsOf looks at one head, at some positions up to the last.
func lawsOf(f *finding, exps *ref.Exponentials, a *family.Attention, g int, last int64, where string) {
	n, d := a.Generators, a.Rotary.Dim
	q, k := make([]float64, d), make([]float64, d)
	for i := range d {
		q[i], k[i] = turnedNumber(i), turnedNumber(i+d)
	}
	planes := a.Rotary
	planes.HeadDim, planes.Gain = d, 1
	if a.Spectra != nil {
		planes.InvFreq = a.Spectra.InvFreq[g]
	}
	rate := math.Abs(slices.MaxFunc(planes.InvFreq, func(a, b float64) int { return cmp.Compare(math.Abs(a), math.Abs(b)) }))
	if far := generatorReach / (float64(d+16) * rate); far < float64(last) {
		last = int64(far)
	}
	by := func(x []float64, t int64) []float64 {
		x = slices.Clone(x)
		exps.Turn(n, g, x, t)
		return x
	}
	length, scale := math.Sqrt(dot(q, q)), math.Sqrt(dot(q, q)*dot(k, k))
	apart := func(x, y []float64) float64 {
		sum := 0.0
		for i := range x {
			sum += (x[i] - y[i]) * (x[i] - y[i])
		}
		return math.Sqrt(sum) / length
	}
	for _, t := range []int64{0, 1, 2, 7, last / 3, last} {
		if t > last {
			continue
		}
		f.positions++
		turned := by(q, t)
		f.at(math.Abs(math.Sqrt(dot(turned, turned))/length-1), "%s: position %d changes the length of a vector", where, t)
		f.at(apart(by(turned, last-t), by(q, last)), "%s: turns by %d and by %d positions do not add up", where, t, last-t)
		f.at(math.Abs(dot(turned, by(k, last))-dot(q, by(k, last-t)))/scale, "%s: a score of positions %d and %d is not that of their distance", where, t, last)
		closed := slices.Clone(q)
		n.Turn.Turn(closed, g, []float64{float64(t)})
		f.at(apart(closed, turned), "%s: the closed form is not exp(tL) at position %d", where, t)
		based := n.Q[g].T().Apply(q)
		planes.Turn(based, 0, []float64{float64(t)})
		f.at(apart(n.Q[g].Apply(based), turned), "%s: planes in a basis are not exp(tL) at position %d", where, t)
	}
}
