package main

import (
	"testing"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/cmd/pecvt/words"
	"github.com/pecvt/pecvt/posenc/hint"
)

// TestEveryOptionHasAFlag: messages of convert and export name options of a
// conversion, those of verify its own; each has a flag, and the flag is there.
func TestEveryOptionHasAFlag(t *testing.T) {
	a := &app{}
	verifying := false // the fields from Against on
	for _, f := range hint.Fields() {
		verifying = verifying || f == hint.Against
		cmds := []*cobra.Command{newConvert(a)}
		if verifying {
			cmds = []*cobra.Command{newVerify(a)}
		}
		for _, cmd := range cmds {
			if name := words.Flags[f]; name == "" || cmd.Flags().Lookup(name) == nil {
				t.Errorf("%s: %s has no flag %q", f, cmd.Name(), name)
			}
		}
	}
	if len(words.Flags) != len(hint.Fields()) {
		t.Errorf("%d flags for %d options", len(words.Flags), len(hint.Fields()))
	}
}
