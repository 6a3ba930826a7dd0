package rewrite

import "github.com/pecvt/pecvt/convert/family"

// AsIs is the value of Options.To that leaves a model what it is: nothing but
// its folder is written anew. It is no encoding, so posenc's table has no row
// for it.
const AsIs = "as-is"

// asIs decides a rewrite that changes nothing: every family, every encoding.
func asIs(m *family.Model) *Rewrite {
	r := &Rewrite{Options: Options{To: AsIs, Layout: Native, Spelling: Auto}, From: m.Rope.Type, To: m.Rope.Type, Kind: Exact,
		Reason: "nothing changes", Layout: Native, Spelling: m.Rope.Type, Family: m.Family,
		TrainLength: m.TrainedLength, TrainLengthFrom: m.TrainedLengthFrom, MaxPositions: m.MaxPositions,
		Config: m.Config.Object.Clone(), Loaders: "whatever reads the source"}
	if m.Rope.Type == "" {
		r.From, r.To, r.Spelling = m.Encoding(), m.Encoding(), m.Encoding()
		r.Before.Gain, r.After.Gain = 1, 1
		return r
	}
	r.Unscaled = m.Rope.Base()
	// FromConfig checked that the declared type has a spectrum.
	if s, err := m.Rope.Spectrum(m.TrainedLength); err == nil {
		r.Before, r.After = s.Clone(), s.Clone()
	}
	r.listDropped()
	return r
}
