package bisect

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/headtables"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/report"
)

// ofHeadTables are the counterparts of what turns heads with spectra of their own, nil
// for other nodes.
func (e *expecter) ofHeadTables(n *onnxpb.NodeProto, output int) func() *wanted {
	if !strings.HasPrefix(n.GetName(), "/rotary") {
		return nil
	}
	for _, t := range headtables.Of(e.s.model, e.s.info.MaxLength) {
		far := func(pos int64) int64 { return pos - pos%int64(t.Step) }
		near := func(pos int64) int64 { return pos % int64(t.Step) }
		switch n.GetName() {
		case names.Far:
			return e.eachPosition(func(pos int64) int64 { return pos / int64(t.Step) })
		case names.FarWhole:
			return e.eachPosition(far)
		case names.Near:
			return e.eachPosition(near)
		}
		rest, ok := strings.CutPrefix(n.GetName(), t.Name+"/")
		if !ok {
			continue
		}
		columns := func(value func(column int, pos int64) float64) func() *wanted {
			return e.headColumns(t, value)
		}
		cos := func(column int, pos int64) float64 { c, _ := t.CosSin(column, pos, false); return c }
		sin := func(column int, pos int64) float64 { _, s := t.CosSin(column, pos, false); return s }
		factors := map[string]func(column int, pos int64) float64{
			names.FarCos:  func(column int, pos int64) float64 { return cos(column, far(pos)) },
			names.FarSin:  func(column int, pos int64) float64 { return sin(column, far(pos)) },
			names.NearCos: func(column int, pos int64) float64 { c, _ := t.CosSin(column, near(pos), true); return c },
			names.NearSin: func(column int, pos int64) float64 { _, s := t.CosSin(column, near(pos), true); return s },
		}
		product := func(a, b string) func() *wanted {
			return columns(func(column int, pos int64) float64 { return factors[a](column, pos) * factors[b](column, pos) })
		}
		place := "/" + rest
		for name, value := range factors {
			if place == names.Node(name, "Gather") {
				return columns(value)
			}
		}
		switch place {
		case names.Node(names.CosCos, "Mul"):
			return product(names.FarCos, names.NearCos)
		case names.Node(names.SinSin, "Mul"):
			return product(names.FarSin, names.NearSin)
		case names.Node(names.SinCos, "Mul"):
			return product(names.FarSin, names.NearCos)
		case names.Node(names.CosSin, "Mul"):
			return product(names.FarCos, names.NearSin)
		case names.Node(names.HeadCos, "Sub"):
			return columns(cos)
		case names.Node(names.HeadSin, "Add"):
			return columns(sin)
		case names.Node(names.HeadBoth, "Concat"), names.Node(names.HeadBoth, "Cast"):
			return func() *wanted {
				a, b, w := columns(cos)(), columns(sin)(), &wanted{}
				for each := t.Columns() / t.Groups; len(a.f) > 0; a.f, b.f = a.f[each:], b.f[each:] {
					w.f = append(append(w.f, a.f[:each]...), b.f[:each]...)
				}
				return w
			}
		case names.Node("", "Split"):
			return func() *wanted { return e.headPart(t, output%len(t.Layers), output >= len(t.Layers)) }
		}
	}
	return nil
}

// headColumns are numbers of this call's positions, (batch, tokens, groups, layers ·
// planes).
func (e *expecter) headColumns(t *headtables.Table, value func(column int, pos int64) float64) func() *wanted {
	return func() *wanted {
		w := &wanted{shape: []int{e.b, e.n, t.Groups, t.Columns() / t.Groups}}
		for _, row := range e.in.Positions {
			for _, pos := range row {
				for column := range t.Columns() {
					w.f = append(w.f, value(column, pos))
				}
			}
		}
		return w
	}
}

// headPart are a layer's cosines or sines, (batch·groups, tokens, planes).
func (e *expecter) headPart(t *headtables.Table, layer int, sin bool) *wanted {
	w := &wanted{shape: []int{e.b * t.Groups, e.n, t.Planes}}
	for _, row := range e.in.Positions {
		for g := range t.Groups {
			for _, pos := range row {
				for p := range t.Planes {
					c, s := t.CosSin((g*len(t.Layers)+layer)*t.Planes+p, pos, false)
					if sin {
						c = s
					}
					w.f = append(w.f, float64(float32(c)))
				}
			}
		}
	}
	return w
}

// eachPosition is an integer of each position, (batch, tokens).
func (e *expecter) eachPosition(of func(pos int64) int64) func() *wanted {
	return func() *wanted {
		w := &wanted{shape: []int{e.b, e.n}}
		for _, row := range e.in.Positions {
			for _, pos := range row {
				w.i = append(w.i, of(pos))
			}
		}
		return w
	}
}

// judgeHeadTable compares a table of spectra per head with what it should hold; it
// reports false for what is no such table.
func (s *search) judgeHeadTable(f *report.TensorFinding, t *onnxpb.TensorProto) bool {
	for _, of := range headtables.Of(s.model, s.info.MaxLength) {
		path, ok := strings.CutPrefix(t.GetName(), of.Name)
		if !ok || !slices.Contains(headtables.Paths(), path) {
			continue
		}
		want := of.Values()[path]
		got := make([]float64, len(want))
		if d := t.GetDims(); len(t.GetRawData()) != 8*len(want) || tensor.Decode64(got, t.GetRawData(), tensor.F64) != nil {
			f.State, f.Note = report.StateBad, fmt.Sprintf("its shape is %v: expected %d rows of %d planes in float64", d, len(want)/of.Columns(), of.Columns())
			return true
		}
		f.State = report.StateGood
		for k, x := range want {
			if off := math.Abs(got[k] - x); !(off <= 2*report.Float32.Roundoff()*max(1, math.Abs(x))) && (f.State == report.StateGood || !(off <= float64(f.MaxRel))) {
				f.State, f.MaxRel = report.StateBad, report.Number(off)
				f.Note = fmt.Sprintf("row %d, plane %d of all layers and heads is %.6g: expected %.6g", k/of.Columns(), k%of.Columns(), got[k], x)
			}
		}
		return true
	}
	return false
}
