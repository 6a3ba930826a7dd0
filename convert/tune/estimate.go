package tune

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/retrofit"
)

// What the machine makes of its best rate in a forward pass layer by layer and
// in a calibration's small products, as measured on SmolLM2-135M; a Meter knows
// its own share.
const (
	walkShare = 0.5
	fitShare  = 0.5
	// costSeconds is what one key of one row takes in one plane on one core.
	costSeconds = 25e-9
)

// Estimate is the expected time of a job's or a sweep's parts, in seconds.
type Estimate struct {
	Costs     float64 `json:"costs,omitempty"`
	Measure   float64 `json:"measure,omitempty"`
	Calibrate float64 `json:"calibrate,omitempty"`
	// Measurements is the largest number of forward passes that are Measure.
	Measurements int `json:"-"`
}

// Total is the time of all parts in seconds.
func (e Estimate) Total() float64 { return e.Costs + e.Measure + e.Calibrate }

// String is the sentence for people: "expected: about 12 min (…)".
func (e Estimate) String() string {
	var parts []string
	if e.Costs > 0 {
		parts = append(parts, about(e.Costs)+" for the costs of planes")
	}
	if e.Measurements > 0 {
		parts = append(parts, fmt.Sprintf("%s for at most %d forward passes", about(e.Measure), e.Measurements))
	}
	if e.Calibrate > 0 {
		parts = append(parts, about(e.Calibrate)+" for the calibration")
	}
	return fmt.Sprintf("expected: about %s (%s)", about(e.Total()), strings.Join(parts, ", "))
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

// machine is what estimates need to know of it.
type machine struct {
	rate  float64 // of multiplications and additions in float32, per second
	cores int
}

// thisMachine takes the best of a few measurements: one alone may have met
// another program's busy moment.
func thisMachine() machine {
	m := machine{cores: runtime.GOMAXPROCS(0)}
	for range 3 {
		m.rate = max(m.rate, retrofit.Rate())
	}
	return m
}

// forwardFlops is one pass of a model over sequences, 2 flops for a
// multiplication and its addition; logits included where head is set.
func forwardFlops(m *family.Model, sequences [][]int64, head bool) float64 {
	var sum float64
	for i := range m.Blocks {
		sum += retrofit.LayerFlops(m, i, sequences)
	}
	if head {
		sum += 2 * float64(tokenCount(sequences)) * float64(m.Hidden) * float64(m.Vocab)
	}
	return sum
}

// costs is the walk over the sequences and the exact costs of planes.
func (x machine) costs(m *family.Model, sequences [][]int64, planes int) float64 {
	keys := 0.0 // of all rows, which lie in the last three quarters
	for _, s := range sequences {
		keys += 0.625 * float64(len(s)) * retrofit.DefaultCostRows
	}
	heads := 0
	for _, a := range m.Attentions() {
		heads += a.Heads
	}
	return forwardFlops(m, sequences, false)/(x.rate*walkShare) + keys*float64(heads*planes)*costSeconds/float64(x.cores)
}

// measure is one end-to-end forward pass with a meter that reaches share of the
// rate.
func (x machine) measure(m *family.Model, sequences [][]int64, share float64) float64 {
	return forwardFlops(m, sequences, true) / (x.rate * share)
}

// fit is a calibration.
func (x machine) fit(m *family.Model, source, student []retrofit.Turn, sequences [][]int64, o retrofit.CalibrateOptions) float64 {
	return retrofit.Flops(m, source, student, sequences, o) / (x.rate * fitShare)
}
