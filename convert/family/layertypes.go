package family

import (
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/posenc"
)

// The types of layers, as layer_types and rope_parameters name them.
const (
	FullLayers    = "full_attention"
	SlidingLayers = "sliding_attention"
)

// ofType is one type's dictionary of a rope_parameters that is keyed by the types
// of layers; nil where it has none.
func ofType(dict *Object, name string) (*Object, error) {
	if dict == nil {
		return nil, nil
	}
	for _, key := range dict.Keys() {
		if !slices.Contains([]string{FullLayers, SlidingLayers}, key) && dict.Has(key) {
			return nil, fmt.Errorf("rope_parameters: key %q (%s): expected one dictionary for %s and one for %s, by which loaders of this family turn their layers: %w; write those", key, found(dict, key), FullLayers, SlidingLayers, posenc.ErrUnsupported)
		}
	}
	one, err := dict.Object(name)
	if err != nil {
		return nil, fmt.Errorf("rope_parameters: %w", err)
	}
	return one, nil
}

// headSizes are the sizes of heads in layers without and with a window, where they
// have sizes of their own: all layers of a type must have one.
func headSizes(r *Reader, spec Spec, s sizes, windows []int) (full, sliding int) {
	full, sliding = s.headDim, s.headDim
	if spec.HeadsOf == nil || r.Err != nil {
		return full, sliding
	}
	seen := map[bool]int{}
	for i, w := range windows {
		h := spec.HeadsOf(r, i, w > 0, HeadSizes{s.heads, s.kv, s.headDim, s.headDim})
		if d, ok := seen[w > 0]; ok && d != h.QK {
			r.Fail(Unsupported("layer %d has heads of %d and another layer of its type has heads of %d: rope keys are of one size for each type of layer", i, h.QK, d))
			return full, sliding
		}
		seen[w > 0] = h.QK
	}
	if d, ok := seen[false]; ok {
		full = d
	}
	if d, ok := seen[true]; ok {
		sliding = d
	}
	if spec.Rope.Sliding == nil && full != sliding {
		r.Fail(Unsupported("heads of %d and of %d under one declaration of the rotation", full, sliding))
	}
	return full, sliding
}

// slidingTurn is the rotation of layers of sliding attention.
type slidingTurn struct {
	rope   posenc.RopeParams
	rotary posenc.Rotary
}

// slidingPosition reads what layers of sliding attention turn by; nil where they
// turn as all others.
func slidingPosition(r *Reader, spec Spec, m *Model, windows []int, headDim int) *slidingTurn {
	def := spec.Rope.Sliding
	if def == nil || r.Err != nil {
		return nil
	}
	if r.C.Raw(spec.Window.Key) != nil && !r.C.Has(spec.Window.Key) && slices.Contains(layerTypes(r), SlidingLayers) {
		r.Fail(Unsupported("%s is null, yet layer_types has layers of %s; name the window", spec.Window.Key, SlidingLayers))
		return nil
	}
	dict, err := r.C.Object.Object("rope_parameters")
	r.Fail(err)
	if dict, err = ofType(dict, SlidingLayers); dict == nil {
		dict = &Object{}
	}
	r.Fail(err)
	if theta, ok, _ := r.C.Float("rope_theta"); ok && def.ThetaKey == "" && theta != def.Theta && !dict.Has("rope_theta") {
		r.Fail(Unsupported("rope_theta is %v, and loaders differ in whether layers of %s turn by it (transformers 4) or by %v (5.24); write a rope_theta for each type of layer into rope_parameters", theta, SlidingLayers, def.Theta))
	}
	if r.Err != nil {
		return nil
	}
	length, from := m.TrainedLength, m.TrainedLengthFrom
	p, err := m.readRopeDict("rope_parameters."+SlidingLayers, dict, headDim, *def)
	m.TrainedLength, m.TrainedLengthFrom = length, from // L is that of the layers that see all of it
	r.Fail(err)
	return &slidingTurn{p, rotaryOf(r, spec, m, p)}
}

// turn gives a layer the rotation.
func (s *slidingTurn) turn(a *Attention) {
	rope := s.rope
	a.Rope, a.Rotary = &rope, s.rotary
	a.Rotary.Spectrum = s.rotary.Spectrum.Clone()
}

func layerTypes(r *Reader) []string {
	kinds, err := r.C.Texts("layer_types")
	r.Fail(err)
	return kinds
}
