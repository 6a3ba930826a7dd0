package figures

import (
	"context"
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

// ByPosition adds a check's error position by position, of which the first column
// is at first; of a batch, that of the worst row. keep, where not nil, tells which
// positions count.
func ByPosition(c *report.Curves, check report.Check, got, want *report.Logits, keep func(b, s int) bool, first int) {
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
			c.ByPosition = append(c.ByPosition, report.PositionError{Check: check.Name, Runner: check.Runner, Level: check.Level, Position: first + i, MaxRel: report.Number(report.Ratio(d, largest))})
		}
	}
}

// Fill makes what is no by-product of a check. Only a cancelled context is an
// error; a figure that cannot be made is a warning.
func (f *Case) Fill(ctx context.Context, c *report.Curves) (warnings []string, err error) {
	s := f.maker(ctx)
	s.step("figures: spectrum")
	c.Spectrum, c.SpectrumFrom = s.spectrum()
	if len(s.in.IDs) == 0 {
		warnings = append(warnings, "no figures of errors and scores: the reference has no answer to compare with")
		return warnings, nil
	}
	s.step("figures: error by layer")
	for _, fill := range []struct {
		name string
		fill func(*report.Curves) error
	}{{"error by layer", s.layerErrors}, {"decay of the score", s.decay}} {
		err := fill.fill(c)
		if s.ctx.Err() != nil {
			return warnings, s.ctx.Err()
		}
		if err != nil {
			warnings = append(warnings, fmt.Sprintf("no figure of the %s: %v", fill.name, err))
		}
	}
	return warnings, nil
}

// sample is the input that layers and mean queries are measured on.
func (s *maker) sample() run.Input {
	_, n := s.in.Batch()
	return s.in.Slice(0, min(n, curveTokens))
}

// layerErrors compares the residual stream of the graph, in the interpreter,
// with the reference's.
func (s *maker) layerErrors(c *report.Curves) error {
	in := s.sample()
	runner := run.Exact(s.others)
	if runner == nil {
		return nil
	}
	got, err := run.Residuals(s.ctx, runner, s.info, s.model, in)
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
