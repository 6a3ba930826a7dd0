package families

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
)

// factor reads an optional factor, which must be finite and not 0; def where it is
// absent.
func factor(r *family.Reader, key string, def float64) float64 {
	v := r.FloatOr(def, key)
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		r.Fail(fmt.Errorf("key %q is %v: expected a finite number that is not 0", key, v))
	}
	return v
}

// oneAsNone is 0, which stands for no factor, for 1.
func oneAsNone(x float64) float64 {
	if x == 1 {
		return 0
	}
	return x
}

// refuse fails where a truth value that the family's loaders read is true.
func refuse(r *family.Reader, key, means string) {
	if r.Truth(false, key) {
		r.Fail(family.Unsupported("%s is true: %s", key, means))
	}
}

// must fails where a truth value that is there is false: what published
// configurations of the family say of what all its loaders do.
func must(r *family.Reader, keys ...string) {
	for _, key := range keys {
		if r.C.Has(key) && !r.Truth(true, key) {
			r.Fail(family.Unsupported("%s is false, and loaders of this family do so all the same", key))
		}
	}
}

// scaled sets the factors of granite and its kin: those of the embedding, of both
// branches and of the scores. A layer's scale is the attention multiplier itself.
func scaled(r *family.Reader, m *family.Model, attention float64) {
	m.EmbedScale = oneAsNone(factor(r, "embedding_multiplier", 1))
	residual := oneAsNone(factor(r, "residual_multiplier", 1))
	scale := attention
	if r.C.Has("attention_multiplier") {
		scale = factor(r, "attention_multiplier", attention)
	}
	for i := range m.Blocks {
		m.Blocks[i].ResidualScale = residual
		if a := m.Blocks[i].Attn(); a != nil && scale != 0 {
			a.Scale = scale
		}
	}
}
