package gguf

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/pecvt/pecvt/convert/tensor"
)

func kinds(t testing.TB) *File {
	t.Helper()
	f, err := Open(filepath.Join("testdata", "kinds.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// value reads whatever a key holds.
func value(kv KV) (any, error) {
	elem, _ := kv.Elem()
	switch {
	case kv.Type == Array && elem == String:
		return kv.Texts()
	case kv.Type == Array && elem == Float32:
		return kv.Floats()
	case kv.Type == Array && elem == Bool:
		return kv.Bools()
	case kv.Type == Array:
		return kv.Uints()
	case kv.Type == String:
		return kv.Text()
	case kv.Type == Bool:
		return kv.Bool()
	case kv.Type == Float32, kv.Type == Float64:
		return kv.Float()
	}
	return kv.Uint()
}

// The official package's file: every value type, in order, and every tensor type
// with the size that it gives it.
func TestOfficialFile(t *testing.T) {
	f := kinds(t)
	want := []struct {
		key   string
		typ   ValueType
		value any
	}{
		{"general.architecture", String, "llama"}, {"general.alignment", Uint32, uint64(64)},
		{"k.uint8", Uint8, uint64(200)}, {"k.int8", Int8, nil}, {"k.uint16", Uint16, uint64(60000)}, {"k.int16", Int16, nil},
		{"k.uint32", Uint32, uint64(4000000000)}, {"k.int32", Int32, nil}, {"k.uint64", Uint64, uint64(1 << 63)}, {"k.int64", Int64, nil},
		{"k.float32", Float32, float64(float32(0.1))}, {"k.float64", Float64, 0.1}, {"k.bool", Bool, true}, {"k.string", String, "é\n\""},
		{"k.texts", Array, []string{"a", "", "ünïcode"}}, {"k.integers", Array, []uint64{1, 2, 3}},
		{"k.floats", Array, []float32{0.5, -1}}, {"k.bools", Array, []bool{true, false}},
	}
	if len(f.Header.KVs) != len(want) {
		t.Fatalf("%d keys, want %d", len(f.Header.KVs), len(want))
	}
	for i, w := range want {
		kv := f.Header.KVs[i]
		got, err := value(kv)
		if kv.Key != w.key || kv.Type != w.typ || (err != nil) != (w.value == nil) || err == nil && !reflect.DeepEqual(got, w.value) {
			t.Errorf("key %d: %s %s = %v (%v), want %+v", i, kv.Key, kv.Type, got, err, w)
		}
	}
	if len(f.Header.Tensors) != len(types) {
		t.Errorf("%d tensors, %d types", len(f.Header.Tensors), len(types))
	}
	end := int64(0)
	for i, x := range f.Header.Tensors {
		if x.Name != types[i].name || x.Type != types[i].id || x.Type.String() != x.Name {
			t.Errorf("tensor %q has type %d: %s", x.Name, x.Type, x.Type)
		}
		elements, unit := x.Type.Unit()
		if n, err := x.Bytes(); err != nil || n != int64(6*unit) || !reflect.DeepEqual(x.Shape(), []int64{3, int64(2 * elements)}) {
			t.Errorf("%s: shape %v, %d bytes (%v), want 6 units of %d", x.Name, x.Shape(), n, err, unit)
		}
		if x.Offset != end {
			t.Errorf("%s: at %d, want %d: a size of the table is not the official one", x.Name, x.Offset, end)
		}
		end = roundUp(x.Offset+int64(6*unit), 64)
		raw, err := f.Read(x.Name, 0, 6*int64(unit))
		for j, b := range raw {
			if b != byte(j) {
				t.Fatalf("%s: byte %d is %d", x.Name, j, b)
			}
		}
		if err != nil || len(raw) != 6*unit {
			t.Errorf("%s: %d bytes, %v", x.Name, len(raw), err)
		}
		d, ok := x.Type.DType()
		if ok {
			if e, b := d.Unit(); e != elements || b != unit || d.String() != x.Name {
				t.Errorf("%s is decoded as %s", x.Name, d)
			}
			if back, known := TypeOf(d); !known || back != x.Type {
				t.Errorf("%s of tensor is %s", d, back)
			}
		}
	}
	if f.DataStart()+end != f.Size() {
		t.Errorf("the data end at %d of %d", f.DataStart()+end, f.Size())
	}
	for _, d := range tensor.BlockFormats() {
		if _, ok := TypeOf(d); !ok {
			t.Errorf("block format %s has no type of ggml", d)
		}
	}
}

// What is read and encoded again is the file, to the byte; so is what the
// functions of this package make.
func TestEncode(t *testing.T) {
	f := kinds(t)
	data, err := os.ReadFile(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	h := *f.Header
	check := func(what string) {
		t.Helper()
		raw, err := h.Encode()
		if err != nil || !bytes.Equal(raw, data[:f.DataStart()]) {
			t.Errorf("%s: %d bytes, %v; want the file's %d", what, len(raw), err, f.DataStart())
		}
	}
	check("read")
	for _, kv := range []KV{
		NewText("general.architecture", "llama"), NewUint32("general.alignment", 64), NewUint32("k.uint32", 4000000000), NewFloat32("k.float32", 0.1), NewBool("k.bool", true),
		NewTexts("k.texts", []string{"a", "", "ünïcode"}), NewInt32s("k.integers", []int32{1, 2, 3}),
		NewFloat32s("k.floats", []float32{0.5, -1}), NewBools("k.bools", []bool{true, false}),
	} {
		kv.Raw = bytes.Clone(kv.Raw)
		h.Set(kv)
	}
	check("made")
	for i := range h.Tensors {
		h.Tensors[i].Offset = 1
	}
	if n, err := h.Arrange(); err != nil || n != f.Size()-f.DataStart() {
		t.Errorf("arranged in %d bytes, %v", n, err)
	}
	check("arranged")
	h.Set(NewBool("new", true))
	h.Remove("k.string")
	if _, ok := h.Find("k.string"); ok || h.KVs[len(h.KVs)-1].Key != "new" {
		t.Error("Set and Remove left another list")
	}
}

func TestValuesOfAnotherType(t *testing.T) {
	text, number, list := NewText("a", "x"), NewUint32("b", 7), NewTexts("c", []string{"x"})
	for what, err := range map[string]error{
		"number of text": second(text.Uint()), "float of number": second(number.Float()), "bool of number": second(number.Bool()),
		"text of number": second(number.Text()), "texts of text": second(text.Texts()), "floats of number": second(number.Floats()), "number of list": second(list.Uint()),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if x, err := NewFloat32("f", float32(math.Inf(1))).Float(); err != nil || !math.IsInf(x, 1) {
		t.Errorf("%v, %v", x, err)
	}
	if list, err := number.Uints(); err != nil || !reflect.DeepEqual(list, []uint64{7}) {
		t.Errorf("a single number as a list: %v, %v", list, err)
	}
}

func second[T any](_ T, err error) error { return err }

// A file cut anywhere is one error, never a panic.
func TestTruncated(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "kinds.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	f := kinds(t)
	final := f.Header.Tensors[len(f.Header.Tensors)-1]
	size, err := final.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	last := int(f.DataStart() + final.Offset + size) // padding may go
	for n := 0; n < last; n += 7 {
		h, _, err := Read(bytes.NewReader(data[:n]), int64(n), "cut")
		if !errors.Is(err, ErrFormat) {
			t.Fatalf("%d of %d bytes: %v, %v", n, len(data), h != nil, err)
		}
	}
}
