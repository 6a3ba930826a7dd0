package rewrite

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/posenc"
)

// hybrid keeps the rotation, as GRAPE-M, and puts a bias beside it.
func (r *Rewrite) hybrid(j job) error {
	m, e := j.m, extension(j.m)
	if hasBias(m) && e.Bias == nil {
		return fmt.Errorf("the bias of 0 is the family's own (%s) and stays: %w", m.Family, posenc.ErrUnsupported)
	}
	if err := m.Biasable(); err != nil {
		return err
	}
	var added []Tensor
	keep := ofRotation
	if !learned(m) {
		var err error
		if e.Rotation, added, err = r.rotation(m); err != nil {
			return err
		}
		keep = none
	}
	all := make([][]float64, len(m.Blocks))
	largest := 0.0
	for i, a := range m.Attentions() { // the others have nothing to bias
		slopes, err := parseSlope(r.Options.Slope, a.Heads)
		if err != nil {
			return err
		}
		if all[i] = slopes; r.Slopes == nil {
			r.Slopes = slopes
		}
		largest = max(largest, slices.Max(slopes))
	}
	var (
		tensors []Tensor
		err     error
	)
	variant, form, _ := strings.Cut(j.enc.Variant, ":")
	switch variant {
	case "grape-a":
		e.Bias, tensors, err = gatedTensors(m, all, form != "key", form != "query")
	case "grape-ap":
		e.Bias, tensors, err = pathTensors(m, all)
		r.note("the projection of GRAPE-AP starts at 0, where its gradient is 0 as well: draw pecvt.layers.*.bias.path.weight at random before training; with a slope of 0 that changes no logit")
	case "alibi":
		e.Bias, tensors = slopeTensors(m, all)
	case "fox":
		e.Bias, tensors, err = gateTensors(m, all)
		if largest == 0 {
			r.note("the gates of FoX start open (their bias is %v), where the gradient is as small as what they take: set pecvt.layers.*.bias.gate.bias to about 6 before training, which takes 0.0025 per position from the scores", posenc.OpenGate)
		}
	case "kerple":
		e.Bias, tensors, err = kernelTensors(m, all, form == "power", r.TrainLength, &posenc.KERPLEFit{})
	default:
		err = fmt.Errorf("internal error: no variant %q", j.enc.Variant)
	}
	if err != nil {
		return err
	}
	r.Kind, r.Reason = Exact, "every plane turns as before and the bias is 0: a start for fine-tuning"
	if largest > 0 {
		r.Kind = Lossy
		r.Reason = fmt.Sprintf("the bias takes up to %.4g per position of distance from the scores", largest)
		r.Untrained = needsTraining
	}
	r.extend(m, e, append(added, tensors...), keep)
	return nil
}
