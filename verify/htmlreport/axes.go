package htmlreport

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// width and height are those of a figure in half the page's width, in points of
// the drawing: near enough to the page's own pixels that text keeps its size.
const width, height = 510, 290

// fontSize is that of all text in figures, in points of the drawing.
const fontSize = 12.5

// newPlot is an empty plot in the report's style: no frame, a faint grid, text
// in the page's colours.
func newPlot(x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Color = muted.colour()
		a.Label.TextStyle.Font.Size = fontSize
		a.Label.Padding = 4
		a.Color = muted.colour()
		a.Width = 0.5
		a.Tick.Color = muted.colour()
		a.Tick.Width = 0.5
		a.Tick.Length = 3
		a.Tick.Label.Color = muted.colour()
		a.Tick.Label.Font.Size = fontSize
		a.Padding = 4
	}
	p.X.Label.Text, p.Y.Label.Text = x, y
	g := plotter.NewGrid()
	g.Vertical.Color, g.Horizontal.Color = grid.colour(), grid.colour()
	g.Vertical.Width, g.Horizontal.Width = 0.5, 0.5
	p.Add(g)
	return p
}

// decades are ticks of an axis that holds log10 of its values. floor, where it
// is finite, is the place where zeros stand, and is labelled 0.
type decades struct{ floor float64 }

// Ticks has a label at every decade, or at every few where they would crowd.
func (d decades) Ticks(low, high float64) []plot.Tick {
	var out []plot.Tick
	first, last := int(math.Ceil(low-1e-9)), int(math.Floor(high+1e-9))
	every := max(1, (last-first+7)/8)
	for e := first; e <= last; e++ {
		switch {
		case float64(e) == d.floor:
			out = append(out, plot.Tick{Value: d.floor, Label: "0"})
		case e%every == 0 && float64(e) > d.floor+float64(every)/2 || math.IsNaN(d.floor) && e%every == 0:
			out = append(out, plot.Tick{Value: float64(e), Label: power(e)})
		default:
			out = append(out, plot.Tick{Value: float64(e)})
		}
	}
	return out
}

// power is 10^e as text.
func power(e int) string {
	switch e {
	case 0:
		return "1"
	case 1:
		return "10"
	case 2:
		return "100"
	case 3:
		return "1000"
	}
	return "10" + superscript(e)
}

func superscript(e int) string {
	return strings.NewReplacer("-", "⁻", "0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴", "5", "⁵", "6", "⁶", "7", "⁷", "8", "⁸", "9", "⁹").Replace(strconv.Itoa(e))
}

// doublings are ticks of an axis that holds log2(1 + position).
type doublings struct{}

// Ticks labels 0, 1 and powers of two.
func (doublings) Ticks(low, high float64) []plot.Tick {
	values := []int{0}
	for v := 1; place(v) <= high+1e-9; v *= 2 {
		values = append(values, v)
	}
	every := max(1, (len(values)+9)/10)
	var out []plot.Tick
	for i, v := range values {
		t := plot.Tick{Value: place(v)}
		if i == 0 || (len(values)-1-i)%every == 0 && i >= every {
			t.Label = positions(v)
		}
		if t.Value >= low-1e-9 {
			out = append(out, t)
		}
	}
	return out
}

// steps are ticks of a linear axis: about five labels at 1, 2 or 5 times a power
// of ten.
type steps struct{}

// Ticks labels multiples of the step.
func (steps) Ticks(low, high float64) []plot.Tick {
	step := math.Pow(10, math.Floor(math.Log10((high-low)/5)))
	for _, f := range []float64{2, 2.5, 2} {
		if (high-low)/step > 7 {
			step *= f
		}
	}
	var out []plot.Tick
	for i := math.Ceil(low/step - 1e-9); i*step <= high+1e-9*step; i++ {
		out = append(out, plot.Tick{Value: i * step, Label: strconv.FormatFloat(i*step, 'g', 4, 64)})
	}
	return out
}

// place is where a position stands on an axis of doublings.
func place(position int) float64 { return math.Log2(1 + float64(position)) }

// positions is a number of positions, with thousands as k where that is exact.
func positions(n int) string {
	if n >= 1024 && n%1024 == 0 {
		return fmt.Sprintf("%dk", n/1024)
	}
	return strconv.Itoa(n)
}

// logScale maps values to log10. Zeros, where there are some, stand a decade
// under the smallest other value, where the axis says 0.
type logScale struct {
	low, top float64
	zeros    bool
}

// newLogScale fits the values; what is not finite or negative does not count.
func newLogScale(values []float64) logScale {
	small, large := math.Inf(1), math.Inf(-1)
	s := logScale{}
	for _, v := range values {
		switch {
		case v > 0 && !math.IsInf(v, 0):
			small, large = math.Min(small, v), math.Max(large, v)
		case v == 0:
			s.zeros = true
		}
	}
	if math.IsInf(small, 1) {
		small, large = 1e-16, 1e-6
	}
	s.low, s.top = math.Floor(math.Log10(small)-0.05), math.Ceil(math.Log10(large)+0.05)
	if s.zeros {
		s.low--
	}
	s.top = math.Max(s.top, s.low+2)
	return s
}

// at is where a value stands; what is not finite stands at the top.
func (s logScale) at(v float64) float64 {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return s.top
	case v <= 0:
		return s.low
	}
	return math.Max(math.Log10(v), s.low)
}

// on puts the scale on an axis.
func (s logScale) on(a *plot.Axis) {
	a.Min, a.Max = s.low, s.top
	d := decades{floor: math.NaN()}
	if s.zeros {
		d.floor = s.low
	}
	a.Tick.Marker = d
}

// lineOf is a line in a colour; dashes are on and off lengths.
func lineOf(xy plotter.XYs, c role, width vg.Length, dashes ...vg.Length) (*plotter.Line, error) {
	l, err := plotter.NewLine(xy)
	if err != nil {
		return nil, err
	}
	l.Color, l.Width, l.Dashes = c.colour(), width, dashes
	return l, nil
}
