package main

import (
	"testing"

	"github.com/pecvt/pecvt/cmd/pecvt/words"
	"github.com/pecvt/pecvt/posenc/hint"
)

// TestEveryOptionHasAFlag: messages of convert and export name options of a
// conversion, those of verify, import and eval their own; each has a flag, and the flag
// is there.
func TestEveryOptionHasAFlag(t *testing.T) {
	a := &app{}
	cmd := newConvert(a)
	for _, f := range hint.Fields() {
		switch f {
		case hint.SweepLength:
			cmd = newPlan(a)
		case hint.Against: // the first of its options
			cmd = newVerify(a)
		case hint.ImportDType:
			cmd = newImport(a)
		case hint.Scored:
			cmd = newEval(a)
		case hint.MaxTokens:
			cmd = newRun(a)
		case hint.Contexts:
			cmd = newBench(a)
		}
		if name := words.Flags[f]; name == "" || cmd.Flags().Lookup(name) == nil {
			t.Errorf("%s: %s has no flag %q", f, cmd.Name(), name)
		}
	}
	if len(words.Flags) != len(hint.Fields()) {
		t.Errorf("%d flags for %d options", len(words.Flags), len(hint.Fields()))
	}
}
