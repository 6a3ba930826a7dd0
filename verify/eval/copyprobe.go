package eval

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// probe makes sequences of the copy probe.
type probe struct {
	alphabet []int64 // distinct tokens, rising
	filler   []int64
	size     int // n
	seed     int64
	chosen   []int // distances, nil for those of distances
}

func newProbe(rows [][]int64, size int, seed int64, chosen []int) (*probe, error) {
	p := &probe{size: size, seed: seed, chosen: chosen}
	for _, row := range rows {
		p.alphabet = append(p.alphabet, row...)
		p.filler = append(p.filler, row...)
	}
	slices.Sort(p.alphabet)
	p.alphabet = slices.Compact(p.alphabet)
	if len(p.alphabet) < 2 {
		return nil, fmt.Errorf("copy probe: the text has one distinct token: a string of it says nothing")
	}
	return p, nil
}

// distances are those that sequences of up to n tokens hold and up to before
// do not: those chosen, else powers of two from 2·size, and the farthest.
func (p *probe) distances(before, n int) []int {
	most, done := n-p.size, before-p.size
	var out []int
	if p.chosen != nil {
		for _, d := range p.chosen {
			if d > done && d <= most {
				out = append(out, d)
			}
		}
		return out
	}
	for d := 2 * p.size; d < most; d *= 2 {
		if d > done {
			out = append(out, d)
		}
	}
	if most >= p.size && most > done {
		out = append(out, most)
	}
	return out
}

// sequence k of distance d: a string, d − size tokens of the text, the string.
func (p *probe) sequence(d, k int) []int64 {
	rng := rand.New(rand.NewPCG(uint64(p.seed), uint64(d)<<32|uint64(k)))
	text := make([]int64, p.size)
	for i := range text {
		text[i] = p.alphabet[rng.IntN(len(p.alphabet))]
	}
	seq := slices.Clone(text)
	from := rng.IntN(len(p.filler))
	for i := range d - p.size {
		seq = append(seq, p.filler[(from+i)%len(p.filler)])
	}
	return append(seq, text...)
}

// run probes all models at a distance: in lock-step, or one after the other where the
// sequences are too long for that.
func (p *probe) run(ctx context.Context, models []*Model, d, probes int, progress func(tokens int)) ([]Copy, error) {
	out := make([]Copy, len(models))
	if inTurns(models, d+p.size) {
		for k, m := range models {
			one, err := p.run(ctx, []*Model{m}, d, probes, progress)
			if err != nil {
				return nil, err
			}
			out[k] = one[0]
			m.free()
		}
		return out, nil
	}
	for i := range out {
		out[i] = Copy{Distance: d, Probes: probes, Tokens: probes * (p.size - 1), Share: Number(math.NaN()), Alphabet: len(p.alphabet)}
	}
	for k := range probes {
		seq := p.sequence(d, k)
		traces, err := lockstep(ctx, models, -1, seq, func(_, n int) { progress(n) })
		if err != nil {
			return nil, err
		}
		for i, t := range traces {
			for at := d; at < d+p.size-1; at++ { // predicts token at+1
				out[i].NLL += Number(t.NLL[at])
				out[i].First += Number(t.NLL[at-d])
				if t.Top[at] == seq[at+1] {
					out[i].Accuracy++
				}
			}
		}
	}
	for i := range out {
		out[i].NLL /= Number(out[i].Tokens)
		out[i].First /= Number(out[i].Tokens)
		out[i].Accuracy /= Number(out[i].Tokens)
	}
	return out, nil
}

// share compares what a model copies with what its source does, by distance.
func share(copies, source []Copy) {
	for i := range copies {
		if source[i].Accuracy > 0 {
			copies[i].Share = copies[i].Accuracy / source[i].Accuracy
		}
	}
}
