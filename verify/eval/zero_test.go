package eval

import (
	"context"
	"slices"
	"testing"
)

// TestZeroConfig: what is left out is the command's default, but for the model
// and the tokens, which are errors.
func TestZeroConfig(t *testing.T) {
	for name, c := range map[string]Config{"nothing": {}, "no tokens": {Models: []string{"m"}}, "no model": {IDs: "ids"}} {
		if _, err := Run(context.Background(), c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	c, err := Config{Models: []string{"m"}, IDs: "ids"}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Lengths, []int{512, 2048}) || c.Seed != 1 || c.CopyTokens != 32 || c.Options.Length != 2048 {
		t.Errorf("lengths %d, seed %d, copy tokens %d, longest %d", c.Lengths, c.Seed, c.CopyTokens, c.Options.Length)
	}
	if o, err := (Options{}).withDefaults(); err != nil || o.Chunk != 0 || o.Provider != "cpu" {
		t.Errorf("options %+v, %v", o, err)
	}
	if lastOf(0, 8192) != 512 {
		t.Errorf("the last %d tokens, want 512", lastOf(0, 8192))
	}
}
