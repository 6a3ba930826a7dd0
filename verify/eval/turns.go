package eval

import "context"

// lockstepBytes is how much keys and values of one sequence may take in all models
// together where they run in lock-step; beyond it they run one after the other.
var lockstepBytes int64 = 1 << 30

// cacheBytes is what the keys and values of n tokens take in float32.
func (m *Model) cacheBytes(n int) int64 {
	numbers := 0
	for _, a := range m.loaded.Attentions() {
		if a.KVLayer == nil {
			numbers += a.KVHeads * (a.QKDim + a.VDim)
		}
	}
	return bytesEach * int64(numbers) * int64(n)
}

// inTurns tells whether sequences of n tokens are more than models hold at once.
func inTurns(models []*Model, n int) bool {
	if len(models) < 2 {
		return false
	}
	sum := int64(0)
	for _, m := range models {
		sum += m.cacheBytes(n)
	}
	return sum > lockstepBytes
}

// scored is lockstep, or its figures with one model in memory at a time where the
// sequence is too long for all of them: then the source's logits, 4·T·vocabulary bytes,
// lie in a file meanwhile. Where that cannot be written the source runs beside each.
func scored(ctx context.Context, models []*Model, source int, ids []int64, progress func(tokens int)) ([]Trace, error) {
	all := func(_, tokens int) { progress(tokens) }
	if !inTurns(models, len(ids)) {
		return lockstep(ctx, models, source, ids, all)
	}
	traces := make([]Trace, len(models))
	alone := func(m *Model) ([]Trace, error) {
		return lockstep(ctx, []*Model{m}, -1, ids, all)
	}
	if source >= 0 { // the first
		s := models[source]
		s.opts.Remember = bytesEach * int64(len(ids)) * int64(s.Vocab)
		s.memory.forget(s.opts.Remember)
		defer s.memory.forget(0)
		alone = func(m *Model) ([]Trace, error) {
			if m == s {
				return lockstep(ctx, []*Model{s}, 0, ids, all)
			}
			both, err := lockstep(ctx, []*Model{s, m}, 0, ids, func(k, tokens int) {
				if k == 1 {
					progress(tokens)
				}
			})
			if err != nil {
				return nil, err
			}
			return both[1:], nil
		}
	}
	for k, m := range models {
		one, err := alone(m)
		if err != nil {
			return nil, err
		}
		traces[k] = one[0]
		m.free()
	}
	return traces, nil
}
