package verify

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

const (
	// curveTokens bounds the prompt that layers and mean queries are measured
	// on, driftPoints and curvePoints the length of what a report holds.
	curveTokens = 256
	driftPoints = 4096
	curvePoints = 20000
)

// observe keeps a check's error position by position; of a batch, that of the
// worst row.
func (s *session) observe(check report.Check, w want, got *report.Logits) {
	if !s.opts.Curves {
		return
	}
	want, keep := w.logits, w.keep
	c := s.curvesReport()
	if len(c.ByPosition)+want.S > curvePoints {
		return
	}
	largest := 0.0
	worst := make([]float64, want.S)
	seen := make([]bool, want.S)
	for b := range want.B {
		for i := range want.S {
			if keep != nil && !keep(b, i) {
				continue
			}
			seen[i] = true
			g := got.At(b, i)
			for v, x := range want.At(b, i) {
				largest = math.Max(largest, math.Abs(x))
				if d := math.Abs(g[v] - x); !(d <= worst[i]) {
					worst[i] = d // a NaN stays: nothing is greater
				}
			}
		}
	}
	for i, d := range worst {
		if seen[i] {
			c.ByPosition = append(c.ByPosition, report.PositionError{Check: check.Name, Runner: check.Runner, Level: check.Level, Position: w.first + i, MaxRel: report.Number(report.Ratio(d, largest))})
		}
	}
}

// curvesReport is the report's Curves, made when first asked for.
func (s *session) curvesReport() *report.Curves {
	if s.report.Curves == nil {
		s.report.Curves = &report.Curves{}
	}
	return s.report.Curves
}

// curves fills what is no by-product of a check. Only a cancelled context is an
// error; a figure that cannot be made is a warning.
func (s *session) curves() error {
	if !s.opts.Curves {
		return nil
	}
	c := s.curvesReport()
	s.step("figures: spectrum")
	c.Spectrum, c.SpectrumFrom = s.spectrum()
	if len(s.in.IDs) == 0 {
		s.warn("no figures of errors and scores: the reference has no answer to compare with")
		return nil
	}
	s.step("figures: error by layer")
	for _, fill := range []struct {
		name string
		fill func(*report.Curves) error
	}{{"error by layer", s.layerErrors}, {"decay of the score", s.decay}} {
		err := fill.fill(c)
		if s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		if err != nil {
			s.warn("no figure of the %s: %v", fill.name, err)
		}
	}
	return nil
}

// sample is the input that layers and mean queries are measured on.
func (s *session) sample() run.Input {
	_, n := s.in.Batch()
	return s.in.Slice(0, min(n, curveTokens))
}

// layerErrors compares the residual stream of the graph, in the interpreter,
// with the reference's.
func (s *session) layerErrors(c *report.Curves) error {
	in := s.sample()
	runner := run.Exact(s.others)
	if runner == nil {
		return nil
	}
	got, err := s.residualsOf(runner, in)
	if err != nil {
		return err
	}
	want, err := s.ref.Hidden(s.ctx, in)
	if err != nil {
		return err
	}
	for i, w := range want {
		if len(got[i]) == len(w.Data) {
			c.ByLayer = append(c.ByLayer, report.LayerError{Runner: runner.Name(), Layer: i, Name: hiddenName(i, len(want)-1), MaxRel: report.Number(farthest(got[i], w.Data)), Limit: report.Number(runner.Arithmetic().Limit())})
		}
	}
	return nil
}

// hiddenName names hidden state i of a model of n layers.
func hiddenName(i, n int) string {
	switch i {
	case 0:
		return "embedding"
	case n:
		return "final norm"
	default:
		return fmt.Sprintf("layer %d", i-1)
	}
}

// farthest is max |got − want| / max |want|.
func farthest(got, want []float64) float64 {
	var worst, largest float64
	for i, w := range want {
		if d := math.Abs(got[i] - w); !(d <= worst) {
			worst = d
		}
		largest = math.Max(largest, math.Abs(w))
	}
	return report.Ratio(worst, largest)
}
