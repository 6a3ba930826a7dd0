package retrofit

import (
	"fmt"
	"slices"
	"sort"
)

// PlaneSummary is what one plane costs over all layers and key/value heads, in
// nats of attention KL.
type PlaneSummary struct {
	Plane int     `json:"plane"`
	Mean  float64 `json:"mean"`
	// Min to Max are quantiles, interpolated linearly between order statistics.
	Min    float64 `json:"min"`
	P25    float64 `json:"p25"`
	Median float64 `json:"median"`
	P75    float64 `json:"p75"`
	P90    float64 `json:"p90"`
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
		sort.Float64s(all)
		at := func(q float64) float64 {
			x := q * float64(len(all)-1)
			n := int(x)
			if n+1 == len(all) {
				return all[n]
			}
			return all[n] + (x-float64(n))*(all[n+1]-all[n])
		}
		list[i] = PlaneSummary{Plane: p, Mean: mean(all), Min: all[0], P25: at(.25), Median: at(.5), P75: at(.75), P90: at(.9), Max: all[len(all)-1]}
	}
	return list
}

// Predicted is what dropping planes in every layer and head is expected to cost
// a layer's attention, in nats: the sum of their mean costs. Planes that were
// not measured are an error.
func (c *Costs) Predicted(planes []int) (float64, error) {
	means := map[int]float64{}
	for _, s := range c.Summary() {
		means[s.Plane] = s.Mean
	}
	var sum float64
	for _, p := range planes {
		m, ok := means[p]
		if !ok {
			return 0, fmt.Errorf("costs: plane %d was not measured", p)
		}
		sum += m
	}
	return sum, nil
}

// WholePlanes is the selection that drops planes in every layer and head, to be
// measured or converted as any other; c must hold them. turns are the source's.
func WholePlanes(c *Costs, turns []Turn, planes []int) (*Selection, error) {
	ranking := Rank(c, ByModel)
	s := &Selection{Granularity: ByModel, Candidates: len(ranking), Costs: c, turns: turns}
	var chosen []Choice
	for _, choice := range ranking {
		if slices.Contains(planes, choice.Plane) {
			chosen = append(chosen, choice)
		}
	}
	if len(chosen) != len(planes) {
		return nil, fmt.Errorf("selection: of %d planes %d were measured", len(planes), len(chosen))
	}
	return s.dropping(chosen, len(chosen)), nil
}
