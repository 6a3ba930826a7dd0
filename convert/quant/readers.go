package quant

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// readers warns where stock transformers makes other numbers of the same tensors.
func (s *Storage) readers() {
	d := s.Declaration
	if d.Method == "modelopt" {
		s.warn("transformers (5.24) has no quantiser of the name modelopt, and takes the codes for the numbers, with a warning: what it computes is another model")
	}
	var uneven, other int
	for _, t := range s.Tensors {
		g := t.Grid
		if d.Method != "fp8" || g == nil {
			continue
		}
		if !strings.HasSuffix(g.Scales, "_scale_inv") {
			other++
		} else if g.Rows%g.BlockRows != 0 || g.Columns%g.BlockColumns != 0 {
			uneven++
		}
	}
	if uneven > 0 {
		s.warn("the sizes of %d quantised weights are no multiples of their blocks': where transformers (5.24) decodes them on a CPU, it stops at them, or divides them evenly into as many blocks", uneven)
	}
	if other > 0 {
		s.warn("the scales of %d weights are called weight_scale: transformers (5.24) looks for weight_scale_inv under quant_method fp8", other)
	}
}

// listed warns of modules that are declared to be left plain and are not.
func (s *Storage) listed() {
	var found []string
	for _, key := range []string{"modules_to_not_convert", "ignore", "ignored_layers", "exclude_modules"} {
		var list []string
		if json.Unmarshal(s.Declaration.Dict[key], &list) != nil {
			continue // absent, or of another form
		}
		for _, entry := range list {
			for name := range s.Tensors {
				if fits(entry, strings.TrimSuffix(name, ".weight")) {
					found = append(found, name)
				}
			}
		}
	}
	if found = slices.Compact(slices.Sorted(slices.Values(found))); found != nil {
		s.warn("%s lists %q among the modules that are not quantised, yet it is stored as codes with scales, as which it is read (%d such weights): loaders that go by the list take codes for numbers", s.Declaration.Where, found[0], len(found))
	}
}

// Counts lists the formats of the weights with how many have each, by name.
func (s *Storage) Counts() []Count {
	by := map[string]int{}
	for _, t := range s.Tensors {
		by[t.Format]++
	}
	var list []Count
	for _, name := range slices.Sorted(maps.Keys(by)) {
		list = append(list, Count{name, by[name]})
	}
	return list
}

// Count is how many weights have a format.
type Count struct {
	Format  string `json:"format"`
	Weights int    `json:"weights"`
}
