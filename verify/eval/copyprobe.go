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
	strings  int // N, at each distance
	together bool
	seed     int64
	chosen   []int // distances, nil for those of distances
}

func newProbe(rows [][]int64, c *Config) (*probe, error) {
	p := &probe{size: c.CopyTokens, strings: c.Copy, together: c.CopyTogether, seed: c.Seed, chosen: c.CopyDistances}
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

// block is how many tokens stand twice in a sequence: those of one string, or of all.
func (p *probe) block() int {
	if p.together {
		return p.size * p.strings
	}
	return p.size
}

// tokens is what a distance runs in a model.
func (p *probe) tokens(d int) int {
	n := d + p.block()
	if p.together {
		return n
	}
	return n * p.strings
}

// distances are those that sequences of up to n tokens hold and up to before
// do not: those chosen, else powers of two from 2·size, and the farthest.
func (p *probe) distances(before, n int) []int {
	most, done := n-p.block(), before-p.block()
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
		if d > done && d >= p.block() {
			out = append(out, d)
		}
	}
	if most >= p.block() && most > done {
		out = append(out, most)
	}
	return out
}

// sequence k of distance d: a string, d − size tokens of the text, the string; of strings
// that stand together all of them, less of the text, and all of them again.
func (p *probe) sequence(d, k int) []int64 {
	rng := rand.New(rand.NewPCG(uint64(p.seed), uint64(d)<<32|uint64(k)))
	text := make([]int64, p.block())
	for i := range text {
		text[i] = p.alphabet[rng.IntN(len(p.alphabet))]
	}
	seq := slices.Clone(text)
	from := rng.IntN(len(p.filler))
	for i := range d - len(text) {
		seq = append(seq, p.filler[(from+i)%len(p.filler)])
	}
	return append(seq, text...)
}

// run probes all models at a distance: in lock-step, or one after the other where the
// sequences are too long for that.
func (p *probe) run(ctx context.Context, models []*Model, d int, progress func(tokens int)) ([]Copy, error) {
	out := make([]Copy, len(models))
	if inTurns(models, d+p.block()) {
		for k, m := range models {
			one, err := p.run(ctx, []*Model{m}, d, progress)
			if err != nil {
				return nil, err
			}
			out[k] = one[0]
			m.free()
		}
		return out, nil
	}
	for i := range out {
		out[i] = Copy{Distance: d, Probes: p.strings, Together: p.together, Tokens: p.strings * (p.size - 1), Share: Number(math.NaN()), Alphabet: len(p.alphabet)}
	}
	sequences := p.strings
	if p.together {
		sequences = 1
	}
	for k := range sequences {
		seq := p.sequence(d, k)
		traces, err := lockstep(ctx, models, -1, seq, func(_, n int) { progress(n) })
		if err != nil {
			return nil, err
		}
		for i, t := range traces {
			for at := d; at+1 < len(seq); at++ { // predicts token at+1
				if (at+1-d)%p.size == 0 {
					continue // the first of a string
				}
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
