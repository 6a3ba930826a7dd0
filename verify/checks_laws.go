package verify

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/verify/interp"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// The laws hold the emitted graph against what its encoding promises, with no
// other answer to compare with: every figure is a difference of the graph's own
// values. A law that is not one of the encoding is skipped, with the reason.

// finding is what a law found: the largest departure, relative to the values it
// is among, where it is, and how many positions were looked at.
type finding struct {
	off       float64
	where     string
	positions int
	closed    bool // the runner does not show what it caches
}

// at notes a departure.
func (f *finding) at(off float64, format string, args ...any) {
	if math.IsNaN(off) {
		off = math.Inf(1)
	}
	if off > f.off || f.where == "" {
		f.off, f.where = off, fmt.Sprintf(format, args...)
	}
}

// law runs one law on one runner and records what it found. Only a cancelled
// context is an error.
func (s *session) law(name string, r run.Runner, lim float64, ask func() (finding, error)) error {
	s.step("%s: %s", r.Name(), name)
	begin := time.Now()
	c := report.Check{Name: name, Runner: r.Name(), Level: run.LevelOf(r), Against: "itself", Verdict: report.Pass, Limit: report.Number(lim)}
	f, err := ask()
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	c.Seconds = report.Number(time.Since(begin).Seconds())
	c.MaxAbs, c.MaxRel, c.Positions = report.Number(f.off), report.Number(f.off), f.positions
	switch {
	case err != nil:
		c.Verdict, c.Detail = report.Fail, run.Reason(r.Name(), err)
	case f.closed:
		c.Verdict, c.Detail = report.Skipped, r.Name()+" does not show its caches"
	case f.positions == 0:
		c.Verdict, c.Detail = report.Incomplete, unnamed(names.Layer(0, names.Attention)+", or the like of another layer")
	case !(f.off <= lim):
		c.Verdict, c.Detail = report.Fail, f.where
	}
	if c.Verdict == report.Fail {
		c.Blame = s.blame(name, r)
	}
	s.add(c)
	return nil
}

// noLaw records that a law does not hold for this encoding or form.
func (s *session) noLaw(name, why string) {
	s.add(report.Check{Name: name, Runner: run.InterpName, Verdict: report.Skipped, Detail: why})
}

// broken returns the first reason that a layer gives.
func (s *session) broken(why func(a *family.Attention) string) string {
	for _, a := range s.model.Attentions() {
		if text := why(a); text != "" {
			return text
		}
	}
	return ""
}

// twoLimits bounds the distance of two answers of one runner: each may be its
// limit away from the truth.
func (s *session) twoLimits(check string, r run.Runner, ask run.Question) (float64, error) {
	one, err := s.budget(check, r, want{from: run.RefName}, r.Arithmetic().Limit(), ask)
	return 2 * one, err
}

// tapped runs a runner and returns the values asked for, by name.
func (s *session) tapped(t run.Tapper, in run.Input, names map[string]bool) (map[string]*interp.Array, error) {
	found := map[string]*interp.Array{}
	_, _, err := t.Tap(s.ctx, in, nil, slices.Sorted(maps.Keys(names)), func(name string, a *interp.Array) error {
		found[name] = a
		return nil
	})
	return found, err
}

// meeting is where a layer's queries and keys meet in the graph: the names of the
// values that go into Attention, and of the bias that is added to its mask.
type meeting struct{ query, key, bias string }

// meetings finds them, by layer.
func (s *session) meetings() map[int]meeting {
	list := map[int]meeting{}
	for _, n := range s.info.Written.Nodes {
		layer, place := names.Split(n.GetName())
		if layer < 0 || len(n.GetInput()) < 2 {
			continue
		}
		m := list[layer]
		switch place {
		case names.Attention:
			m.query, m.key = n.GetInput()[0], n.GetInput()[1]
			if n.GetDomain() == pecvtDomain { // the bias is inside
				m.bias = n.GetName() + "/bias"
			}
		case names.BiasMasked:
			m.bias = n.GetInput()[1]
		}
		list[layer] = m
	}
	return list
}

// headValues are vectors of heads, (batch, heads, positions, width), in float64.
type headValues struct {
	shape [4]int
	data  []float64
}

func (v headValues) at(b, h, s int) []float64 {
	i := ((b*v.shape[1]+h)*v.shape[2] + s) * v.shape[3]
	return v.data[i : i+v.shape[3]]
}

// own are the last d coordinates of a head: those in front of them are a bias's.
func own(x []float64, d int) []float64 { return x[max(len(x)-d, 0):] }

// headsOf reads a value of four axes.
func headsOf(a *interp.Array) (headValues, bool) {
	var out headValues
	if a == nil || len(a.Shape) != 4 || a.F == nil {
		return out, false
	}
	copy(out.shape[:], a.Shape)
	out.data = a.F
	return out, true
}

// cachedKeys runs an input and returns the keys of each layer's cache, nil where a
// runner does not show its caches.
func (s *session) cachedKeys(r run.Runner, in run.Input) (map[int]headValues, error) {
	_, state, err := r.Run(s.ctx, in, nil)
	if err != nil {
		return nil, err
	}
	caches, open, err := run.Caches(r, state)
	if err != nil || !open {
		return nil, err
	}
	keys := map[int]headValues{}
	kind := names.Key
	if s.info.Cache == names.Latent {
		kind = names.Latent
	}
	for i := range s.model.Blocks {
		if v, ok := headsOf(caches[names.Present(i, kind)]); ok {
			keys[i] = v
		}
	}
	return keys, nil
}
