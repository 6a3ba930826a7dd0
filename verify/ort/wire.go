package ort

import (
	"errors"
	"fmt"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// message is a protobuf message somewhere in a file. Its fields are read where
// they lie and the large ones are stepped over, so that the interface of a
// model with gigabytes of embedded weights costs a few reads.
type message struct {
	r          io.ReaderAt
	begin, end int64
}

// field is one field of a message: value holds a varint, and body the content
// of a length-delimited one.
type field struct {
	number protowire.Number
	kind   protowire.Type
	value  uint64
	body   message
}

var errCutOff = errors.New("a field runs past the end")

// each calls do for every field in turn.
func (m message) each(do func(field) error) error {
	for at := m.begin; at < m.end; {
		f, next, err := m.next(at)
		if err != nil {
			return fmt.Errorf("byte %d: %w", at, err)
		}
		if err := do(f); err != nil {
			return err
		}
		at = next
	}
	return nil
}

// next reads the field at an offset and gives the offset of the one after it.
func (m message) next(at int64) (field, int64, error) {
	head := make([]byte, min(2*10, m.end-at)) // a tag and a length, or a value
	if _, err := m.r.ReadAt(head, at); err != nil && !errors.Is(err, io.EOF) {
		return field{}, 0, err
	}
	number, kind, tag := protowire.ConsumeTag(head)
	if tag < 0 {
		return field{}, 0, protowire.ParseError(tag)
	}
	f := field{number: number, kind: kind}
	rest, size := head[tag:], int64(tag)
	switch kind {
	case protowire.VarintType, protowire.BytesType:
		v, n := protowire.ConsumeVarint(rest)
		if n < 0 {
			return field{}, 0, protowire.ParseError(n)
		}
		f.value, size = v, size+int64(n)
		if kind == protowire.BytesType {
			if v > math.MaxInt64 || int64(v) > m.end-at-size {
				return field{}, 0, errCutOff
			}
			f.body = message{m.r, at + size, at + size + int64(v)}
			size += int64(v)
		}
	case protowire.Fixed32Type:
		size += 4
	case protowire.Fixed64Type:
		size += 8
	default:
		return field{}, 0, fmt.Errorf("field %d has wire type %d", number, kind)
	}
	if size > m.end-at {
		return field{}, 0, errCutOff
	}
	return f, at + size, nil
}

// text reads the body of a string field.
func (f field) text() (string, error) {
	const maxText = 1 << 20
	n := f.body.end - f.body.begin
	if f.kind != protowire.BytesType || n > maxText {
		return "", fmt.Errorf("field %d is no name: wire type %d, %d bytes", f.number, f.kind, n)
	}
	b := make([]byte, n)
	if _, err := f.body.r.ReadAt(b, f.body.begin); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return string(b), nil
}
