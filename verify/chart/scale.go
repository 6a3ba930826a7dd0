package chart

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
)

// tenfold is the ratio of the largest to the smallest value from which an axis
// is logarithmic.
const tenfold = 10

// scale sets a panel's axes: lengths and positions by powers of two, figures by
// powers of ten where they differ tenfold. The share
// head of the height above stays free.
func (p Panel) scale(g *plot.Plot, left, right, lo, hi, head float64) {
	g.X.Scale = plot.LogScale{}
	g.X.Tick.Marker = powers{2}
	g.X.Min, g.X.Max = left/1.25, right*1.25
	if lo > 0 && hi/lo >= tenfold {
		g.Y.Scale, g.Y.Tick.Marker = plot.LogScale{}, Decades{}
		g.Y.Min, g.Y.Max = lo/1.3, hi*1.3*math.Pow(hi/lo, head)
		return
	}
	if p.FromZero {
		lo = 0
	}
	room := 0.06 * (hi - lo)
	if room == 0 {
		room = 0.06 * max(math.Abs(hi), 1e-9)
	}
	g.Y.Min, g.Y.Max = lo-room, hi+room+head*(hi-lo)
	if p.FromZero {
		g.Y.Min = min(0, lo)
	}
}

// powers marks powers of a base.
type powers struct{ base float64 }

func (p powers) Ticks(lo, hi float64) []plot.Tick {
	var out []plot.Tick
	first := math.Ceil(math.Log(lo)/math.Log(p.base) - 1e-9)
	last := math.Floor(math.Log(hi)/math.Log(p.base) + 1e-9)
	step := 1.0
	for (last-first)/step > 8 {
		step++
	}
	for e := first; e <= last; e++ {
		t := plot.Tick{Value: math.Pow(p.base, e)}
		if math.Mod(last-e, step) == 0 {
			t.Label = fmt.Sprintf("%.10g", t.Value)
		}
		out = append(out, t)
	}
	return out
}

// Decades marks 1, 2 and 5 times powers of ten, or powers alone where they are
// many.
type Decades struct{}

func (Decades) Ticks(lo, hi float64) []plot.Tick {
	var out []plot.Tick
	many := math.Log10(hi/lo) > 3
	for e := math.Floor(math.Log10(lo)); e <= math.Ceil(math.Log10(hi)); e++ {
		for k := 1; k <= 9; k++ {
			v := float64(k) * math.Pow(10, e)
			if v < lo || v > hi {
				continue
			}
			t := plot.Tick{Value: v}
			if k == 1 || !many && (k == 2 || k == 5) {
				t.Label = fmt.Sprintf("%.10g", math.Round(v*1e9)/1e9)
			}
			out = append(out, t)
		}
	}
	return out
}
