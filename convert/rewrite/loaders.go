package rewrite

import (
	"math"

	"github.com/pecvt/pecvt/convert/families"
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
// from the two lengths and passes over the one that is declared. A block around the keys,
// for queries that are scaled, is refused there before they are read.
func (r *Rewrite) noteLongrope(p posenc.RopeParams) {
	if spec, err := families.Find(r.Family); p.Type != "longrope" || err == nil && spec.Rope.QueryScale == "" && (r.scaled != nil || r.Options.QueryScale != 0) {
		return
	}
	if own, gain := loaders.OwnGain(p), *p.AttentionFactor; math.Abs(own-gain) > 1e-9 {
		r.note("vLLM passes over attention_factor (%.6g) of longrope and computes %.6g from the lengths: its results differ; transformers reads it", gain, own)
	}
}

// noteYarn says where an extension declares another length than the factor of YaRN does:
// loaders have the one or the other.
func (r *Rewrite) noteYarn(p posenc.RopeParams) {
	if p.Type != "yarn" || r.Options.Extend == 0 {
		return
	}
	if says := p.Factor * float64(p.TrainedLength); int(math.Round(says)) != r.MaxPositions {
		r.note("the factor %v of rope type yarn says %.0f positions, max_position_embeddings %d: transformers warns of it and takes the factor; a loader that computes the factor from the lengths turns otherwise, one that computes the length from the factor ends there", p.Factor, says, r.MaxPositions)
	}
}
