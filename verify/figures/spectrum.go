package figures

import (
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify/report"
)

// spectraOf returns a layer's spectra: one, or one per key/value head; none
// where nothing turns.
func spectraOf(a *family.Attention) []posenc.Spectrum {
	if a.Rotary.Dim == 0 {
		return nil
	}
	if a.Spectra == nil {
		return []posenc.Spectrum{a.Rotary.Spectrum}
	}
	var out []posenc.Spectrum
	for _, f := range a.Spectra.InvFreq {
		one := a.Rotary.Spectrum
		one.InvFreq = f
		out = append(out, one)
	}
	return out
}

// spectrum lists the planes of every spectrum that is not a copy of one before.
func (s *maker) spectrum() (rows []report.PlaneRow, from string) {
	type known struct{ now, before posenc.Spectrum }
	var seen []known
	for i, a := range s.model.Attentions() {
		for g, now := range spectraOf(a) {
			before, where := s.planesBefore(i, g)
			if from == "" {
				from = where
			}
			if slices.ContainsFunc(seen, func(k known) bool { return sameSpectrum(k.now, now) && sameSpectrum(k.before, before) }) {
				continue
			}
			seen = append(seen, known{now, before})
			rows = append(rows, s.planeRows(i, g, now, before)...)
			if len(rows) > curvePoints {
				return rows, from
			}
		}
	}
	return rows, from
}

func sameSpectrum(a, b posenc.Spectrum) bool {
	return a.Gain == b.Gain && slices.Equal(a.InvFreq, b.InvFreq) && slices.Equal(a.Removed, b.Removed)
}

// planesBefore is what the planes of a layer and head are held against: the
// source's, else those of config.json's base, else (no base declared) none.
func (s *maker) planesBefore(layer, head int) (posenc.Spectrum, string) {
	if s.source != nil && layer < len(s.source.Blocks) {
		if list := spectraOf(s.source.Blocks[layer].Attn()); len(list) > 0 {
			return list[min(head, len(list)-1)], "source"
		}
	}
	if s.model.Rope.Type != "" {
		return posenc.Spectrum{InvFreq: s.model.Rope.Base(), Gain: 1}, "base"
	}
	return posenc.Spectrum{}, ""
}

// planeRows pairs a spectrum with the one before. A partial layout has fewer
// planes: those of the same frequency are pairs there, the others are dropped.
func (s *maker) planeRows(layer, head int, now, before posenc.Spectrum) []report.PlaneRow {
	if len(before.InvFreq) == 0 {
		before = now
	}
	var rows []report.PlaneRow
	for p, source := range before.InvFreq {
		at := p
		if len(now.InvFreq) != len(before.InvFreq) {
			at = slices.IndexFunc(now.InvFreq, func(f float64) bool { return near(f, source) })
		}
		row := report.PlaneRow{Layer: layer, Head: head, Plane: p, Source: report.Number(source), Band: posenc.BandOf(math.Abs(s.unscaled(before, p)), s.trained()).String()}
		if at >= 0 {
			row.InvFreq = report.Number(now.InvFreq[at])
		}
		switch theta := float64(row.InvFreq); {
		case at >= 0 && now.Removed != nil && now.Removed[at]:
			row.State = "removed"
		case theta == 0 && source == 0:
			row.State = "still"
		case theta == 0:
			row.State = "dropped"
		case near(theta, source):
			row.State = "kept"
		default:
			row.State = "scaled"
		}
		rows = append(rows, row)
	}
	return rows
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-6*math.Abs(b) }

// trained is the source's trained length where there is a source.
func (s *maker) trained() int {
	if s.source != nil {
		return s.source.TrainedLength
	}
	return s.model.TrainedLength
}

// unscaled is the inverse frequency that a plane's band is judged by: the one
// without scaling, where the model's base has it.
func (s *maker) unscaled(before posenc.Spectrum, p int) float64 {
	rope := s.model.Rope
	if s.source != nil {
		rope = s.source.Rope
	}
	if rope.Type != "" {
		if base := rope.Base(); len(base) == len(before.InvFreq) {
			return base[p]
		}
	}
	return before.InvFreq[p]
}
