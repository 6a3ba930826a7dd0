package htmlreport

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/pecvt/pecvt/verify/report"
)

// runners lists the runners of a report in the order of their checks, the
// reference last: what is proved comes first.
func runners(r *report.Report) []string {
	var out []string
	for _, c := range r.Checks {
		if c.Limit > 0 && c.Positions > 0 && !slices.Contains(out, c.Runner) {
			out = append(out, c.Runner)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int { return cmp.Compare(order(a), order(b)) })
	return out
}

func order(runner string) int {
	switch runner {
	case "interp":
		return 0
	case "ref":
		return 2
	default:
		return 1
	}
}

// colourOf is a runner's colour: the same in every figure.
func colourOf(all []string, runner string) role {
	return series + role(max(slices.Index(all, runner), 0))
}

// byRunner shows the error of every check and runner against its limit.
func byRunner(r *report.Report) (figure, error) {
	all := runners(r)
	var names []string
	var values []float64
	for _, c := range r.Checks {
		if c.Limit > 0 && c.Positions > 0 {
			if !slices.Contains(names, c.Name) {
				names = append(names, c.Name)
			}
			values = append(values, float64(c.MaxRel), float64(c.Limit))
		}
	}
	if len(names) == 0 {
		return figure{}, nil
	}
	scale := newLogScale(values)
	p := newPlot("largest error / largest logit", "")
	scale.on(&p.X)
	p.X.Min -= 0.012 * (scale.top - scale.low) // dots on the axis would touch the names
	row := func(name string) float64 { return float64(len(names) - 1 - slices.Index(names, name)) }
	for _, name := range all {
		c := colourOf(all, name)
		var dots, fails plotter.XYs
		limits := map[string][]float64{}
		for _, k := range r.Checks {
			if k.Runner != name || !(k.Limit > 0) || k.Positions == 0 {
				continue
			}
			at := plotter.XY{X: scale.at(float64(k.MaxRel)), Y: row(k.Name)}
			if k.Verdict == report.Fail {
				fails = append(fails, at)
			} else {
				dots = append(dots, at)
			}
			limits[k.Name] = append(limits[k.Name], scale.at(float64(k.Limit)))
		}
		for _, at := range names {
			if len(limits[at]) == 0 {
				continue
			}
			x := slices.Max(limits[at])
			tick, err := lineOf(plotter.XYs{{X: x, Y: row(at) - 0.36}, {X: x, Y: row(at) + 0.36}}, c, 1.5)
			if err != nil {
				return figure{}, err
			}
			p.Add(tick)
		}
		if err := addDots(p, dots, c, draw.CircleGlyph{}, 3.2); err != nil {
			return figure{}, err
		}
		if err := addDots(p, fails, bad, draw.CrossGlyph{}, 4.5); err != nil {
			return figure{}, err
		}
	}
	p.Y.Min, p.Y.Max = -0.6, float64(len(names))-0.4
	var ticks []plot.Tick
	for _, name := range names {
		ticks = append(ticks, plot.Tick{Value: row(name), Label: name})
	}
	p.Y.Tick.Marker = plot.ConstantTicks(ticks)
	p.Y.Tick.Length, p.Y.Tick.Width = 8, 0 // room between the names and dots on the axis
	p.Y.Color = grid.colour()
	f := figure{Title: "Error by runner", Wide: true,
		Caption: "Each dot is a check, each upright mark of its colour the limit. A pass keeps every dot left of its mark; the gap between them is what is left of the limit. Dots of one runner should stand in one column: a check that stands out to the right is the one to look at.",
		Legend:  append(runnerLegend(all), key{Role: muted.name(), Kind: "tick", Label: "limit"})}
	if slices.ContainsFunc(r.Checks, func(c report.Check) bool { return c.Verdict == report.Fail }) {
		f.Legend = append(f.Legend, key{Role: bad.name(), Kind: "cross", Label: "failed"})
	}
	var err error
	f.SVG, err = svg(p, 1080, vg.Length(60+20*len(names)), "dot plot of the error of each check by runner")
	return f, err
}

func addDots(p *plot.Plot, xy plotter.XYs, c role, shape draw.GlyphDrawer, radius vg.Length) error {
	if len(xy) == 0 {
		return nil
	}
	s, err := plotter.NewScatter(xy)
	if err != nil {
		return err
	}
	s.Shape, s.Radius, s.Color = shape, radius, c.colour()
	p.Add(s)
	return nil
}

func runnerLegend(all []string) []key {
	var out []key
	for _, name := range all {
		out = append(out, key{Role: colourOf(all, name).name(), Kind: "dot", Label: name})
	}
	return out
}

// byPosition shows the worst error of all checks at each position, per runner.
func byPosition(r *report.Report) (figure, error) {
	if r.Curves == nil || len(r.Curves.ByPosition) == 0 {
		return figure{}, nil
	}
	all := runners(r)
	worst := map[string]map[int]float64{}
	var values []float64
	last := 0
	for _, e := range r.Curves.ByPosition {
		if e.Runner == "ref" { // against itself: no rounding, no line
			continue
		}
		if worst[e.Runner] == nil {
			worst[e.Runner] = map[int]float64{}
		}
		v := float64(e.MaxRel)
		if old, ok := worst[e.Runner][e.Position]; !ok || v > old {
			worst[e.Runner][e.Position] = v
		}
		last = max(last, e.Position)
	}
	for _, by := range worst {
		thin(by)
		for _, v := range by {
			values = append(values, v)
		}
	}
	shown := slices.DeleteFunc(slices.Clone(all), func(n string) bool { return worst[n] == nil })
	limits := map[string]float64{}
	for _, c := range r.Checks {
		if slices.Contains(shown, c.Runner) && c.Name == report.CheckPrefill {
			limits[c.Runner] = float64(c.Limit)
			values = append(values, float64(c.Limit))
		}
	}
	scale := newLogScale(values)
	p := newPlot("position (doubling)", "largest error / largest logit")
	scale.on(&p.Y)
	for _, name := range shown {
		c := colourOf(all, name)
		if l, ok := limits[name]; ok {
			line, err := lineOf(plotter.XYs{{X: 0, Y: scale.at(l)}, {X: place(last), Y: scale.at(l)}}, c, 1, 4, 3)
			if err != nil {
				return figure{}, err
			}
			p.Add(line)
		}
		if err := addRuns(p, worst[name], scale, c); err != nil {
			return figure{}, err
		}
	}
	p.X.Min, p.X.Max = 0, place(last)
	p.X.Tick.Marker = doublings{}
	f := figure{Title: "Error by position",
		Caption: fmt.Sprintf("The largest error of any check at each position, up to %d. The lines should run level under their dashed limits: one that climbs towards the right is a wrong scaling or a table that ends early; a single spike is one damaged row.", last),
		Legend:  append(runnerLegend(shown), key{Role: muted.name(), Kind: "dash", Label: "limit"})}
	var err error
	f.SVG, err = svg(p, width, height, "line plot of the error by position")
	return f, err
}

// thin leaves, of positions that share a point of the axis, the worst.
func thin(by map[int]float64) {
	at := map[int]int{}
	for _, position := range slices.Sorted(maps.Keys(by)) {
		x := int(place(position) * 40)
		old, ok := at[x]
		switch {
		case !ok:
			at[x] = position
		case by[position] > by[old] || math.IsNaN(by[position]):
			delete(by, old)
			at[x] = position
		default:
			delete(by, position)
		}
	}
}

// addRuns draws values by position: a line through neighbours, dots where they
// stand alone or are few.
func addRuns(p *plot.Plot, by map[int]float64, scale logScale, c role) error {
	var at []int
	for position := range by {
		at = append(at, position)
	}
	slices.Sort(at)
	var run, all plotter.XYs
	flush := func() error {
		if len(run) > 1 {
			l, err := lineOf(run, c, 1.5)
			if err != nil {
				return err
			}
			p.Add(l)
		}
		run = nil
		return nil
	}
	for i, position := range at {
		if i > 0 && position != at[i-1]+1 && place(position)-place(at[i-1]) > 0.1 {
			if err := flush(); err != nil {
				return err
			}
		}
		xy := plotter.XY{X: place(position), Y: scale.at(by[position])}
		run, all = append(run, xy), append(all, xy)
	}
	if err := flush(); err != nil {
		return err
	}
	if len(all) <= 128 {
		return addDots(p, all, c, draw.CircleGlyph{}, 1.8)
	}
	return nil
}

// byLayer shows the error of the residual stream after each layer.
func byLayer(r *report.Report) (figure, error) {
	if r.Curves == nil || len(r.Curves.ByLayer) == 0 {
		return figure{}, nil
	}
	all := runners(r)
	rows := map[string]plotter.XYs{}
	var shown []string
	var values []float64
	last := 0
	for _, e := range r.Curves.ByLayer {
		values = append(values, float64(e.MaxRel), float64(e.Limit))
		last = max(last, e.Layer)
	}
	scale := newLogScale(values)
	limits := map[string]float64{}
	for _, e := range r.Curves.ByLayer {
		if rows[e.Runner] == nil {
			shown = append(shown, e.Runner)
		}
		rows[e.Runner] = append(rows[e.Runner], plotter.XY{X: float64(e.Layer), Y: scale.at(float64(e.MaxRel))})
		limits[e.Runner] = scale.at(float64(e.Limit))
	}
	p := newPlot("output of layer", "largest error / largest value")
	scale.on(&p.Y)
	for _, name := range shown {
		c := colourOf(all, name)
		limit, err := lineOf(plotter.XYs{{X: 0, Y: limits[name]}, {X: float64(last), Y: limits[name]}}, c, 1, 4, 3)
		if err != nil {
			return figure{}, err
		}
		line, err := lineOf(rows[name], c, 1.5)
		if err != nil {
			return figure{}, err
		}
		p.Add(limit, line)
		if err := addDots(p, rows[name], c, draw.CircleGlyph{}, 2.5); err != nil {
			return figure{}, err
		}
	}
	p.X.Min, p.X.Max = -0.3, float64(last)+0.3
	ticks := []plot.Tick{{Value: 0, Label: "embed"}, {Value: float64(last), Label: "norm"}}
	every := max(1, (last+7)/10)
	for i := 1; i < last; i++ {
		t := plot.Tick{Value: float64(i)}
		if (i-1)%every == 0 && (i > 1 || last <= 10) && last-i >= (every+1)/2 {
			t.Label = fmt.Sprint(i - 1)
		}
		ticks = append(ticks, t)
	}
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
	f := figure{Title: "Error by layer",
		Caption: "The residual stream of the graph against the reference's, after the embedding, each layer and the final norm. Rounding adds up slowly from left to right; a step up between two layers names the layer that is wrong. (Each is measured against its own largest value: a layer that makes very large values lowers the line.)",
		Legend:  append(runnerLegend(shown), key{Role: muted.name(), Kind: "dash", Label: "limit of the logits"})}
	var err error
	f.SVG, err = svg(p, width, height, "line plot of the error of the residual stream by layer")
	return f, err
}
