package tune

import (
	"fmt"
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/posenc"
)

// SweepResult is what a sweep found.
type SweepResult struct {
	Model           string `json:"model"`
	TrainLength     int    `json:"train_length"`
	TrainLengthFrom string `json:"train_length_from"`
	Cut             string `json:"cut"`
	// Length is the number of positions of costs and drift, 0 without a text.
	Length int            `json:"length,omitempty"`
	Texts  []convert.Text `json:"texts,omitempty"`
	BOS    *int64         `json:"bos,omitempty"` // before every sequence
	Planes []SweepPlane   `json:"planes"`
	Cuts   []SweepCut     `json:"cuts"`
	// Source is its perplexity, 0 where nothing was measured.
	Source   float64   `json:"source_ppl,omitempty"`
	Expected *Estimate `json:"expected_seconds,omitempty"`
	Costs    *CostGrid `json:"costs,omitempty"`
	Notes    []string  `json:"notes"`
	// Plan is the conversion with Options.Cut.
	Plan *convert.Plan `json:"-"`
}

// CostGrid is the cost of each of Planes by layer, key/value head and plane.
type CostGrid struct {
	Planes []int         `json:"planes"`
	Cost   [][][]float64 `json:"cost"`
	Rows   int           `json:"rows"`
	Count  int           `json:"sequences"`
}

// SweepPlane is one plane: θ in radians per position as it turns now and
// unscaled, the positions of a whole turn, θL in radians, and its cost.
type SweepPlane struct {
	Plane      int      `json:"plane"`
	Theta      float64  `json:"theta"`
	Unscaled   float64  `json:"unscaled"`
	Wavelength *float64 `json:"wavelength"` // null: it does not turn
	Angle      float64  `json:"angle"`
	Band       string   `json:"band"`
	Dropped    bool     `json:"dropped"` // by Options.Cut
	// Cost is the attention KL in nats over layers and key/value heads.
	Cost *retrofit.PlaneSummary `json:"cost,omitempty"`
}

// SweepCut is a candidate: the slowest planes stop turning, the others go
// on.
type SweepCut struct {
	Cut     string `json:"cut"`
	Dropped int    `json:"dropped"`
	Chosen  bool   `json:"chosen"` // drops what Options.Cut does
	// Predicted is the sum of the dropped planes' mean costs in nats of attention
	// KL.
	Predicted *float64           `json:"predicted,omitempty"`
	Measured  *retrofit.Measured `json:"measured,omitempty"`
}

// beyondCut is how many cuts are listed that drop more than Options.Cut does.
const beyondCut = 2

// newSweepResult lists planes and cuts without a text.
func newSweepResult(p *convert.Plan, cut posenc.Cut) (*SweepResult, error) {
	e := p.Encoding
	s := &SweepResult{Model: p.Model, TrainLength: e.TrainLength, TrainLengthFrom: e.TrainLengthFrom, Cut: cut.String(), Planes: []SweepPlane{}, Cuts: []SweepCut{}, Notes: []string{}, Plan: p}
	unscaled := make([]float64, len(e.Planes))
	for i, x := range e.Planes {
		unscaled[i] = x.Unscaled
	}
	drop, err := posenc.HoPE{Cut: cut, TrainedLength: e.TrainLength}.Dropped(unscaled)
	if err != nil {
		return nil, err
	}
	chosen := 0
	for i, x := range e.Planes {
		row := SweepPlane{Plane: x.Index, Theta: x.Before, Unscaled: x.Unscaled, Angle: x.Before * float64(e.TrainLength), Band: x.Band, Dropped: drop[i]}
		if x.Before > 0 {
			w := 2 * math.Pi / x.Before
			row.Wavelength = &w
		}
		if drop[i] {
			chosen++
		}
		s.Planes = append(s.Planes, row)
	}
	for n := 1; n <= min(chosen+beyondCut, len(unscaled)); n++ {
		cut := fmt.Sprintf("k=%d", len(unscaled)-n)
		c, err := posenc.ParseCut(cut)
		if err != nil {
			return nil, err
		}
		dropped, err := posenc.HoPE{Cut: c, TrainedLength: e.TrainLength}.Dropped(unscaled)
		if err != nil {
			return nil, err
		}
		s.Cuts = append(s.Cuts, SweepCut{Cut: cut, Dropped: n, Chosen: slices.Equal(dropped, drop)})
	}
	return s, nil
}

// turning lists the planes that turn.
func (s *SweepResult) turning() []int {
	var list []int
	for _, x := range s.Planes {
		if x.Theta != 0 {
			list = append(list, x.Plane)
		}
	}
	return list
}

// charge fills the costs in.
func (s *SweepResult) charge(c *retrofit.Costs) {
	s.Costs = &CostGrid{c.Planes, c.Cost, c.Rows, c.Sequences}
	for _, x := range c.Summary() {
		s.Planes[x.Plane].Cost = &x
	}
	for i := range s.Cuts {
		sum := 0.0
		for _, x := range s.Planes[len(s.Planes)-s.Cuts[i].Dropped:] {
			if x.Cost != nil {
				sum += x.Cost.Mean
			}
		}
		s.Cuts[i].Predicted = &sum
	}
}
