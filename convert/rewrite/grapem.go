package rewrite

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// grapeM writes the rotation as frequencies per layer and key/value head, and
// leaves out a bias that is 0 everywhere.
func (r *Rewrite) grapeM(j job) error {
	r.Kind, r.Reason = Exact, "every plane turns as before: θ per layer and key/value head, as tensors"
	e := extension(j.m)
	silent := hasBias(j.m)
	if err := r.withoutSilentBias(j.m, &e); err != nil {
		return err
	}
	if !learned(j.m) {
		rotation, added, err := r.rotation(j.m)
		if err != nil {
			return err
		}
		e.Rotation = rotation
		r.extend(j.m, e, added, none)
		return nil
	}
	r.Reason = "the model is GRAPE-M already"
	if !silent {
		r.unchanged(j.m)
		return nil
	}
	r.extend(j.m, e, nil, ofRotation)
	return nil
}

// learned reports frequencies that are tensors already.
func learned(m *family.Model) bool { return strings.Contains(m.Encoding(), "grape-m") }

func ofRotation(name string) bool { return strings.Contains(name, ".rotation.") }

// changesWithLength refuses a rope type for what has one spectrum for every length, and
// says how a configuration has one.
func changesWithLength(ropeType, what string) error {
	way := "declare in config.json the type that is meant"
	if ropeType == "longrope" {
		way = "write the list that is meant into both short_factor and long_factor of config.json"
	}
	return fmt.Errorf("rope type %s changes the frequencies with the length, and %s has one spectrum for every length: %w; %s", ropeType, what, posenc.ErrUnsupported, way)
}

// rotation makes the block and the tensors that hold the model's rotation.
func (r *Rewrite) rotation(m *family.Model) (*family.RotationBlock, []Tensor, error) {
	if r.BeforeLong != nil || m.Rope.Type == "dynamic" {
		return nil, nil, changesWithLength(m.Rope.Type, "GRAPE-M")
	}
	var added []Tensor
	for i, a := range m.Attentions() {
		if a.Rotary.Dim == 0 {
			continue
		}
		t := Tensor{Name: family.BlockTensor(i, "rotation.inv_freq"), DType: tensor.F64, Shape: []int64{int64(a.KVHeads), int64(a.Rotary.Planes())}}
		for g := range a.KVHeads {
			row := a.Rotary.InvFreq
			if a.Spectra != nil {
				row = a.Spectra.InvFreq[g]
			}
			for p, theta := range row {
				if err := family.CheckRadians(theta); err != nil {
					return nil, nil, fmt.Errorf("layer %d, plane %d: %w: %w", i, p, err, posenc.ErrUnsupported)
				}
			}
			t.Values = append(t.Values, row...)
		}
		if a.Rotary.Removed != nil {
			return nil, nil, fmt.Errorf("layer %d has planes out of the score: %w by GRAPE-M", i, posenc.ErrUnsupported)
		}
		added = append(added, t)
	}
	return ofGains(m, nil), added, nil
}

// ofGains makes the block of attention factors: the model's, or these by layer.
func ofGains(m *family.Model, gains []float64) *family.RotationBlock {
	all := make([]float64, len(m.Blocks))
	one, same := 0.0, true // of the layers that turn
	for l, a := range m.Attentions() {
		all[l] = 1
		if a.Rotary.Dim == 0 {
			continue
		}
		if all[l] = a.Rotary.Gain; gains != nil {
			all[l] = gains[l]
		}
		if one == 0 {
			one = all[l]
		}
		same = same && all[l] == one
	}
	if same {
		return &family.RotationBlock{AttentionFactor: one}
	}
	for l, gain := range all {
		if gain == 0 {
			all[l] = 1 // a layer without attention
		}
	}
	return &family.RotationBlock{AttentionFactors: all}
}

// spelled writes one spectrum that all heads and layers share in the source's
// own rope keys, or another spectrum made from it.
func (r *Rewrite) spelled(j job) error {
	before, err := shared(j.m)
	if err != nil {
		return err
	}
	if j.m.Extension == nil || j.m.Extension.Source.Rope.Type == "" {
		return hint.Errorf("the configuration of family %s has no keys for another spectrum: %w; "+hint.To+" grape-m, or "+hint.To+" hybrid, can be done", j.m.Family, posenc.ErrUnsupported)
	}
	own := j.m.Extension.Source
	declares, err := own.Rope.Spectrum(own.TrainedLength)
	if err != nil {
		return err
	}
	backward := reversed(before)
	for _, p := range backward {
		before.InvFreq[p] = -before.InvFreq[p]
	}
	if err := readable(own, r.Options); err != nil {
		return err
	}
	if err := r.layOut(own, j.enc, before, declares); err != nil {
		return err
	}
	if backward != nil {
		if r.Edits != nil || r.Layout == Partial {
			return hint.Errorf("planes turn by −θ, and rows move as well: %w in one step; "+hint.To+" rope can be done first", posenc.ErrUnsupported)
		}
		if r.Edits, err = forward(own, backward); err != nil {
			return err
		}
		r.note("%d planes turned by −θ: the second coordinate of each is negated in W_q and W_k", len(backward))
	}
	r.leave(j.m)
	return nil
}

// leave makes the result stock: the block's tensors and its key are gone.
func (r *Rewrite) leave(m *family.Model) {
	for w := range m.EachWeight() {
		if family.OfBlock(w.Tensor) {
			r.Consumed = append(r.Consumed, w.Tensor)
		}
	}
	slices.Sort(r.Consumed)
	r.ConfigChanged = true
}

// layOut decides the new spectrum from the current one, where the rope keys
// declare another, and spells it.
func (r *Rewrite) layOut(own *family.Model, enc posenc.Encoding, before, declared posenc.Spectrum) error {
	r.Unscaled, r.Before, r.declares = own.Rope.Base(), before, declared
	changes, err := own.Rope.ByLength()
	if err != nil {
		return err
	}
	if changes {
		return fmt.Errorf("the source's rope keys (type %s) change with the length: %w", own.Rope.Type, posenc.ErrUnsupported)
	}
	if r.After, err = enc.Target(posenc.Source{Declared: own.Rope, Unscaled: r.Unscaled, Current: before,
		TrainedLength: r.TrainLength, Cut: r.Options.Cut, Scale: r.Options.Scale}); err != nil {
		return err
	}
	r.listDropped()
	r.judge(enc)
	r.rescaled()
	return r.write(own)
}

// shared returns the spectrum of a model in which all heads and layers that
// turn have the same one.
func shared(m *family.Model) (posenc.Spectrum, error) {
	var one *posenc.Spectrum
	for i, a := range m.Attentions() {
		if a.Rotary.Dim == 0 {
			continue
		}
		rows := [][]float64{a.Rotary.InvFreq}
		if a.Spectra != nil {
			rows = a.Spectra.InvFreq
		}
		for g, row := range rows {
			if one == nil {
				s := a.Rotary.Spectrum.Clone()
				s.InvFreq = slices.Clone(row)
				one = &s
			}
			if p := differs(one.InvFreq, row); p >= 0 || one.Gain != a.Rotary.Gain {
				return posenc.Spectrum{}, fmt.Errorf("layer %d, key/value head %d: plane %d turns otherwise than in the first head: no rope type has spectra per head or layer: %w; it stays GRAPE-M", i, g, max(p, 0), posenc.ErrUnsupported)
			}
		}
	}
	return *one, nil
}

// differs returns the first plane in which two spectra disagree beyond
// rounding, or −1.
func differs(a, b []float64) int {
	for p := range a {
		if a[p] != b[p] && math.Abs(a[p]-b[p]) > spellTolerance*math.Abs(a[p]) {
			return p
		}
	}
	return -1
}

// reversed lists the planes that turn by −θ.
func reversed(s posenc.Spectrum) []int {
	var list []int
	for p, f := range s.InvFreq {
		if f < 0 {
			list = append(list, p)
		}
	}
	return list
}

// hasBias reports biases, which add nothing where the source counts as a
// rotation.
func hasBias(m *family.Model) bool {
	for _, a := range m.Attentions() {
		if a.Bias != nil {
			return true
		}
	}
	return false
}
