package figures

import (
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/verify/report"
)

// Facts describes the model that a graph of maxLength positions was emitted for.
func Facts(m *family.Model, maxLength int) *report.Facts {
	a := m.FirstAttn()
	f := &report.Facts{DType: m.DType.String(), Layers: len(m.Blocks), Hidden: m.Hidden, Heads: a.Heads, KVHeads: a.KVHeads, HeadDim: a.QKDim,
		Vocab: m.Vocab, Encoding: m.Encoding(), RopeType: m.Rope.Type, Theta: m.Rope.Theta, AttentionFactor: 1,
		TrainedLength: m.TrainedLength, MaxLength: maxLength}
	for _, a := range m.Attentions() {
		f.Window = max(f.Window, a.Window)
		if f.Planes > 0 || a.Rotary.Dim == 0 {
			continue
		}
		f.RotaryDim, f.Planes, f.AttentionFactor = a.Rotary.Dim, a.Rotary.Planes(), a.Rotary.Gain
		for p, theta := range spectraOf(a)[0].InvFreq {
			if theta != 0 && (a.Rotary.Removed == nil || !a.Rotary.Removed[p]) {
				f.Turning++
			}
		}
	}
	return f
}
