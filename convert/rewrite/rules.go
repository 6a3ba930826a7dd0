package rewrite

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// The kinds of encoding that a model may come with. A rotation whose bias is
// zero everywhere counts as that rotation.
const (
	fromRope    = "rope"         // the rope keys declare it, whatever the rope type
	fromGrapeM  = "grape-m"      // frequencies of its own, shared or per head
	fromForm    = "grape-m:form" // exp(tL) per head: basis, mixed, rank2 or dense
	fromContext = "grape-m-ctx"  // positions counted by a gate
	fromALiBi   = "alibi"
	fromGrapeA  = "grape-a"
	fromGrapeAP = "grape-ap"
	fromFoX     = "fox"
	fromKERPLE  = "kerple"
	fromHybrid  = "hybrid" // a rotation and a bias
	fromNone    = "nope"   // neither
)

// rule says what becomes of some sources as some encodings.
type rule struct {
	from, to []string
	kind     Kind
	// when limits an exact rule, and otherwise is the kind where it does not
	// hold; empty is always.
	when      string
	otherwise Kind
	// reason says in one line how, or why not and what can be done instead.
	reason string
	apply  func(r *Rewrite, j job) error
}

// job is what a rewrite starts from.
type job struct {
	m *family.Model
	// src holds the weights' values; nil if there are none at hand.
	src  family.Source
	enc  posenc.Encoding
	from string
}

// spectral lists the encodings that are one spectrum for all heads.
func spectral(but ...string) []string {
	var list []string
	for _, e := range posenc.Encodings() {
		if e.Target != nil && !slices.Contains(but, e.Name) {
			list = append(list, e.Name)
		}
	}
	return list
}

// formNames lists the forms of GRAPE-M.
func formNames() []string {
	var list []string
	for _, e := range posenc.Encodings() {
		if strings.HasPrefix(e.Name, posenc.FormPrefix) {
			list = append(list, e.Name)
		}
	}
	return list
}

// rules lists what is done; of several that fit, the first one counts.
func rules() []rule {
	biases := []string{"grape-a", "grape-ap", "fox", "alibi", "kerple"}
	read := []string{fromGrapeA, fromGrapeAP, fromFoX} // biases that read the tokens
	unrounded := "a bias not rounded as Falcon's"
	path := "the distance is in a bias that adds to the score, and no rotation of q and k gives it"
	forms := formNames()
	noRotation := "the model has no rotation to put a bias beside; it has a bias already"
	return []rule{
		{from: []string{fromRope}, to: []string{"rope"}, kind: Exact, reason: "the same spectrum, spelled anew", apply: (*Rewrite).declared},
		{from: []string{fromRope}, to: spectral("rope"), kind: Lossy, reason: "planes turn otherwise than trained; exact where none does", apply: (*Rewrite).declared},
		{from: []string{fromRope}, to: []string{"grape-m"}, kind: Exact, reason: "θ per layer and key/value head, as tensors", apply: (*Rewrite).grapeM},
		{from: []string{fromGrapeM}, to: []string{"grape-m"}, kind: Exact, reason: "every plane turns as before", apply: (*Rewrite).grapeM},
		{from: []string{fromGrapeM}, to: []string{"rope"}, kind: Exact, when: "one spectrum for all heads and layers", otherwise: Refused, reason: "factors per plane; the sign folds into W_q and W_k", apply: (*Rewrite).spelled},
		{from: []string{fromGrapeM}, to: spectral("rope"), kind: Lossy, when: "one spectrum for all heads and layers", otherwise: Refused, reason: "as from rope", apply: (*Rewrite).spelled},
		{from: []string{fromRope, fromGrapeM}, to: forms, kind: Exact, when: "no norm between rotation and score", otherwise: Refused, reason: "the generator starts as the planes' own, with what training changes beside it", apply: (*Rewrite).formed},
		{from: []string{fromForm}, to: []string{"grape-m"}, kind: Exact, when: "no norm between that weights the coordinates which a basis mixes", otherwise: Refused, reason: "the real Schur form L = Q L_θ Qᵀ: Qᵀ folds into W_q and W_k, written in float32", apply: (*Rewrite).folded},
		{from: []string{fromForm}, to: []string{"rope"}, kind: Exact, when: "as to grape-m, and one spectrum for all heads and layers", otherwise: Refused, reason: "folded as to grape-m, the planes spelled as rope keys", apply: (*Rewrite).stockOfForm},
		{from: []string{fromForm}, to: []string{"grape-m:dense"}, kind: Exact, reason: "the same generators, by their upper triangles", apply: (*Rewrite).formed},
		{from: []string{fromForm}, to: forms, kind: Exact, when: "the same form", otherwise: Refused, reason: "the model is that already", apply: (*Rewrite).formed},
		{from: []string{fromForm}, to: spectral("rope"), kind: Refused, reason: "planes are chosen among those of the coordinates; " + hint.To + " grape-m folds the bases first"},
		{from: []string{fromRope, fromGrapeM, fromForm}, to: []string{"hybrid"}, kind: Exact, when: hint.Slope + " 0", otherwise: Lossy, reason: "the rotation as grape-m, and a bias beside it", apply: (*Rewrite).hybrid},
		{from: []string{fromRope, fromGrapeM, fromForm}, to: biases, kind: Refused, reason: "the weights lean on the rotation, which a bias does not replace; " + hint.To + " hybrid puts one beside it"},
		{from: []string{fromContext}, kind: Refused, reason: "its phases are sums over the tokens, which no position gives; it stays what it is"},
		// a hybrid whose bias is 0 does not come here: it counts as its rotation
		{from: []string{fromHybrid}, to: append([]string{"rope", "grape-m", "hybrid"}, forms...), kind: Exact, when: "a bias of 0", otherwise: Refused, reason: twoParts, apply: (*Rewrite).refuseTwoParts},
		{from: []string{fromHybrid}, to: spectral("rope"), kind: Lossy, when: "a bias of 0", otherwise: Refused, reason: twoParts, apply: (*Rewrite).refuseTwoParts},
		{from: []string{fromHybrid}, kind: Refused, reason: "either of its two parts would be lost"},
		{from: []string{fromNone}, kind: Refused, reason: "the model has no positional encoding that could become another one"},
		{from: []string{fromALiBi}, to: []string{"alibi"}, kind: Exact, reason: "the same slopes", apply: (*Rewrite).alibi},
		{from: []string{fromALiBi}, to: []string{"grape-a"}, kind: Exact, when: unrounded, otherwise: Lossy, reason: "u = v = 0: every gate is ln 2, ω = β/ln 2, or half of it with both gates", apply: (*Rewrite).grapeA},
		{from: []string{fromALiBi}, to: []string{"grape-ap"}, kind: Exact, when: unrounded, otherwise: Lossy, reason: "p = 0: every log gate is −ln 2, β' = β/ln 2", apply: (*Rewrite).grapeAP},
		{from: []string{fromALiBi}, to: []string{"fox"}, kind: Exact, when: unrounded, otherwise: Lossy, reason: "w = 0, c = −log(e^β − 1)", apply: (*Rewrite).fox},
		{from: []string{fromALiBi}, to: []string{"kerple"}, kind: Exact, when: "the power form of a bias not rounded as Falcon's", otherwise: Lossy, reason: "r1 = β, r2 = 1; the logarithm is fitted, and its largest error said", apply: (*Rewrite).kerple},
		{from: []string{fromKERPLE}, to: []string{"kerple"}, kind: Exact, when: "the same form", otherwise: Lossy, reason: "the same bias; a logarithm fitted to powers of 1, no other", apply: (*Rewrite).kerple},
		{from: read, to: []string{"kerple"}, kind: Exact, when: "the power form, and gates of 0", otherwise: Refused, reason: "by ALiBi's slopes; the logarithm fitted to them is lossy", apply: (*Rewrite).kerple},
		{from: []string{fromKERPLE}, to: []string{"alibi"}, kind: Exact, when: "powers of 1", otherwise: Refused, reason: "r1 is a slope per head", apply: (*Rewrite).alibi},
		{from: []string{fromKERPLE}, to: []string{"grape-a"}, kind: Exact, when: "powers of 1", otherwise: Refused, reason: "by ALiBi's slopes", apply: (*Rewrite).grapeA},
		{from: []string{fromKERPLE}, to: []string{"grape-ap"}, kind: Exact, when: "powers of 1", otherwise: Refused, reason: "by ALiBi's slopes", apply: (*Rewrite).grapeAP},
		{from: []string{fromKERPLE}, to: []string{"fox"}, kind: Exact, when: "powers of 1", otherwise: Refused, reason: "by ALiBi's slopes", apply: (*Rewrite).fox},
		{from: []string{fromGrapeA}, to: []string{"grape-a"}, kind: Exact, when: "the same gates, or all of them 0", otherwise: Refused, reason: "the same bias", apply: (*Rewrite).grapeA},
		{from: []string{fromGrapeAP}, to: []string{"grape-ap"}, kind: Exact, reason: "the same bias", apply: (*Rewrite).grapeAP},
		{from: []string{fromFoX}, to: []string{"fox"}, kind: Exact, reason: "the same bias", apply: (*Rewrite).fox},
		{from: read, to: []string{"alibi"}, kind: Exact, when: "gates of 0", otherwise: Refused, reason: "constant gates are a slope per head", apply: (*Rewrite).alibi},
		{from: []string{fromGrapeAP, fromFoX}, to: []string{"grape-a"}, kind: Exact, when: "gates of 0", otherwise: Refused, reason: "by ALiBi's slopes", apply: (*Rewrite).grapeA},
		{from: []string{fromGrapeA, fromFoX}, to: []string{"grape-ap"}, kind: Exact, when: "gates of 0", otherwise: Refused, reason: "by ALiBi's slopes", apply: (*Rewrite).grapeAP},
		{from: []string{fromGrapeA, fromGrapeAP}, to: []string{"fox"}, kind: Exact, when: "gates of 0", otherwise: Refused, reason: "by ALiBi's slopes", apply: (*Rewrite).fox},
		{from: []string{fromALiBi, fromGrapeA, fromGrapeAP, fromFoX, fromKERPLE}, to: []string{"hybrid"}, kind: Refused, reason: noRotation},
		{from: []string{fromALiBi}, to: []string{"nope"}, kind: Refused, reason: "the weights lean on the bias, and no stock configuration of these families leaves it out"},
		{from: []string{fromGrapeA, fromGrapeAP, fromFoX, fromKERPLE}, to: []string{"nope"}, kind: Refused, reason: "the weights lean on the bias"},
		{from: []string{fromALiBi}, kind: Refused, reason: path + "; " + hint.To + " grape-a, grape-ap, fox or kerple keep it exactly"},
		{from: []string{fromGrapeA, fromGrapeAP, fromFoX, fromKERPLE}, kind: Refused, reason: path},
	}
}

const twoParts = "either of its two parts would be lost; one whose bias is 0 converts as its rotation does"

// refuseTwoParts is for a hybrid whose bias says something.
func (r *Rewrite) refuseTwoParts(j job) error {
	return fmt.Errorf("from %s: %w: %s", j.m.Encoding(), posenc.ErrUnsupported, twoParts)
}

// find returns the rule for a source and an encoding; there is one for each.
func find(from, to string) rule {
	for _, r := range rules() {
		if slices.Contains(r.from, from) && (r.to == nil || slices.Contains(r.to, to)) {
			return r
		}
	}
	panic(fmt.Sprintf("rewrite: no rule from %s to %s", from, to))
}

// Relation is a cell of the table of rewrites.
type Relation struct {
	// From is a kind of source, To a name of posenc's table of encodings.
	From, To string
	// Kind is Exact, Lossy or Refused; where When is not empty it holds under
	// that condition, and Otherwise without.
	Kind      Kind
	When      string
	Otherwise Kind
	// Reason says in one line how, or why not.
	Reason string
}

// Table lists every pair of a kind of source and an encoding, as Make decides
// it.
func Table() []Relation {
	var list []Relation
	for _, from := range []string{fromRope, fromGrapeM, fromForm, fromContext, fromALiBi, fromGrapeA, fromGrapeAP, fromFoX, fromKERPLE, fromHybrid} {
		for _, e := range posenc.Encodings() {
			r := find(from, e.Name)
			list = append(list, Relation{From: from, To: e.Name, Kind: r.kind, When: r.when, Otherwise: r.otherwise, Reason: r.reason})
		}
	}
	return list
}

// sourceOf says which kind of encoding a model has, over all its layers. Without
// values (src is nil) gates count as no bias of 0.
func sourceOf(m *family.Model, src family.Source) (string, error) {
	rotation, bias := fromNone, fromNone
	for _, a := range m.Attentions() {
		switch {
		case a.Phase != nil:
			rotation = fromContext
		case a.Generators != nil:
			rotation = fromForm
		case a.Rotary.Dim > 0 && m.Rope.Type == "" && rotation != fromForm && rotation != fromContext:
			rotation = fromGrapeM
		case a.Rotary.Dim > 0 && rotation == fromNone:
			rotation = fromRope
		}
		mute, err := silent(a.Bias, src)
		if err != nil {
			return "", err
		}
		if !mute {
			bias = map[family.BiasKind]string{family.ALiBi: fromALiBi, family.Gated: fromGrapeA, family.Forget: fromFoX, family.Path: fromGrapeAP, family.Kerple: fromKERPLE}[a.Bias.Kind]
		}
	}
	switch {
	case rotation == fromContext || bias == fromNone:
		return rotation, nil
	case rotation == fromNone:
		return bias, nil
	}
	return fromHybrid, nil
}

// silent reports a bias that is 0 for every pair of tokens, and none. FoX's is where
// its gates are open and read nothing.
func silent(b *family.Bias, src family.Source) (bool, error) {
	switch {
	case b == nil:
		return true, nil
	case b.Kind != family.Forget:
		return b.Slopes != nil && !slices.ContainsFunc(b.Slopes, func(s float64) bool { return s != 0 }), nil
	case src == nil || b.Gate.Bias == nil:
		return false, nil
	}
	zero, err := job{src: src}.zeroWeight(b.Gate.Weight)
	if err != nil || !zero {
		return false, err
	}
	c, err := b.Gate.Bias.Float64(src)
	return !slices.ContainsFunc(c, func(x float64) bool { return x < posenc.OpenGate }), err
}
