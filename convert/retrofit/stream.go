package retrofit

import (
	"context"
	"fmt"
)

// streams are the residual streams of several sequences, advanced together
// through the source's layers.
type streams struct {
	walk   Walk
	hidden int
	x      [][]float32
	layer  int
}

// newStreams embeds sequences.
func newStreams(ctx context.Context, walk Walk, hidden int, sequences [][]int64) (*streams, error) {
	s := &streams{walk: walk, hidden: hidden}
	for i, ids := range sequences {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		x, err := walk.Embed(ids)
		if err != nil {
			return nil, fmt.Errorf("sequence %d: %w", i, err)
		}
		if len(x) != len(ids)*hidden {
			return nil, fmt.Errorf("sequence %d: a residual stream of %d numbers for %d tokens of width %d", i, len(x), len(ids), hidden)
		}
		s.x = append(s.x, x)
	}
	return s, nil
}

// input returns h of sequence i in memory of its own.
func (s *streams) input(i int) ([]float32, error) {
	h, err := s.walk.Input(s.layer, s.x[i])
	if err != nil {
		return nil, fmt.Errorf("layer %d: %w", s.layer, err)
	}
	return append([]float32(nil), h...), nil
}

// advance goes on to the next layer.
func (s *streams) advance(ctx context.Context) error {
	for _, x := range s.x {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.walk.Advance(s.layer, x); err != nil {
			return fmt.Errorf("layer %d: %w", s.layer, err)
		}
	}
	s.layer++
	return nil
}
