package eval

import (
	"fmt"
	"image/color"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/convert/tune"
	"github.com/pecvt/pecvt/verify/chart"
)

// pale is for the less important lines of a panel.
var pale = color.RGBA{0x9E, 0xC5, 0xE0, 0xFF}

// PlotSweep draws a sweep: the planes' costs, or without a text their angles, and
// the cuts; kind is ".png" or ".svg".
func PlotSweep(w io.Writer, kind string, s *tune.SweepResult) error {
	rows := [][]*plot.Plot{{planePanel(s)}}
	if s.Costs != nil {
		rows[0] = append(rows[0], cutPanel(s, "predicted and measured drift", "nats", []sweepLine{
			{"predicted: sum of attention KL", chart.Palette[0], func(c tune.SweepCut) float64 { return *c.Predicted }},
			{"measured: KL of the next token", chart.Palette[1], func(c tune.SweepCut) float64 { return measuredOf(c).KL }}}))
	}
	if s.Source > 0 {
		rows[0] = append(rows[0], cutPanel(s, "perplexity", "perplexity", []sweepLine{
			{"cut", chart.Palette[1], func(c tune.SweepCut) float64 { return measuredOf(c).PPL }},
			{"source", color.Black, func(c tune.SweepCut) float64 { return s.Source }}}))
	}
	return chart.Write(w, kind, rows, chart.PanelWidth, chart.PanelHeight)
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
	p.Add(chart.Grid())
	p.X.Label.Text = "plane"
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	if s.Costs == nil {
		p.Title.Text, p.Y.Label.Text = fmt.Sprintf("largest angle at L = %d", s.TrainLength), "θL in radians"
		planeLine(s, p, "θL", chart.Palette[0], 1.6, func(x tune.SweepPlane) float64 { return x.Angle })
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
		planeLine(s, p, "greatest over layers and heads", pale, 1, figure(func(c *retrofit.PlaneSummary) float64 { return c.Max }))
		planeLine(s, p, "75% and 25%", chart.Palette[1], 0.9, figure(func(c *retrofit.PlaneSummary) float64 { return c.Q75 }))
		planeLine(s, p, "", chart.Palette[1], 0.9, figure(func(c *retrofit.PlaneSummary) float64 { return c.Q25 }))
		planeLine(s, p, "mean", chart.Palette[0], 1.6, figure(func(c *retrofit.PlaneSummary) float64 { return c.Mean }))
	}
	for _, x := range s.Planes {
		if x.Dropped && x.Plane > 0 && p.Y.Max > p.Y.Min { // the cut's edge
			edge := float64(x.Plane) - 0.5
			addLine(p, "cut "+s.Cut, color.Black, 0.8, plotter.XYs{{X: edge, Y: p.Y.Min}, {X: edge, Y: p.Y.Max}})
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
	p.Add(chart.Grid())
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, "slowest planes that stop turning", y
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, chart.Decades{}
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
