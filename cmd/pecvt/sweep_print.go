package main

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"text/tabwriter"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/convert/tune"
)

// write prints a sweep for people.
func writeSweep(w io.Writer, s *tune.SweepResult) error {
	fmt.Fprintf(w, "length     L = %d (%s)\n", s.TrainLength, s.TrainLengthFrom)
	for _, t := range s.Texts {
		fmt.Fprintf(w, "%-10s tokens %d to %d of %s, at %d positions\n", t.Use, t.First, t.First+t.Tokens-1, t.Name, s.Length)
	}
	fmt.Fprintln(w)
	costs := s.Costs != nil
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "PLANE\tTHETA\tWAVELENGTH\tANGLE AT L\tBAND\tCUT\t")
	if costs {
		fmt.Fprint(t, "COST MEAN\tMIN\t25%\tMEDIAN\t75%\tMAX\t")
	}
	fmt.Fprintln(t)
	for _, p := range s.Planes {
		wavelength, cut := "", ""
		if p.Wavelength != nil {
			wavelength = fmt.Sprintf("%.4g", *p.Wavelength)
		}
		if p.Dropped {
			cut = "drops"
		}
		fmt.Fprintf(t, "%d\t%.4g\t%s\t%.4g\t%s\t%s\t", p.Plane, p.Theta, wavelength, p.Angle, p.Band, cut)
		if c := p.Cost; c != nil {
			fmt.Fprintf(t, "%.3g\t%.3g\t%.3g\t%.3g\t%.3g\t%.3g\t", c.Mean, c.Min, c.Q25, c.Median, c.Q75, c.Max)
		} else if costs {
			fmt.Fprint(t, "\t\t\t\t\t\t")
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if costs {
		fmt.Fprintln(w, "cost: attention KL in nats when this plane alone stops turning, over layers and key/value heads")
	}
	fmt.Fprintln(w)
	if err := writeCuts(w, s); err != nil {
		return err
	}
	for _, n := range s.Notes {
		fmt.Fprintf(w, "note       %s\n", n)
	}
	return nil
}

func writeCuts(w io.Writer, s *tune.SweepResult) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "CUT\tDROPPED\t")
	if s.Costs != nil {
		fmt.Fprint(t, "PREDICTED\t")
	}
	if s.Source > 0 {
		fmt.Fprint(t, "PPL\tRATIO\tKL\t")
	}
	fmt.Fprintln(t, " ")
	for _, c := range s.Cuts {
		fmt.Fprintf(t, "%s\t%d\t", c.Cut, c.Dropped)
		if c.Predicted != nil {
			fmt.Fprintf(t, "%.3g\t", *c.Predicted)
		}
		if m := c.Measured; m != nil {
			fmt.Fprintf(t, "%.4g\t%.4f\t%.3g\t", m.PPL, m.PPL/m.SourcePPL, m.KL)
		}
		mark := " "
		if c.Chosen {
			mark = " --cut " + s.Cut
		}
		fmt.Fprintln(t, mark)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if s.Costs != nil {
		fmt.Fprintln(w, "predicted: the sum of the dropped planes' mean costs, nats of attention KL per layer and head")
	}
	if s.Source > 0 {
		fmt.Fprintf(w, "measured: perplexity (the source's is %.4g), its ratio, and KL(source ‖ cut) of the next token in nats\n", s.Source)
	}
	return nil
}

var (
	sweepBlue = color.RGBA{0x00, 0x72, 0xB2, 0xFF}
	sweepRed  = color.RGBA{0xD5, 0x5E, 0x00, 0xFF}
	sweepPale = color.RGBA{0x9E, 0xC5, 0xE0, 0xFF}
)

// plot draws a sweep: the planes' costs, or without a text their angles, and
// the cuts.
func plotSweep(path string, s *tune.SweepResult) error {
	rows := [][]*plot.Plot{{planePanel(s)}}
	if s.Costs != nil {
		rows[0] = append(rows[0], cutPanel(s, "predicted and measured drift", "nats", []sweepLine{
			{"predicted: sum of attention KL", sweepBlue, func(c tune.SweepCut) float64 { return *c.Predicted }},
			{"measured: KL of the next token", sweepRed, func(c tune.SweepCut) float64 { return measuredOf(c).KL }}}))
	}
	if s.Source > 0 {
		rows[0] = append(rows[0], cutPanel(s, "perplexity", "perplexity", []sweepLine{
			{"cut", sweepRed, func(c tune.SweepCut) float64 { return measuredOf(c).PPL }},
			{"source", color.Black, func(c tune.SweepCut) float64 { return s.Source }}}))
	}
	return savePlots(path, rows, 13*vg.Centimeter, 9*vg.Centimeter)
}

type measuredFig struct{ PPL, KL float64 }

// measuredOf is NaN where nothing was measured.
func measuredOf(c tune.SweepCut) measuredFig {
	if c.Measured == nil {
		return measuredFig{math.NaN(), math.NaN()}
	}
	return measuredFig{c.Measured.PPL, c.Measured.KL}
}

// least is the smallest value on a logarithmic axis.
const least = 1e-6

// addLine adds the points that a logarithmic axis can show.
func addLine(p *plot.Plot, name string, c color.Color, width vg.Length, xy plotter.XYs) {
	shown := xy[:0:0]
	for _, v := range xy {
		if v.Y >= least {
			shown = append(shown, v)
		}
	}
	if len(shown) == 0 {
		return
	}
	line, points, err := plotter.NewLinePoints(shown)
	if err != nil {
		return // of points that are no numbers, which were left out
	}
	line.Color, line.Width, points.Color, points.Radius = c, width, c, 2
	p.Add(line)
	if width > 1 {
		p.Add(points)
	}
	if name != "" {
		p.Legend.Add(name, line)
	}
}

func planePanel(s *tune.SweepResult) *plot.Plot {
	p := newPlot()
	p.Add(gridOf())
	p.X.Label.Text = "plane"
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	if s.Costs == nil {
		p.Title.Text, p.Y.Label.Text = fmt.Sprintf("largest angle at L = %d", s.TrainLength), "θL in radians"
		planeLine(s, p, "θL", sweepBlue, 1.6, func(x tune.SweepPlane) float64 { return x.Angle })
		planeLine(s, p, "2π: a whole turn", color.Gray{0x80}, 1, func(tune.SweepPlane) float64 { return 2 * math.Pi })
	} else {
		p.Title.Text, p.Y.Label.Text = fmt.Sprintf("cost of a plane that stops turning, %d positions", s.Length), "attention KL in nats"
		figure := func(f func(c *retrofit.PlaneSummary) float64) func(x tune.SweepPlane) float64 {
			return func(x tune.SweepPlane) float64 {
				if x.Cost == nil {
					return 0
				}
				return f(x.Cost)
			}
		}
		planeLine(s, p, "greatest over layers and heads", sweepPale, 1, figure(func(c *retrofit.PlaneSummary) float64 { return c.Max }))
		planeLine(s, p, "75% and 25%", sweepRed, 0.9, figure(func(c *retrofit.PlaneSummary) float64 { return c.Q75 }))
		planeLine(s, p, "", sweepRed, 0.9, figure(func(c *retrofit.PlaneSummary) float64 { return c.Q25 }))
		planeLine(s, p, "mean", sweepBlue, 1.6, figure(func(c *retrofit.PlaneSummary) float64 { return c.Mean }))
	}
	for _, x := range s.Planes {
		if x.Dropped && x.Plane > 0 && p.Y.Max > p.Y.Min { // the cut's edge
			edge := float64(x.Plane) - 0.5
			addLine(p, "--cut "+s.Cut, color.Black, 0.8, plotter.XYs{{X: edge, Y: p.Y.Min}, {X: edge, Y: p.Y.Max}})
			break
		}
	}
	p.X.Tick.Marker = wholeTicks{len(s.Planes)}
	p.Legend.Top, p.Legend.XOffs, p.Legend.YOffs = true, -4, -2
	legendRoom(p, 5)
	return p
}

func planeLine(s *tune.SweepResult, p *plot.Plot, name string, c color.Color, width vg.Length, f func(x tune.SweepPlane) float64) {
	xy := make(plotter.XYs, len(s.Planes))
	for i, x := range s.Planes {
		xy[i] = plotter.XY{X: float64(x.Plane), Y: f(x)}
	}
	addLine(p, name, c, width, xy)
}

// sweepLine is one line of a panel of cuts.
type sweepLine struct {
	name string
	c    color.Color
	f    func(c tune.SweepCut) float64
}

func cutPanel(s *tune.SweepResult, title, y string, lines []sweepLine) *plot.Plot {
	p := newPlot()
	p.Add(gridOf())
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, "slowest planes that stop turning", y
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	for _, l := range lines {
		xy := make(plotter.XYs, len(s.Cuts))
		for i, c := range s.Cuts {
			xy[i] = plotter.XY{X: float64(c.Dropped), Y: l.f(c)}
		}
		addLine(p, l.name, l.c, 1.6, xy)
	}
	p.X.Tick.Marker = wholeTicks{len(s.Cuts) + 1}
	p.Legend.Top, p.Legend.Left, p.Legend.XOffs, p.Legend.YOffs = true, true, 4, -2
	legendRoom(p, len(lines)+1)
	return p
}

// legendRoom raises a logarithmic axis so that lines of a legend stay clear of
// the curves.
func legendRoom(p *plot.Plot, lines int) {
	if p.Y.Max > p.Y.Min && p.Y.Min > 0 {
		share := 0.065 * float64(lines)
		p.Y.Max *= math.Pow(p.Y.Max/p.Y.Min, share/(1-share))
	}
}
