package eval

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// bytesEach is the size of one logit.
const bytesEach = 4

// memory keeps the logits of sequences, up to a number of bytes.
type memory struct {
	room int64
	kept map[[sha256.Size]byte][]logits // by the ids and the size of pieces
}

// sequence is one under way in one model.
type sequence struct {
	m     *Model
	at    int // pieces so far
	known []logits
	keep  bool
	key   [sha256.Size]byte
	total int
	from  int
}

// start begins a sequence in a model that was prepared for it. The logits are
// kept, and taken from what is kept, where reuse is set.
func (m *Model) start(ids []int64, reuse bool) *sequence {
	s := &sequence{m: m, total: len(ids)}
	if reuse && m.opts.Remember > 0 {
		h := sha256.New()
		_ = binary.Write(h, binary.LittleEndian, ids) // a hash has no way to fail
		h.Sum(s.key[:0])
		s.known = m.memory.kept[s.key]
		s.keep = s.known == nil && int64(len(ids))*int64(m.Vocab)*bytesEach <= m.memory.room
	}
	if s.known == nil || s.keep {
		m.run.begin()
	}
	return s
}

// next returns the logits of the sequence's next tokens.
func (s *sequence) next(ctx context.Context, ids []int64) (logits, error) {
	if s.known != nil && !s.keep {
		l := s.known[s.at]
		s.at++
		return l, ctx.Err()
	}
	l, err := s.m.run.next(ctx, ids)
	if err != nil {
		return l, fmt.Errorf("%s: positions %d to %d: %w", s.m.Dir, s.from, s.from+len(ids)-1, err)
	}
	if l.vocab != s.m.Vocab {
		return l, fmt.Errorf("%s: %d logits for each token, but the vocabulary has %d", s.m.Dir, l.vocab, s.m.Vocab)
	}
	s.from += len(ids)
	if s.keep {
		s.known = append(s.known, l)
		if s.from == s.total {
			if s.m.memory.kept == nil {
				s.m.memory.kept = map[[sha256.Size]byte][]logits{}
			}
			s.m.memory.kept[s.key] = s.known
			s.m.memory.room -= int64(s.total) * int64(s.m.Vocab) * bytesEach
		}
	}
	return l, nil
}
