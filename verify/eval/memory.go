package eval

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"

	"github.com/pecvt/pecvt/convert/fsio"
)

// bytesEach is the size of one logit.
const bytesEach = 4

// memory keeps the logits of sequences, up to a number of bytes, in a file: for
// a large vocabulary they are larger than the model.
type memory struct {
	room   int64 // bytes left
	file   *os.File
	remove func() // of file
	end    int64
	kept   map[[sha256.Size]byte][]span // by the ids
}

// span is where the logits of one piece are.
type span struct {
	at    int64
	count int
}

// add writes logits to the file. What does not fit on the disk is not kept.
func (m *memory) add(l logits, dir string) (span, error) {
	if m.file == nil {
		var err error
		if m.file, m.remove, err = fsio.Scratch(dir); err != nil {
			return span{}, err
		}
	}
	raw, err := binary.Append(nil, binary.LittleEndian, l.data)
	if err != nil {
		return span{}, err
	}
	if _, err := m.file.WriteAt(raw, m.end); err != nil {
		return span{}, err
	}
	s := span{m.end, len(l.data)}
	m.end += int64(len(raw))
	m.room -= int64(len(raw))
	return s, nil
}

// read returns what add wrote.
func (m *memory) read(s span) ([]float32, error) {
	raw := make([]byte, s.count*bytesEach)
	if _, err := m.file.ReadAt(raw, s.at); err != nil {
		return nil, fmt.Errorf("logits kept of the source: %w", err)
	}
	data := make([]float32, s.count)
	if _, err := binary.Decode(raw, binary.LittleEndian, data); err != nil {
		return nil, fmt.Errorf("logits kept of the source: %w", err)
	}
	return data, nil
}

// forget drops everything; room bytes may be kept from now on.
func (m *memory) forget(room int64) {
	if m.file != nil {
		m.remove()
	}
	*m = memory{room: room}
}

// sequence is one under way in one model.
type sequence struct {
	m     *Model
	at    int // pieces so far
	known []span
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
	if s.known == nil {
		m.run.begin()
	}
	return s
}

// next returns the logits of the sequence's next tokens.
func (s *sequence) next(ctx context.Context, ids []int64) (logits, error) {
	if s.known != nil && !s.keep {
		data, err := s.m.memory.read(s.known[s.at])
		if err != nil {
			return logits{}, err
		}
		s.at++
		return logits{vocab: s.m.Vocab, data: data}, ctx.Err()
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
		s.remember(l)
	}
	return l, nil
}

// remember keeps a piece, and makes the sequence known with its last one. Where
// the disk is full nothing is kept any longer: the model runs again instead.
func (s *sequence) remember(l logits) {
	m := &s.m.memory
	where, err := m.add(l, s.m.opts.TempDir)
	if err != nil {
		m.forget(0)
		s.keep, s.known = false, nil
		return
	}
	s.known = append(s.known, where)
	if s.from == s.total {
		if m.kept == nil {
			m.kept = map[[sha256.Size]byte][]span{}
		}
		m.kept[s.key] = s.known
	}
}
