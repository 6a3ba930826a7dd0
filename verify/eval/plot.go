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
// position; kind is ".png" or ".svg".
func (r *Report) Plot(w io.Writer, kind string) error {
	var rows [][]*plot.Plot
	n := r.longest()[0].Length
	byLength := func(f func(x *Result) (Number, Interval)) []chart.Curve { return curvesByLength(r.Results, f) }
	byPosition := func(f func(b Bucket) Number) []chart.Curve { return curvesByPosition(r.longest(), f) }
	row, err := chart.Panels(
		chart.Panel{Title: "perplexity by context length", X: "context length T (tokens)", Y: "perplexity", Curves: byLength(func(x *Result) (Number, Interval) { return x.PPL, x.PPLCI })},
		chart.Panel{Title: fmt.Sprintf("perplexity by position, T = %d", n), X: "position in the sequence", Y: "perplexity", Curves: byPosition(func(b Bucket) Number { return b.PPL })})
	if err != nil {
		return err
	}
	rows = append(rows, row)
	if r.Results[0].Source {
		row, err := chart.Panels(
			chart.Panel{Title: "KL(source ‖ model) by context length", X: "context length T (tokens)", Y: "KL, nats", Curves: byLength(func(x *Result) (Number, Interval) { return x.KL, x.KLCI }), FromZero: true},
			chart.Panel{Title: fmt.Sprintf("KL(source ‖ model) by position, T = %d", n), X: "position in the sequence", Y: "KL, nats", Curves: byPosition(func(b Bucket) Number { return b.KL }), FromZero: true})
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	return chart.Write(w, kind, rows, chart.PanelWidth, chart.PanelHeight)
}

func curvesByLength(results []*Result, f func(x *Result) (Number, Interval)) []chart.Curve {
	var out []chart.Curve
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
