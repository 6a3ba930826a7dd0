package rewrite

import (
	"math"

	"github.com/pecvt/pecvt/convert/loaders"
	"github.com/pecvt/pecvt/posenc"
)

// judged says what becomes of the result in the loaders of the table; alone is a
// result that keeps a source's keys that older readers pass over.
func (r *Rewrite) judged(form string, alone bool) {
	r.Readers = loaders.Judge(form, r.Family)
	if alone {
		r.Readers = loaders.JudgeKeys(form, r.Family)
	}
	if r.Readers != nil {
		r.Loaders = loaders.Summary(r.Readers)
	}
}

// noteLongrope says where vLLM differs: it takes longrope's attention factor
// from the two lengths and passes over the one that is declared.
func (r *Rewrite) noteLongrope(p posenc.RopeParams) {
	if p.Type != "longrope" {
		return
	}
	if own, gain := loaders.OwnGain(p), *p.AttentionFactor; math.Abs(own-gain) > 1e-9 {
		r.note("vLLM passes over attention_factor (%.6g) of longrope and computes %.6g from the lengths: its results differ; transformers reads it", gain, own)
	}
}
