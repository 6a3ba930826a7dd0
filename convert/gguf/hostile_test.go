package gguf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/posenc"
)

// file spells a header and adds data behind it.
func file(version uint32, kvs []KV, tensors []Tensor, data int) []byte {
	h := Header{Version: version, KVs: kvs, Tensors: tensors}
	raw := binary.LittleEndian.AppendUint32([]byte(magic), version)
	raw = binary.LittleEndian.AppendUint64(raw, uint64(len(tensors)))
	raw = binary.LittleEndian.AppendUint64(raw, uint64(len(kvs)))
	if spelt, err := h.Encode(); err == nil {
		raw = spelt
	} else { // an alignment that Encode refuses
		for _, kv := range kvs {
			raw = append(binary.LittleEndian.AppendUint32(appendText(raw, kv.Key), uint32(kv.Type)), kv.Raw...)
		}
	}
	return append(raw, make([]byte, data)...)
}

func u64(x uint64) []byte { return binary.LittleEndian.AppendUint64(nil, x) }

var badFiles = map[string]struct {
	content []byte
	want    string
	other   bool // unsupported rather than damaged
}{
	"empty":              {nil, "the file is empty", false},
	"other magic":        {[]byte("PK\x03\x04 and more than twenty-four bytes"), `starts with "PK`, false},
	"short":              {[]byte("GGUF\x03\x00\x00\x00"), "too few for a header", false},
	"big-endian":         {append([]byte("GGUF\x00\x00\x00\x03"), make([]byte, 16)...), "a big-endian file", true},
	"version 1":          {file(1, nil, nil, 0), "version 1", true},
	"version 4":          {file(4, nil, nil, 0), "version 4", true},
	"many tensors":       {append(append([]byte("GGUF\x03\x00\x00\x00"), u64(1<<60)...), u64(0)...), "tensors and 0 keys are claimed", false},
	"more than fit":      {append(append([]byte("GGUF\x03\x00\x00\x00"), u64(1000)...), u64(1000)...), "which need 47000 bytes", false},
	"key twice":          {file(3, []KV{NewBool("a", true), NewBool("a", true)}, nil, 0), `key "a": it occurs twice`, false},
	"key of no bytes":    {file(3, []KV{NewBool("", true)}, nil, 9), "a name of 0 bytes", false},
	"key no UTF-8":       {file(3, []KV{NewBool("a\xff", true)}, nil, 0), "not valid UTF-8", false},
	"value type":         {file(3, []KV{{"a", 13, []byte{1}}}, nil, 0), `key "a": value type 13`, false},
	"long string":        {file(3, []KV{{"a", String, u64(1 << 62)}}, nil, 99), "4611686018427387904 bytes are claimed", false},
	"long array":         {file(3, []KV{{"a", Array, append([]byte{4, 0, 0, 0}, u64(1<<62)...)}}, nil, 99), "an array of 4611686018427387904 uint32", false},
	"array of arrays":    {file(3, []KV{{"a", Array, append([]byte{9, 0, 0, 0}, u64(1)...)}}, nil, 99), "an array of arrays", true},
	"array of nothing":   {file(3, []KV{{"a", Array, append([]byte{99, 0, 0, 0}, u64(1)...)}}, nil, 99), "an array of value type 99", false},
	"alignment 0":        {file(3, []KV{NewUint32("general.alignment", 0)}, nil, 99), "expected a uint32 that is a multiple of 8", false},
	"alignment 12":       {file(3, []KV{NewUint32("general.alignment", 12)}, nil, 99), "expected a uint32 that is a multiple of 8", false},
	"alignment huge":     {file(3, []KV{NewUint32("general.alignment", 1<<31)}, nil, 99), "expected a uint32 that is a multiple of 8", false},
	"alignment text":     {file(3, []KV{NewText("general.alignment", "x")}, nil, 99), "expected an integer", false},
	"name twice":         {file(3, nil, []Tensor{{"w", F32, []int64{1}, 0}, {"w", F32, []int64{1}, 32}}, 99), `tensor "w": it occurs twice`, false},
	"five dimensions":    {file(3, nil, []Tensor{{"w", F32, []int64{1, 1, 1, 1, 1}, 0}}, 99), "5 dimensions", false},
	"negative dimension": {file(3, nil, []Tensor{{"w", F32, []int64{-1}, 0}}, 99), "a dimension of 18446744073709551615", false},
	"large product":      {file(3, nil, []Tensor{{"w", F32, []int64{1 << 40, 1 << 40}, 0}}, 99), "overflows 64 bits", false},
	"large size":         {file(3, nil, []Tensor{{"w", F32, []int64{1 << 62}, 0}}, 99), "overflows 64 bits", false},
	"unknown type":       {file(3, nil, []Tensor{{"w", 99, []int64{1}, 0}}, 99), `tensor "w": type 99`, true},
	"removed type":       {file(3, nil, []Tensor{{"w", 4, []int64{32}, 0}}, 99), `tensor "w": type 4`, true},
	"cut block":          {file(3, nil, []Tensor{{"w", Q8_0, []int64{33}, 0}}, 99), "no whole blocks of Q8_0", false},
	"unaligned":          {file(3, nil, []Tensor{{"w", F32, []int64{1}, 4}}, 99), "no multiple of the alignment 32", false},
	"past the end":       {file(3, nil, []Tensor{{"w", F32, []int64{8}, 96}}, 99), "32 bytes are claimed at byte 96 of the data, which are 99", false},
	"far past the end":   {file(3, nil, []Tensor{{"w", F32, []int64{8}, 1 << 62}}, 99), "are claimed at byte 4611686018427387904", false},
	"negative offset":    {file(3, nil, []Tensor{{"w", F32, []int64{8}, -32}}, 99), "its offset is 18446744073709551584", false},
	"overlapping":        {file(3, nil, []Tensor{{"w", F32, []int64{9}, 32}, {"v", F32, []int64{9}, 0}}, 99), `tensor "w": it starts at byte 32 of the data, within "v"`, false},
}

// A hostile file ends in one error that names what is wrong, and costs no more
// memory than it has bytes, whatever it claims.
func TestHostileFiles(t *testing.T) {
	for name, c := range badFiles {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := Read(bytes.NewReader(c.content), int64(len(c.content)), "f.gguf")
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "gguf: f.gguf: ") {
			t.Errorf("%s: error %v, want %q in it", name, err, c.want)
			continue
		}
		if errors.Is(err, posenc.ErrUnsupported) != c.other || errors.Is(err, ErrFormat) == c.other || len(err.Error()) > 600 {
			t.Errorf("%s: error %v: unsupported: %v", name, err, !c.other)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%s: %d bytes were allocated", name, n)
		}
	}
}

// FuzzRead: whatever the bytes, the header is refused with one clear error, or it
// is one that is written again as it was read.
func FuzzRead(f *testing.F) {
	for _, c := range badFiles {
		f.Add(c.content)
	}
	f.Add(file(3, []KV{NewTexts("t", []string{"a", ""}), NewFloat32s("f", []float32{1}), NewUint32("general.alignment", 8)},
		[]Tensor{{"w", Q8_0, []int64{32, 2}, 0}, {"v", F16, nil, 72}}, 74))
	f.Fuzz(func(t *testing.T, content []byte) {
		h, start, err := Read(bytes.NewReader(content), int64(len(content)), "f")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "gguf: f") || errors.Is(err, ErrFormat) == errors.Is(err, posenc.ErrUnsupported) {
				t.Fatalf("error %v", err)
			}
			return
		}
		for _, kv := range h.KVs {
			if _, err := value(kv); err != nil && strings.Contains(fmt.Sprint(err), "expected an array") {
				t.Fatalf("%s: %v", kv.Key, err)
			}
		}
		raw, err := h.Encode()
		if err != nil {
			t.Fatal(err)
		}
		content = append(content, make([]byte, max(0, start-int64(len(content))))...)
		again, at, err := Read(bytes.NewReader(append(raw, content[start:]...)), int64(len(content)), "f")
		if err != nil || at != start || !reflect.DeepEqual(h, again) {
			t.Fatalf("written and read again: %v\n%+v\n%+v", err, h, again)
		}
	})
}
