package rewrite

import (
	"fmt"
	"math"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// formed writes the rotation as a form of GRAPE-M whose generator starts as that of the
// source's planes: exp(tL) is what it was, and what training changes is there.
func (r *Rewrite) formed(j job) error {
	m, form := j.m, strings.TrimPrefix(j.enc.Name, posenc.FormPrefix)
	e := extension(m)
	if err := r.withoutSilentBias(m, &e); err != nil {
		return err
	}
	r.Kind, r.Reason = Exact, "every plane turns as before: the generator starts as the planes' own"
	if j.from == fromForm {
		if old := m.Extension.Rotation; old.Form == form && (j.enc.N == 0 || j.enc.String() == j.enc.Name || j.enc.N == max(old.Rank, old.Count)) {
			return r.already(j)
		}
		if form != family.Dense {
			return hint.Errorf("from %s: %w: "+hint.To+" %s%s holds any generator, "+hint.To+" grape-m what folds into W_q and W_k", m.Encoding(), posenc.ErrUnsupported, posenc.FormPrefix, family.Dense)
		}
		r.Reason = "the same generators, by their upper triangles"
	}
	block, planes, err := r.rotation(m)
	if err != nil {
		return err
	}
	s := starts{form: form, n: j.enc.N}
	if err := s.fit(m, j.enc); err != nil {
		return err
	}
	var added []Tensor
	for i, a := range m.Attentions() {
		if a.Rotary.Dim == 0 {
			continue
		}
		if err := a.Turnable(); err != nil {
			return fmt.Errorf("layer %d: %w", i, err)
		}
		added = append(added, s.layer(i, a, planes[0])...)
		planes = planes[1:]
	}
	block.Form = form
	switch form {
	case family.Mixed:
		block.Rank = s.n
	case family.Rank2:
		block.Count = s.n
	}
	e.Rotation = block
	r.extend(m, e, added, none)
	return nil
}

// withoutSilentBias takes a bias of 0 out of what the result has.
func (r *Rewrite) withoutSilentBias(m *family.Model, e *family.Extension) error {
	if !hasBias(m) {
		return nil
	}
	if e.Bias == nil {
		return fmt.Errorf("the bias of 0 is the family's own (%s) and stays: %w", m.Family, posenc.ErrUnsupported)
	}
	e.Bias = nil
	r.note("the bias was 0 for every pair of tokens and is gone")
	return nil
}

// starts makes the tensors that a form starts with; n is its rank, or how many
// generators it has.
type starts struct {
	form string
	n    int
}

// fit decides n where it is not given, and refuses one that some layer has no room for.
func (s *starts) fit(m *family.Model, enc posenc.Encoding) error {
	least, most := math.MaxInt, 0 // planes of a layer, planes that turn in a head
	for _, a := range m.Attentions() {
		if a.Rotary.Dim == 0 {
			continue
		}
		least = min(least, a.Rotary.Planes())
		for g := range a.KVHeads {
			most = max(most, len(spread(headRow(a, g), a.Rotary.Planes())))
		}
	}
	given := enc.String() != enc.Name
	switch {
	case s.form == family.Mixed && given && s.n%2 != 0:
		return hint.Errorf("%w: "+hint.To+" %s: expected an even number: planes have two coordinates", ErrOptions, enc)
	case s.form == family.Mixed && s.n > 2*least:
		if given {
			return hint.Errorf("%w: "+hint.To+" %s: expected at most the %d coordinates that turn", ErrOptions, enc, 2*least)
		}
		s.n = 2 * least
	case s.form == family.Rank2 && s.n > least:
		return hint.Errorf("%w: "+hint.To+" %s: expected at most the %d planes there are", ErrOptions, enc, least)
	case s.form == family.Rank2 && s.n == 0:
		s.n = max(most, 1)
	}
	return nil
}

// headRow are the frequencies of a key/value head.
func headRow(a *family.Attention, g int) []float64 {
	if a.Spectra != nil {
		return a.Spectra.InvFreq[g]
	}
	return a.Rotary.InvFreq
}

// spread chooses up to n planes, evenly over those that turn.
func spread(row []float64, n int) []int {
	var turning, list []int
	for p, f := range row {
		if f != 0 {
			turning = append(turning, p)
		}
	}
	n = min(n, len(turning))
	for k := range n {
		list = append(list, turning[(2*k+1)*len(turning)/(2*n)])
	}
	return list
}

// layer makes the tensors of one layer from its frequencies, (key/value heads, planes).
func (s *starts) layer(i int, a *family.Attention, planes Tensor) []Tensor {
	groups, d, n := a.KVHeads, a.Rotary.Dim, s.n
	made := map[string]*Tensor{}
	add := func(name string, shape ...int) {
		t := &Tensor{Name: family.BlockTensor(i, "rotation."+name), DType: tensor.F64}
		size := 1
		for _, k := range append([]int{groups}, shape...) {
			t.Shape, size = append(t.Shape, int64(k)), size*k
		}
		t.Values = make([]float64, size)
		made[name] = t
	}
	at := func(name string, g int, index ...int) *float64 {
		t, k := made[name], g
		for axis, v := range index {
			k = k*int(t.Shape[axis+1]) + v
		}
		return &t.Values[k]
	}
	switch s.form {
	case family.Basis:
		add("basis", d, d)
	case family.Mixed:
		add("frame", d, n)
		add("generator", n*(n-1)/2)
	case family.Rank2:
		add("a", n, d)
		add("b", n, d)
	default:
		add("generator", d*(d-1)/2)
	}
	rows := planes
	rows.Values = append([]float64(nil), planes.Values...)
	for g := range groups {
		row := rows.Values[g*d/2 : (g+1)*d/2]
		chosen := spread(row, n)
		switch s.form {
		case family.Basis:
			for k := range d {
				*at("basis", g, k, k) = 1
			}
		case family.Mixed:
			for k, p := range padded(spread(row, n/2), n/2, d/2) {
				x, y := a.Rotary.Coordinates(p)
				*at("frame", g, x, 2*k), *at("frame", g, y, 2*k+1) = 1, 1
				*at("generator", g, upper(2*k, 2*k+1, n)) = -row[p]
				row[p] = 0
			}
		case family.Rank2:
			for k, p := range chosen {
				x, y := a.Rotary.Coordinates(p)
				_, exponent := math.Frexp(row[p])
				root := math.Ldexp(1, exponent/2) // of about √|θ|, and the quotient is exact
				*at("a", g, k, y), *at("b", g, k, x) = row[p]/root, root
				row[p] = 0
			}
		default:
			if a.Generators != nil {
				l := a.Generators.L[g]
				for x := range d {
					for y := x + 1; y < d; y++ {
						*at("generator", g, upper(x, y, d)) = l.At(x, y)
					}
				}
				continue
			}
			for p, theta := range row {
				x, y := a.Rotary.Coordinates(p)
				*at("generator", g, upper(x, y, d)) = -theta
			}
		}
	}
	var list []Tensor
	for _, t := range made {
		list = append(list, *t)
	}
	if s.form != family.Dense {
		list = append(list, rows)
	}
	return list
}

// padded adds planes that do not turn until there are n of them.
func padded(list []int, n, planes int) []int {
	in := map[int]bool{}
	for _, p := range list {
		in[p] = true
	}
	for p := 0; len(list) < n && p < planes; p++ {
		if !in[p] {
			list = append(list, p)
		}
	}
	return list
}

// upper is the place of element (i, j), i < j, among those above the diagonal of an
// n × n matrix, row by row.
func upper(i, j, n int) int { return i*(2*n-i-1)/2 + j - i - 1 }
