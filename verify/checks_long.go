package verify

import (
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

const (
	// longPrompt is the length of a prompt that shows what a short one cannot: a
	// range or a mask that ends, and kernels that a runtime keeps for more rows.
	longPrompt = 160
	// longSeed sets its tokens apart from the prompt's.
	longSeed = 0x10001
)

// longAnswer is ref's answer to the longer prompt, computed once.
func (s *session) longAnswer(in run.Input) (*report.Logits, error) {
	if s.longer.logits == nil {
		s.step("ref: prefill of %d tokens", len(in.IDs[0]))
		l, _, err := s.ref.Run(s.ctx, in, nil)
		if err != nil {
			return nil, err
		}
		s.longer.logits = l
	}
	return s.longer.logits, nil
}

// longInput is the longer prompt, false where the prompt is as long.
func (s *session) longInput() (run.Input, bool) {
	n := min(longPrompt, s.info.MaxLength)
	if n <= len(s.ids[0]) {
		return run.Input{}, false
	}
	return run.Prompt(run.RandomIDs(n, s.model.Vocab, s.report.Seed+longSeed), 0), true
}

// longPrefill: a longer prompt in one call. Tokens whose first two answers are
// nearer than float32 can tell are left out, as a prompt with such gives way to
// another.
func (s *session) longPrefill() error {
	in, ok := s.longInput()
	if !ok {
		return nil
	}
	ask := run.Prefill(s.ctx, in)
	logits, err := s.longAnswer(in)
	if err != nil {
		return err
	}
	w := want{logits: logits, from: run.RefName, keep: farFromTies(logits)}
	for _, r := range s.others {
		if run.TooLarge(r, weightCount(s.model)) {
			s.skip(report.CheckLongPrefill, r, "the interpreter would take long for a model of this size; ONNX Runtime runs it")
			continue
		}
		if err := s.compare(report.CheckLongPrefill, r, w, r.Arithmetic().Limit(), ask); err != nil {
			return err
		}
	}
	return nil
}

// farFromTies keeps the positions whose first token float32 can tell, all of them
// where it can tell none.
func farFromTies(l *report.Logits) func(b, i int) bool {
	far := make([]bool, l.B*l.S)
	any := false
	for i := range far {
		row := report.Logits{B: 1, S: 1, V: l.V, Data: l.Data[i*l.V : (i+1)*l.V]}
		far[i] = !tooClose(&row)
		any = any || far[i]
	}
	if !any {
		return nil
	}
	return func(b, i int) bool { return far[b*l.S+i] }
}

// weightCount counts a model's weights.
func weightCount(m *family.Model) int64 {
	total := int64(0)
	for _, w := range m.Weights() {
		n := int64(1)
		for _, d := range w.Shape {
			n *= d
		}
		total += n
	}
	return total
}
