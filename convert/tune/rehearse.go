package tune

import (
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/retrofit"
)

// rehearse plans, without any values, a result of the form that the work will
// end in: what cannot be written is known before minutes of work.
func (w *work) rehearse() error {
	o := w.job.Options
	o.Tuning = &convert.Tuning{} // not every format holds one
	if w.job.Select != nil {
		if len(w.planes) == 0 {
			return fmt.Errorf("select: no plane that turns is below the cut (%s, L %d): there is nothing to choose", o.Cut, w.plan.Encoding.TrainLength)
		}
		o.Spectra = sampleSpectra(w.free, w.planes, w.job.Select.By)
	}
	plan, err := convert.NewPlan(w.job.Model, o)
	if err != nil || w.job.Rehearse == nil {
		return err
	}
	return w.job.Rehearse(plan)
}

// sampleSpectra drop one choice of a granularity, the first; by model all that
// there are.
func sampleSpectra(turns []retrofit.Turn, planes []int, by retrofit.Granularity) [][][]float64 {
	out := make([][][]float64, len(turns))
	for l, t := range turns {
		for _, row := range t.InvFreq {
			out[l] = append(out[l], slices.Clone(row))
		}
	}
	for _, groups := range out {
		for _, row := range groups {
			for _, p := range planes {
				if p >= len(row) || row[p] == 0 {
					continue
				}
				row[p] = 0
				switch by {
				case retrofit.ByGroup:
					return out
				case retrofit.ByLayer:
					for _, other := range groups {
						other[p] = 0
					}
					return out
				}
			}
		}
	}
	return out
}
