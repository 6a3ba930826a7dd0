package safetensors

import (
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/posenc"
)

// badHeaders are headers that must be refused, with the bytes of data that
// follow and what the error must say. They seed the fuzz target too.
var badHeaders = []struct {
	name   string
	header string
	data   int
	want   string
}{
	{"not JSON", `{"a"`, 0, "not valid JSON"},
	{"not an object", `[1,2]`, 0, "begins with '['"},
	{"leading space", ` {}`, 0, "begins with ' '"},
	{"two values", `{}{}`, 0, "not valid JSON"},
	{"not UTF-8", "{\"\xff\":1}", 0, "not valid UTF-8"},
	{"deep JSON", `{"a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, 0, "exceeded max depth"},
	{"nested tensor", `{"a":{"dtype":{"b":{}},"shape":[],"data_offsets":[0,4]}}`, 4, `tensor "a": dtype: an object where a string is needed`},
	{"trailing comma", `{"a":{"dtype":"U8","shape":[1,],"data_offsets":[0,1]}}`, 1, "not valid JSON"},
	{"tensor twice", `{` + entry("a", "U8", "[1]", 0, 1) + `,` + entry("a", "U8", "[1]", 1, 2) + `}`, 2, `key "a" occurs twice`},
	{"tensor twice, escaped", `{` + entry("a", "U8", "[1]", 0, 1) + `,"\u0061":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2, `key "a" occurs twice`},
	{"dtype twice", `{"a":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}}`, 1, `tensor "a": key "dtype" occurs twice`},
	{"metadata twice", `{"__metadata__":{},"__metadata__":{}}`, 0, `key "__metadata__" occurs twice`},
	{"metadata key twice", `{"__metadata__":{"k":"1","k":"2"}}`, 0, `__metadata__: key "k" occurs twice`},
	{"metadata not strings", `{"__metadata__":{"epoch":3}}`, 0, `__metadata__: key "epoch": the number 3 where a string is needed: metadata values are strings`},
	{"metadata nested", `{"__metadata__":{"k":{"x":"y"}}}`, 0, `key "k": an object where a string is needed`},
	{"metadata null", `{"__metadata__":null}`, 0, "null where an object is needed"},
	{"tensor is a number", `{"a":1}`, 0, `tensor "a": the number 1 where an object is needed`},
	{"unknown dtype", `{` + entry("a", "F7", "[1]", 0, 1) + `}`, 1, `tensor "a": dtype: unknown dtype "F7": known are BF16`},
	{"unknown key", `{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"strides":[1]}}`, 1, `tensor "a": unknown key "strides"`},
	{"key in another case", `{"a":{"Dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1, `unknown key "Dtype"`},
	{"no dtype", `{"a":{"shape":[1],"data_offsets":[0,1]}}`, 1, `tensor "a": the key dtype is missing`},
	{"no shape", `{"a":{"dtype":"U8","data_offsets":[0,1]}}`, 1, `the key shape is missing`},
	{"no offsets", `{"a":{"dtype":"U8","shape":[1]}}`, 1, `the key data_offsets is missing`},
	{"three offsets", `{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}`, 1, `data_offsets: more than 2 numbers`},
	{"one offset", `{"a":{"dtype":"U8","shape":[1],"data_offsets":[1]}}`, 1, `data_offsets has 1 numbers, expected 2`},
	{"offsets reversed", `{` + entry("a", "U8", "[1]", 2, 1) + `}`, 2, `data_offsets [2, 1]: the end is before the beginning`},
	{"negative dimension", `{` + entry("a", "U8", "[-1]", 0, 1) + `}`, 1, `shape: -1 is not a natural number`},
	{"negative offset", `{"a":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}}`, 1, `data_offsets: -1 is not a natural number`},
	{"float dimension", `{` + entry("a", "U8", "[1.0]", 0, 1) + `}`, 1, `shape: 1.0 is not a natural number`},
	{"exponent dimension", `{` + entry("a", "U8", "[1e0]", 0, 1) + `}`, 1, `shape: 1e0 is not a natural number`},
	{"minus zero", `{` + entry("a", "U8", "[-0]", 0, 0) + `}`, 0, `shape: -0 is not a natural number`},
	{"string dimension", `{` + entry("a", "U8", `["1"]`, 0, 1) + `}`, 1, `shape: the string "1" where a number is needed`},
	{"nested shape", `{` + entry("a", "U8", `[[1]]`, 0, 1) + `}`, 1, `shape: an array where a number is needed`},
	{"null shape", `{` + entry("a", "U8", `null`, 0, 1) + `}`, 1, `shape: null where an array of numbers is needed`},
	{"dimension 2^63", `{` + entry("a", "U8", "[9223372036854775808]", 0, 1) + `}`, 1, `9223372036854775808 is not a natural number below 2^63`},
	{"dimension of 200 digits", `{` + entry("a", "U8", "["+strings.Repeat("9", 200)+"]", 0, 1) + `}`, 1, `99... is not a natural number`},
	{"shape product overflows", `{` + entry("a", "U8", "[4294967296,4294967296]", 0, 1) + `}`, 1, `its number of elements overflows 64 bits`},
	{"shape product overflows to the right size", `{` + entry("a", "U8", "[4294967297,4294967296,4294967296]", 0, 0) + `}`, 0, `overflows`},
	{"byte size overflows", `{` + entry("a", "F64", "[1152921504606846976]", 0, 1) + `}`, 1, `its size in bytes overflows 64 bits`},
	{"rank 65", `{` + entry("a", "U8", "[1"+strings.Repeat(",1", 64)+"]", 0, 1) + `}`, 1, `shape: more than 64 numbers`},
	{"too few bytes", `{` + entry("x", "F32", "[2,3]", 0, 20) + `}`, 20, `tensor "x": shape [2 3] of F32 needs 24 bytes, data_offsets [0, 20] hold 20`},
	{"too many bytes", `{` + entry("x", "F32", "[2,3]", 0, 28) + `}`, 28, `needs 24 bytes, data_offsets [0, 28] hold 28`},
	{"rank 0 without bytes", `{` + entry("x", "F32", "[]", 0, 0) + `}`, 0, `needs 4 bytes`},
	{"gap at the front", `{` + entry("a", "U8", "[1]", 1, 2) + `}`, 2, `tensor "a": begins at byte 1 of the data, 1 bytes after`},
	{"gap inside", `{` + entry("a", "U8", "[1]", 0, 1) + `,` + entry("b", "U8", "[1]", 3, 4) + `}`, 4, `tensor "b": begins at byte 3 of the data, 2 bytes after the tensor before it ends: the header leaves a gap`},
	{"overlap", `{` + entry("a", "U8", "[2]", 0, 2) + `,` + entry("b", "U8", "[2]", 1, 3) + `}`, 3, `tensor "b": begins at byte 1 of the data, inside tensor "a" which ends at 2`},
	{"same place", `{` + entry("a", "U8", "[2]", 0, 2) + `,` + entry("b", "U8", "[2]", 0, 2) + `}`, 2, `overlap`},
	{"data truncated", `{` + entry("a", "U8", "[4]", 0, 4) + `}`, 3, `tensor "a": ends at byte 4 of the data, the file holds 3: the file is truncated; download it again`},
	{"data trailing", `{` + entry("a", "U8", "[4]", 0, 4) + `}`, 5, `1 bytes follow the last tensor`},
	{"trailing data, no tensors", `{}`, 5, `5 bytes follow the last tensor`},
	{"long name", `{` + entry(strings.Repeat("n", 1000), "U8", "[1]", 0, 2) + `}`, 2, `nnn...": shape [1] of U8 needs 1 bytes`},
	{"offsets near 2^63", `{` + entry("a", "U8", "[0]", math.MaxInt64, math.MaxInt64) + `,` + entry("b", "U8", "[1]", 0, 1) + `}`, 1, `leaves a gap`},
}

func TestBadHeaders(t *testing.T) {
	dir := t.TempDir()
	for _, c := range badHeaders {
		t.Run(c.name, func(t *testing.T) {
			path := put(t, dir, "model.safetensors", raw(c.header, c.data))
			_, err := Open(path)
			wantFormat(t, err, path, c.want)
			if len(err.Error()) > len(path)+400 {
				t.Errorf("an error of %d bytes: %v", len(err.Error()), err)
			}
		})
	}
}

func TestHeaderLength2To62(t *testing.T) {
	for _, n := range []uint64{1 << 62, 1 << 63, math.MaxUint64, maxHeader + 1} {
		b := binary.LittleEndian.AppendUint64(nil, n)
		path := put(t, t.TempDir(), "model.safetensors", append(b, "{}"...))
		_, err := Open(path)
		wantFormat(t, err, path, "the header length is", "above the format's limit of 100000000")
	}
}

// The types of quantised weights are valid, not read, and said to be what they are.
func TestTypesOfQuantisedWeights(t *testing.T) {
	for _, dtype := range unread {
		path := put(t, t.TempDir(), "model.safetensors", raw(`{`+entry("a", dtype, "[8]", 0, 8)+`}`, 8))
		_, err := Open(path)
		if !errors.Is(err, posenc.ErrUnsupported) || errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v: want ErrUnsupported", dtype, err)
		}
		for _, want := range []string{path, `tensor "a": dtype: ` + dtype, "quantised", "use the unquantised checkpoint"} {
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v: want %q in it", dtype, err, want)
			}
		}
	}
}

// Files that are something else are called by their name.
func TestForeignFiles(t *testing.T) {
	for content, want := range map[string]string{
		"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 538090408\n": "this is a Git LFS pointer, not the file itself: fetch the file with git lfs pull",
		"<!DOCTYPE html><html><body>Sign in</body></html>":                              "this is a web page",
		"<html lang=en>":                                     "this is a web page",
		"GGUF\x03\x00\x00\x00\x01\x00":                       "this is a GGUF file",
		"PK\x03\x04\x00\x00\x08\x08\x00\x00archive/data.pkl": "perhaps a PyTorch checkpoint",
		"# a text about models":                              "this is not a safetensors file",
	} {
		path := put(t, t.TempDir(), "model.safetensors", []byte(content))
		_, err := Open(path)
		wantFormat(t, err, path, want)
	}
}

func TestHeaderLongerThanTheFile(t *testing.T) {
	b := binary.LittleEndian.AppendUint64(nil, 90_000_000)
	path := put(t, t.TempDir(), "model.safetensors", append(b, "{}"...))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Open(path)
	runtime.ReadMemStats(&after)
	wantFormat(t, err, path, "the header length is 90000000, the file has only 2 bytes after it: the file is truncated")
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
		t.Errorf("allocated %d bytes for a header that is not there", grown)
	}
	_, err = Open(put(t, t.TempDir(), "model.safetensors", raw("{", 0)))
	wantFormat(t, err, "the header length is 1, too short")
}

func TestZeroLengthFile(t *testing.T) {
	path := put(t, t.TempDir(), "model.safetensors", nil)
	_, err := Open(path)
	wantFormat(t, err, path, "the file is empty; download it again")
	path = put(t, t.TempDir(), "model.safetensors", make([]byte, 7))
	_, err = Open(path)
	wantFormat(t, err, path, "the file has 7 bytes, too few for a header")
}

// Cut anywhere, a file is refused.
func TestTruncatedFile(t *testing.T) {
	whole := raw(`{`+entry("a", "F32", "[2]", 0, 8)+`,`+entry("b", "U8", "[3]", 8, 11)+`}`, 11)
	dir := t.TempDir()
	if _, err := Open(put(t, dir, "whole.safetensors", whole)); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		path := put(t, dir, "cut.safetensors", whole[:n])
		_, err := Open(path)
		wantFormat(t, err, path)
	}
}

func TestGoodHeaders(t *testing.T) {
	for _, c := range []struct {
		name    string
		header  string
		data    int
		tensors string
	}{
		{"no tensors", `{}`, 0, ""},
		{"only metadata", `{"__metadata__":{"format":"pt"}}`, 0, ""},
		{"padded", `{}      `, 0, ""},
		{"order of the data, not of the header", `{` + entry("b", "U8", "[1]", 2, 3) + `,` + entry("a", "I16", "[1]", 0, 2) + `}`, 3, "a b"},
		{"empty tensors between", `{` + entry("c", "U8", "[2]", 1, 3) + `,` + entry("e", "F32", "[0,7]", 1, 1) + `,` + entry("a", "U8", "[1]", 0, 1) + `}`, 3, "a e c"},
		{"rank 0", `{` + entry("s", "F32", "[]", 0, 4) + `}`, 4, "s"},
		{"fp8", `{` + entry("w", "F8_E4M3", "[3]", 0, 3) + `,` + entry("v", "F8_E5M2", "[1]", 3, 4) + `}`, 4, "w v"},
		{"empty name", `{` + entry("", "U8", "[1]", 0, 1) + `}`, 1, ""},
		{"line breaks", "{\n\"a\" : {\"shape\":[ 1 ],\"data_offsets\":[0,1], \"dtype\":\"BOOL\"}\n}\n", 1, "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := raw(c.header, c.data)
			for _, useMap := range []bool{true, false} {
				f, err := openLocal(put(t, t.TempDir(), "m.safetensors", b), useMap)
				if err != nil {
					t.Fatal(err)
				}
				var names []string
				for _, info := range f.Tensors() {
					names = append(names, info.Name)
					data, err := f.Bytes(info.Name)
					if err != nil || string(data) != string(b[f.DataStart()+info.Begin:f.DataStart()+info.End]) {
						t.Errorf("%q (map %v): % x, %v", info.Name, useMap, data, err)
					}
					if len(data) != cap(data) {
						t.Errorf("%q (map %v): append would write behind the tensor", info.Name, useMap)
					}
				}
				if got := strings.Join(names, " "); got != c.tensors {
					t.Errorf("tensors %q, want %q", got, c.tensors)
				}
				if f.DataStart() != int64(8+len(c.header)) || f.Size() != int64(len(b)) {
					t.Errorf("data at %d of %d", f.DataStart(), f.Size())
				}
				if err := f.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
