package retrofit

import "slices"

// PlaneSummary is what one plane costs over all layers and key/value heads, in
// nats of attention KL.
type PlaneSummary struct {
	Plane int     `json:"-"`
	Mean  float64 `json:"mean"`
	// Min to Max are quantiles, interpolated linearly between order statistics.
	Min    float64 `json:"min"`
	Q25    float64 `json:"q25"`
	Median float64 `json:"median"`
	Q75    float64 `json:"q75"`
	Max    float64 `json:"max"`
}

// Summary lists the candidates in the order of Planes.
func (c *Costs) Summary() []PlaneSummary {
	list := make([]PlaneSummary, len(c.Planes))
	for i, p := range c.Planes {
		var all []float64
		for _, groups := range c.Cost {
			for _, row := range groups {
				all = append(all, row[i])
			}
		}
		list[i].Plane = p
		if len(all) == 0 {
			continue
		}
		slices.Sort(all)
		at := func(q float64) float64 {
			x := q * float64(len(all)-1)
			n := int(x)
			if n+1 == len(all) {
				return all[n]
			}
			return all[n] + (x-float64(n))*(all[n+1]-all[n])
		}
		list[i] = PlaneSummary{Plane: p, Mean: mean(all), Min: all[0], Q25: at(.25), Median: at(.5), Q75: at(.75), Max: all[len(all)-1]}
	}
	return list
}
