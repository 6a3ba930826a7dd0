package htmlreport

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"

	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/report"
)

// spectrum shows the wavelength of every plane, what became of it, and the
// bands against the trained length.
func spectrum(r *report.Report) (figure, error) {
	if r.Curves == nil || r.Facts == nil || len(r.Curves.Spectrum) == 0 {
		return figure{}, nil
	}
	rows := r.Curves.Spectrum
	first := slices.DeleteFunc(slices.Clone(rows), func(p report.PlaneRow) bool { return p.Layer != rows[0].Layer || p.Head != rows[0].Head })
	length := float64(r.Facts.TrainedLength)
	var waves []float64
	for _, p := range first {
		for _, theta := range []float64{float64(p.Source), float64(p.InvFreq)} {
			if theta != 0 {
				waves = append(waves, wavelength(theta))
			}
		}
	}
	if len(waves) == 0 {
		return figure{}, nil
	}
	scale := newLogScale(append(waves, length/2, 4*length))
	p := newPlot("plane", "wavelength in positions")
	scale.on(&p.Y)
	right := float64(len(first)) - 0.4
	for _, b := range []struct {
		low, high float64
		c         role
	}{{math.Log10(length), math.Log10(2 * length), bandMiddle}, {math.Log10(2 * length), scale.top, bandSlow}} {
		area, err := plotter.NewPolygon(plotter.XYs{{X: -0.6, Y: b.low}, {X: right, Y: b.low}, {X: right, Y: b.high}, {X: -0.6, Y: b.high}})
		if err != nil {
			return figure{}, err
		}
		area.Color, area.LineStyle.Width = b.c.colour(), 0
		p.Add(area)
	}
	states := map[string]plotter.XYs{}
	for i, row := range first {
		x := float64(i)
		source, now := math.Abs(float64(row.Source)), math.Abs(float64(row.InvFreq))
		switch row.State {
		case "still":
			continue
		case "dropped", "removed":
			states[row.State] = append(states[row.State], plotter.XY{X: x, Y: scale.at(wavelength(source))})
		case "scaled":
			stem, err := lineOf(plotter.XYs{{X: x, Y: scale.at(wavelength(source))}, {X: x, Y: scale.at(wavelength(now))}}, before, 1)
			if err != nil {
				return figure{}, err
			}
			p.Add(stem)
			states["source"] = append(states["source"], plotter.XY{X: x, Y: scale.at(wavelength(source))})
			fallthrough
		default:
			states[row.State] = append(states[row.State], plotter.XY{X: x, Y: scale.at(wavelength(now))})
		}
	}
	var legend []key
	for _, s := range []struct {
		state, label, kind string
		c                  role
		shape              draw.GlyphDrawer
	}{
		{"source", "before scaling", "ring", before, draw.RingGlyph{}},
		{"kept", "kept", "dot", after, draw.CircleGlyph{}},
		{"scaled", "scaled", "triangle", after, draw.PyramidGlyph{}},
		{"dropped", "dropped (stops turning)", "ring", bad, draw.RingGlyph{}},
		{"removed", "removed (leaves the score)", "cross", bad, draw.CrossGlyph{}},
	} {
		if len(states[s.state]) == 0 {
			continue
		}
		if err := addDots(p, states[s.state], s.c, s.shape, 3.2); err != nil {
			return figure{}, err
		}
		legend = append(legend, key{Role: s.c.name(), Kind: s.kind, Label: s.label})
	}
	p.X.Min, p.X.Max = -0.6, right
	var ticks []plot.Tick
	every := max(1, (len(first)+7)/8)
	for i := range first {
		t := plot.Tick{Value: float64(i)}
		if i%every == 0 {
			t.Label = fmt.Sprint(first[i].Plane)
		}
		ticks = append(ticks, t)
	}
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
	legend = append(legend, key{Role: bandMiddle.name(), Kind: "area", Label: "activated: half a turn to one"}, key{Role: bandSlow.name(), Kind: "area", Label: "top-low: under half a turn"})
	count := map[string]int{}
	for _, row := range first {
		count[row.State]++
	}
	f := figure{Title: "Spectrum", Legend: legend,
		Caption: fmt.Sprintf("Wavelength 2π/θ of each of the %d planes, against the trained length L = %d. Planes in the shaded bands never completed a turn in training. %s", len(first), r.Facts.TrainedLength, became(count, len(rows) > len(first)))}
	var err error
	f.SVG, err = svg(p, width, height, "the wavelength of each rotary plane, with the bands of slow planes")
	return f, err
}

// became says in words what a conversion did to the planes.
func became(count map[string]int, more bool) string {
	text := ""
	for _, s := range []struct{ state, said string }{{"kept", "kept as they were"}, {"scaled", "scaled"}, {"dropped", "dropped"}, {"removed", "removed"}, {"still", "without rotation before and after"}} {
		if n := count[s.state]; n > 0 {
			if text != "" {
				text += ", "
			}
			text += fmt.Sprintf("%d %s", n, s.said)
		}
	}
	if more {
		text += "; layers or heads differ, and the first that turns is shown"
	}
	return text + "."
}

func wavelength(theta float64) float64 { return 2 * math.Pi / math.Abs(theta) }

// drift shows the distance from the source by position.
func drift(r *report.Report) (figure, error) {
	if r.Drift == nil || len(r.Drift.Positions) == 0 {
		return figure{}, nil
	}
	var values []float64
	for _, d := range r.Drift.Positions {
		values = append(values, float64(d.KL))
	}
	if r.Curves != nil {
		for _, d := range r.Curves.Drift {
			values = append(values, float64(d.KL))
		}
	}
	scale := newLogScale(values)
	p := newPlot("position (doubling)", "KL from the source, nats")
	scale.on(&p.Y)
	last := r.Drift.Positions[len(r.Drift.Positions)-1].To
	legend := []key{{Role: after.name(), Kind: "line", Label: "mean over a range"}}
	if r.Curves != nil && len(r.Curves.Drift) > 0 {
		var dots plotter.XYs
		for _, d := range r.Curves.Drift {
			dots = append(dots, plotter.XY{X: place(d.Position), Y: scale.at(float64(d.KL))})
		}
		if err := addDots(p, dots, before, draw.CircleGlyph{}, 1.8); err != nil {
			return figure{}, err
		}
		legend = append(legend, key{Role: before.name(), Kind: "dot", Label: "one position"})
	}
	for _, d := range r.Drift.Positions {
		l, err := lineOf(plotter.XYs{{X: place(d.From), Y: scale.at(float64(d.KL))}, {X: place(d.To + 1), Y: scale.at(float64(d.KL))}}, after, 2.5)
		if err != nil {
			return figure{}, err
		}
		p.Add(l)
	}
	p.X.Min, p.X.Max = 0, place(last+1)
	p.X.Tick.Marker = doublings{}
	f := figure{Title: "Drift from the source", Legend: legend,
		Caption: fmt.Sprintf("How far the converted model's predictions are from those of %s: mean %.3g nats, same first token at %.1f%% of positions. It belongs to the encoding that was asked for and judges nothing; it grows with the distance at which the dropped planes mattered.",
			filepath.Base(r.Drift.Source), float64(r.Drift.KL), 100*float64(r.Drift.Top1))}
	var err error
	f.SVG, err = svg(p, width, height, "the divergence from the source model by position")
	return f, err
}

func decayPlain(r *report.Report) (figure, error)  { return decay(r, false) }
func decayPrompt(r *report.Report) (figure, error) { return decay(r, true) }

// decay shows the score over the distance of query and key, before and after:
// without content, or of the prompt's mean query and key.
func decay(r *report.Report, prompt bool) (figure, error) {
	if r.Curves == nil {
		return figure{}, nil
	}
	var now, old plotter.XYs
	last := 0
	for _, d := range r.Curves.Decay {
		x := math.Log2(1 + float64(d.From+d.To)/2)
		a, b := float64(d.Score), float64(d.Source)
		if prompt {
			a, b = float64(d.Prompt), float64(d.PromptSource)
		}
		if !math.IsNaN(a) {
			now = append(now, plotter.XY{X: x, Y: a})
		}
		if !math.IsNaN(b) {
			old = append(old, plotter.XY{X: x, Y: b})
		}
		last = max(last, d.To)
	}
	if len(now) == 0 {
		return figure{}, nil
	}
	p := newPlot("distance of query and key (doubling)", "score before softmax")
	var legend []key
	if old != nil {
		l, err := lineOf(old, before, 3)
		if err != nil {
			return figure{}, err
		}
		p.Add(l)
		legend = append(legend, key{Role: before.name(), Kind: "thick", Label: "before (source)"})
	}
	l, err := lineOf(now, after, 1.5)
	if err != nil {
		return figure{}, err
	}
	p.Add(l)
	legend = append(legend, key{Role: after.name(), Kind: "line", Label: "after (this model)"})
	if old == nil {
		legend[0].Label = "this model"
	}
	p.X.Min, p.X.Max = 0, place(last)
	p.X.Tick.Marker = doublings{}
	p.Y.Tick.Marker = steps{}
	if lo, hi := p.Y.Min, p.Y.Max; hi-lo < 1e-9*math.Max(1, math.Abs(hi)) {
		p.Y.Min, p.Y.Max = lo-1, hi+1
	}
	f := figure{Title: "Decay without content", Legend: legend,
		Caption: "s(n) = mean over layers and heads of scale·⟨R(n)·1, 1⟩ + b(n), 1 a vector of ones, b with its gates at an input of zeros; averaged over short ranges of n. It shows the encoding alone: rotary planes make it fall and swing, planes that stopped turning lift the tail to a level that stays."}
	if prompt {
		f.Title = "Decay for this prompt"
		f.Caption = "s(n) = mean over layers and heads of scale·⟨R(n)·q̄, k̄⟩ + b(n), q̄ and k̄ the means over the prompt's queries and keys before the rotation. It shows what the weights make of the encoding: where before and after part, attention at that distance changes."
	}
	if old == nil {
		f.Caption += " Give the source with " + hint.Against + " to see both."
	}
	f.SVG, err = svg(p, width, height, "the score over the distance between query and key")
	return f, err
}
