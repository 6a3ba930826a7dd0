package posenc

import (
	"slices"
	"testing"
)

// TestZeroRopeParams: what a caller leaves out is what a configuration without
// the key means, or an error; nothing stops turning by it.
func TestZeroRopeParams(t *testing.T) {
	for _, row := range RopeTypes() {
		p := RopeParams{Type: row.Name, Theta: 10000, HeadDim: 64}
		s, err := p.Spectrum(2048)
		switch row.Name {
		case "default", "proportional":
			if err != nil || !slices.Equal(s.InvFreq, InvFreq(10000, 64)) || s.Gain != 1 {
				t.Errorf("%s: %d planes, gain %v, %v; want the 32 of the whole head", row.Name, len(s.InvFreq), s.Gain, err)
			}
		default:
			if err == nil {
				t.Errorf("%s without its parameters gives %d planes and no error", row.Name, len(s.InvFreq))
			}
		}
	}
	for share, planes := range map[float64]int{0: 0, 0.5: 16, 1: 32} {
		p := RopeParams{Type: "default", Theta: 10000, HeadDim: 64}
		p.SetShare(share)
		if s, err := p.Spectrum(1); err != nil || len(s.InvFreq) != planes || p.Share() != share {
			t.Errorf("share %v: %d planes, share %v, %v", share, len(s.InvFreq), p.Share(), err)
		}
	}
	for name, p := range map[string]RopeParams{
		"nothing":    {},
		"no type":    {Theta: 10000, HeadDim: 64},
		"no theta":   {Type: "default", HeadDim: 64},
		"no head":    {Type: "default", Theta: 10000},
		"no length":  {Type: "longrope", Theta: 10000, HeadDim: 4, ShortFactor: []float64{1, 1}, LongFactor: []float64{1, 1}},
		"no maximum": {Type: "dynamic", Theta: 10000, HeadDim: 64, Factor: 2},
		"no betas":   {Type: "yarn", Theta: 10000, HeadDim: 64, Factor: 2, TrainedLength: 64},
	} {
		if s, err := p.Spectrum(2048); err == nil {
			t.Errorf("%s: %d planes and no error", name, len(s.InvFreq))
		}
	}
}

// TestZeroStructs: a zero struct either does what its documentation says of
// nothing, or is an error.
func TestZeroStructs(t *testing.T) {
	for name, check := range map[string]func() error{
		"rotary without a gain": Rotary{HeadDim: 4, Dim: 4, Spectrum: Spectrum{InvFreq: []float64{1, 1}}}.Check,
		"rotary":                Rotary{}.Check,
		"alibi":                 ALiBi{}.Check,
		"alibi, no factor":      ALiBi{Slope: []float64{1}}.Check,
		"axial":                 Axial{}.Check,
		"per head":              PerHead{}.Check,
		"gated":                 Gated{}.Check,
		"fox":                   FoX{}.Check,
		"path integral":         PathIntegral{}.Check,
		"shift":                 Shift{}.Check,
		"context phase":         ContextPhase{}.Check,
		"kerple":                KERPLE{}.Check,
	} {
		if check() == nil {
			t.Errorf("%s: the zero value passes its check", name)
		}
	}
	if _, err := (HoPE{}).Dropped([]float64{1}); err == nil {
		t.Error("hope without a trained length drops planes")
	}
	if _, err := (YaRN{}).Apply([]float64{1}); err == nil {
		t.Error("yarn without a factor scales")
	}
	if c := (Cut{}).String(); c != "paper" {
		t.Errorf("the zero cut is %q, want the paper's", c)
	}
	if s, err := (Scale{}).Apply(Source{Current: Spectrum{InvFreq: []float64{1}, Gain: 1}}); err != nil || s.InvFreq[0] != 1 {
		t.Errorf("the zero scale scales: %v, %v", s, err)
	}
}
