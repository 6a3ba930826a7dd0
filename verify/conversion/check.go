package conversion

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/verify/ref"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// rewriteLimit bounds max |result − source with the encoding asked for| /
// max |source|: both run in float64 over the same numbers, in another order.
const rewriteLimit = 1e-9

// FrequencyLimit bounds how far a frequency of the result may lie from the one
// asked for, relatively: configurations spell them in decimal.
const FrequencyLimit = 1e-9

// foldLimit is rewriteLimit where bases fold into W_q and W_k, which are stored in
// float32: a rounding of each of their numbers.
const foldLimit = 3e-6

// rewriteTokens is the length of the prompt that source and result both run.
const rewriteTokens = 24

// Check checks the conversion itself. Checkpoint and graph agree on a wrong
// frequency as well as on a right one, so what the result must be is made from
// the source and the flags in pecvt.json, without the code that rewrote: the
// source's weights, and in memory the encoding that the flags ask for. Plane by
// plane and head by head the result must turn like that, what a conversion does
// not touch must have the source's numbers, and the logits of both must agree in
// float64. An exact rewrite's encoding is the source's own, so its logits must
// be the source's.
func Check(ctx context.Context, k *Case) (report.Check, error) {
	s := k.conversion(ctx)
	c := report.Check{Name: report.CheckRewrite, Runner: run.RefName, Against: "source", Verdict: report.Pass, Limit: rewriteLimit}
	f, why, err := s.manifestFlags()
	switch {
	case errors.Is(err, errNotSource):
		c.Verdict, c.Detail = report.Incomplete, err.Error()
		c.Blame = "give the model that was converted; the drift alone, without a judgement of the conversion, is pecvt eval's"
	case errors.Is(err, ErrManifest):
		c.Verdict, c.Detail, c.Blame = report.Fail, err.Error(), "the file was changed after the conversion: convert the source again"
	case err != nil:
		return c, err
	case why != "":
		c.Verdict, c.Detail = report.Skipped, why
	}
	if err := UnknownParts(s.source, s.loaded); err != nil && c.Verdict == report.Pass {
		c.Verdict, c.Detail = report.Incomplete, err.Error()
	}
	if c.Verdict != report.Pass {
		return c, nil
	}
	s.step("ref: what %s makes of the source", f.To)
	want, err := s.expected(f)
	if err == nil {
		err = s.compareRewrite(&c, want, f.retrofit.refitted())
	}
	if s.ctx.Err() != nil {
		return c, s.ctx.Err()
	}
	if err != nil {
		c.Verdict, c.Detail = report.Fail, err.Error()
	}
	return c, nil
}

// rewritable are the parts of a model, beyond llama's, that a conversion is known
// to change or to leave as they are.
var rewritable = family.Settled()

// UnknownParts names what of the source or the result no rewrite is known to
// leave alone.
func UnknownParts(source, result *family.Model) error {
	if err := source.Beyond(rewritable...); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	return result.Beyond(rewritable...)
}

// compareRewrite compares the loaded result with the expected model; the queries
// and keys of refitted layers are their own.
func (s *conversion) compareRewrite(c *report.Check, want *expectation, refitted map[int]bool) error {
	if got, max := s.loaded.MaxPositions, want.maxPositions; got != max {
		return fmt.Errorf("max_position_embeddings is %d: expected %d", got, max)
	}
	if len(s.loaded.Blocks) != len(want.models[0].Blocks) {
		return fmt.Errorf("%d layers: the source has %d", len(s.loaded.Blocks), len(want.models[0].Blocks))
	}
	if err := sameParts(s.loaded, s.ckpt, want.models[0], s.sourceCkpt); err != nil {
		return err
	}
	for i, length := range want.lengths {
		got, err := s.loaded.AtLength(length)
		if err != nil {
			return err
		}
		if err := sameRotation(got, want.models[i]); err != nil {
			return fmt.Errorf("at length %d: %w", length, err)
		}
	}
	if folds(s.loaded, want.models[0]) {
		c.Limit = foldLimit
	}
	got, err := s.loaded.AtLength(want.lengths[0])
	if err != nil {
		return err
	}
	if err := sameQueries(got, s.ckpt, want.models[0], s.sourceCkpt, refitted); err != nil {
		return err
	}
	if n := len(refitted); n > 0 {
		c.Limit = 0
		c.Detail = fmt.Sprintf("the rotation and every other weight are what %s says; queries and keys of %d layers were refitted on purpose, so the logits are not held against the source's", run.ManifestFile, n)
		return nil
	}
	in := s.rewritePrompt(want.models[0])
	a, err := ref.New(got, s.ckpt).Forward(s.ctx, in, ref.Options{})
	if err != nil {
		return err
	}
	b, err := ref.New(want.models[0], s.sourceCkpt).Forward(s.ctx, in, ref.Options{})
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	m, err := report.Compare(&report.Logits{B: 1, S: a.Seq, V: a.Vocab, Data: a.Logits}, &report.Logits{B: 1, S: b.Seq, V: b.Vocab, Data: b.Logits}, nil)
	if err != nil {
		return err
	}
	c.MaxAbs, c.MaxRel, c.NMSE, c.Cosine, c.KL, c.Top1, c.Positions = report.Number(m.MaxAbs), report.Number(m.MaxRel), report.Number(m.NMSE), report.Number(m.Cosine), report.Number(m.KL), report.Number(m.Top1), m.Positions
	if !(m.MaxRel <= float64(c.Limit)) {
		return fmt.Errorf("the logits are off by %.3g of the largest one from the source's with the encoding that pecvt.json names (limit %.0e), worst at token %d", m.MaxRel, float64(c.Limit), m.WorstPosition)
	}
	return nil
}

// rewritePrompt is what both run. Attention sees differences of positions, so
// half of the tokens stand far from each other, up to the graph's last position.
// A bias may count tokens as well as positions: with one they follow each other.
func (s *conversion) rewritePrompt(m *family.Model) ref.Input {
	ids := s.ids[:min(len(s.ids), rewriteTokens)]
	n := len(ids)
	row := make([]int64, n)
	near := n
	if !sums(m) {
		near = (n + 1) / 2
	}
	for i := range row {
		row[i] = int64(i)
		if i >= near {
			far := float64(s.maxLength-n) * math.Pow(float64(i-near+1)/float64(n-near), 3)
			row[i] += int64(far)
		}
	}
	return ref.Input{IDs: [][]int64{ids}, Positions: [][]int64{row}}
}

// sums reports biases and phases, which may count tokens.
func sums(m *family.Model) bool {
	for _, a := range m.Attentions() {
		if a.Bias != nil || a.Phase != nil {
			return true
		}
	}
	return false
}
