package eval

import (
	"fmt"
	"io"
	"math"

	"gonum.org/v1/plot"

	"github.com/pecvt/pecvt/verify/chart"
)

// drawnWidest: intervals are drawn to a tenth and to ten times the figure.
const drawnWidest = 10

// Plot draws a report: perplexity and, with a source, KL over length and over
// position, with the trained length marked where it is passed; kind is ".png" or ".svg".
func (r *Report) Plot(w io.Writer, kind string) error {
	var rows [][]*plot.Plot
	const x = "context length T (tokens)"
	add := func(what string, y string, fromZero bool, byLength func(x *Result) (Number, Interval), byPosition func(b Bucket) Number) error {
		panels := []chart.Panel{
			{Title: what + " by context length", X: x, Curves: curvesByLength(r.Results, byLength)},
			{Title: fmt.Sprintf("%s by position, T = %d", what, r.longest()[0].Length), X: "position in the sequence", Curves: curvesByPosition(r.longest(), byPosition)},
		}
		for i := range panels {
			p := &panels[i]
			p.Y, p.FromZero, p.Mark, p.MarkName = y, fromZero, float64(r.trained()), fmt.Sprintf("trained length, %d", r.trained())
		}
		row, err := chart.Panels(panels...)
		rows = append(rows, row)
		return err
	}
	err := add("perplexity", "perplexity", false, func(x *Result) (Number, Interval) { return x.PPL, x.PPLCI }, func(b Bucket) Number { return b.PPL })
	if err == nil && r.Results[0].Source {
		err = add("KL(source ‖ model)", "KL, nats", true, func(x *Result) (Number, Interval) { return x.KL, x.KLCI }, func(b Bucket) Number { return b.KL })
	}
	if err != nil {
		return err
	}
	return chart.Write(w, kind, rows, chart.PanelWidth, chart.PanelHeight)
}

func curvesByLength(results []*Result, f func(x *Result) (Number, Interval)) []chart.Curve {
	var out []chart.Curve
	type key struct {
		path, name string
		source     bool
	}
	at := map[key]int{}
	for _, x := range results {
		y, i := f(x)
		if math.IsNaN(float64(y)) {
			continue
		}
		k, known := at[key{x.Path, x.Model, x.Source}]
		if !known {
			k = len(out)
			at[key{x.Path, x.Model, x.Source}] = k
			out = append(out, chart.Curve{Name: x.Model, Source: x.Source})
		}
		c := &out[k]
		c.X, c.Y = append(c.X, float64(x.Length)), append(c.Y, float64(y))
		lo, hi := float64(y), float64(y)
		if i != nil { // a wider one says only that there are too few sequences
			lo, hi = max(float64(i[0]), lo/drawnWidest), min(float64(i[1]), hi*drawnWidest)
		}
		c.Lo, c.Hi = append(c.Lo, lo), append(c.Hi, hi)
	}
	return out
}

func curvesByPosition(results []*Result, f func(b Bucket) Number) []chart.Curve {
	var out []chart.Curve
	for _, x := range results {
		c := chart.Curve{Name: x.Model, Source: x.Source}
		for _, b := range x.Buckets {
			if y := f(b); !math.IsNaN(float64(y)) {
				// the geometric middle of the range; position 0 counts as 1
				c.X = append(c.X, math.Sqrt(float64(max(b.From, 1))*float64(b.To+1)))
				c.Y = append(c.Y, float64(y))
			}
		}
		if len(c.X) > 0 {
			out = append(out, c)
		}
	}
	return out
}
