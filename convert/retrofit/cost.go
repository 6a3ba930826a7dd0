package retrofit

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/pecvt/pecvt/convert/family"
)

// DefaultCostRows is what CostOptions.Rows is by default.
const DefaultCostRows = 40

// CostOptions say how costs are measured.
type CostOptions struct {
	// Rows is the number of query rows per sequence, drawn from the last three
	// quarters of it; 0 is 40.
	Rows int
	// Seed draws them.
	Seed uint64
	// Turns are what the planes turn by, of which one stops at a time; nil is the source's
	// own. Of others, as a scaling gives them, a cost is what stopping adds to them.
	Turns []Turn
	// Progress may be nil.
	Progress func(Progress)
}

// Costs are the attention KL in nats that each plane costs when it stops
// turning, alone.
type Costs struct {
	// Planes are the candidates; Cost[layer][group][i] is that of Planes[i],
	// nil for a layer that does not turn.
	Planes []int         `json:"planes"`
	Cost   [][][]float64 `json:"cost"`
	// Length is the positions and Sequences the number of texts measured on,
	// Rows the query rows of each, Seed what drew them.
	Length    int    `json:"length"`
	Sequences int    `json:"sequences"`
	Rows      int    `json:"rows"`
	Seed      uint64 `json:"seed"`
}

// MeasureCosts measures what planes cost on sequences of token ids, all of one
// length: the length that must work, since costs grow with it.
func MeasureCosts(ctx context.Context, m *family.Model, src family.Source, walk Walk, sequences [][]int64, planes []int, o CostOptions) (*Costs, error) {
	if o.Rows == 0 {
		o.Rows = DefaultCostRows
	}
	if len(sequences) == 0 || len(sequences[0]) < 8 {
		return nil, fmt.Errorf("costs: expected a text of at least 8 tokens")
	}
	turns := o.Turns
	if turns == nil {
		var err error
		if turns, err = Turns(m); err != nil {
			return nil, err
		}
	}
	length := len(sequences[0])
	for i, s := range sequences {
		if len(s) != length {
			return nil, fmt.Errorf("costs: sequence %d has %d tokens, the first %d: all must be as long", i, len(s), length)
		}
	}
	for _, t := range turns {
		for _, p := range planes {
			if n := len(t.InvFreq[0]); n > 0 && (p < 0 || p >= n) {
				return nil, fmt.Errorf("costs: plane %d of %d", p, n)
			}
		}
	}
	c := &Costs{Planes: slices.Clone(planes), Length: length, Sequences: len(sequences), Rows: o.Rows, Seed: o.Seed}
	st, err := newStreams(ctx, walk, m.Hidden, sequences)
	if err != nil {
		return nil, fmt.Errorf("costs: %w", err)
	}
	begin := time.Now()
	for i := range m.Blocks {
		if len(turns[i].InvFreq[0]) == 0 {
			c.Cost = append(c.Cost, nil)
		} else {
			cost, err := c.layer(st, m, src, i, &turns[i], o)
			if err != nil {
				return nil, fmt.Errorf("costs: %w", err)
			}
			c.Cost = append(c.Cost, cost)
		}
		if i+1 < len(m.Blocks) {
			if err := st.advance(ctx); err != nil {
				return nil, fmt.Errorf("costs: %w", err)
			}
		}
		if o.Progress != nil {
			rest := time.Since(begin).Seconds() / float64(i+1) * float64(len(m.Blocks)-i-1)
			o.Progress(Progress{Stage: "costs", Layer: i + 1, Layers: len(m.Blocks), Seconds: rest})
		}
	}
	return c, ctx.Err()
}

// layer is the mean over the sequences.
func (c *Costs) layer(st *streams, m *family.Model, src family.Source, i int, turn *Turn, o CostOptions) ([][]float64, error) {
	shape, err := shapeOf(m, src, i)
	if err != nil {
		return nil, err
	}
	w, err := weightsOf(m, src, i)
	if err != nil {
		return nil, err
	}
	layer := NewLayer(shape, w, turn, c.Length)
	var sum [][]float64
	for s := range st.x {
		h, err := st.input(s)
		if err != nil {
			return nil, err
		}
		// the same rows in every layer
		rng := rand.New(rand.NewPCG(o.Seed, uint64(s)))
		rows := make([]int, o.Rows)
		for r := range rows {
			rows[r] = c.Length/4 + rng.IntN(c.Length-c.Length/4)
		}
		slices.Sort(rows)
		cost := PlaneCosts(layer, h, rows, c.Planes)
		if sum == nil {
			sum = cost
			continue
		}
		for g := range sum {
			for p := range sum[g] {
				sum[g][p] += cost[g][p]
			}
		}
	}
	for g := range sum {
		for p := range sum[g] {
			sum[g][p] /= float64(len(st.x))
			if math.IsNaN(sum[g][p]) {
				return nil, fmt.Errorf("layer %d, key/value head %d, plane %d: the cost is not a number: the source's own activations are not finite", i, g, c.Planes[p])
			}
		}
	}
	return sum, nil
}

// PlaneCosts is the mean KL(softmax(s) ‖ softmax(s + δ)) over rows, sorted
// positions of h, and over the query heads of each key/value head, for each of
// planes: (KVHeads, planes).
func PlaneCosts[F Float](l *Layer[F], h []F, rows, planes []int) [][]float64 {
	v := newPlaneView(l, h, rows)
	kl := make([]float64, l.Heads*len(rows)*len(planes))
	work := make([]costScratch, workerCount())
	each(l.Heads*len(rows), func(worker, i int) {
		v.row(&work[worker], i/len(rows), i%len(rows), planes, kl[i*len(planes):(i+1)*len(planes)])
	})
	out := make([][]float64, l.KVHeads)
	for g := range out {
		out[g] = make([]float64, len(planes))
		for n := range l.share() {
			head := g*l.share() + n
			for r := range rows {
				for p := range planes {
					out[g][p] += kl[(head*len(rows)+r)*len(planes)+p]
				}
			}
		}
		for p := range planes {
			out[g][p] /= float64(l.share() * len(rows))
		}
	}
	return out
}
