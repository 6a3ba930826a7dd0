package retrofit

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/pecvt/pecvt/posenc"
)

// ErrBudget marks what could not be done within the budget.
var ErrBudget = errors.New("over the budget")

// Choice is one plane that stops turning.
type Choice struct {
	// Layer and Group say where; −1 is everywhere.
	Layer int `json:"layer"`
	Group int `json:"group"`
	Plane int `json:"plane"`
	// Cost is its attention KL, summed over what is dropped together.
	Cost float64 `json:"cost"`
}

// Trial is one end-to-end measurement on the way to a selection.
type Trial struct {
	// Dropped choices of the ranking were dropped.
	Dropped int `json:"dropped"`
	Measured
	Within bool `json:"within"`
}

// MarshalJSON writes what Measured's, which is promoted, would leave out.
func (t Trial) MarshalJSON() ([]byte, error) {
	fields := t.figures()
	fields["dropped"], fields["within"] = t.Dropped, t.Within
	return json.Marshal(fields)
}

// Selection says which planes turn where. It is what the manifest keeps.
type Selection struct {
	Granularity Granularity `json:"granularity"`
	Budget      string      `json:"budget"`
	// Candidates is how many choices there were, Dropped those taken, cheapest
	// first.
	Candidates int      `json:"candidates"`
	Dropped    []Choice `json:"dropped"`
	// Share is the share of all (layer, group, plane) below the cut that stop
	// turning.
	Share float64 `json:"share"`
	Costs *Costs  `json:"costs"`
	// Trials are the measurements in their order; Measured is that of the
	// result, nil where none was made.
	Trials   []Trial   `json:"trials,omitempty"`
	Measured *Measured `json:"measured,omitempty"`

	turns []Turn // of the source
}

// Rank lists all choices of a granularity, cheapest first; equals by layer,
// group and plane.
func Rank(c *Costs, by Granularity) []Choice {
	type key struct{ layer, group, plane int }
	sums := map[key]float64{}
	for l, groups := range c.Cost {
		for g, row := range groups {
			for i, cost := range row {
				k := key{l, g, c.Planes[i]}
				if by != ByGroup {
					k.group = -1
				}
				if by == ByModel {
					k.layer = -1
				}
				sums[k] += cost // in a fixed order for each k
			}
		}
	}
	list := make([]Choice, 0, len(sums))
	for k, cost := range sums {
		list = append(list, Choice{k.layer, k.group, k.plane, cost})
	}
	sort.Slice(list, func(i, j int) bool {
		a, b := list[i], list[j]
		switch {
		case a.Cost != b.Cost:
			return a.Cost < b.Cost
		case a.Layer != b.Layer:
			return a.Layer < b.Layer
		case a.Group != b.Group:
			return a.Group < b.Group
		}
		return a.Plane < b.Plane
	})
	return list
}

// dropping is the selection of the first n choices.
func (s *Selection) dropping(ranking []Choice, n int) *Selection {
	out := *s
	out.Dropped = slices.Clone(ranking[:n])
	out.Measured = nil
	groups, still := 0, 0
	for _, rows := range s.Costs.Cost {
		groups += len(rows)
	}
	for _, c := range out.Dropped {
		switch {
		case c.Layer < 0:
			still += groups
		case c.Group < 0:
			still += len(s.Costs.Cost[c.Layer])
		default:
			still++
		}
	}
	if groups > 0 {
		out.Share = float64(still) / float64(groups*len(s.Costs.Planes))
	}
	return &out
}

// Stopped counts the (layer, key/value head, plane) that stop turning, and all
// that were candidates.
func (s *Selection) Stopped() (still, all int) {
	for _, rows := range s.Costs.Cost {
		all += len(rows) * len(s.Costs.Planes)
	}
	return int(math.Round(s.Share * float64(all))), all
}

// Turns returns how each layer places positions with the selection: the
// source's frequencies, 0 where they were dropped.
func (s *Selection) Turns() []Turn {
	out := make([]Turn, len(s.turns))
	for l, t := range s.turns {
		u := t
		u.InvFreq = make([][]float64, len(t.InvFreq))
		for g, row := range t.InvFreq {
			u.InvFreq[g] = slices.Clone(row)
		}
		out[l] = u
	}
	for _, c := range s.Dropped {
		for l := range out {
			for g, row := range out[l].InvFreq {
				if (c.Layer < 0 || c.Layer == l) && (c.Group < 0 || c.Group == g) && c.Plane < len(row) {
					row[c.Plane] = 0
				}
			}
		}
	}
	return out
}

// Spectra are the inverse frequencies by layer, key/value head and plane.
func (s *Selection) Spectra() [][][]float64 {
	turns := s.Turns()
	out := make([][][]float64, len(turns))
	for l := range turns {
		out[l] = turns[l].InvFreq
	}
	return out
}

// Bound reports whether the selection knows the source's turns: one from Select
// does, one from a manifest does not until Bind.
func (s *Selection) Bound() bool { return s.turns != nil }

// Bind gives a selection that was read from a manifest the source's turns.
func (s *Selection) Bind(turns []Turn) error {
	for _, c := range s.Dropped {
		if c.Layer >= len(turns) {
			return fmt.Errorf("selection: layer %d of %d", c.Layer, len(turns))
		}
		for l, t := range turns {
			if c.Layer >= 0 && c.Layer != l || len(t.InvFreq[0]) == 0 {
				continue
			}
			if c.Group >= len(t.InvFreq) || c.Plane < 0 || c.Plane >= len(t.InvFreq[0]) {
				return fmt.Errorf("selection: layer %d has no plane %d in group %d", l, c.Plane, c.Group)
			}
		}
	}
	s.turns = turns
	return nil
}

// Below lists the planes that HoPE's cut drops and that turn in some layer: the
// candidates of a selection. unscaled holds the plain inverse frequencies.
func Below(turns []Turn, unscaled []float64, cut posenc.Cut, trainedLength int) ([]int, error) {
	drop, err := posenc.HoPE{Cut: cut, TrainedLength: trainedLength}.Dropped(unscaled)
	if err != nil {
		return nil, err
	}
	var list []int
	for p, d := range drop {
		if d && slices.ContainsFunc(turns, func(t Turn) bool {
			return slices.ContainsFunc(t.InvFreq, func(row []float64) bool { return p < len(row) && row[p] != 0 })
		}) {
			list = append(list, p)
		}
	}
	return list, nil
}
