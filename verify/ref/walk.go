package ref

import (
	"context"
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
)

// Walk is a forward pass in float32 that the caller leads from layer to layer,
// over one sequence at positions 0 … S−1, without padding and without a cache.
// A layer's output is the next one's input, which the caller holds: memory is
// the residual stream, one layer's activations and a few rows of its weights,
// with S × T scores a block of queries at a time. Its methods may not be used
// from several goroutines.
type Walk struct {
	r    *Runner32
	work *scratch[float32]
}

// NewWalk returns a walk through the model whose tensors src holds.
func NewWalk(m *family.Model, src family.Source) *Walk {
	return &Walk{r: New32(m, src), work: newScratch[float32]()}
}

// pass is the state of the walk before a layer that reads x; x is nil before
// the embedding.
func (w *Walk) pass(ids []int64, x []float32) (*pass[float32], error) {
	m := w.r.model
	if err := m.Beyond(known...); err != nil {
		return nil, err
	}
	if x != nil {
		if len(x) == 0 || len(x)%m.Hidden != 0 {
			return nil, fmt.Errorf("the residual stream has %d numbers: expected a row of %d for each token", len(x), m.Hidden)
		}
		ids = make([]int64, len(x)/m.Hidden)
	}
	in, err := Input32{IDs: [][]int64{ids}}.check(m)
	if err != nil {
		return nil, err
	}
	return &pass[float32]{RunnerOf: w.r, in: in, out: &Output32{Cache: &Cache32{}}, work: w.work, x: x}, nil
}

// Embed returns the residual stream of the tokens before layer 0, (S, hidden).
func (w *Walk) Embed(ids []int64) ([]float32, error) {
	p, err := w.pass(ids, nil)
	if err == nil {
		err = p.embed(context.Background())
	}
	if err != nil {
		return nil, fmt.Errorf("ref: %w", err)
	}
	return p.x, nil
}

// Input returns what W_q, W_k and W_v of a layer read: AttnNorm(x), or x where
// there is no norm, (S, hidden), for the residual stream x before the layer, which stays as it is.
func (w *Walk) Input(layer int, x []float32) ([]float32, error) {
	b, err := w.block(layer)
	if err != nil {
		return nil, err
	}
	out := make([]float32, len(x))
	p, err := w.pass(nil, x)
	if err == nil {
		err = p.norm(b.AttnNorm, x, out)
	}
	if err != nil {
		return nil, fmt.Errorf("ref: layer %d: %w", layer, err)
	}
	return out, nil
}

// Advance replaces the residual stream x before a layer, (S, hidden), by the one
// after it.
func (w *Walk) Advance(layer int, x []float32) error {
	if _, err := w.block(layer); err != nil {
		return err
	}
	p, err := w.pass(nil, x)
	if err == nil {
		err = p.layer(context.Background(), layer)
	}
	if err != nil {
		return fmt.Errorf("ref: layer %d: %w", layer, err)
	}
	return nil
}

// Head returns the logits of rows [from, S) of the residual stream after the
// last layer, (S − from, vocab). x stays as it is.
func (w *Walk) Head(x []float32, from int) ([]float32, error) {
	h := w.r.model.Hidden
	if from < 0 || from*h > len(x) {
		return nil, fmt.Errorf("ref: logits from token %d of %d", from, len(x)/h)
	}
	if from*h == len(x) {
		return nil, nil
	}
	rows := append([]float32(nil), x[from*h:]...)
	p, err := w.pass(nil, rows)
	if err == nil {
		err = p.norm(&w.r.model.FinalNorm, rows, rows)
	}
	if err != nil {
		return nil, fmt.Errorf("ref: %w", err)
	}
	return w.r.Logits(context.Background(), rows)
}

// Observe gives see the inputs of every linear map, (n, in), before it is computed, in
// memory that is used again after; nil ends that. An error of see ends the pass.
func (w *Walk) Observe(see func(l *family.Linear, x []float32) error) {
	w.r.observe = nil
	if see != nil {
		w.r.observe = func(l *family.Linear, x []float32) (bool, error) { return false, see(l, x) }
	}
}

// HeadInputs gives see what the linear maps after the last layer read of its residual
// stream x, (S, hidden), without the logits. x stays as it is.
func (w *Walk) HeadInputs(x []float32, see func(l *family.Linear, x []float32) error) error {
	before := w.r.observe
	defer func() { w.r.observe = before }()
	head := &w.r.model.Head
	w.r.observe = func(l *family.Linear, x []float32) (bool, error) { return l == head, see(l, x) }
	rows := append([]float32(nil), x...)
	p, err := w.pass(nil, rows)
	if err == nil {
		err = p.norm(&w.r.model.FinalNorm, rows, rows)
	}
	if err == nil {
		rows, err = w.r.headDense(context.Background(), rows, w.work, func(string, []float32) {})
	}
	if err == nil {
		err = w.r.linear(context.Background(), head, rows, len(rows)/w.r.model.Hidden, nil, w.work)
	}
	if err != nil {
		return fmt.Errorf("ref: %w", err)
	}
	return nil
}

func (w *Walk) block(layer int) (*family.Block, error) {
	if n := len(w.r.model.Blocks); layer < 0 || layer >= n {
		return nil, fmt.Errorf("ref: layer %d of %d", layer, n)
	}
	return &w.r.model.Blocks[layer], nil
}
