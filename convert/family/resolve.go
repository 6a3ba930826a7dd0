package family

import (
	"slices"
	"strings"
)

// basePrefix is what a checkpoint of the bare model leaves out of its names, such
// as "model."; stock loaders add it, and strip a second one, tensor by tensor.
func (n Names) basePrefix() string {
	prefix, _, ok := strings.Cut(n.Embed, ".")
	if !ok || !strings.HasPrefix(n.FinalNorm, prefix+".") {
		return ""
	}
	return prefix + "."
}

// StockName is the name that the family's own writers give a tensor of the model,
// which may be stored without the base model's prefix, with a second one, or as the
// other half of a tied pair.
func (m *Model) StockName(stored string) string {
	if name, ok := m.stock[stored]; ok {
		return name
	}
	return stored
}

// resolve finds the tensors as stock loaders do: with the base model's prefix, without
// it or with a second one, in another spelling, experts one by one or all in one tensor,
// and a tied pair by either half.
func (m *Model) resolve(has func(tensor string) bool, spelled []Rename) {
	if has == nil {
		return
	}
	find := func(name string) string {
		spellings := []string{name}
		for _, c := range spelled {
			if other := strings.Replace(name, c.From, c.To, 1); other != name {
				spellings = append(spellings, other)
			}
		}
		for _, n := range spellings {
			if has(n) {
				return n
			}
			if rest, ok := strings.CutPrefix(n, m.base); ok && m.base != "" {
				for _, other := range []string{rest, m.base + n} {
					if has(other) {
						return other
					}
				}
			}
		}
		return name
	}
	m.stock = map[string]string{}
	if m.Tied && !has(find(m.Embed.Tensor)) && has(m.headName) {
		m.stock[m.headName] = m.Embed.Tensor
		m.Embed.Tensor, m.Head.Weight.Tensor = m.headName, m.headName
	}
	for i := range m.Blocks {
		if x := m.Blocks[i].Mixture(); x != nil && m.mayMiss && x.Router.Correction != nil && !has(find(x.Router.Correction.Tensor)) {
			x.Router.Correction = nil
		}
	}
	for p := range m.EachPart() {
		if x, ok := p.Of.(*Experts); ok && p.Kind == KindExperts {
			x.regroup(has, find)
		}
	}
	for i := range m.Blocks {
		l, ok := m.Blocks[i].Mixer.(*Lightning)
		if !ok {
			continue
		}
		if !has(find(l.Stored.Tensor)) {
			l.Stored = nil // what stock loaders make of the configuration
		}
		for k, name := range l.decays {
			l.decays[k] = find(name)
		}
	}
	for p := range m.EachPart() {
		for _, w := range p.Weights {
			if stored := find(w.Tensor); stored != w.Tensor {
				m.stock[stored], w.Tensor = w.Tensor, stored
			}
		}
	}
	for i, name := range m.Ignored {
		m.Ignored[i] = find(name)
	}
	m.Ignored = slices.Compact(m.Ignored)
}
