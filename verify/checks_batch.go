package verify

import (
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// rows are prompts of a batch: each with tokens and a length of its own, so that
// a row that reads another's shows.
type rows struct {
	ids  [][]int64
	want []*report.Logits // each row alone, by the reference
}

// batchTokens bounds the longest row of a batch where no window asks for more.
const batchTokens = 24

// decodeSteps is how many tokens follow a padded prompt one at a time.
const decodeSteps = 3

// chunkTokens is how many follow one in a piece: half a vector of AVX-512 or more, as
// kernels compute fewer one by one.
const chunkTokens = 10

// batchRows makes three rows out of the prompt, once: turned, so that no two
// begin alike, and of uneven lengths.
func (s *session) batchRows(in run.Input, w want) (*rows, error) {
	if s.rows != nil {
		return s.rows, nil
	}
	_, n := in.Batch()
	longest := min(n, batchTokens)
	if len(s.spans()) > 0 {
		longest = n
	}
	b := &rows{}
	// the shortest has a token before a piece and a step, where the prompt allows it
	for i, length := range []int{longest, (5*longest + 7) / 8, max((longest+5)/6, min(longest/2, chunkTokens+2))} {
		ids, l, err := s.turned(in.IDs[0], i, length, w.logits)
		if err != nil {
			return nil, err
		}
		b.ids, b.want = append(b.ids, ids), append(b.want, l)
	}
	s.rows = b
	return b, nil
}

// turned is row i of a batch, the prompt from a third of it on, and the answer to it.
// Where experts nearly tie it begins one token later.
func (s *session) turned(prompt []int64, i, length int, whole *report.Logits) ([]int64, *report.Logits, error) {
	n := len(prompt)
	if i == 0 && length == n {
		return prompt, whole, nil
	}
	for try := 0; ; try++ {
		turn := (i*n/3 + try) % n
		ids := append(append([]int64(nil), prompt[turn:]...), prompt[:turn]...)[:length]
		s.step("ref: row %d of a batch", i)
		l, why, err := s.routed(run.Prompt([][]int64{ids}, 0))
		if err != nil || why == "" || i == 0 || s.opts.IDs != "" || !s.redraw("batch", s.report.Seed, try, why) {
			return ids, l, err
		}
	}
}

// side says where a batch's short rows are padded.
type side uint8

const (
	noPadding side = iota
	onTheLeft
	onTheRight
)

// batch lays rows out with steps columns of real tokens behind a padded part,
// and the answers wanted. Without padding every row is cut to the shortest.
func (b *rows) batch(to side, steps int) (run.Input, want) {
	width, shortest := 0, len(b.ids[0])
	for _, ids := range b.ids {
		width, shortest = max(width, len(ids)), min(shortest, len(ids))
	}
	switch {
	case to == noPadding:
		width = shortest
	case steps == 0: // the longest row is padded too, as to a multiple of some width
		width++
	}
	var in run.Input
	w := want{logits: &report.Logits{B: len(b.ids), S: width, V: b.want[0].V}, from: run.RefName}
	w.logits.Data = make([]float64, w.logits.B*w.logits.S*w.logits.V)
	for row, ids := range b.ids {
		ids = ids[:min(len(ids), width)]
		pad := width - len(ids)
		tokens, positions, mask := make([]int64, width), make([]int64, width), make([]int64, width)
		for col := range width {
			t := col // the token in this column
			switch {
			case to == onTheLeft:
				t = col - pad
			case col >= width-steps:
				t = col - pad
			case col >= len(ids)-steps:
				t = -1
			}
			if t < 0 {
				// What stands in padding, and where it is taken to be, must not matter.
				tokens[col] = ids[(7*col+3)%len(ids)]
				if to == onTheRight {
					positions[col] = int64(len(ids) - steps - 1)
				}
				continue
			}
			tokens[col], positions[col], mask[col] = ids[t], int64(t), 1
			copy(w.logits.At(row, col), b.want[row].At(0, t))
		}
		in.IDs, in.Positions, in.Mask = append(in.IDs, tokens), append(in.Positions, positions), append(in.Mask, mask)
	}
	w.keep = func(row, col int) bool { return in.Mask[row][col] == 1 }
	return in, w
}

// batched: three rows without padding, and steps after them. (Pieces of a batch
// after a past are in left-padding-decode: GroupQueryAttention has none.)
func (s *session) batched(in run.Input, w want) error {
	return s.padded(report.CheckBatch, in, w, noPadding, 0, func(n, _ int) []int { return cuts(n, n-2, n-1) })
}

// leftPadding: rows of three lengths that end together, in one call.
func (s *session) leftPadding(in run.Input, w want) error {
	return s.padded(report.CheckLeftPadding, in, w, onTheLeft, 0, func(n, _ int) []int { return cuts(n) })
}

// rightPadding: rows of three lengths that begin together, in one call.
func (s *session) rightPadding(in run.Input, w want) error {
	return s.padded(report.CheckRightPadding, in, w, onTheRight, 0, func(n, _ int) []int { return cuts(n) })
}

// leftDecode: a batch padded on the left in two pieces, the first of which is
// nothing but padding in the shortest row, then steps of the whole batch.
func (s *session) leftDecode(in run.Input, w want) error {
	return s.padded(report.CheckLeftPaddingDecode, in, w, onTheLeft, decodeSteps, func(n, steps int) []int {
		return cuts(n, append([]int{n / 3}, lasts(n, steps)...)...)
	})
}

// rightDecode: steps of a batch after its prompts were padded on the right, so
// that padding lies in the midst of the past.
func (s *session) rightDecode(in run.Input, w want) error {
	if s.skippedInWindows(report.CheckRightPaddingDecode, in) {
		return nil
	}
	return s.padded(report.CheckRightPaddingDecode, in, w, onTheRight, decodeSteps, func(n, steps int) []int {
		return cuts(n, lasts(n, steps)...)
	})
}

// rightChunk: a batch whose prompts were padded on the right goes on with several
// tokens at once, and with one more: padding lies between a piece's queries and the
// oldest keys.
func (s *session) rightChunk(in run.Input, w want) error {
	if s.skippedInWindows(report.CheckRightPaddingChunk, in) {
		return nil
	}
	return s.padded(report.CheckRightPaddingChunk, in, w, onTheRight, chunkTokens+1, func(n, steps int) []int {
		return cuts(n, n-steps, n-1)
	})
}

// skippedInWindows skips what pads on the right before more tokens, in models with
// sliding windows.
func (s *session) skippedInWindows(name string, in run.Input) bool {
	if _, n := in.Batch(); n < 2 || len(s.windows()) == 0 {
		return false
	}
	for _, r := range s.others {
		s.skip(name, r, "a sliding window counts columns, and padding in the midst of the past fills it: pad on the left")
	}
	return true
}

// lasts are the ends of pieces after which steps columns of n come one at a time: as
// many as every row has tokens for, so that no step is padding.
func lasts(n, steps int) []int {
	var ends []int
	for end := n - steps; end < n; end++ {
		ends = append(ends, end)
	}
	return ends
}

// padded runs a batch in the pieces given by ends. Padding must change no logit
// of a real token, and no row another.
func (s *session) padded(name string, in run.Input, w want, to side, steps int, ends func(n, steps int) []int) error {
	if _, n := in.Batch(); n < 2 {
		s.lack(name, "a prompt of one token has no shorter one")
		return nil
	}
	b, err := s.batchRows(in, w)
	if err != nil {
		return err
	}
	for _, ids := range b.ids {
		steps = min(steps, len(ids)-1)
	}
	batch, wanted := b.batch(to, steps)
	_, n := batch.Batch()
	ask := func(r run.Runner) (*report.Logits, error) {
		if name == report.CheckRightPaddingChunk && !r.Positions() {
			// GroupQueryAttention takes several tokens after a past of one row alone.
			return run.RowsInChunks(s.ctx, r, batch, ends(n, steps))
		}
		return run.InChunks(s.ctx, r, batch, ends(n, steps))
	}
	if s.verdictOf(name, run.RefName) == "" {
		if err := s.compare(name, s.ref, wanted, selfLimit, ask); err != nil {
			return err
		}
	}
	for _, r := range s.others {
		if to == onTheLeft && !r.Positions() {
			s.skip(name, r, "a graph without position_ids counts positions from the mask's sum: pad on the right")
			continue
		}
		if err := s.compare(name, r, wanted, r.Arithmetic().Limit(), ask); err != nil {
			return err
		}
	}
	return nil
}
