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

// longAnswer is ref's answer to the longer prompt, computed once. One with a near tie
// of experts gives way to another.
func (s *session) longAnswer() (run.Input, *report.Logits, error) {
	in, _ := s.longInput()
	for try := 0; s.longer.logits == nil; try++ {
		s.step("ref: prefill of %d tokens", len(in.IDs[0]))
		l, why, err := s.routed(in)
		if err != nil {
			return in, nil, err
		}
		if why == "" || !s.redraw(report.CheckLongPrefill, s.longSeed(), try, why) {
			s.longer.logits = l
			break
		}
		s.longer.redrawn++
		in, _ = s.longInput()
	}
	return in, s.longer.logits, nil
}

// longInput is the longer prompt, false where the prompt is as long.
func (s *session) longInput() (run.Input, bool) {
	n := min(longPrompt, s.info.MaxLength)
	if n <= len(s.ids[0]) {
		return run.Input{}, false
	}
	return run.Prompt(run.RandomIDs(n, s.model.Vocab, s.longSeed()), 0), true
}

func (s *session) longSeed() int64 { return s.report.Seed + longSeed + s.longer.redrawn }

// longPrefill: a longer prompt in one call. Tokens whose first two answers are
// nearer than float32 can tell are left out, as a prompt with such gives way to
// another.
func (s *session) longPrefill() error {
	if _, ok := s.longInput(); !ok {
		return nil
	}
	in, logits, err := s.longAnswer()
	if err != nil {
		return err
	}
	ask := run.Prefill(s.ctx, in)
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
