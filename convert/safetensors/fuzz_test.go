package safetensors

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	oracle "github.com/nlpodyssey/safetensors"

	"github.com/pecvt/pecvt/convert/tensor"
)

// readBytes is what Open does with a file's content, without the file.
func readBytes(content []byte) ([]Info, map[string]string, error) {
	var first [prefix]byte
	if copy(first[:], content) < prefix {
		return nil, nil, formatErrorf("f", "", "too short")
	}
	n, err := headerLength("f", first, int64(len(content)))
	if err != nil {
		return nil, nil, err
	}
	return parseHeader("f", content[prefix:prefix+n], int64(len(content))-prefix-n)
}

// longSeed bounds the seeds: of longer ones the fuzzer only tries to make shorter
// ones.
const longSeed = 2000

// FuzzHeader: whatever the bytes, the header is refused with one clear error, or
// it is one that the reference library reads alike and that our writer makes
// again.
func FuzzHeader(f *testing.F) {
	for _, c := range badHeaders {
		if len(c.header) <= longSeed {
			f.Add(raw(c.header, c.data))
		}
	}
	for _, n := range []uint64{0, 1, 1 << 62, math.MaxUint64, maxHeader, maxHeader + 1} {
		f.Add(append(binary.LittleEndian.AppendUint64(nil, n), "{}"...))
	}
	f.Add(raw(`{"__metadata__":{"format":"pt"},`+entry("a", "BF16", "[2,3]", 4, 16)+`,`+entry("b", "F32", "[]", 0, 4)+`}  `, 16))
	f.Add(raw(`{`+entry("w", "F8_E4M3", "[3]", 0, 3)+`,`+entry("e", "I64", "[0,9]", 0, 0)+`}`, 3))
	f.Fuzz(func(t *testing.T, content []byte) {
		infos, metadata, err := readBytes(content)
		if err != nil {
			checkError(t, err)
			return
		}
		var at int64
		fp8 := false
		for _, info := range infos {
			n, err := tensor.ByteSize(info.DType, info.Shape)
			if err != nil || info.Begin != at || info.Bytes() != n {
				t.Fatalf("%+v accepted at %d (%v)", info, at, err)
			}
			at = info.End
			fp8 = fp8 || info.DType == tensor.F8E4M3 || info.DType == tensor.F8E5M2 || info.DType == tensor.F8E8M0
		}
		again, err := Header(infos, metadata)
		if err != nil {
			t.Fatalf("the writer refuses what the reader took: %v", err)
		}
		infos2, metadata2, err := readBytes(append(again, make([]byte, at)...))
		if err != nil || !reflect.DeepEqual(infos, infos2) || len(metadata) > 0 && !maps.Equal(metadata, metadata2) {
			t.Fatalf("written and read again: %v\n%+v %q\n%+v %q", err, infos, metadata, infos2, metadata2)
		}
		if fp8 {
			return
		}
		st, err := oracle.Deserialize(content)
		if err != nil || st.Len() != len(infos) {
			t.Fatalf("the library sees %d tensors of %d: %v", st.Len(), len(infos), err)
		}
		for _, info := range infos {
			v, ok := st.Tensor(info.Name)
			if !ok || v.DType().String() != info.DType.String() || int64(v.DataLen()) != info.Bytes() || len(v.Shape()) != len(info.Shape) {
				t.Fatalf("the library reads %+v as %+v", info, v)
			}
		}
	})
}

// FuzzIndex: whatever the bytes, the index is refused with one clear error, or
// its weight_map is what encoding/json reads and no shard lies outside its folder.
func FuzzIndex(f *testing.F) {
	for _, c := range badIndexes {
		if len(c.text) <= longSeed {
			f.Add([]byte(c.text))
		}
	}
	f.Add([]byte(`{"metadata": {"total_size": 16}, "weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}`))
	f.Add([]byte(`{"x": [[{"y": []}], -1.5e3, null, true], "weight_map": {"\u0061": "m.safetensors", "": "..safetensors"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		weightMap, err := parseIndex("f", text)
		if err != nil {
			checkError(t, err)
			return
		}
		for name, shard := range weightMap {
			if !filepath.IsLocal(shard) || filepath.Base(shard) != shard || strings.ContainsAny(shard, `/\:`) {
				t.Fatalf("%q leads to %q", name, shard)
			}
		}
		var whole map[string]json.RawMessage
		var want map[string]string
		if err := json.Unmarshal(text, &whole); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(whole["weight_map"], &want); err != nil || !maps.Equal(want, weightMap) {
			t.Fatalf("got %q, encoding/json reads %q (%v)", weightMap, want, err)
		}
	})
}

// checkError holds every refusal to the form of errors: about the format, on one
// line, short whatever the file says.
func checkError(t *testing.T, err error) {
	t.Helper()
	text := err.Error()
	if !errors.Is(err, ErrFormat) || !strings.HasPrefix(text, "safetensors: f: ") || strings.ContainsAny(text, "\n\x00") || len(text) > 2000 {
		t.Fatalf("an error of %d bytes: %.3000q", len(text), text)
	}
}
