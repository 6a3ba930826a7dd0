package batch

import (
	"fmt"
	"slices"
	"strings"
)

// Levels sorts jobs so that each stands in the first level behind all that it waits
// for, in their order within a level. A circle is an error that names it.
func Levels(jobs []Job) ([][]Job, error) {
	level := map[string]int{}
	var levels [][]Job
	for left := jobs; len(left) > 0; {
		var now, later []Job
		for _, j := range left {
			if slices.ContainsFunc(j.After, func(name string) bool { _, placed := level[name]; return !placed }) {
				later = append(later, j)
			} else {
				now = append(now, j)
			}
		}
		if len(now) == 0 {
			var names []string
			for _, j := range later {
				names = append(names, j.Name)
			}
			return nil, fmt.Errorf("jobs wait for one another in a circle, or behind one: %s", strings.Join(names, ", "))
		}
		for i, j := range now { // after the loop above: none of this level waits for another of it
			level[j.Name], now[i].At = len(levels), i
		}
		levels, left = append(levels, now), later
	}
	return levels, nil
}
