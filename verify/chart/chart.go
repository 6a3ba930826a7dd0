// Package chart draws the pictures of measurements: panels of curves side by side, as
// PNG or SVG.
package chart

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

// Palette is Okabe and Ito's, which colour-blind readers can tell apart; the
// source is black.
var Palette = []color.Color{
	color.RGBA{0x00, 0x72, 0xB2, 0xFF}, color.RGBA{0xD5, 0x5E, 0x00, 0xFF}, color.RGBA{0x00, 0x9E, 0x73, 0xFF},
	color.RGBA{0xCC, 0x79, 0xA7, 0xFF}, color.RGBA{0xE6, 0x9F, 0x00, 0xFF}, color.RGBA{0x56, 0xB4, 0xE9, 0xFF},
}

// What a panel takes, and the type of letters.
const (
	PanelWidth  = 13 * vg.Centimeter
	PanelHeight = 9 * vg.Centimeter
	plotDPI     = 144
	Sans        = "Sans" // of the Liberation fonts that are built in
)

// Curve is one model's line of a panel; Lo and Hi are its intervals, or nil.
type Curve struct {
	Name string
	// Source: it is what the others are compared with, black and dashed.
	Source bool
	X, Y   []float64
	Lo, Hi []float64
}

// Panel is one of the picture's parts.
type Panel struct {
	Title, X, Y string
	Curves      []Curve
	FromZero    bool // the vertical axis begins at 0
	// Mark, where not 0, is where a vertical line stands, MarkName what it is.
	Mark     float64
	MarkName string
}

// Panels draws panels side by side, the legend in the first.
func Panels(list ...Panel) ([]*plot.Plot, error) {
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

func (p Panel) draw(legend bool) (*plot.Plot, error) {
	g := plot.New()
	g.Title.Text, g.X.Label.Text, g.Y.Label.Text = p.Title, p.X, p.Y
	g.Title.TextStyle.Font.Size, g.Title.Padding = 12, 8
	g.Title.TextStyle.Font.Variant, g.Legend.TextStyle.Font.Variant = Sans, Sans
	for _, a := range []*plot.Axis{&g.X, &g.Y} {
		a.Label.TextStyle.Font.Variant, a.Tick.Label.Font.Variant = Sans, Sans
		a.Label.TextStyle.Font.Size, a.Tick.Label.Font.Size = 10, 9
		a.Padding = 6
	}
	g.Add(Grid())
	colour := 0
	lo, hi := math.Inf(1), math.Inf(-1)
	left, right := math.Inf(1), math.Inf(-1)
	for k, c := range p.Curves {
		style := draw.LineStyle{Color: color.Black, Width: 1.6 * vg.Millimeter / 2, Dashes: []vg.Length{5, 3}}
		if !c.Source {
			style.Color, style.Dashes = Palette[colour%len(Palette)], nil
			colour++
		}
		xy := make(plotter.XYs, len(c.X))
		for i := range c.X {
			xy[i] = plotter.XY{X: c.X[i], Y: c.Y[i]}
			lo, hi = min(lo, c.Y[i]), max(hi, c.Y[i])
			left, right = min(left, c.X[i]), max(right, c.X[i])
		}
		if c.Lo != nil {
			// beside each other where the models agree
			aside := math.Pow(1.012, float64(k)-float64(len(p.Curves)-1)/2)
			bars := errorBars{make(plotter.XYs, len(xy)), make(plotter.YErrors, len(xy))}
			for i := range xy {
				xy[i].X *= aside
				bars.XYs[i] = xy[i]
				bars.YErrors[i].Low, bars.YErrors[i].High = xy[i].Y-c.Lo[i], c.Hi[i]-xy[i].Y
				lo, hi = min(lo, c.Lo[i]), max(hi, c.Hi[i])
			}
			b, err := plotter.NewYErrorBars(bars)
			if err != nil {
				return nil, fmt.Errorf("plot: %s: %s: %w", p.Title, c.Name, err)
			}
			b.LineStyle.Color, b.LineStyle.Width = style.Color, 0.9
			g.Add(b)
		}
		line, points, err := plotter.NewLinePoints(xy)
		if err != nil {
			return nil, fmt.Errorf("plot: %s: %s: %w", p.Title, c.Name, err)
		}
		line.LineStyle = style
		points.GlyphStyle = draw.GlyphStyle{Color: style.Color, Radius: 2.6, Shape: draw.CircleGlyph{}}
		g.Add(line, points)
		if legend {
			name := c.Name
			if c.Source {
				name += " (source)"
			}
			g.Legend.Add(name, line, points)
		}
	}
	head, lines := 0.0, len(p.Curves)+1 // of the panel's height, for the legend
	if p.Mark > 0 {
		left, right, lines = min(left, p.Mark), max(right, p.Mark), lines+1
	}
	if legend {
		head = 0.08 * float64(lines)
	}
	p.scale(g, left, right, lo, hi, head)
	if p.Mark > 0 {
		mark, err := plotter.NewLine(plotter.XYs{{X: p.Mark, Y: g.Y.Min}, {X: p.Mark, Y: g.Y.Max}})
		if err != nil {
			return nil, fmt.Errorf("plot: %s: %s: %w", p.Title, p.MarkName, err)
		}
		mark.LineStyle = draw.LineStyle{Color: color.Gray{0x60}, Width: 0.9, Dashes: []vg.Length{2, 2}}
		g.Add(mark)
		if legend {
			g.Legend.Add(p.MarkName, mark)
		}
	}
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

// Write draws rows of Panels of one size into one picture: kind is ".png"
// or ".svg".
func Write(w io.Writer, kind string, rows [][]*plot.Plot, width, height vg.Length) error {
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

// Grid is a pale grid.
func Grid() *plotter.Grid {
	g := plotter.NewGrid()
	g.Vertical.Color, g.Horizontal.Color = color.Gray{0xE0}, color.Gray{0xE0}
	return g
}
