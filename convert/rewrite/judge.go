package rewrite

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// hopeCost is what the paper's cut was measured to cost without training:
// perplexity on prose, SmolLM2-135M (32 planes, 12 dropped, L 8192), float32.
const hopeCost = "measured on SmolLM2-135M without training (12 of 32 planes, L 8192), perplexity went from 38.55 to 38.59 at 512 positions, from 33.56 to 38.75 at 2048 and from 34.81 to 139.24 at 8192"

const needsTraining = "the result is a start for calibration or fine-tuning"

// judge decides between exact and lossy, and says why.
func (r *Rewrite) judge(enc posenc.Encoding) {
	if (r.Sliding == nil || same(r.Sliding.Before, r.Sliding.After)) && same(r.Before, r.After) && (r.BeforeLong == nil) == (r.AfterLong == nil) && (r.BeforeLong == nil || same(*r.BeforeLong, *r.AfterLong)) {
		r.Kind, r.Reason = Exact, "every plane turns as before"
		if n := len(r.Dropped); enc.Cut && n > 0 {
			r.Reason = fmt.Sprintf("no plane that turns is at or under the cut (%s, L %d), and %d of %d planes had stopped already: every plane turns as before", r.Options.Cut, r.TrainLength, n, len(r.Unscaled))
		} else if enc.Cut {
			r.Reason = fmt.Sprintf("no plane is at or under the cut (%s, L %d): every plane turns as before", r.Options.Cut, r.TrainLength)
		}
		return
	}
	r.Kind = Lossy
	var why []string
	if n := len(r.newlyDropped()); n > 0 {
		verb := "stop turning"
		if len(r.Removed) > 0 {
			verb = "leave the score"
		}
		why = append(why, fmt.Sprintf("%d of %d planes %s", n, len(r.Unscaled), verb))
	}
	why = append(why, r.compressed()...)
	if gain := r.Before.Gain; enc.Name == "nope" && gain != 1 {
		why = append(why, fmt.Sprintf("the source's attention factor %.6g goes too: it multiplied cos and sin, and there are none any more", gain))
	}
	if t := r.Sliding; t != nil && r.Options.Layers == AllLayers && !same(t.Before, t.After) {
		why = append(why, "layers of sliding attention turn otherwise too")
	}
	if why == nil {
		why = []string{"the spectrum changes"}
	}
	r.Reason = strings.Join(why, "; ")
	r.Untrained = needsTraining
	if enc.Name == "hope" && r.Options.Cut.Kind == posenc.CutPaper {
		r.Untrained = "a trained model leans on planes of this cut: " + hopeCost + "; " + needsTraining
		r.noteNearly()
	}
}

// nearlyOnce is how much of a turn over L a plane has to make for a note that the paper's
// cut drops it.
const nearlyOnce = .95

// noteNearly names the slowest plane that falls to the paper's cut and turns nearly once
// over L: up to L the cut costs much less without it, beyond L more (docs/retrofit.md), so
// that nothing is said where the aim is a longer context.
func (r *Rewrite) noteNearly() {
	if r.Options.Extend > 1 {
		return
	}
	slowest, kept, dropped := -1, 0, r.newlyDropped()
	for p, f := range r.Unscaled {
		if turns := f * float64(r.TrainLength) / (2 * math.Pi); turns >= nearlyOnce {
			kept++
			if slices.Contains(dropped, p) && (slowest < 0 || f < r.Unscaled[slowest]) {
				slowest = p
			}
		}
	}
	if slowest >= 0 {
		r.note("plane %d turns %.2f times over %d positions, and the paper's cut drops what turns at most once: "+hint.Cut+" k=%d keeps it, for contexts up to that length", slowest, r.Unscaled[slowest]*float64(r.TrainLength)/(2*math.Pi), r.TrainLength, kept)
	}
}

// compressed says what the scaling does, nil without one.
func (r *Rewrite) compressed() []string {
	switch s := r.Options.Scale; s.Kind {
	case "pi":
		return []string{fmt.Sprintf("positions are compressed %v times", s.Factor)}
	case "yarn":
		return []string{fmt.Sprintf("slow planes are compressed up to %v times and scores are scaled", s.Factor)}
	}
	return nil
}

// newlyDropped lists the planes that turned before and do not now.
func (r *Rewrite) newlyDropped() []int {
	var list []int
	for _, p := range r.Dropped {
		if r.Before.InvFreq[p] != 0 || removed(r.After, p) && !removed(r.Before, p) {
			list = append(list, p)
		}
	}
	return list
}
