package verify

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
	"github.com/pecvt/pecvt/verify/weights"
)

// weights checks the graph's weights against the checkpoint's, tensor by tensor:
// that the files are still those the graph was emitted for (another checkpoint of
// the same shape would give every runner the same wrong answer), that the graph
// reads each tensor whole, in its type and shape, where its file's header has it,
// or holds the same bytes, that it reads every one, and that all numbers are
// finite.
func (s *session) weights() error {
	s.step("weights")
	c := report.Check{Name: report.CheckWeights, Runner: run.RefName, Against: run.GraphFile, Verdict: report.Pass}
	now, err := s.ckpt.Fingerprint()
	if err != nil {
		return err
	}
	var names []string
	for _, f := range s.ckpt.Files() {
		names = append(names, filepath.Base(f.Path))
	}
	stray := weights.Stray(s.info, s.ckpt, s.loaded)
	damaged, err := s.damagedWeight()
	if err != nil {
		return err
	}
	switch {
	case s.info.Weights != "" && s.info.Weights != now:
		c.Verdict, c.Detail = report.Fail, fmt.Sprintf("%s: not what %s was emitted for", strings.Join(names, ", "), run.GraphFile)
		if stray != "" {
			c.Detail += "; " + stray
		}
		c.Blame = "the tensor files or the graph were exchanged after the conversion: convert the source again, or emit the graph of what is there with pecvt export"
	case stray != "":
		c.Verdict, c.Detail, c.Blame = report.Fail, stray, "the emission is wrong, or the graph was changed after it: emit it again with pecvt export"
	case damaged != "":
		c.Verdict, c.Detail, c.Blame = report.Fail, damaged, "the tensor files are damaged, here or already in the source: compare them with the source's"
	case s.info.Weights == "":
		c.Verdict, c.Detail = report.Skipped, "the graph does not say which tensor files it was emitted for: emit it again with pecvt export"
	}
	s.add(c)
	return nil
}

// damagedWeight tells of the first weight that is not finite, and warns of
// matrices of nothing but zeros.
func (s *session) damagedWeight() (string, error) {
	parameters := map[string]bool{}
	for _, w := range s.loaded.Parameters {
		parameters[w.Tensor] = true
	}
	seen := map[string]bool{}
	for w := range s.read().EachWeight() {
		if seen[w.Tensor] || w.Tensor == "" {
			continue
		}
		seen[w.Tensor] = true
		var bad *store.NotFiniteError
		if err := store.CheckFinite(s.ckpt, w.Tensor); errors.As(err, &bad) {
			return bad.Error(), nil
		} else if err != nil {
			return "", err
		}
		if len(w.Shape) > 1 && !parameters[w.Tensor] && !family.OfBlock(w.Tensor) {
			zero, err := s.zero(w.Tensor)
			if err != nil {
				return "", err
			}
			if zero {
				s.warn("tensor %q holds nothing but zeros", w.Tensor)
			}
		}
		if err := s.ctx.Err(); err != nil {
			return "", err
		}
	}
	return "", nil
}

// errNotZero ends a walk through a tensor.
var errNotZero = errors.New("not zero")

// zero tells whether a tensor holds nothing but zero bytes.
func (s *session) zero(name string) (bool, error) {
	err := s.ckpt.Walk(name, func(_ int64, piece []byte) error {
		for _, b := range piece {
			if b != 0 {
				return errNotZero
			}
		}
		return nil
	})
	if errors.Is(err, errNotZero) {
		return false, nil
	}
	return err == nil, err
}
