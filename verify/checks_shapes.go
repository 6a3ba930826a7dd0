package verify

// prefill: the whole prompt in one call, no past.
func (s *session) prefill(in Input, w want) error {
	return s.all("prefill", w, func(r Runner) (*Logits, error) {
		l, _, err := r.Run(s.ctx, in, nil)
		return l, err
	})
}

// chunked: the prompt in three pieces through the cache.
func (s *session) chunked(in Input, w want) error {
	_, n := in.Batch()
	ends := cuts(n, n/3, 2*n/3)
	if len(ends) < 2 {
		s.lack("chunked-prefill", "a prompt of one token cannot be divided")
		return nil
	}
	return s.everyone("chunked-prefill", w, func(r Runner) (*Logits, error) { return inChunks(s.ctx, r, in, ends) })
}

// decode: all but the last tokens in one call, those one at a time.
func (s *session) decode(in Input, w want) error {
	_, n := in.Batch()
	var at []int
	for i := max(n-8, 1); i < n; i++ {
		at = append(at, i)
	}
	if len(at) == 0 {
		s.lack("decode", "a prompt of one token leaves none to decode")
		return nil
	}
	return s.everyone("decode", w, func(r Runner) (*Logits, error) { return inChunks(s.ctx, r, in, cuts(n, at...)) })
}

// cuts returns the distinct piece ends inside (0, n), and n.
func cuts(n int, at ...int) []int {
	var ends []int
	for _, i := range append(at, n) {
		if i > 0 && i <= n && (len(ends) == 0 || i > ends[len(ends)-1]) {
			ends = append(ends, i)
		}
	}
	return ends
}

// leftPadding: two rows, the second a prefix of the first with padding before
// it; the last token comes as a decode step of the whole batch. Padding must
// change no logit of a real token.
func (s *session) leftPadding(in Input, w want) error {
	return s.padded("left-padding", in, w, func(n, short int) int { return n - short }, func(n int) []int { return cuts(n, n-1) })
}

// rightPadding: the same with the padding behind.
func (s *session) rightPadding(in Input, w want) error {
	return s.padded("right-padding", in, w, func(n, short int) int { return 0 }, func(n int) []int { return cuts(n) })
}

// padded runs a batch of the prompt and of a prefix of it that starts at a
// column given by offset, in the pieces given by ends.
func (s *session) padded(name string, in Input, w want, offset func(n, short int) int, ends func(n int) []int) error {
	_, n := in.Batch()
	short := (n + 1) / 2
	if n < 2 {
		s.lack(name, "a prompt of one token has no shorter one")
		return nil
	}
	from := offset(n, short)
	row := Input{IDs: [][]int64{make([]int64, n)}, Positions: [][]int64{make([]int64, n)}, Mask: [][]int64{make([]int64, n)}}
	for i := range short {
		row.IDs[0][from+i], row.Positions[0][from+i], row.Mask[0][from+i] = in.IDs[0][i], int64(i), 1
	}
	batch := Input{IDs: append(in.IDs[:1:1], row.IDs[0]), Positions: append(in.Positions[:1:1], row.Positions[0]), Mask: append(in.Mask[:1:1], row.Mask[0])}
	expected := &Logits{B: 2, S: n, V: w.logits.V, Data: make([]float64, 2*n*w.logits.V)}
	for i := range n {
		copy(expected.At(0, i), w.logits.At(0, i))
	}
	for i := range short {
		copy(expected.At(1, from+i), w.logits.At(0, i))
	}
	padded := want{logits: expected, from: w.from, keep: func(b, i int) bool { return b == 0 || batch.Mask[1][i] == 1 }}
	run := func(r Runner) (*Logits, error) { return inChunks(s.ctx, r, batch, ends(n)) }
	if err := s.compare(name, s.ref, padded, selfLimit, run); err != nil {
		return err
	}
	for _, r := range s.others {
		if from > 0 && !r.Positions() {
			s.skip(name, r, "a graph without position_ids counts positions from the mask's sum: pad on the right")
			continue
		}
		if err := s.compare(name, r, padded, limitFor(r.Name()), run); err != nil {
			return err
		}
	}
	return nil
}
