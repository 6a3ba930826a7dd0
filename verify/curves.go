package verify

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/verify/interp"
)

// Curves are the data behind a report's figures, made where Options.Curves
// asks. None of it is judged: what is judged is in the checks.
type Curves struct {
	// ByPosition is the error of each runner's answers position by position.
	ByPosition []PositionError `json:"by_position,omitempty"`
	// ByLayer is the error of the residual stream after each layer.
	ByLayer []LayerError `json:"by_layer,omitempty"`
	// Spectrum lists the planes of each spectrum that differs from those of the
	// layers before, against SpectrumFrom: "source" (--against) or "base", the
	// spectrum without any scaling or cut that config.json's base gives.
	Spectrum     []PlaneRow `json:"spectrum,omitempty"`
	SpectrumFrom string     `json:"spectrum_from,omitempty"`
	// Decay is the score without softmax over the distance of query and key.
	Decay []DecayRow `json:"decay,omitempty"`
	// Drift is the distance from the source position by position, rows averaged;
	// beyond driftPoints positions it is left out.
	Drift []DriftPoint `json:"drift,omitempty"`
}

// PositionError is max |got − want| over the vocabulary at one position, over
// the largest |want| of the check.
type PositionError struct {
	Check    string `json:"check"`
	Runner   string `json:"runner"`
	Level    string `json:"level,omitempty"`
	Position int    `json:"position"`
	MaxRel   Number `json:"max_rel"`
}

// LayerError is max |got − want| of the residual stream over its largest
// |want|. Layer counts from 0, the embedding; i is the output of layer i − 1,
// and the last one has passed the final norm. Name says it in words.
type LayerError struct {
	Runner string `json:"runner"`
	Layer  int    `json:"layer"`
	Name   string `json:"name"`
	MaxRel Number `json:"max_rel"`
	Limit  Number `json:"limit"`
}

// PlaneRow is one plane of a layer's rotation.
type PlaneRow struct {
	// Layer is the first layer that has this spectrum, Head the first key/value
	// head (0 where heads share it).
	Layer int `json:"layer"`
	Head  int `json:"head"`
	Plane int `json:"plane"`
	// InvFreq is θ in radians per position, 0 for a plane that does not turn;
	// Source is that of Curves.SpectrumFrom.
	InvFreq Number `json:"inv_freq"`
	Source  Number `json:"source"`
	// Band is where Source lies against the trained length: high, activated or
	// top-low.
	Band string `json:"band"`
	// State is what became of the plane: kept, scaled, dropped (it stopped
	// turning), removed (it left the score) or still (it never turned).
	State string `json:"state"`
}

// DecayRow is the mean score over the distances From to To (see
// session.decay): Score and Source without content, Prompt and PromptSource
// for the mean query and the mean key of the prompt. Null is not known.
type DecayRow struct {
	From         int    `json:"from"`
	To           int    `json:"to"`
	Score        Number `json:"score"`
	Source       Number `json:"source"`
	Prompt       Number `json:"prompt"`
	PromptSource Number `json:"prompt_source"`
}

// DriftPoint is the distance from the source at one position.
type DriftPoint struct {
	Position int    `json:"position"`
	KL       Number `json:"kl"`
	Max      Number `json:"max_abs"`
}

const (
	// curveTokens bounds the prompt that layers and mean queries are measured
	// on, driftPoints and curvePoints the length of what a report holds.
	curveTokens = 256
	driftPoints = 4096
	curvePoints = 20000
)

// observe keeps a check's error position by position; of a batch, that of the
// worst row.
func (s *session) observe(check Check, w want, got *Logits) {
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
			c.ByPosition = append(c.ByPosition, PositionError{Check: check.Name, Runner: check.Runner, Level: check.Level, Position: w.first + i, MaxRel: Number(ratio(d, largest))})
		}
	}
}

// curvesReport is the report's Curves, made when first asked for.
func (s *session) curvesReport() *Curves {
	if s.report.Curves == nil {
		s.report.Curves = &Curves{}
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
		fill func(*Curves) error
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
func (s *session) sample() Input {
	_, n := s.in.Batch()
	return s.in.slice(0, min(n, curveTokens))
}

// layerErrors compares the residual stream of the graph, in the interpreter,
// with the reference's.
func (s *session) layerErrors(c *Curves) error {
	in := s.sample()
	got, err := s.graphHidden(in)
	if err != nil || got == nil {
		return err
	}
	want, err := s.ref.Hidden(s.ctx, in)
	if err != nil {
		return err
	}
	for i, w := range want {
		if len(got[i]) == len(w.Data) {
			c.ByLayer = append(c.ByLayer, LayerError{Runner: "interp", Layer: i, Name: hiddenName(i, len(want)-1), MaxRel: Number(farthest(got[i], w.Data)), Limit: Number(limitFor("interp"))})
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
	return ratio(worst, largest)
}

// graphHidden returns the residual stream of the graph in the interpreter, as
// refRunner.Hidden numbers it; nil where the interpreter does not run.
func (s *session) graphHidden(in Input) (map[int][]float64, error) {
	for _, r := range s.others {
		g, ok := r.(*graphRunner)
		if !ok || g.name != "interp" {
			continue
		}
		stages, found := s.residuals(), map[int][]float64{}
		eng := g.eng.(*interpEngine)
		eng.tap = func(name string, a *interp.Array) {
			if i, ok := stages[name]; ok {
				found[i] = a.F
			}
		}
		_, _, err := g.Run(s.ctx, in, nil)
		eng.tap = nil
		return found, err
	}
	return nil, nil
}
