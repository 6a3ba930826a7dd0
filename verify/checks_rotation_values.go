package verify

import (
	"math"
	"reflect"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify/ref"
	"github.com/pecvt/pecvt/verify/report"
)

// turnedNumber is coordinate i of the vector that is turned: of either sign, none
// near 0, no two alike.
func turnedNumber(i int) float64 {
	x := 0.5 + 0.5*math.Mod(float64(i+1)*0.6180339887498949, 1)
	if i%3 == 1 {
		return -x
	}
	return x
}

// turnedEntry is the number that is farthest off.
type turnedEntry struct {
	part                 turnedPart
	position, coordinate int
	got, want, off       float64
}

// turnedRows keeps what the last rotation makes of the positions: layers mostly
// share one.
type turnedRows struct {
	rotary posenc.Rotary
	stored bool
	from   int
	rows   []float64
	exps   ref.Exponentials
	last   generatedRows
}

// generatedRows are those of a head that turns by exp(tL).
type generatedRows struct {
	n    *family.Generators
	head int
	from int
	rows []float64
}

// generated is [turnedRows.of] for key/value head g of a layer with generators: Qᵀ exp(tL) x,
// by matrix exponentials and not by planes; coordinates that do not turn are x's.
func (t *turnedRows) generated(a *family.Attention, g, from, n int) []float64 {
	d, turning, last := a.QKDim, a.Rotary.Dim, &t.last
	if last.n == a.Generators && last.head == g && last.from == from && len(last.rows) == n*d {
		return last.rows
	}
	*last = generatedRows{a.Generators, g, from, make([]float64, n*d)}
	x := make([]float64, turning)
	for k := range x {
		x[k] = turnedNumber(k)
	}
	t.exps.Turn(a.Generators, g, x, int64(from))
	for i := range n {
		row := last.rows[i*d : (i+1)*d]
		for k := range row {
			row[k] = turnedNumber(k)
		}
		for k, v := range a.Generators.Q[g].T().Apply(x) {
			row[k] = a.Rotary.Gain * v
		}
		t.exps.Turn(a.Generators, g, x, 1)
	}
	return last.rows
}

// of returns the turned vector at n positions, (n, HeadDim); stored cosines and sines
// are rounded as a table's are. Those of heads' own spectra are sums that the graph makes,
// which exact arithmetic does not round.
func (t *turnedRows) of(r posenc.Rotary, stored bool, from, n int) []float64 {
	d := r.HeadDim
	if t.from == from && t.stored == stored && len(t.rows) == n*d && reflect.DeepEqual(t.rotary, r) {
		return t.rows
	}
	t.rotary, t.stored, t.from, t.rows = r, stored, from, make([]float64, n*d)
	for i := range n {
		x := t.rows[i*d : (i+1)*d]
		for k := range x {
			x[k] = turnedNumber(k)
		}
		for p := range r.Planes() {
			cos, sin := r.CosSin(p, int64(from+i))
			if stored {
				cos, sin = float64(float32(cos)), float64(float32(sin))
			}
			a, b := r.Coordinates(p)
			x[a], x[b] = x[a]*cos-x[b]*sin, x[b]*cos+x[a]*sin
		}
	}
	return t.rows
}

// compare holds heads of n positions, (heads, n, HeadDim), against the encoding.
func (t *turnedRows) compare(p turnedPart, heads int, got []float64, from, n int, limit float64, worst *turnedEntry, bad map[int]bool) {
	d := p.attn.QKDim
	r := p.attn.Rotary
	r.HeadDim = d
	for h := range heads {
		if g := p.attn.Spectra; g != nil && r.Dim > 0 {
			r.Spectrum = p.attn.Rotary.Spectrum.Clone()
			r.InvFreq = g.InvFreq[h/(p.heads/len(g.InvFreq))]
		}
		var want []float64
		limit := limit
		if p.attn.Generators != nil { // its basis is rounded as well
			want = t.generated(p.attn, h/(p.heads/p.attn.KVHeads), from, n)
			limit += report.Float32.Roundoff() * math.Abs(r.Gain) * math.Sqrt(2*float64(d))
		} else {
			want = t.of(r, p.attn.Spectra == nil, from, n)
		}
		for i, x := range got[h*n*d:][:n*d] {
			want, limit := want[i], limit
			if p.scale != nil {
				f := p.scale.At(int64(from + i/d))
				want, limit = want*f, limit*(1+math.Abs(f))
			}
			off := math.Abs(x - want)
			if off <= worst.off && off <= limit {
				continue
			}
			if math.IsNaN(off) {
				off = math.Inf(1)
			}
			if off > worst.off {
				*worst = turnedEntry{p, from + i/d, i % d, x, want, off}
			}
			if off > limit {
				bad[from+i/d] = true
			}
		}
	}
}
