package eval

import (
	"context"
	"math"
	"testing"
)

// parrot repeats what stood distance tokens ago, with a logit of 20 over the others; at the
// first token of a block of size it says something else where stumbles is set.
type parrot struct {
	vocab, distance, size int
	stumbles              bool
	seen                  []int64
}

func (p *parrot) begin(int)    { p.seen = nil }
func (p *parrot) limit() int   { return math.MaxInt }
func (p *parrot) scores() bool { return false }
func (p *parrot) close()       {}

func (p *parrot) next(_ context.Context, ids []int64) (logits, error) {
	l := logits{vocab: p.vocab, data: make([]float32, len(ids)*p.vocab)}
	for i, id := range ids {
		p.seen = append(p.seen, id)
		at := len(p.seen) - p.distance // of the token that comes next
		if at >= 0 && (!p.stumbles || at%p.size != 0) {
			l.data[i*p.vocab+int(p.seen[at])] = 20
		}
	}
	return l, nil
}

// A model that copies from as far as the probe asks, and no other, copies all that counts:
// a string's first token does not, alone or together.
func TestProbeCounts(t *testing.T) {
	const vocab, size, strings, distance = 50, 8, 3, 40
	row := make([]int64, 400)
	for i := range row {
		row[i] = int64(i * i % vocab)
	}
	for _, together := range []bool{false, true} {
		p, err := newProbe([][]int64{row}, &Config{Copy: strings, CopyTokens: size, CopyTogether: together, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		if n := p.tokens(distance); n != map[bool]int{false: strings * (distance + size), true: distance + strings*size}[together] {
			t.Errorf("%d tokens", n)
		}
		for _, c := range []struct {
			by       parrot
			accuracy float64
		}{{parrot{distance: distance}, 1}, {parrot{distance: distance, stumbles: true}, 1}, {parrot{distance: distance - 1}, 0.1}} {
			c.by.vocab, c.by.size = vocab, size
			m := &Model{Vocab: vocab, run: &c.by, length: distance + p.block()}
			ran := 0
			got, err := p.run(t.Context(), []*Model{m}, distance, func(n int) { ran += n })
			if err != nil {
				t.Fatal(err)
			}
			x := got[0]
			if x.Tokens != strings*(size-1) || x.Probes != strings || x.Together != together || ran != p.tokens(distance) {
				t.Errorf("%+v after %d tokens", x, ran)
			}
			if exact := c.accuracy == 1; exact && (x.Accuracy != 1 || x.NLL > 1e-6) || !exact && float64(x.Accuracy) > c.accuracy {
				t.Errorf("together %v, %+v: accuracy %v, nll %v", together, c.by.distance, x.Accuracy, x.NLL)
			}
			if math.Abs(float64(x.First)-math.Log(vocab)) > 1e-6 {
				t.Errorf("nll where nothing can be copied %v, want ln %d", x.First, vocab)
			}
		}
	}
}
