package onnxops

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
)

// columns takes the weight's columns out of its rows, and turns them where they lie
// the other way round: runtimes do so once, when the session loads.
func (s *initializers) columns(w family.Weight, rows *graph.Value) *graph.Value {
	c, name := w.Columns, "/columns/"+rows.Name()
	v := rows
	switch n := w.Width(); {
	case c.All(n):
	case c.Step == 1:
		name = fmt.Sprintf("%s[%d:%d]", name, c.Begin, c.Begin+c.Count)
		v = s.once(name, func(name string) *graph.Value {
			return s.g.Op("Slice", name, []*graph.Value{v, s.ints(c.Begin), s.ints(c.Begin + c.Count), s.ints(1)})
		})
	case c.Begin < c.Step && c.Count*c.Step == n:
		name = fmt.Sprintf("%s[%d::%d]", name, c.Begin, c.Step)
		v = s.once(name, func(name string) *graph.Value {
			turns := s.g.Op("Reshape", name+"/turns", []*graph.Value{v, s.ints(-1, c.Count, c.Step)})
			return s.g.Op("Gather", name, []*graph.Value{turns, s.which(c.Begin)}, graph.IntAttr("axis", 2))
		})
	default:
		return s.fail(fmt.Errorf("columns %+v of %d: no such part is known", *c, n))
	}
	if !c.Across {
		return v
	}
	return s.once(name+"^T", func(name string) *graph.Value {
		return s.g.Op("Transpose", name, []*graph.Value{v}, graph.IntsAttr("perm", 1, 0))
	})
}

// once makes a value on first use and keeps it.
func (s *initializers) once(name string, make func(name string) *graph.Value) *graph.Value {
	if s.cache[name] == nil {
		s.cache[name] = make(name)
	}
	return s.cache[name]
}

// ints is a constant vector.
func (s *initializers) ints(v ...int64) *graph.Value {
	return s.once(fmt.Sprint("/columns/const/", v), func(name string) *graph.Value { return s.g.Ints(name, v...) })
}

// which is a constant place.
func (s *initializers) which(v int64) *graph.Value {
	return s.once(fmt.Sprint("/columns/const/", v), func(name string) *graph.Value { return s.g.Int(name, v) })
}
