package eval

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// palette is Okabe and Ito's, which colour-blind readers can tell apart; the
// source is black.
var palette = []color.Color{
	color.RGBA{0x00, 0x72, 0xB2, 0xFF}, color.RGBA{0xD5, 0x5E, 0x00, 0xFF}, color.RGBA{0x00, 0x9E, 0x73, 0xFF},
	color.RGBA{0xCC, 0x79, 0xA7, 0xFF}, color.RGBA{0xE6, 0x9F, 0x00, 0xFF}, color.RGBA{0x56, 0xB4, 0xE9, 0xFF},
}

const (
	panelWidth  = 13 * vg.Centimeter
	panelHeight = 9 * vg.Centimeter
	plotDPI     = 144
	drawnWidest = 10     // intervals are drawn to a tenth and to ten times the figure
	sans        = "Sans" // of the Liberation fonts that are built in
)

// curve is one model's line of a panel; lo and hi are its intervals, or nil.
type curve struct {
	name   string
	source bool
	x, y   []float64
	lo, hi []float64
}

// Plot draws a report: perplexity and, with a source, KL over length and over
// position; kind is ".png" or ".svg".
func (r *Report) Plot(w io.Writer, kind string) error {
	var rows [][]*plot.Plot
	n := r.longest()[0].Length
	byLength := func(f func(x *Result) (Number, Interval)) []curve { return curvesByLength(r.Results, f) }
	byPosition := func(f func(b Bucket) Number) []curve { return curvesByPosition(r.longest(), f) }
	row, err := panels(
		panel{"perplexity by context length", "context length T (tokens)", "perplexity", byLength(func(x *Result) (Number, Interval) { return x.PPL, x.PPLCI }), false},
		panel{fmt.Sprintf("perplexity by position, T = %d", n), "position in the sequence", "perplexity", byPosition(func(b Bucket) Number { return b.PPL }), false})
	if err != nil {
		return err
	}
	rows = append(rows, row)
	if r.Results[0].Source {
		row, err := panels(
			panel{"KL(source ‖ model) by context length", "context length T (tokens)", "KL, nats", byLength(func(x *Result) (Number, Interval) { return x.KL, x.KLCI }), true},
			panel{fmt.Sprintf("KL(source ‖ model) by position, T = %d", n), "position in the sequence", "KL, nats", byPosition(func(b Bucket) Number { return b.KL }), true})
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	return writePanels(w, kind, rows, panelWidth, panelHeight)
}

func curvesByLength(results []*Result, f func(x *Result) (Number, Interval)) []curve {
	var out []curve
	type key struct {
		path   string
		source bool
	}
	at := map[key]int{}
	for _, x := range results {
		y, i := f(x)
		if math.IsNaN(float64(y)) {
			continue
		}
		k, known := at[key{x.Path, x.Source}]
		if !known {
			k = len(out)
			at[key{x.Path, x.Source}] = k
			out = append(out, curve{name: x.Model, source: x.Source})
		}
		c := &out[k]
		c.x, c.y = append(c.x, float64(x.Length)), append(c.y, float64(y))
		lo, hi := float64(y), float64(y)
		if i != nil { // a wider one says only that there are too few sequences
			lo, hi = max(float64(i[0]), lo/drawnWidest), min(float64(i[1]), hi*drawnWidest)
		}
		c.lo, c.hi = append(c.lo, lo), append(c.hi, hi)
	}
	return out
}

func curvesByPosition(results []*Result, f func(b Bucket) Number) []curve {
	var out []curve
	for _, x := range results {
		c := curve{name: x.Model, source: x.Source}
		for _, b := range x.Buckets {
			if y := f(b); !math.IsNaN(float64(y)) {
				// the geometric middle of the range; position 0 counts as 1
				c.x = append(c.x, math.Sqrt(float64(max(b.From, 1))*float64(b.To+1)))
				c.y = append(c.y, float64(y))
			}
		}
		if len(c.x) > 0 {
			out = append(out, c)
		}
	}
	return out
}

// panel is one of the picture's parts.
type panel struct {
	title, x, y string
	curves      []curve
	fromZero    bool // curves of models alone: the source would be 0
}

func panels(list ...panel) ([]*plot.Plot, error) {
	var out []*plot.Plot
	for i, p := range list {
		drawn, err := p.draw(i == 0)
		if err != nil {
			return nil, err
		}
		out = append(out, drawn)
	}
	return out, nil
}

func (p panel) draw(legend bool) (*plot.Plot, error) {
	g := plot.New()
	g.Title.Text, g.X.Label.Text, g.Y.Label.Text = p.title, p.x, p.y
	g.Title.TextStyle.Font.Size, g.Title.Padding = 12, 8
	g.Title.TextStyle.Font.Variant, g.Legend.TextStyle.Font.Variant = sans, sans
	for _, a := range []*plot.Axis{&g.X, &g.Y} {
		a.Label.TextStyle.Font.Variant, a.Tick.Label.Font.Variant = sans, sans
		a.Label.TextStyle.Font.Size, a.Tick.Label.Font.Size = 10, 9
		a.Padding = 6
	}
	g.Add(gridOf())
	colour := 0
	lo, hi := math.Inf(1), math.Inf(-1)
	left, right := math.Inf(1), math.Inf(-1)
	for k, c := range p.curves {
		style := draw.LineStyle{Color: color.Black, Width: 1.6 * vg.Millimeter / 2, Dashes: []vg.Length{5, 3}}
		if !c.source {
			style.Color, style.Dashes = palette[colour%len(palette)], nil
			colour++
		}
		xy := make(plotter.XYs, len(c.x))
		for i := range c.x {
			xy[i] = plotter.XY{X: c.x[i], Y: c.y[i]}
			lo, hi = min(lo, c.y[i]), max(hi, c.y[i])
			left, right = min(left, c.x[i]), max(right, c.x[i])
		}
		if c.lo != nil {
			// beside each other where the models agree
			aside := math.Pow(1.012, float64(k)-float64(len(p.curves)-1)/2)
			bars := errorBars{make(plotter.XYs, len(xy)), make(plotter.YErrors, len(xy))}
			for i := range xy {
				xy[i].X *= aside
				bars.XYs[i] = xy[i]
				bars.YErrors[i].Low, bars.YErrors[i].High = xy[i].Y-c.lo[i], c.hi[i]-xy[i].Y
				lo, hi = min(lo, c.lo[i]), max(hi, c.hi[i])
			}
			b, err := plotter.NewYErrorBars(bars)
			if err != nil {
				return nil, fmt.Errorf("plot: %s: %s: %w", p.title, c.name, err)
			}
			b.LineStyle.Color, b.LineStyle.Width = style.Color, 0.9
			g.Add(b)
		}
		line, points, err := plotter.NewLinePoints(xy)
		if err != nil {
			return nil, fmt.Errorf("plot: %s: %s: %w", p.title, c.name, err)
		}
		line.LineStyle = style
		points.GlyphStyle = draw.GlyphStyle{Color: style.Color, Radius: 2.6, Shape: draw.CircleGlyph{}}
		g.Add(line, points)
		if legend {
			name := c.name
			if c.source {
				name += " (source)"
			}
			g.Legend.Add(name, line, points)
		}
	}
	head := 0.0 // of the panel's height, for the legend
	if legend {
		head = 0.08 * float64(len(p.curves)+1)
	}
	p.scale(g, left, right, lo, hi, head)
	g.Legend.Top, g.Legend.Padding, g.Legend.TextStyle.Font.Size = true, 3, 9
	g.Legend.ThumbnailWidth = 22
	g.Legend.XOffs, g.Legend.YOffs = -6, -4
	return g, nil
}

// errorBars are points with their intervals.
type errorBars struct {
	plotter.XYs
	plotter.YErrors
}

// writePanels draws rows of panels of one size into one picture: kind is ".png"
// or ".svg".
func writePanels(w io.Writer, kind string, rows [][]*plot.Plot, width, height vg.Length) error {
	width, height = width*vg.Length(len(rows[0])), height*vg.Length(len(rows))
	var canvas vg.CanvasWriterTo
	switch strings.ToLower(kind) {
	case ".png":
		canvas = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(plotDPI))}
	case ".svg":
		canvas = vgsvg.New(width, height)
	default:
		return fmt.Errorf("plot: %q: expected .png or .svg", kind)
	}
	all := draw.New(canvas)
	tiles := draw.Tiles{Rows: len(rows), Cols: len(rows[0]), PadX: 16, PadY: 20, PadTop: 10, PadBottom: 8, PadLeft: 8, PadRight: 14}
	for i, row := range rows {
		for k, g := range row {
			g.Draw(tiles.At(all, k, i))
		}
	}
	_, err := canvas.WriteTo(w)
	return err
}
