package eval

import (
	"fmt"
	"image/color"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/verify/chart"
)

// PlotTuning draws what a selection and an extension came to: which of a model's planes
// stop turning where, and perplexity by position up to what is reached, with the trained
// length marked; kind is ".png" or ".svg". Of neither there is no picture.
func PlotTuning(w io.Writer, kind string, r *convert.Tuning, planes int) error {
	var row []*plot.Plot
	width, height := chart.PanelWidth, chart.PanelHeight
	if s := r.Selection; s != nil {
		row = append(row, drawSelection(s, planes))
		width = max(14*vg.Centimeter, vg.Length(planes)*0.42*vg.Centimeter+3*vg.Centimeter)
		height = max(8*vg.Centimeter, vg.Length(len(s.Costs.Cost))*0.34*vg.Centimeter+3*vg.Centimeter)
	}
	if far := r.Reached; far != nil && len(far.Bands) > 0 {
		drawn, err := drawReached(far)
		if err != nil {
			return err
		}
		row = append(row, drawn...)
	}
	if row == nil {
		return fmt.Errorf("nothing to draw: no plane was chosen, and nothing measured beyond the trained length")
	}
	return chart.Write(w, kind, [][]*plot.Plot{row}, width, height)
}

// drawReached is perplexity by position, the source's as far as it reads the same.
func drawReached(r *retrofit.Reached) ([]*plot.Plot, error) {
	result, source := chart.Curve{Name: "result"}, chart.Curve{Name: fmt.Sprintf("source, in pieces of %d", r.Piece), Source: true}
	for _, b := range r.Bands {
		x := math.Sqrt(float64(max(b.From, 1)) * float64(b.To+1)) // the middle of the range, position 0 as 1
		for c, y := range map[*chart.Curve]float64{&result: b.PPL, &source: b.SourcePPL} {
			if !math.IsNaN(y) && !math.IsInf(y, 0) {
				c.X, c.Y = append(c.X, x), append(c.Y, y)
			}
		}
	}
	return chart.Panels(chart.Panel{Title: fmt.Sprintf("perplexity by position, T = %d", r.Length), X: "position in the sequence", Y: "perplexity",
		Curves: []chart.Curve{source, result}, Mark: float64(r.Piece), MarkName: fmt.Sprintf("trained length, %d", r.Piece)})
}

// drawSelection draws which of a model's planes stop turning where: a row for
// each layer, a column for each plane, the shade is the share of the layer's
// key/value heads.
func drawSelection(s *retrofit.Selection, planes int) *plot.Plot {
	groups := 0
	for _, g := range s.Costs.Cost {
		groups = max(groups, len(g))
	}
	stopped := map[[2]int]int{}
	for _, c := range s.Dropped {
		for l, g := range s.Costs.Cost {
			if c.Layer >= 0 && c.Layer != l {
				continue
			}
			n := 1
			if c.Group < 0 {
				n = len(g)
			}
			stopped[[2]int{l, c.Plane}] += n
		}
	}
	p := newPlot()
	p.Title.Text = fmt.Sprintf("planes that stop turning: %.0f%% of those below the cut (%s, by %s)", 100*s.Share, s.Budget, s.Granularity)
	p.X.Label.Text, p.Y.Label.Text = "plane", "layer"
	below := map[int]bool{}
	for _, i := range s.Costs.Planes {
		below[i] = true
	}
	boxes := &boxes{}
	for l, g := range s.Costs.Cost {
		for i := range planes {
			c := color.Color(color.Gray{0xF4}) // turns, and is not below the cut
			if below[i] && len(g) > 0 {
				c = shade(float64(stopped[[2]int{l, i}]) / float64(len(g)))
			}
			boxes.add(float64(i), float64(l), c)
		}
	}
	p.Add(boxes)
	p.X.Min, p.X.Max = -0.5, float64(planes)-0.5
	p.Y.Min, p.Y.Max = -0.5, float64(len(s.Costs.Cost))-0.5
	p.X.Tick.Marker, p.Y.Tick.Marker = wholeTicks{planes}, wholeTicks{len(s.Costs.Cost)}
	for n := 0; n <= groups; n++ {
		if groups > 4 && n%(groups/4) != 0 {
			continue
		}
		p.Legend.Add(fmt.Sprintf("%d of %d heads", n, groups), swatch{shade(float64(n) / float64(groups))})
	}
	p.Legend.Top, p.Legend.Left, p.Legend.XOffs, p.Legend.YOffs = true, true, 4, -4
	p.Legend.Padding = 3
	return p
}

// newPlot is an empty panel in the pictures' style.
func newPlot() *plot.Plot {
	p := plot.New()
	p.Title.TextStyle.Font.Size, p.Title.Padding = 11, 8
	p.Title.TextStyle.Font.Variant, p.Legend.TextStyle.Font.Variant = chart.Sans, chart.Sans
	p.Legend.TextStyle.Font.Size = 9
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font.Variant, a.Tick.Label.Font.Variant = chart.Sans, chart.Sans
		a.Label.TextStyle.Font.Size, a.Tick.Label.Font.Size = 10, 8
		a.Padding = 4
	}
	return p
}

// shade runs from a pale to a dark blue, which also a grey print tells apart; 0
// is nearly white.
func shade(x float64) color.Color {
	if x <= 0 {
		return color.RGBA{0xE3, 0xEC, 0xF5, 0xFF}
	}
	mix := func(a, b float64) uint8 { return uint8(a + (b-a)*x) }
	return color.RGBA{mix(0xB0, 0x08), mix(0xCE, 0x30), mix(0xE8, 0x6B), 0xFF}
}

// boxes are unit squares around whole coordinates.
type boxes struct {
	x, y []float64
	c    []color.Color
}

func (b *boxes) add(x, y float64, c color.Color) {
	b.x, b.y, b.c = append(b.x, x), append(b.y, y), append(b.c, c)
}

// Plot draws them.
func (b *boxes) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	for i := range b.x {
		l, r, lo, hi := tx(b.x[i]-0.47), tx(b.x[i]+0.47), ty(b.y[i]-0.46), ty(b.y[i]+0.46)
		c.FillPolygon(b.c[i], []vg.Point{{X: l, Y: lo}, {X: r, Y: lo}, {X: r, Y: hi}, {X: l, Y: hi}})
	}
}

// swatch is a colour in the legend.
type swatch struct{ c color.Color }

// Thumbnail draws it.
func (s swatch) Thumbnail(c *draw.Canvas) {
	c.FillPolygon(s.c, []vg.Point{{X: c.Min.X, Y: c.Min.Y}, {X: c.Max.X, Y: c.Min.Y}, {X: c.Max.X, Y: c.Max.Y}, {X: c.Min.X, Y: c.Max.Y}})
}

// wholeTicks marks 0 … n−1, all of them or every few.
type wholeTicks struct{ n int }

// Ticks returns the marks.
func (t wholeTicks) Ticks(_, _ float64) []plot.Tick {
	step := 1
	for t.n/step > 20 {
		step *= 2
	}
	var list []plot.Tick
	for i := 0; i < t.n; i += step {
		list = append(list, plot.Tick{Value: float64(i), Label: fmt.Sprint(i)})
	}
	return list
}
