package quant

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/posenc"
)

// autoRound is the quant_method of AutoRound (arXiv 2309.05516), which stores codes as
// others do: packing_format says as whom.
const autoRound = "auto-round"

// A packing is how AutoRound stores codes.
type packing int

const (
	packedGPTQ   packing = iota + 1 // as GPTQ's first version, zeros less one
	packedGPTQ2                     // the same, zeros as they are
	packedAWQ                       // as AutoAWQ's gemm
	packedOthers = 0                // not by AutoRound
)

// packings are the values of packing_format. The exporter writes auto_round:auto_gptq
// for symmetric codes, auto_round:auto_awq for others of 4 bits, and auto_round else.
var packings = map[string]packing{
	"auto_round:auto_gptq": packedGPTQ, "auto_round:gptq": packedGPTQ, "auto_gptq": packedGPTQ, "gptq": packedGPTQ,
	"auto_round": packedGPTQ2, "auto_round:gptqmodel": packedGPTQ2,
	"auto_round:auto_awq": packedAWQ, "auto_round:awq": packedAWQ, "auto_awq": packedAWQ, "awq": packedAWQ,
}

// packing tells how AutoRound stored the codes, 0 where it was not AutoRound.
func (d *Declaration) packing() (packing, error) {
	if d.Method != autoRound {
		return packedOthers, nil
	}
	name := d.lower("packing_format")
	if p, ok := packings[name]; ok {
		if kind := d.lower("data_type"); kind != "" && kind != "int" {
			return 0, fmt.Errorf("%s: data_type is %q: %w under quant_method %s; int is read", d.Where, kind, posenc.ErrUnsupported, autoRound)
		}
		return p, nil
	}
	return 0, fmt.Errorf("%s: packing_format is %q: %w under quant_method %s; read are %s", d.Where, name, posenc.ErrUnsupported, autoRound, strings.Join(slices.Sorted(maps.Keys(packings)), ", "))
}

// layer is the declaration for one module: what extra_config says of it goes before
// what is said of all. A key of extra_config is the module's name or, where no key is,
// a regular expression that fits in it; the first in alphabetical order counts.
func (d *Declaration) layer(module string) (*Declaration, error) {
	raw := d.Dict["extra_config"]
	if d.Method != autoRound || raw == nil {
		return d, nil
	}
	if d.extra == nil {
		if err := json.Unmarshal(raw, &d.extra); err != nil {
			return nil, fmt.Errorf("%s: extra_config: %w", d.Where, err)
		}
	}
	own, ok := d.extra[module]
	if !ok {
		for _, key := range slices.Sorted(maps.Keys(d.extra)) {
			if re := pattern(key); re != nil && re.MatchString(module) && strings.ContainsAny(key, `*+?[](){}|^$\`) {
				own, ok = d.extra[key], true
				break
			}
		}
	}
	if !ok {
		return d, nil
	}
	l := *d
	l.Where, l.Dict = fmt.Sprintf("%s (extra_config of %s)", d.Where, module), maps.Clone(d.Dict)
	maps.Copy(l.Dict, own)
	if bits, _ := l.number("bits"); bits >= 16 {
		return nil, fmt.Errorf("%s says %d bits, a module that is not quantised, yet its codes are stored: expected %q", l.Where, bits, module+".weight")
	}
	return &l, nil
}
