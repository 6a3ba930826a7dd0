package verify

import (
	"errors"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/ort"
)

// requirable is what Options.Require may name where Runners is nil.
const requirable = "ort"

// check refuses what cannot be meant, before anything is opened.
func (o Options) check() error {
	switch {
	case o.Tokens < 0:
		return hint.Errorf(hint.Tokens+" %d: expected a positive number, or 0 for a prompt of %d tokens", o.Tokens, defaultTokens)
	case o.DriftTokens < 0:
		return hint.Errorf(hint.DriftTokens+" %d: expected a positive number, or 0 for all of the prompt", o.DriftTokens)
	case o.MaxMem < 0:
		return hint.Errorf(hint.MaxMem+" %d: expected a positive number of bytes, or 0 for 1 GiB", o.MaxMem)
	}
	if len(o.Layers) > 0 {
		if err := o.checkLayers(); err != nil {
			return err
		}
	}
	for _, choice := range []struct {
		field, is string
		of        []string
	}{{hint.Provider, o.Provider, ort.Providers()}, {hint.OptLevel, o.OptLevel, ort.OptLevels()}} {
		if choice.is != "" && !slices.Contains(choice.of, choice.is) {
			return hint.Errorf(choice.field+" %q: expected one of %s, or none", choice.is, strings.Join(choice.of, ", "))
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
	if err := ort.CheckOpsLibrary(o.OpsLibrary); err != nil {
		return err
	}
	for _, name := range o.Require {
		if o.Runners == nil && name != requirable {
			return hint.Errorf(hint.Require+" %q: expected %q ("+hint.Provider+" says where it runs)", name, requirable)
		}
	}
	return nil
}
