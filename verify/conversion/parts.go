package conversion

import (
	"bytes"
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify/run"
)

// sameRotation compares what turns, layer by layer and head by head: the planes
// that turn, in their order, and by how much. A result may hold them at the
// front and leave the others unpaired, and may turn the other way round over
// negated rows; the logits tell of that. Where a frequency is spelled to within
// its limit the expected model takes the result's, so that the logits compare
// nothing but the rest.
func sameRotation(got, want *family.Model) error {
	for i, b := range want.Attentions() {
		a := got.Blocks[i].Attn()
		if a == nil {
			return fmt.Errorf("layer %d has no attention: the source has", i)
		}
		if a.Heads != b.Heads || a.KVHeads != b.KVHeads || a.QKDim != b.QKDim || a.VDim != b.VDim {
			return fmt.Errorf("layer %d: %d heads on %d of sizes %d and %d: the source has %d on %d of %d and %d", i, a.Heads, a.KVHeads, a.QKDim, a.VDim, b.Heads, b.KVHeads, b.QKDim, b.VDim)
		}
		if x, y := a.KVLayer, b.KVLayer; (x == nil) != (y == nil) || x != nil && *x != *y {
			return fmt.Errorf("layer %d meets the keys of another layer than in the source", i)
		}
		if a.Window != b.Window {
			return fmt.Errorf("layer %d: %s: the source has %s", i, run.WindowText(a.Window), run.WindowText(b.Window))
		}
		if a.Chunk != b.Chunk {
			return fmt.Errorf("layer %d: chunks of %d: the source has %d (0 is none)", i, a.Chunk, b.Chunk)
		}
		if x, y := a.QueryScale, b.QueryScale; (x == nil) != (y == nil) || x != nil && *x != *y {
			return fmt.Errorf("layer %d: queries are scaled by %s: expected %s", i, scaleText(x), scaleText(y))
		}
		turning := false
		for g := range b.KVHeads {
			if a.Generators != nil || b.Generators != nil {
				turning = true
				continue // in bases of their own: the logits tell
			}
			have, need := headFrequencies(a, g), headFrequencies(b, g)
			from, to := turns(have, a.Rotary.Spectrum), turns(need, b.Rotary.Spectrum)
			if len(from) != len(to) {
				return fmt.Errorf("layer %d, key/value head %d: %d planes turn: expected %d", i, g, len(from), len(to))
			}
			for k, p := range to {
				x, y := math.Abs(have[from[k]]), math.Abs(need[p])
				if !(math.Abs(x-y) <= FrequencyLimit*y) {
					return fmt.Errorf("layer %d, key/value head %d: plane %d turns by %.12g radians per position: expected %.12g", i, g, p, x, y)
				}
				need[p] = math.Copysign(x, need[p])
				turning = true
			}
		}
		if x, y := a.Rotary.Gain, b.Rotary.Gain; turning && a.Phase == nil && !(math.Abs(x-y) <= FrequencyLimit*math.Abs(y)) {
			return fmt.Errorf("layer %d: the attention factor is %.12g: expected %.12g", i, x, y)
		}
	}
	return nil
}

// folds tells whether bases of the expected model are gone in the result.
func folds(got, want *family.Model) bool {
	for i, b := range want.Attentions() {
		if a := got.Blocks[i].Attn(); a != nil && a.Generators == nil && b.Generators != nil {
			return true
		}
	}
	return false
}

// scaleText names the factor of queries.
func scaleText(q *family.QueryScale) string {
	if q == nil {
		return "nothing"
	}
	return q.String()
}

// headFrequencies are the frequencies of a key/value head: the model's own
// numbers.
func headFrequencies(a *family.Attention, g int) []float64 {
	if a.Spectra != nil {
		return a.Spectra.InvFreq[g]
	}
	return a.Rotary.InvFreq
}

// turns lists the planes that turn.
func turns(theta []float64, s posenc.Spectrum) []int {
	var list []int
	for p, v := range theta {
		if v != 0 && (s.Removed == nil || !s.Removed[p]) {
			list = append(list, p)
		}
	}
	return list
}

// part is a weight that a conversion does not touch.
type part struct {
	name string
	w    *family.Weight
	src  family.Source
}

// sameParts compares every number that no rewrite touches: all but those of
// queries and keys, whose rows may move, and of biases, which are the encoding.
func sameParts(got *family.Model, ours family.Source, want *family.Model, theirs family.Source) error {
	a, b := parts(got, ours), parts(want, theirs)
	if len(a) != len(b) {
		return fmt.Errorf("%d weights beside queries, keys and the encoding: the source has %d", len(a), len(b))
	}
	for i := range a {
		if a[i].name != b[i].name {
			return fmt.Errorf("the result has %s where the source has %s", a[i].name, b[i].name)
		}
		if err := samePart(a[i], b[i]); err != nil {
			return err
		}
	}
	return sameNorms(got, want)
}

// sameNorms compares what norms are beside their weights: no rewrite has a word
// in that, of queries and keys neither.
func sameNorms(got, want *family.Model) error {
	theirs := map[string]*family.Norm{}
	for _, p := range want.Parts() {
		if n, ok := p.Of.(*family.Norm); ok {
			theirs[p.Path()] = n
		}
	}
	for _, p := range got.Parts() {
		n, ok := p.Of.(*family.Norm)
		if !ok {
			continue
		}
		o := theirs[p.Path()]
		switch {
		case o == nil:
			return fmt.Errorf("the result has %s, the source has none", p.Text())
		case n.Kind != o.Kind || n.Size != o.Size:
			return fmt.Errorf("%s is of kind %d over %d numbers: the source has %d over %d", p.Text(), n.Kind, n.Size, o.Kind, o.Size)
		case n.Eps != o.Eps:
			return fmt.Errorf("%s has epsilon %g: the source has %g", p.Text(), n.Eps, o.Eps)
		}
	}
	return nil
}

// sameQueries compares the weights of queries and keys in the layers whose planes
// lie and turn in the result as in the expected model: no rewrite has a reason
// to touch them there. The logits alone would let the last bits of a number
// pass.
func sameQueries(got *family.Model, ours family.Source, want *family.Model, theirs family.Source, refitted map[int]bool) error {
	for i, y := range want.Attentions() {
		x := got.Blocks[i].Attn()
		if refitted[i] || !samePlanes(x, y) {
			continue
		}
		a, b := queries(i, x, ours), queries(i, y, theirs)
		if len(a) != len(b) {
			continue // norms or biases that moved: the logits tell
		}
		for k := range a {
			if err := samePart(a[k], b[k]); err != nil {
				return err
			}
		}
	}
	return nil
}

// samePlanes reports whether every plane is where it is in the other layer, and
// turns the same way round.
func samePlanes(a, b *family.Attention) bool {
	if a.Generators != nil || b.Generators != nil { // a form moves no rows, and a fold all
		return a.Generators != nil
	}
	if a.Rotary.Dim != b.Rotary.Dim || a.Rotary.Pairing != b.Rotary.Pairing || a.Rotary.Removed != nil || b.Rotary.Removed != nil {
		return false
	}
	for g := range b.KVHeads {
		x, y := headFrequencies(a, g), headFrequencies(b, g)
		if len(x) != len(y) {
			return false
		}
		for p := range x {
			if !(math.Abs(x[p]-y[p]) <= FrequencyLimit*math.Abs(y[p])) {
				return false
			}
		}
	}
	return true
}

func queries(layer int, a *family.Attention, src family.Source) []part {
	list := []part{{fmt.Sprintf("layer %d: the queries' projection", layer), &a.Q.Weight, src}}
	if a.KVLayer == nil {
		list = append(list, part{fmt.Sprintf("layer %d: the keys' projection", layer), &a.K.Weight, src})
	}
	if a.Q.Bias != nil && a.K.Bias != nil {
		list = append(list, part{fmt.Sprintf("layer %d: the queries' bias", layer), a.Q.Bias, src}, part{fmt.Sprintf("layer %d: the keys' bias", layer), a.K.Bias, src})
	}
	if a.QNorm != nil && a.KNorm != nil && a.QNorm.Weight.Tensor != "" && a.KNorm.Weight.Tensor != "" {
		list = append(list, part{fmt.Sprintf("layer %d: the queries' norm", layer), &a.QNorm.Weight, src}, part{fmt.Sprintf("layer %d: the keys' norm", layer), &a.KNorm.Weight, src})
	}
	if a.QNorm != nil && a.KNorm != nil {
		for side, n := range []*family.Norm{a.QNorm, a.KNorm} {
			for h := range n.PerHead {
				list = append(list, part{fmt.Sprintf("layer %d: the %s' norm of head %d", layer, [2]string{"queries", "keys"}[side], h), &n.PerHead[h], src})
			}
		}
	}
	return list
}

func samePart(a, b part) error {
	x, dx, err := a.w.Bytes(a.src)
	if err != nil {
		return err
	}
	y, dy, err := b.w.Bytes(b.src)
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	if dx == dy && bytes.Equal(x, y) {
		return nil
	}
	u, err := a.w.Float64(a.src)
	if err != nil {
		return err
	}
	v, err := b.w.Float64(b.src)
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	if len(u) != len(v) {
		return fmt.Errorf("%s (tensor %q) has %d numbers: the source has %d", a.name, a.w.Tensor, len(u), len(v))
	}
	n, first := 0, -1
	for i := range u {
		if math.Float64bits(u[i]) != math.Float64bits(v[i]) && u[i] != v[i] {
			if n++; first < 0 {
				first = i
			}
		}
	}
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%s (tensor %q): %d of %d numbers are not the source's; number %d is %g, there %g", a.name, a.w.Tensor, n, len(u), first, u[first], v[first])
}

// parts lists them in the order of a forward pass.
func parts(m *family.Model, src family.Source) []part {
	var list []part
	for _, p := range m.Parts() {
		switch p.Place {
		case family.AtQ, family.AtK, family.AtQNorm, family.AtKNorm:
			continue // rows may move
		}
		if p.Encoding {
			continue
		}
		for _, w := range p.Weights {
			name := p.Text()
			if w.Name != "weight" {
				name += "'s " + w.Name
			}
			list = append(list, part{name, w.Weight, src})
		}
	}
	return list
}
