package main

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify/ref"
)

// sweepFlags are those of plan --sweep.
type sweepFlags struct {
	textFlags
	sweep, measure bool
	plots          []string
	length         int
}

func (f *sweepFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.sweep, "sweep", false, "list what each plane does and costs, and what each candidate cut of --to hope would")
	flags.BoolVar(&f.measure, "measure", false, "convert to each candidate cut in a temporary folder and measure its drift (needs --text or --ids)")
	flags.StringArrayVar(&f.plots, "plot", nil, "draw the sweep: `FILE`.png or FILE.svg; may be given more than once")
	flags.IntVar(&f.length, "length", 0, "positions at which costs and drift are measured (default: L, at most 8192)")
	f.textFlags.register(cmd)
}

func (f *sweepFlags) check(cmd *cobra.Command, to string) error {
	if !f.sweep {
		for _, name := range append(f.names(), "measure", "plot", "length") {
			if cmd.Flags().Changed(name) {
				return usagef("--%s has no use without --sweep", name)
			}
		}
		return nil
	}
	if to != "hope" {
		return usagef("--sweep lists the cuts of --to hope: --to %s has none", to)
	}
	if !f.given() {
		for _, name := range append(f.names(), "measure", "length") {
			if cmd.Flags().Changed(name) {
				return usagef("--%s needs a text: give --text or --ids", name)
			}
		}
	}
	if cmd.Flags().Changed("length") && f.length < 16 {
		return usagef("--length %d: expected 16 or more", f.length)
	}
	for _, path := range f.plots {
		if err := checkPlot("plot", path); err != nil {
			return err
		}
		if err := checkOutFile("plot", path); err != nil {
			return err
		}
	}
	return f.textFlags.check()
}

// sweep is what plan --sweep finds.
type sweep struct {
	Model           string `json:"model"`
	TrainLength     int    `json:"train_length"`
	TrainLengthFrom string `json:"train_length_from"`
	Cut             string `json:"cut"`
	// Length is the number of positions of costs and drift, 0 without a text.
	Length int            `json:"length,omitempty"`
	Texts  []convert.Text `json:"texts,omitempty"`
	BOS    *int64         `json:"bos,omitempty"` // before every sequence
	Planes []sweepPlane   `json:"planes"`
	Cuts   []sweepCut     `json:"cuts"`
	// Source is its perplexity, 0 where nothing was measured.
	Source   float64   `json:"source_ppl,omitempty"`
	Expected *estimate `json:"expected_seconds,omitempty"`
	Costs    *costGrid `json:"costs,omitempty"`
	Notes    []string  `json:"notes"`
}

// costGrid is the cost of each of Planes by layer, key/value head and plane.
type costGrid struct {
	Planes []int         `json:"planes"`
	Cost   [][][]float64 `json:"cost"`
	Rows   int           `json:"rows"`
	Count  int           `json:"sequences"`
}

// sweepPlane is one plane: θ in radians per position as it turns now and
// unscaled, the positions of a whole turn, θL in radians, and its cost.
type sweepPlane struct {
	Plane      int      `json:"plane"`
	Theta      float64  `json:"theta"`
	Unscaled   float64  `json:"unscaled"`
	Wavelength *float64 `json:"wavelength"` // null: it does not turn
	Angle      float64  `json:"angle"`
	Band       string   `json:"band"`
	Dropped    bool     `json:"dropped"` // by --cut
	// Cost is the attention KL in nats over layers and key/value heads.
	Cost *retrofit.PlaneSummary `json:"cost,omitempty"`
}

// sweepCut is a candidate: the slowest planes stop turning, the fastest Kept go
// on.
type sweepCut struct {
	Cut     string `json:"cut"`
	Dropped int    `json:"dropped"`
	Chosen  bool   `json:"chosen"` // drops what --cut does
	// Predicted is the sum of the dropped planes' mean costs in nats of attention
	// KL.
	Predicted *float64           `json:"predicted,omitempty"`
	Measured  *retrofit.Measured `json:"measured,omitempty"`
}

// beyondCut is how many cuts are listed that drop more than --cut does.
const beyondCut = 2

// newSweep lists planes and cuts without a text.
func newSweep(p *convert.Plan, o convert.Options) (*sweep, error) {
	e := p.Encoding
	s := &sweep{Model: p.Model, TrainLength: e.TrainLength, TrainLengthFrom: e.TrainLengthFrom, Cut: o.Cut.String(), Planes: []sweepPlane{}, Cuts: []sweepCut{}, Notes: costNotes(p)}
	unscaled := make([]float64, len(e.Planes))
	for i, x := range e.Planes {
		unscaled[i] = x.Unscaled
	}
	drop, err := posenc.HoPE{Cut: o.Cut, TrainedLength: e.TrainLength}.Dropped(unscaled)
	if err != nil {
		return nil, err
	}
	chosen := 0
	for i, x := range e.Planes {
		row := sweepPlane{Plane: x.Index, Theta: x.Before, Unscaled: x.Unscaled, Angle: x.Before * float64(e.TrainLength), Band: x.Band, Dropped: drop[i]}
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
		s.Cuts = append(s.Cuts, sweepCut{Cut: cut, Dropped: n, Chosen: slices.Equal(dropped, drop)})
	}
	return s, nil
}

// sweep fills in what a text tells.
func (a *app) sweep(ctx context.Context, p *convert.Plan, o convert.Options, f *sweepFlags, u *ui) (*sweep, error) {
	s, err := newSweep(p, o)
	if err != nil || !f.given() {
		return s, err
	}
	ckpt, err := safetensors.OpenCheckpoint(p.Model)
	if err != nil {
		return nil, err
	}
	defer ckpt.Close()
	m, err := family.Load(ckpt)
	if err != nil {
		return nil, err
	}
	s.Length = orElse(f.length, min(s.TrainLength, longestDefault))
	if err := retrofit.SameAt(m, s.Length); err != nil {
		return nil, fmt.Errorf("--length %d: %w", s.Length, err)
	}
	ids, err := f.read(ctx, ckpt.Dir, m.Vocab)
	if err != nil {
		return nil, err
	}
	text, err := ids.divide(s.Length, f.measureTokens)
	if err != nil {
		return nil, err
	}
	var measure *measurer
	if f.measure {
		if measure, err = newMeasurer(ctx, p.Model, o, &f.textFlags, text.measure, besides(ckpt), len(s.Cuts) > 1, u.step); err != nil {
			return nil, err
		}
		defer measure.close()
	}
	var planes []int
	for _, x := range s.Planes {
		if x.Theta != 0 {
			planes = append(planes, x.Plane)
		}
	}
	sequences := text.costs(s.Length)
	rate := bestRate()
	s.Expected = &estimate{Costs: costsTime(m, sequences, len(planes), 40, rate)}
	if f.measure {
		s.Expected.measurements = len(s.Cuts) + 1
		s.Expected.Measure = float64(len(s.Cuts)+1) * measureTime(m, text.measure, measure.source.Runner, rate)
	}
	if !u.quiet {
		u.note(s.Expected.String())
	}
	costs, err := retrofit.MeasureCosts(ctx, m, ckpt, ref.NewWalk(m, ckpt), sequences, planes, retrofit.CostOptions{Seed: f.seed, Progress: func(p retrofit.Progress) { u.step(stageText(p)) }})
	if err != nil {
		return nil, err
	}
	s.Notes = []string{} // the text tells what they do
	s.BOS, s.Texts = text.bos, text.uses(0, tokenCount(sequences), "costs")
	s.Costs = &costGrid{costs.Planes, costs.Cost, costs.Rows, costs.Sequences}
	s.charge(costs)
	if !f.measure {
		return s, nil
	}
	n := tokenCount(text.measure)
	s.Texts = append(s.Texts, text.uses(len(text.ids)-n, n, "measure")...)
	s.Notes = append(s.Notes, measure.notes()...)
	return s, s.drift(ctx, o, measure)
}

// charge fills the costs in.
func (s *sweep) charge(c *retrofit.Costs) {
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

// drift measures every candidate cut.
func (s *sweep) drift(ctx context.Context, o convert.Options, m *measurer) (err error) {
	for i := range s.Cuts {
		at := o
		if at.Cut, err = posenc.ParseCut(s.Cuts[i].Cut); err != nil {
			return err
		}
		got, err := m.convert(ctx, at)
		if err != nil {
			return fmt.Errorf("--cut %s: %w", s.Cuts[i].Cut, err)
		}
		s.Cuts[i].Measured, s.Source = &got, got.SourcePPL
	}
	return nil
}
