package loaders

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/posenc"
)

// FormOf returns the form in which a configuration of a family says its rotation,
// or "" where no rope keys say it.
func FormOf(p posenc.RopeParams, family string) string {
	// families whose loaders all know a rotary dimension of their own
	partial := p.RotaryDim() != p.HeadDim && family != "stablelm" && family != "gpt_neox"
	switch p.Type {
	case "default", "linear":
		if partial {
			return Partial
		}
	case "proportional":
		if p.Factor != 0 && p.Factor != 1 {
			return ProportionalScaled
		}
	case "longrope":
		switch {
		case !slices.Equal(p.ShortFactor, p.LongFactor):
			return LongRoPETwo
		case p.AttentionFactor != nil && math.Abs(OwnGain(p)-*p.AttentionFactor) > 1e-9:
			return LongRoPEGain
		}
	}
	return p.Type
}

// OwnGain is the attention factor that loaders of longrope compute from the two
// lengths where they pass over the declared one: √(1 + ln s/ln L) for
// s = max_position_embeddings/L > 1, else 1.
func OwnGain(p posenc.RopeParams) float64 {
	if s := float64(p.MaxPositions) / float64(p.TrainedLength); s > 1 {
		return math.Sqrt(1 + math.Log(s)/math.Log(float64(p.TrainedLength)))
	}
	return 1
}

// Line is what is said of the loaders of one outcome.
type Line struct {
	Outcome Outcome
	Names   []string
	// Text names them with what is said of each, once where it is said of several.
	Text string
}

// Lines sorts verdicts by their outcome, right ones first; outcomes without a
// loader are left out.
func Lines(list []Verdict) []Line {
	var out []Line
	for _, o := range []Outcome{Right, Wrong, Refused, Unknown} {
		l := Line{Outcome: o}
		var notes []string
		of := map[string][]string{}
		for _, v := range list {
			if v.Outcome != o {
				continue
			}
			l.Names = append(l.Names, v.Loader)
			if of[v.Note] == nil {
				notes = append(notes, v.Note)
			}
			of[v.Note] = append(of[v.Note], v.Loader)
		}
		for i, note := range notes {
			notes[i] = strings.Join(of[note], ", ")
			if note != "" {
				notes[i] += " (" + note + ")"
			}
		}
		if l.Text = strings.Join(notes, "; "); l.Names != nil {
			out = append(out, l)
		}
	}
	return out
}

// Summary says in one line what becomes of a result.
func Summary(list []Verdict) string {
	var parts []string
	for _, l := range Lines(list) {
		if l.Outcome != Unknown {
			parts = append(parts, fmt.Sprintf("%s: %s", l.Outcome, strings.Join(l.Names, ", ")))
		}
	}
	return strings.Join(parts, "; ")
}
