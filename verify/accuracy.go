package verify

import (
	"path/filepath"

	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// roundedInputs says what a graph costs that declares its products' inputs rounded to 8
// bits. Every check was made on the same graph without that, within float32's budget, so
// that a fault is not taken for rounding; this is a figure, and not judged.
func (s *session) roundedInputs() error {
	if s.left == "" || s.answers.logits == nil || s.report.Runtime == "" {
		return nil
	}
	s.step("ort-cpu: what rounded inputs cost")
	r, err := run.OpenORT(s.info.Dir(), run.GraphFile, s.info, ort.Options{OptLevel: ort.OptAll, Provider: ort.ProviderCPU, OpsLibrary: s.opts.OpsLibrary})
	if err != nil {
		return err
	}
	defer r.Close()
	got, err := run.Prefill(s.ctx, s.in)(r)
	if err != nil {
		return err
	}
	m, err := report.Compare(got, s.answers.logits, s.answers.keep)
	if err != nil {
		return err
	}
	s.warn("the graph's products with codes round what enters them to 8 bits (accuracy int8): the checks were made with the same products of float32 inputs; as it is, its logits are off by %.2g of the largest, KL %.2g, first tokens alike %.1f %% (%s)", m.MaxRel, m.KL, 100*m.Top1, filepath.Base(s.info.Path))
	return nil
}
