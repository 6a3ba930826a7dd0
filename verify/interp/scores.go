package interp

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert/gemm"
)

// scores is scaled dot-product attention of query heads that share key/value
// heads: y = softmax(cap(scale · q kᵀ) + bias) v, with cap(s) = softcap ·
// tanh(s/softcap). Query head h meets key/value head h / (heads / kvHeads).
type scores struct {
	batch, heads, kvHeads int
	queries, keys         int
	size, valueSize       int

	q []float64 // (batch, heads, queries, size)
	k []float64 // (batch, kvHeads, keys, size)
	v []float64 // (batch, kvHeads, keys, valueSize)

	scale, softcap float64
	// sinks is a further score for each head, or nil: it takes its share of the
	// softmax, and nothing is added for it.
	sinks []float64

	// bias writes what is added to the scores of one query, -Inf where a key
	// is hidden. A query all of whose keys are hidden gets zeros.
	bias func(b, h, i int, row []float64)
}

// queryRows are scored at a time.
const queryRows = 64

// run computes (batch, heads, queries, valueSize). raw, unless nil, receives
// scale · q kᵀ.
func (s *scores) run(ctx context.Context, raw []float64) (*Array, error) {
	if s.kvHeads <= 0 || s.heads%s.kvHeads != 0 {
		return nil, fmt.Errorf("%d query heads cannot share %d key/value heads", s.heads, s.kvHeads)
	}
	out, err := newArray(Float, s.batch, s.heads, s.queries, s.valueSize)
	if err != nil {
		return nil, err
	}
	if _, err := elements([]int{queryRows, s.keys}); err != nil {
		return nil, err
	}
	err = parallel(ctx, s.batch*s.heads, func() func(int) error {
		score := make([]float64, queryRows*s.keys)
		bias := make([]float64, s.keys)
		return func(task int) error {
			b, h := task/s.heads, task%s.heads
			kv := b*s.kvHeads + h/(s.heads/s.kvHeads)
			keys := gemm.Of(s.keys, s.size, s.size, s.k[kv*s.keys*s.size:])
			values := gemm.Of(s.keys, s.valueSize, s.valueSize, s.v[kv*s.keys*s.valueSize:])
			for top := 0; top < s.queries; top += queryRows {
				n := min(queryRows, s.queries-top)
				row := task*s.queries + top
				some := gemm.Of(n, s.keys, s.keys, score)
				gemm.Mul(s.scale, gemm.Of(n, s.size, s.size, s.q[row*s.size:]), keys.T(), 0, some)
				if raw != nil {
					copy(raw[row*s.keys:(row+n)*s.keys], score)
				}
				for i := range n {
					s.weigh(score[i*s.keys:(i+1)*s.keys], bias, b, h, top+i)
				}
				gemm.Mul(1, some, values, 0, gemm.Of(n, s.valueSize, s.valueSize, out.F[row*s.valueSize:]))
			}
			return nil
		}
	})
	return out, err
}

// weigh turns the scores of one query into weights.
func (s *scores) weigh(row, bias []float64, b, h, i int) {
	clear(bias)
	if s.bias != nil {
		s.bias(b, h, i, bias)
	}
	if len(row) == 0 || slices.Max(bias) == math.Inf(-1) {
		clear(row)
		return
	}
	for j := range row {
		if s.softcap > 0 {
			row[j] = s.softcap * math.Tanh(row[j]/s.softcap)
		}
		if bias[j] == math.Inf(-1) {
			row[j] = bias[j] // a hidden key is hidden even if its score is not finite
		} else {
			row[j] += bias[j]
		}
	}
	if s.sinks != nil {
		all := append(row[:len(row):len(row)], s.sinks[h])
		softmaxRow(all)
		copy(row, all)
		return
	}
	softmaxRow(row)
}

// splitHeads brings (batch, sequence, heads · size) to (batch, heads,
// sequence, size).
func splitHeads(a *Array, heads int) (*Array, error) {
	s := a.Shape
	if len(s) != 3 || heads <= 0 || s[2]%heads != 0 {
		return nil, fmt.Errorf("%v cannot be split into %d heads", a, heads)
	}
	size := s[2] / heads
	from := view{0, []int{s[1] * s[2], size, s[2], 1}}
	return gathered(a, from, []int{s[0], heads, s[1], size})
}

// joinHeads undoes splitHeads.
func joinHeads(a *Array) (*Array, error) {
	s := a.Shape
	from := view{0, []int{s[1] * s[2] * s[3], s[3], s[2] * s[3], 1}}
	out, err := gathered(a, from, []int{s[0], s[2], s[1], s[3]})
	if err != nil {
		return nil, err
	}
	return out.reshaped([]int{s[0], s[2], s[1] * s[3]}), nil
}

// maskBias is the bias that a mask stands for: bool hides where false, float
// is added. It stretches to (batch, heads, queries, keys), except that its
// last axis must be the keys: runtimes read a shorter one in different ways.
func maskBias(mask *Array, batch, heads, queries, keys int) (func(b, h, i int, row []float64), error) {
	full := []int{batch, heads, queries, keys}
	joined, err := broadcastShape(mask.Shape, full)
	if err != nil || !equalShape(joined, full) {
		return nil, fmt.Errorf("mask %v does not stretch to %v", mask, full)
	}
	if len(mask.Shape) == 0 || mask.Shape[len(mask.Shape)-1] != keys {
		return nil, fmt.Errorf("the last axis of mask %v must be the %d keys", mask, keys)
	}
	if mask.Kind == Int {
		return nil, errors.New("a mask must be bool or float")
	}
	steps := broadcastStrides(mask.Shape, full)
	return func(b, h, i int, row []float64) {
		at := b*steps[0] + h*steps[1] + i*steps[2]
		for j := range row {
			switch {
			case mask.Kind == Float:
				row[j] += mask.F[at+j]
			case !mask.B[at+j]:
				row[j] = math.Inf(-1)
			}
		}
	}, nil
}
