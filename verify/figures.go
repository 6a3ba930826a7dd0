package verify

import (
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/verify/conversion"
	"github.com/pecvt/pecvt/verify/figures"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// observe keeps a check's error position by position; of a batch, that of the
// worst row.
func (s *session) observe(check report.Check, w want, got *report.Logits) {
	if !s.opts.Curves {
		return
	}
	figures.ByPosition(s.curvesReport(), check, got, w.logits, w.keep, w.first)
}

// curvesReport is the report's Curves, made when first asked for.
func (s *session) curvesReport() *report.Curves {
	if s.report.Curves == nil {
		s.report.Curves = &report.Curves{}
	}
	return s.report.Curves
}

// curves fills what is no by-product of a check. Only a cancelled context is an
// error; a figure that cannot be made is a warning.
func (s *session) curves() error {
	if !s.opts.Curves {
		return nil
	}
	warnings, err := s.figures().Fill(s.ctx, s.curvesReport())
	for _, w := range warnings {
		s.warn("%s", w)
	}
	return err
}

// figures is what figures have to know.
func (s *session) figures() *figures.Case {
	return &figures.Case{Model: s.model, Store: s.meant, Ref: s.ref, Source: s.source, SourceStore: s.sourceCkpt,
		Info: s.info, Runners: s.others, Input: s.in, Step: s.step}
}

// drift measures how far the model moved from its source.
func (s *session) drift() error {
	ids, err := s.drifting()
	if err != nil {
		return err
	}
	d, points, err := s.figures().Drift(s.ctx, ids, s.opts.Curves)
	if err != nil {
		return err
	}
	s.report.Drift = d
	if len(points) > 0 {
		s.curvesReport().Drift = points
	}
	return nil
}

// drifting are the tokens that the drift is measured on, rows of one length.
func (s *session) drifting() ([][]int64, error) {
	ids := s.ids
	if s.opts.IDs != "" || s.opts.Golden != "" {
		all, err := s.driftIDs()
		if err != nil {
			return nil, err
		}
		ids = all
	}
	n := len(ids[0])
	if s.opts.DriftTokens > 0 {
		n = min(n, s.opts.DriftTokens)
	}
	rows := make([][]int64, len(ids))
	for i, row := range ids {
		rows[i] = row[:n]
	}
	return rows, nil
}

// driftIDs returns the tokens of --ids, else of --golden: every row, whole.
func (s *session) driftIDs() ([][]int64, error) {
	path := s.opts.IDs
	if path == "" {
		path = s.opts.Golden
	}
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return run.IDsOf(f, s.model.Vocab)
}

// driftSteps is how many pieces the drift is measured in.
func (s *session) driftSteps() int {
	if s.source == nil {
		return 0
	}
	ids, err := s.drifting()
	if err != nil { // the drift itself will say so
		return 0
	}
	return figures.DriftSteps(ids)
}

// rewritten checks the conversion.
func (s *session) rewritten() error {
	c, err := conversion.Check(s.ctx, &conversion.Case{Dir: s.dir, Result: s.loaded, ResultStore: s.ckpt, Source: s.source, SourceStore: s.sourceCkpt,
		IDs: s.ids[0], MaxLength: s.info.MaxLength, Step: s.step})
	if err != nil {
		return err
	}
	s.add(c)
	return nil
}
