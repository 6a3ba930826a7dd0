package gguf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/pecvt/pecvt/posenc"
)

const magic = "GGUF"

// Bounds of a header. The largest that were published, with vocabularies of
// 260 000 tokens and their merges, are below 20 MB; ggml itself takes names of up
// to 63 bytes and 4 dimensions.
const (
	maxHeader    = 256 << 20
	maxKVs       = 1 << 16
	maxTensors   = 1 << 17
	maxKey       = 1<<16 - 1
	maxName      = 1 << 10
	maxDims      = 4
	maxAlignment = 1 << 16
)

// Read reads the header of a file of the given size, which path names in errors,
// and gives where its data start. It holds the header once: whatever a file
// claims, at most 256 MiB of it, some 100 bytes for each entry, and no more than
// the file has.
//
// Found to hold: no key and no tensor occurs twice, keys and names are valid
// UTF-8, the tensors' sizes fit 64 bits, they lie at multiples of the alignment
// within the file, and none overlaps another. Arrays of arrays, big-endian files
// and version 1 wrap posenc.ErrUnsupported.
func Read(r io.ReaderAt, size int64, path string) (h *Header, dataStart int64, err error) {
	c := &cursor{r: r, size: size, path: path}
	h = &Header{}
	kvs, err := c.start(h)
	if err != nil {
		return nil, 0, err
	}
	if err := c.metadata(h, kvs); err != nil {
		return nil, 0, err
	}
	align, err := h.Alignment()
	if err != nil {
		return nil, 0, formatErrorf(path, "", "%v", err)
	}
	if err := c.tensors(h); err != nil {
		return nil, 0, err
	}
	dataStart = roundUp(c.at, align)
	return h, dataStart, checkPlaces(h, path, align, size-dataStart)
}

// cursor goes through a header. It holds all that was read, so that what is found
// needs no copy.
type cursor struct {
	r    io.ReaderAt
	size int64 // of the file
	path string
	buf  []byte // the file's first bytes
	at   int64
}

// take gives the next n bytes, which the file is found to have first. The slice is
// of use until the next call.
func (c *cursor) take(n uint64, where string) ([]byte, error) {
	if n > uint64(c.size-c.at) {
		return nil, formatErrorf(c.path, where, "%d bytes are claimed at byte %d, %d follow: the file is truncated or damaged; download it again", n, c.at, c.size-c.at)
	}
	end := c.at + int64(n)
	if end > maxHeader {
		return nil, formatErrorf(c.path, where, "the header goes on beyond %d bytes: no model's does", maxHeader)
	}
	if have := int64(len(c.buf)); end > have {
		grown := min(max(end, 2*have, 64<<10), c.size, maxHeader)
		c.buf = slices.Grow(c.buf, int(grown-have))[:grown]
		if _, err := c.r.ReadAt(c.buf[have:], have); err != nil {
			if errors.Is(err, io.EOF) {
				return nil, formatErrorf(c.path, where, "the file ends before byte %d: it changed while it was read", grown)
			}
			return nil, fmt.Errorf("gguf: %s: %w", c.path, err)
		}
	}
	raw := c.buf[c.at:end]
	c.at = end
	return raw, nil
}

func (c *cursor) uint32(where string) (uint32, error) {
	raw, err := c.take(4, where)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(raw), nil
}

func (c *cursor) uint64(where string) (uint64, error) {
	raw, err := c.take(8, where)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(raw), nil
}

// text reads a key or a name of 1 to most bytes.
func (c *cursor) text(most uint64, where string) (string, error) {
	n, err := c.uint64(where)
	if err != nil {
		return "", err
	}
	if n == 0 || n > most {
		return "", formatErrorf(c.path, where, "a name of %d bytes: expected 1 to %d", n, most)
	}
	raw, err := c.take(n, where)
	if err != nil {
		return "", err
	}
	if !utf8.Valid(raw) {
		return "", formatErrorf(c.path, where, "the name %q is not valid UTF-8", clip(string(raw)))
	}
	return string(raw), nil
}

// start reads magic, version and counts.
func (c *cursor) start(h *Header) (kvs uint64, err error) {
	raw, err := c.take(min(24, uint64(c.size)), "")
	switch {
	case err != nil:
		return 0, err
	case len(raw) == 0:
		return 0, formatErrorf(c.path, "", "the file is empty; download it again")
	case len(raw) < 4 || string(raw[:4]) != magic:
		return 0, formatErrorf(c.path, "", "it starts with %q: a GGUF file starts with %q", raw[:min(len(raw), 4)], magic)
	case len(raw) < 24:
		return 0, formatErrorf(c.path, "", "the file has %d bytes, too few for a header: it is truncated; download it again", c.size)
	}
	h.Version = binary.LittleEndian.Uint32(raw[4:])
	switch {
	case h.Version&0xffff == 0 && h.Version != 0:
		return 0, fmt.Errorf("gguf: %s: a big-endian file: %w; make it little-endian with gguf-convert-endian of the gguf package", c.path, posenc.ErrUnsupported)
	case h.Version == 1:
		return 0, fmt.Errorf("gguf: %s: version 1, of August 2023: %w; convert the model anew", c.path, posenc.ErrUnsupported)
	case h.Version != 2 && h.Version != 3:
		return 0, fmt.Errorf("gguf: %s: version %d: %w; known are 2 and 3", c.path, h.Version, posenc.ErrUnsupported)
	}
	tensors, kvs := binary.LittleEndian.Uint64(raw[8:]), binary.LittleEndian.Uint64(raw[16:])
	if tensors > maxTensors || kvs > maxKVs {
		return 0, formatErrorf(c.path, "", "%d tensors and %d keys are claimed: expected at most %d and %d", tensors, kvs, maxTensors, maxKVs)
	}
	if least := 33*tensors + 14*kvs; least > uint64(c.size-c.at) {
		return 0, formatErrorf(c.path, "", "%d tensors and %d keys are claimed, which need %d bytes; %d follow", tensors, kvs, least, c.size-c.at)
	}
	h.Tensors = make([]Tensor, tensors)
	return kvs, nil
}

// metadata reads the keys and values.
func (c *cursor) metadata(h *Header, n uint64) error {
	h.KVs = make([]KV, n)
	spans := make([][2]int64, n)
	seen := make(map[string]bool, n)
	for i := range h.KVs {
		key, err := c.text(maxKey, fmt.Sprintf("key %d of %d", i+1, n))
		if err != nil {
			return err
		}
		where := ofKey(key)
		if seen[key] {
			return formatErrorf(c.path, where, "it occurs twice")
		}
		seen[key] = true
		t, err := c.uint32(where)
		if err != nil {
			return err
		}
		begin := c.at
		if err := c.value(ValueType(t), where); err != nil {
			return err
		}
		h.KVs[i], spans[i] = KV{Key: key, Type: ValueType(t)}, [2]int64{begin, c.at}
	}
	for i, s := range spans { // the buffer has found its place
		h.KVs[i].Raw = c.buf[s[0]:s[1]:s[1]]
	}
	return nil
}

// value steps over a value and finds it well-formed.
func (c *cursor) value(t ValueType, where string) error {
	switch {
	case int(t) >= len(valueTypes):
		return formatErrorf(c.path, where, "%s: expected 0 to %d", t, len(valueTypes)-1)
	case t == Array:
		return c.array(where)
	case t == String:
		n, err := c.uint64(where)
		if err == nil {
			_, err = c.take(n, where)
		}
		return err
	}
	_, err := c.take(uint64(valueTypes[t].size), where)
	return err
}

func (c *cursor) array(where string) error {
	elem, err := c.uint32(where)
	if err != nil {
		return err
	}
	n, err := c.uint64(where)
	if err != nil {
		return err
	}
	t := ValueType(elem)
	if t == Array {
		return fmt.Errorf("gguf: %s: %s: an array of arrays: %w", c.path, where, posenc.ErrUnsupported)
	}
	if int(t) >= len(valueTypes) {
		return formatErrorf(c.path, where, "an array of %s: expected 0 to %d", t, len(valueTypes)-1)
	}
	size := uint64(valueTypes[t].size)
	if least := max(size, 1); n > uint64(c.size)/least { // no product below overflows
		return formatErrorf(c.path, where, "an array of %d %s in a file of %d bytes", n, t, c.size)
	}
	if size > 0 {
		_, err := c.take(n*size, where)
		return err
	}
	for range n {
		if err := c.value(String, where); err != nil {
			return err
		}
	}
	return nil
}

// tensors reads the list of tensors.
func (c *cursor) tensors(h *Header) error {
	seen := make(map[string]bool, len(h.Tensors))
	for i := range h.Tensors {
		name, err := c.text(maxName, fmt.Sprintf("tensor %d of %d", i+1, len(h.Tensors)))
		if err != nil {
			return err
		}
		where := ofTensor(name)
		if seen[name] {
			return formatErrorf(c.path, where, "it occurs twice")
		}
		seen[name] = true
		rank, err := c.uint32(where)
		if err != nil {
			return err
		}
		if rank > maxDims {
			return formatErrorf(c.path, where, "%d dimensions: expected at most %d", rank, maxDims)
		}
		raw, err := c.take(8*uint64(rank)+12, where)
		if err != nil {
			return err
		}
		t := Tensor{Name: name, Dims: make([]int64, rank)}
		for d := range t.Dims {
			n := binary.LittleEndian.Uint64(raw[8*d:])
			if n > math.MaxInt64 {
				return formatErrorf(c.path, where, "a dimension of %d", n)
			}
			t.Dims[d] = int64(n)
		}
		t.Type = Type(binary.LittleEndian.Uint32(raw[8*rank:]))
		offset := binary.LittleEndian.Uint64(raw[8*rank+4:])
		if offset > math.MaxInt64 {
			return formatErrorf(c.path, where, "its offset is %d", offset)
		}
		t.Offset = int64(offset)
		h.Tensors[i] = t
	}
	return nil
}

// checkPlaces finds every tensor within the data, aligned and by itself.
func checkPlaces(h *Header, path string, align, room int64) error {
	room = max(room, 0)
	order := make([]int, len(h.Tensors))
	sizes := make([]int64, len(h.Tensors))
	for i, t := range h.Tensors {
		order[i] = i
		if !t.Type.Known() {
			return fmt.Errorf("gguf: %s: %s: %s: %w; known are %s", path, ofTensor(t.Name), t.Type, posenc.ErrUnsupported, knownTypes())
		}
		n, err := t.Bytes()
		if err != nil {
			return formatErrorf(path, ofTensor(t.Name), "%v", err)
		}
		if t.Offset%align != 0 {
			return formatErrorf(path, ofTensor(t.Name), "its offset %d is no multiple of the alignment %d", t.Offset, align)
		}
		if t.Offset > room || n > room-t.Offset {
			return formatErrorf(path, ofTensor(t.Name), "%d bytes are claimed at byte %d of the data, which are %d: the file is truncated or damaged; download it again", n, t.Offset, room)
		}
		sizes[i] = n
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if h.Tensors[a].Offset != h.Tensors[b].Offset {
			if h.Tensors[a].Offset < h.Tensors[b].Offset {
				return -1
			}
			return 1
		}
		return int(min(max(sizes[a]-sizes[b], -1), 1))
	})
	for i := 1; i < len(order); i++ {
		before, t := h.Tensors[order[i-1]], h.Tensors[order[i]]
		if end := before.Offset + sizes[order[i-1]]; t.Offset < end {
			return formatErrorf(path, ofTensor(t.Name), "it starts at byte %d of the data, within %q, which ends at %d", t.Offset, clip(before.Name), end)
		}
	}
	return nil
}
