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
	kept   map[[sha256.Size]byte]int64 // by the ids: where the first one's are
}

// add writes logits to the file's end. What does not fit on the disk is not kept.
func (m *memory) add(l logits, dir string) error {
	if m.file == nil {
		var err error
		if m.file, m.remove, err = fsio.Scratch(dir); err != nil {
			return err
		}
	}
	raw, err := binary.Append(nil, binary.LittleEndian, l.data)
	if err != nil {
		return err
	}
	if _, err := m.file.WriteAt(raw, m.end); err != nil {
		return err
	}
	m.end += int64(len(raw))
	m.room -= int64(len(raw))
	return nil
}

// read returns so many numbers of what add wrote.
func (m *memory) read(at int64, count int) ([]float32, error) {
	raw := make([]byte, count*bytesEach)
	if _, err := m.file.ReadAt(raw, at); err != nil {
		return nil, fmt.Errorf("logits kept of the source: %w", err)
	}
	data := make([]float32, count)
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
	known bool // its logits are in the memory
	keep  bool // they come into it
	at    int64
	key   [sha256.Size]byte
	total int
	from  int
}

// start begins a sequence. The logits are kept, and taken from what is kept, where reuse
// is set; a model that is not needed is not loaded.
func (m *Model) start(ctx context.Context, ids []int64, reuse bool) (*sequence, error) {
	s := &sequence{m: m, total: len(ids)}
	if reuse && m.opts.Remember > 0 {
		h := sha256.New()
		_ = binary.Write(h, binary.LittleEndian, ids) // a hash has no way to fail
		h.Sum(s.key[:0])
		if s.at, s.known = m.memory.kept[s.key]; s.known {
			return s, nil
		}
		s.keep, s.at = int64(len(ids))*int64(m.Vocab)*bytesEach <= m.memory.room, m.memory.end
	}
	if err := m.prepare(ctx, len(ids)); err != nil {
		return nil, err
	}
	m.run.begin(len(ids))
	return s, nil
}

// next returns the logits of the sequence's next tokens.
func (s *sequence) next(ctx context.Context, ids []int64) (logits, error) {
	if s.known {
		at := s.at + int64(s.from)*int64(s.m.Vocab)*bytesEach
		data, err := s.m.memory.read(at, len(ids)*s.m.Vocab)
		if err != nil {
			return logits{}, err
		}
		s.from += len(ids)
		return logits{vocab: s.m.Vocab, data: data}, ctx.Err()
	}
	l, err := s.m.run.next(ctx, ids)
	if err != nil {
		return l, fmt.Errorf("%s: positions %d to %d: %w", s.m.title(), s.from, s.from+len(ids)-1, err)
	}
	if l.vocab != s.m.Vocab {
		return l, fmt.Errorf("%s: %d logits for each token, but the vocabulary has %d", s.m.title(), l.vocab, s.m.Vocab)
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
	if err := m.add(l, s.m.opts.TempDir); err != nil {
		m.forget(0)
		s.keep = false
		return
	}
	if s.from == s.total {
		if m.kept == nil {
			m.kept = map[[sha256.Size]byte]int64{}
		}
		m.kept[s.key] = s.at
	}
}
