package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/verify/eval"
)

// What the machine makes of its best rate: a forward pass layer by layer, one in
// ONNX Runtime or the float64 reference, and a calibration's small products.
const (
	walkShare      = 0.5
	runtimeShare   = 1.0
	referenceShare = 0.15
	fitShare       = 0.5
	// costSeconds is what one key of one row takes in one plane on one core.
	costSeconds = 25e-9
)

// estimate is the expected time of a retrofit's parts, in seconds.
type estimate struct {
	Costs     float64 `json:"costs,omitempty"`
	Measure   float64 `json:"measure,omitempty"`
	Calibrate float64 `json:"calibrate,omitempty"`

	measurements int
}

func (e estimate) total() float64 { return e.Costs + e.Measure + e.Calibrate }

// String is the sentence that is printed before the work begins.
func (e estimate) String() string {
	var parts []string
	if e.Costs > 0 {
		parts = append(parts, about(e.Costs)+" for the costs of planes")
	}
	if e.measurements > 0 {
		parts = append(parts, fmt.Sprintf("%s for at most %d forward passes", about(e.Measure), e.measurements))
	}
	if e.Calibrate > 0 {
		parts = append(parts, about(e.Calibrate)+" for the calibration")
	}
	return fmt.Sprintf("expected: about %s (%s)", about(e.total()), strings.Join(parts, ", "))
}

// bestRate is the best of a few measurements of the machine: one alone may have
// met another program's busy moment.
func bestRate() float64 {
	best := 0.0
	for range 3 {
		best = max(best, retrofit.Rate())
	}
	return best
}

// about rounds seconds as one says them.
func about(seconds float64) string {
	switch {
	case seconds < 1:
		return "1 s"
	case seconds < 90:
		return fmt.Sprintf("%.0f s", seconds)
	case seconds < 5400:
		return fmt.Sprintf("%.0f min", seconds/60)
	}
	return fmt.Sprintf("%.1f h", seconds/3600)
}

// forwardFlops is one pass of a model over sequences, 2 flops for a
// multiplication and its addition; logits included where head is set.
func forwardFlops(m *family.Model, sequences [][]int64, head bool) float64 {
	var sum float64
	for i := range m.Blocks {
		sum += retrofit.LayerFlops(m, i, sequences)
	}
	for _, s := range sequences {
		if head {
			sum += 2 * float64(len(s)) * float64(m.Hidden) * float64(m.Vocab)
		}
	}
	return sum
}

// costsTime is the walk over the sequences and the exact costs of planes.
func costsTime(m *family.Model, sequences [][]int64, planes, rows int, rate float64) float64 {
	keys := 0.0 // of all rows, which lie in the last three quarters
	for _, s := range sequences {
		keys += 0.625 * float64(len(s)) * float64(rows)
	}
	heads := 0
	for i := range m.Blocks {
		heads += m.Blocks[i].Attn().Heads
	}
	return forwardFlops(m, sequences, false)/(rate*walkShare) + keys*float64(heads*planes)*costSeconds/float64(runtime.GOMAXPROCS(0))
}

// measureTime is one end-to-end forward pass.
func measureTime(m *family.Model, sequences [][]int64, runner string, rate float64) float64 {
	share := runtimeShare
	if runner == eval.RunnerRef {
		share = referenceShare
	}
	return forwardFlops(m, sequences, true) / (rate * share)
}

// fitTime is a calibration.
func fitTime(m *family.Model, source, student []retrofit.Turn, sequences [][]int64, o retrofit.CalibrateOptions, rate float64) float64 {
	return retrofit.Flops(m, source, student, sequences, o) / (rate * fitShare)
}

// stageText is one line of progress.
func stageText(p retrofit.Progress) string {
	var text string
	switch p.Stage {
	case "calibrate":
		text = fmt.Sprintf("calibrate layer %d of %d, step %d of %d", p.Layer, p.Layers, p.Step, p.Steps)
		if p.After > 0 {
			text += fmt.Sprintf(", attention KL %.3g to %.3g", p.Before, p.After)
		}
	case "measure":
		text = fmt.Sprintf("measurement %d of at most %d", p.Layer, p.Layers)
	case "costs":
		text = fmt.Sprintf("costs of planes, layer %d of %d", p.Layer, p.Layers)
	default:
		text = fmt.Sprintf("%s, layer %d of %d", p.Stage, p.Layer, p.Layers)
	}
	if p.Seconds > 0 {
		text += fmt.Sprintf(", about %s left", time.Duration(p.Seconds*float64(time.Second)).Round(time.Second))
	}
	return text
}
