package family

// NewKeysAlone reports whether the rotation stands in rope_parameters, the key of
// transformers 5, alone: readers of the older keys (rope_scaling, rope_theta) turn
// by a base, a type or a share of their own then.
func (m *Model) NewKeysAlone() bool {
	c := m.Config
	if c == nil || m.Rope.Type == "" || !c.Has("rope_parameters") {
		return false
	}
	older := func(keys ...string) bool {
		for _, k := range keys {
			if c.Has(k) {
				return true
			}
		}
		return false
	}
	const usual = 10000
	return m.Rope.Theta != usual && !older("rope_theta", "rotary_emb_base") ||
		m.Rope.Type != "default" && !older("rope_scaling") ||
		m.Rope.Share() != 1 && !older("partial_rotary_factor", "rotary_pct")
}
