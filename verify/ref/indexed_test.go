package ref

import (
	"errors"
	"testing"

	"github.com/pecvt/pecvt/posenc"
)

// Where layers choose 64 keys, a row of more visible tokens is refused, whatever their
// positions, and also when they come call by call; padding does not count.
func TestMoreTokensThanAreChosen(t *testing.T) {
	run := New(checkpoint(t, "families/deepseek_v32"))
	call := func(n int, positions []int64, mask []int64, past *Cache) (*Output, error) {
		in := Input{IDs: [][]int64{make([]int64, n)}, Past: past}
		if positions != nil {
			in.Positions = [][]int64{positions}
		}
		if mask != nil {
			in.Mask = [][]int64{mask}
		}
		return run.Forward(t.Context(), in, Options{LogitsFrom: -1})
	}
	full, err := call(64, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	padding := make([]int64, 70)
	for i := range 64 {
		padding[6+i] = 1
	}
	if _, err := call(70, nil, padding, nil); err != nil {
		t.Errorf("64 tokens beside padding: %v", err)
	}
	for what, err := range map[string]error{
		"65 tokens":                  second(call(65, nil, nil, nil)),
		"65 tokens at one position":  second(call(65, make([]int64, 65), nil, nil)),
		"one token behind the cache": second(call(1, nil, nil, full.Cache)),
	} {
		if !errors.Is(err, posenc.ErrUnsupported) {
			t.Errorf("%s: %v: want a refusal", what, err)
		}
	}
}

func second(_ *Output, err error) error { return err }
