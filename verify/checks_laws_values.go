package verify

import (
	"fmt"
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// lawLimit bounds a law on values of the graph, relative to the largest of them:
// tables hold float32, and a product of two vectors rounds every term.
func lawLimit(a report.Arithmetic) float64 {
	if a == report.Float64 {
		return 16 * report.Float32.Roundoff()
	}
	return 64 * a.Roundoff()
}

// tokenBound says why equal tokens at different places are different keys.
func tokenBound(a *family.Attention) string {
	switch {
	case a.KShift != nil:
		return "a key is mixed with the one before it, and the first has none"
	case a.Bias != nil && a.Bias.RoundBF16:
		return "the bias is rounded to bfloat16 position by position"
	case a.Bias != nil && a.Bias.Kind == family.Path:
		return "path vectors turn by their own position"
	case weightedAfter(a):
		return "queries and keys are weighted coordinate by coordinate after they turn"
	}
	return ""
}

// lawDistance: of equal tokens, a score depends on the distance i − j alone. The
// first layer meets one token at every position, at the beginning and at the
// tables' end; the interpreter's queries meet the keys, and in every runner keys
// meet keys.
func (s *session) lawDistance() error {
	a := s.model.Blocks[0].Attn()
	if a == nil {
		s.noLaw(report.CheckLawDistance, "no law of this model: the first layer is no attention, so equal tokens are not equal where the first one is")
		return nil
	}
	a = s.info.InGraph(a)
	if why := tokenBound(a); why != "" {
		s.noLaw(report.CheckLawDistance, "no law of this encoding: "+why)
		return nil
	}
	n := min(shiftTokens, s.info.MaxLength/2)
	if n < 2 {
		s.noLaw(report.CheckLawDistance, "the tables are too short for distances")
		return nil
	}
	row := slices.Repeat([]int64{s.in.IDs[0][0]}, n)
	in := run.Prompt([][]int64{row}, 0)
	if s.info.Positions {
		two := run.Prompt([][]int64{row}, int64(s.info.MaxLength-n))
		in = run.Input{IDs: [][]int64{row, row}, Positions: append(in.Positions, two.Positions...), Mask: append(in.Mask, two.Mask...)}
	}
	for _, r := range s.others {
		err := s.law(report.CheckLawDistance, r, lawLimit(r.Arithmetic()), func() (f finding, err error) {
			keys, err := s.cachedKeys(r, in)
			if f.closed = keys == nil; err != nil {
				return f, err
			}
			k, ok := keys[0]
			if !ok {
				return f, nil
			}
			f.positions = n * len(in.IDs)
			f.distances(a, in, k, k, "keys")
			g, m := run.Exact(s.others), s.meetings()[0]
			if r != run.Runner(g) || m.query == "" {
				return f, nil
			}
			found, err := s.tapped(g, in, map[string]bool{m.query: true})
			if err != nil {
				return f, err
			}
			if q, ok := headsOf(found[m.query]); ok {
				f.distances(a, in, unscaled(a, in, q), k, "queries and keys")
			}
			return f, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// distances notes how far products of heads x and y are from being a function of
// the distance.
func (f *finding) distances(a *family.Attention, in run.Input, x, y headValues, what string) {
	share := max(x.shape[1]/y.shape[1], 1)
	for h := range x.shape[1] {
		product := func(b, i, j int) float64 {
			return dot(own(x.at(b, h, i), a.QKDim), own(y.at(b, h/share, j), a.QKDim))
		}
		norms := 0.0
		for b := range x.shape[0] {
			for i := range x.shape[2] {
				u, v := own(x.at(b, h, i), a.QKDim), own(y.at(b, h/share, i), a.QKDim)
				norms = max(norms, math.Sqrt(dot(u, u)*dot(v, v)))
			}
		}
		if norms == 0 {
			continue
		}
		for b := range x.shape[0] {
			for i := range x.shape[2] {
				for j := range i + 1 {
					off := math.Abs(product(b, i, j)-product(0, i-j, 0)) / norms
					f.at(off, "layer 0, head %d: equal %s at positions %d and %d meet otherwise than at %d and 0, by %.3g of their lengths",
						h, what, in.Positions[b][i], in.Positions[b][j], i-j, off)
				}
			}
		}
	}
}

// unscaled are queries of a graph without the factors of their positions.
func unscaled(a *family.Attention, in run.Input, q headValues) headValues {
	if a.QueryScale == nil {
		return q
	}
	out := headValues{q.shape, slices.Clone(q.data)}
	for b := range q.shape[0] {
		for h := range q.shape[1] {
			for i := range q.shape[2] {
				for k, x := range q.at(b, h, i) {
					out.at(b, h, i)[k] = x / a.QueryScale.At(in.Positions[b][i])
				}
			}
		}
	}
	return out
}

func dot(x, y []float64) float64 {
	sum := 0.0
	for i := range x {
		sum += x[i] * y[i]
	}
	return sum
}

// blindCoordinates are the coordinates of a key/value head's vectors that no
// position moves: of planes that do not turn or are removed, and beyond the
// rotary dimension.
func blindCoordinates(a *family.Attention, group int) []int {
	r := a.Rotary
	still := make([]bool, a.QKDim)
	for i := r.Dim; i < a.QKDim; i++ {
		still[i] = true
	}
	for p := range r.Planes() {
		theta := r.InvFreq[p]
		if a.Spectra != nil {
			theta = a.Spectra.InvFreq[group][p]
		}
		if theta == 0 || r.Removed != nil && r.Removed[p] {
			i, j := p, p+r.Planes()
			if r.Pairing == posenc.Interleaved {
				i, j = 2*p, 2*p+1
			}
			still[i], still[j] = true, true
		}
	}
	var list []int
	for i, b := range still {
		if b {
			list = append(list, i)
		}
	}
	return list
}

// lawBlind: planes that an encoding drops do not see positions. Every token is a
// row of its own, so that nothing but its own value is read and each layer's
// input stays: queries (in the interpreter) and keys at two sets of positions
// must agree in every coordinate that does not turn.
func (s *session) lawBlind() error {
	any := false
	for _, a := range s.model.Attentions() {
		for g := range a.KVHeads {
			any = any || len(blindCoordinates(a, g)) > 0
		}
	}
	switch {
	case !any:
		s.noLaw(report.CheckLawBlind, "no law of this encoding: every plane turns")
		return nil
	case !s.info.Positions:
		s.noLaw(report.CheckLawBlind, "the graph takes no position_ids: a token alone is at position 0")
		return nil
	case s.info.MaxLength < 2:
		s.noLaw(report.CheckLawBlind, "the tables have one position")
		return nil
	}
	n := min(8, len(s.in.IDs[0]))
	var first, second run.Input
	for i := range n {
		one := run.Prompt([][]int64{{s.in.IDs[0][i]}}, 0)
		two := run.Prompt(one.IDs, int64(1+i*(s.info.MaxLength-2)/max(n-1, 1)))
		for to, from := range map[*run.Input]run.Input{&first: one, &second: two} {
			to.IDs, to.Positions, to.Mask = append(to.IDs, from.IDs...), append(to.Positions, from.Positions...), append(to.Mask, from.Mask...)
		}
	}
	for _, r := range s.others {
		err := s.law(report.CheckLawBlind, r, lawLimit(r.Arithmetic()), func() (f finding, err error) {
			a, err := s.cachedKeys(r, first)
			if f.closed = a == nil; err != nil {
				return f, err
			}
			b, err := s.cachedKeys(r, second)
			if err != nil {
				return f, err
			}
			for i, attn := range s.model.Attentions() {
				f.blind(s.info.InGraph(attn), a[i], b[i], second, fmt.Sprintf("layer %d: key", i))
			}
			g := run.Exact(s.others)
			if r != run.Runner(g) {
				return f, nil
			}
			return f, s.blindQueries(&f, g, first, second)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// blindQueries is lawBlind for the queries of every layer that can be tapped.
func (s *session) blindQueries(f *finding, g run.Tapper, first, second run.Input) error {
	names := map[string]bool{}
	meetings := s.meetings()
	for _, m := range meetings {
		names[m.query] = true
	}
	a, err := s.tapped(g, first, names)
	if err != nil {
		return err
	}
	b, err := s.tapped(g, second, names)
	if err != nil {
		return err
	}
	for i, attn := range s.model.Attentions() {
		x, okX := headsOf(a[meetings[i].query])
		y, okY := headsOf(b[meetings[i].query])
		if attn = s.info.InGraph(attn); okX && okY {
			f.blind(attn, unscaled(attn, first, x), unscaled(attn, second, y), second, fmt.Sprintf("layer %d: query", i))
		}
	}
	return nil
}

// blind notes coordinates that see positions.
func (f *finding) blind(a *family.Attention, x, y headValues, at run.Input, what string) {
	if len(x.data) == 0 || x.shape != y.shape {
		return
	}
	f.positions = max(f.positions, x.shape[0])
	if x.shape[1]%a.KVHeads != 0 || x.shape[3] < a.QKDim {
		f.at(math.Inf(1), "%ss are %d of size %d in the graph: config.json has %d heads on %d of size %d", what, x.shape[1], x.shape[3], a.Heads, a.KVHeads, a.QKDim)
		return
	}
	for h := range x.shape[1] {
		for _, i := range blindCoordinates(a, h*a.KVHeads/x.shape[1]) {
			for b := range x.shape[0] {
				u, v := own(x.at(b, h, 0), a.QKDim), own(y.at(b, h, 0), a.QKDim)
				off := math.Abs(u[i]-v[i]) / max(math.Sqrt(dot(u, u)), math.SmallestNonzeroFloat64)
				f.at(off, "%s head %d, coordinate %d does not turn, and moves by %.3g of its length from position 0 to %d", what, h, i, off, at.Positions[b][0])
			}
		}
	}
}
