package verify

import (
	"errors"

	"github.com/pecvt/pecvt/posenc/hint"
)

// requirable is what Options.Require may name where Runners is nil.
const requirable = "ort"

// check refuses what cannot be meant, before anything is opened.
func (o Options) check() error {
	for _, f := range []struct {
		name  string
		value int64
	}{{hint.Tokens, int64(o.Tokens)}, {hint.MaxMem, o.MaxMem}, {"Options.DriftTokens", int64(o.DriftTokens)}} {
		if f.value < 0 {
			return hint.Errorf("%s %d: expected a positive number, or 0 for the default", f.name, f.value)
		}
	}
	if o.Runners != nil && len(o.Runners) == 0 {
		return errors.New("Options.Runners is empty, so nobody would run the graph: expected one or more, or nil for the interpreter and ONNX Runtime")
	}
	for i, r := range o.Runners {
		if r == nil {
			return hint.Errorf("Options.Runners[%d] is nil: expected a runner", i)
		}
	}
	for _, name := range o.Require {
		if o.Runners == nil && name != requirable {
			return hint.Errorf(hint.Require+" %q: expected %q ("+hint.Provider+" says where it runs)", name, requirable)
		}
	}
	return nil
}
