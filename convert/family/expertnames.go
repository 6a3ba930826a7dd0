package family

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/convert/store"
)

// The names that stock loaders hold experts by: all of a layer in one tensor, rows of
// gate before those of up, without ".weight" behind it.
const (
	stackedGateUp = "gate_up_proj"
	stackedDown   = "down_proj"
)

// regroup turns experts to the way that they are stored in: one tensor for each
// projection of each expert, as most are published and tools that quantise linears
// write all, or those of a layer in one tensor, (experts, out, in), as transformers 5
// holds them and writes with save_original_format=False.
func (x *Experts) regroup(has func(tensor string) bool, find func(name string) string) {
	if len(x.Each) == 0 || has(find(x.Each[0].Gate.Weight.Tensor)) {
		return
	}
	first := x.Each[0].Gate.Weight
	if folder, ok := strings.CutSuffix(first.Tensor, stackedGateUp); ok {
		if has(find(folder + "0.gate_proj.weight")) {
			x.apart(folder)
		}
		return
	}
	if i := strings.LastIndex(first.Tensor, ".0."); first.Rows == nil && i >= 0 {
		if folder := first.Tensor[:i+1]; has(find(folder + stackedGateUp)) {
			x.together(folder)
		}
	}
}

// apart gives each expert tensors of its own.
func (x *Experts) apart(folder string) {
	for e := range x.Each {
		m := &x.Each[e]
		for name, l := range map[string]*Linear{"gate_proj": &m.Gate, "up_proj": &m.Up, "down_proj": &m.Down} {
			at := fmt.Sprintf("%s%d.%s", folder, e, name)
			l.Weight = whole(at+".weight", l.Weight.Shape...)
			if l.Bias != nil {
				b := whole(at+".bias", l.Bias.Shape...)
				l.Bias = &b
			}
		}
	}
}

// together gives each expert its rows of the tensors of all.
func (x *Experts) together(folder string) {
	count := int64(len(x.Each))
	rows := func(name string, experts, expert, many, at int64, shape []int64) Weight {
		begin := (expert*many + at) * shape[0]
		return Weight{Tensor: folder + name, Shape: shape, Stored: []int64{experts, many * shape[0], shape[1]}, Rows: []Range{{begin, begin + shape[0]}}}
	}
	for e := range x.Each {
		m, n := &x.Each[e], int64(e)
		// experts that pass on their input have rows of gate and up, which nothing reads
		m.Gate.Weight = rows(stackedGateUp, count+int64(x.Identity), n, 2, 0, m.Gate.Weight.Shape)
		m.Up.Weight = rows(stackedGateUp, count+int64(x.Identity), n, 2, 1, m.Up.Weight.Shape)
		m.Down.Weight = rows(stackedDown, count, n, 1, 0, m.Down.Weight.Shape)
	}
}

// otherExperts lists what is stored in the folder of a tensor of experts and belongs to
// no weight of the model.
func (m *Model) otherExperts(s store.Store, missing string) (found []string) {
	const experts = ".experts."
	i := strings.Index(missing, experts)
	if i < 0 {
		return nil
	}
	known := map[string]bool{}
	for w := range m.EachWeight() {
		known[w.Tensor] = true
	}
	for _, name := range s.Names() {
		if strings.HasPrefix(name, missing[:i+len(experts)]) && !known[name] {
			found = append(found, name)
		}
	}
	return found
}
