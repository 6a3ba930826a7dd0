package rewrite

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

// constant returns slopes, layer by layer: what a bias amounts to whose gates are 0.
// Errors wrap posenc.ErrUnsupported.
func (j job) constant() ([][]float64, error) {
	all := make([][]float64, len(j.m.Blocks))
	for i := range all {
		a := j.m.Blocks[i].Attn()
		if a.Bias == nil {
			return nil, fmt.Errorf("layer %d has no bias where others have: %w", i, posenc.ErrUnsupported)
		}
		slopes, err := j.slopes(a)
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", i, err)
		}
		for h, s := range slopes {
			if math.IsNaN(s) || math.IsInf(s, 0) {
				return nil, fmt.Errorf("layer %d, head %d: slope %v: expected a finite number: the weights are damaged or the training diverged", i, h, s)
			}
			if s < 0 {
				return nil, fmt.Errorf("layer %d, head %d: slope %v: expected none below 0: %w", i, h, s, posenc.ErrUnsupported)
			}
		}
		all[i] = slopes
	}
	return all, nil
}

// gates says in an error what reads the tokens.
func gates(what string) error {
	return fmt.Errorf("%s: only gates of 0 are a slope per head, and others read the tokens: %w; it stays what it is", what, posenc.ErrUnsupported)
}

// zeroWeight reports whether every element of a weight is 0.
func (j job) zeroWeight(w family.Weight) (bool, error) {
	if j.src == nil {
		return false, fmt.Errorf("tensor %q: its values are needed", w.Tensor)
	}
	raw, dtype, err := w.Bytes(j.src)
	if err != nil {
		return false, err
	}
	return tensor.AllZero(raw, dtype), nil
}

func zeroRows(rows [][]float64) bool {
	for _, row := range rows {
		for _, v := range row {
			if v != 0 {
				return false
			}
		}
	}
	return true
}
