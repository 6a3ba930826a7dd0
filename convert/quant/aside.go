package quant

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/posenc"
)

// asides are tensors beside quantised weights that do not make numbers of them.
var asides = []struct{ suffix, of string }{
	{".input_scale", activations}, {".activation_scale", activations}, {"_activation_scale", activations}, {".input_scale_ub", activations}, {".input_zero_point", activations}, {".input_global_scale", activations},
	{".k_scale", caches}, {".v_scale", caches}, {".kv_scale", caches}, {".k_zero_point", caches}, {".v_zero_point", caches},
	{"k_proj.output_scale", caches}, {"v_proj.output_scale", caches}, {".q_scale", caches},
	{".weight_shape", ""},
}

const activations, caches = "activations", "caches"

// aside hides what serves activations and caches, with a warning.
func (s *Storage) aside(names []string) {
	counts := map[string]int{}
	for _, name := range names {
		for _, a := range asides {
			if strings.HasSuffix(name, a.suffix) && s.Tensors[name] == nil && !s.Hidden[name] {
				s.Hidden[name] = true
				counts[a.of]++
			}
		}
	}
	switch n := counts[activations]; {
	case len(s.Tensors) == 0:
	case n > 0:
		s.warn("%d stored scales of activations are passed over: programs that compute in the stored format round what enters its linears too, with scales fixed beforehand; here the weights are what is stored, and activations are floats", n)
	case s.Declaration.activations():
		s.warn("%s says that what enters quantised linears is rounded too, as programs do that compute in the stored format; here the weights are what is stored, and activations are floats", s.Declaration.Where)
	}
	if n := counts[caches]; n > 0 {
		s.warn("%d stored scales of the cache are passed over: programs that read them round keys and values; here the cache holds floats", n)
	}
}

// activations tells whether activations are declared to be quantised.
func (d *Declaration) activations() bool {
	var groups map[string]struct {
		Activations json.RawMessage `json:"input_activations"`
	}
	_ = json.Unmarshal(d.Dict["config_groups"], &groups) // what has another form declares none
	for _, g := range groups {
		if a := string(g.Activations); a != "" && a != "null" {
			return true
		}
	}
	return d.Has("activation_scheme") || d.Method == "fbgemm_fp8"
}

// turned refuses weights that were turned or scaled before they were quantised, so
// that what enters them must be too.
func (d *Declaration) turned(names []string) error {
	for _, key := range []string{"transform_config", "pre_quant_scale"} {
		if raw := string(d.Dict[key]); d.Has(key) && raw != "{}" && raw != "false" {
			return fmt.Errorf("%s has %s: what enters quantised linears is transformed first: %w; use a checkpoint that was quantised without it", d.Where, key, posenc.ErrUnsupported)
		}
	}
	if i := slices.IndexFunc(names, func(name string) bool { return strings.HasSuffix(name, ".pre_quant_scale") }); i >= 0 {
		return fmt.Errorf("tensor %q: what enters a quantised linear is scaled first: %w; use a checkpoint that was quantised without it", names[i], posenc.ErrUnsupported)
	}
	return nil
}
