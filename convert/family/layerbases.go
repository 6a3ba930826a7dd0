package family

import "slices"

// turnByLayer gives every layer the base that a list of the configuration has for it,
// with all else of the rope keys; 0 is a layer that does not turn. Model.Rope then has
// the base of the first layer that turns, of full attention where there is one: what
// the rope keys say of it, loaders pass over.
func (m *Model) turnByLayer(r *Reader, key string) {
	bases, err := r.C.Floats(key)
	r.Fail(err)
	if bases == nil || r.Err != nil {
		return
	}
	if len(bases) != len(m.Blocks) {
		r.Fail(Unsupported("%s lists %d layers: expected %d; write a base for each layer", key, len(bases), len(m.Blocks)))
		return
	}
	if i := slices.IndexFunc(bases, func(b float64) bool { return b < 0 }); i >= 0 {
		r.Fail(Unsupported("%s[%d] is %v: expected a positive base, or 0 for a layer that does not turn; write one", key, i, bases[i]))
		return
	}
	declared := m.Rope.Theta
	m.Rope.Theta = 0
	for _, full := range []bool{true, false} {
		for i, a := range m.Attentions() {
			if m.Rope.Theta == 0 && (a.Window == 0 || !full) {
				m.Rope.Theta = bases[i]
			}
		}
	}
	if m.Rope.Theta == 0 {
		m.Rope.Theta = declared // no layer turns
	} else if m.Rope.Theta != declared && r.C.Has("rope_parameters") {
		r.Warn("rope_theta is %v, and layers turn by the bases of %s: loaders of this family take the latter, and so does pecvt", declared, key)
	}
	for i, a := range m.Attentions() {
		if bases[i] == 0 {
			a.Rotary = Still(a.QKDim)
			continue
		}
		p := m.Rope
		if p.Theta = bases[i]; p.Theta != m.Rope.Theta {
			a.Rope = &p
		}
		a.Rotary.Spectrum, err = p.Spectrum(m.TrainedLength)
		r.Fail(err)
	}
}
