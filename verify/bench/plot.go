package bench

import (
	"io"

	"gonum.org/v1/plot"

	"github.com/pecvt/pecvt/verify/chart"
)

// Plot draws a report: tokens per second of prompts by their length and of decoding by
// what was before, with the quartiles; kind is ".png" or ".svg".
func (r *Report) Plot(w io.Writer, kind string) error {
	var list []chart.Panel
	for _, p := range []struct {
		title, x string
		of       func(m *Model) []Figure
	}{
		{"prefill", "length of the prompt (tokens)", func(m *Model) []Figure { return m.Prefill }},
		{"decode", "tokens before", func(m *Model) []Figure { return m.Decode }},
	} {
		panel := chart.Panel{Title: p.title, X: p.x, Y: "tokens per second"}
		for i, m := range r.Models {
			c := chart.Curve{Name: m.Model, Source: i == 0 && len(r.Models) > 1}
			for _, f := range p.of(m) {
				of := f.Rate * f.Seconds // tokens of one piece of work
				c.X, c.Y = append(c.X, float64(f.Tokens)), append(c.Y, f.Rate)
				c.Lo, c.Hi = append(c.Lo, of/f.High), append(c.Hi, of/f.Low)
			}
			if len(c.X) > 0 {
				panel.Curves = append(panel.Curves, c)
			}
		}
		if len(panel.Curves) > 0 {
			list = append(list, panel)
		}
	}
	row, err := chart.Panels(list...)
	if err != nil {
		return err
	}
	return chart.Write(w, kind, [][]*plot.Plot{row}, chart.PanelWidth, chart.PanelHeight)
}
