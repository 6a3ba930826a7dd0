package vocab

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/posenc"
)

// value reads what is in a KV as expected.json has it.
func value(t *testing.T, kv gguf.KV) any {
	t.Helper()
	elem, _ := kv.Elem()
	var v any
	var err error
	switch {
	case kv.Type == gguf.Array && elem == gguf.String:
		v, err = kv.Texts()
	case kv.Type == gguf.Array && elem == gguf.Float32:
		v, err = kv.Floats()
	case kv.Type == gguf.Array:
		v, err = kv.Uints()
	case kv.Type == gguf.String:
		v, err = kv.Text()
	case kv.Type == gguf.Bool:
		v, err = kv.Bool()
	default:
		v, err = kv.Uint()
	}
	if err != nil {
		t.Fatalf("%s: %v", kv.Key, err)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestWrite: the metadata are those of llama.cpp's converter; see
// testdata/make_tokenizers.py.
func TestWrite(t *testing.T) {
	for name, size := range map[string]int{"bytelevel": 310, "sentencepiece": 402} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join("testdata", name)
			text, err := os.ReadFile(filepath.Join(dir, "expected.json"))
			if err != nil {
				t.Fatal(err)
			}
			var want map[string][2]any
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
			kvs, note, err := Write(os.DirFS(dir), size, false)
			if err != nil || note != "" {
				t.Fatal(err, note)
			}
			got := map[string]gguf.KV{}
			for _, kv := range kvs {
				got[kv.Key] = kv
			}
			for key, w := range want {
				if key == "tokenizer.ggml.add_sep_token" {
					continue // how two texts are joined: for embeddings
				}
				kv, ok := got[key]
				if !ok {
					t.Errorf("%s is missing", key)
					continue
				}
				if v := value(t, kv); !same(v, w[1]) {
					t.Errorf("%s is %.200v, want %.200v", key, v, w[1])
				}
			}
			for key := range got {
				if _, ok := want[key]; !ok {
					t.Errorf("%s is not in llama.cpp's", key)
				}
			}
		})
	}
}

// same compares values; numbers as float32 have them.
func same(a, b any) bool {
	x, ok := a.([]any)
	y, also := b.([]any)
	if !ok || !also || len(x) != len(y) {
		return reflect.DeepEqual(a, b)
	}
	for i := range x {
		f, isNumber := x[i].(float64)
		g, isAlso := y[i].(float64)
		if isNumber && isAlso && math.Abs(f-g) <= 1e-6*math.Abs(g) {
			continue
		}
		if !reflect.DeepEqual(x[i], y[i]) {
			return false
		}
	}
	return true
}

// TestScoresWithoutTheModel: the ranks of the merges order all pairs as
// tokenizer.model's scores do.
func TestScoresWithoutTheModel(t *testing.T) {
	dir := os.DirFS(filepath.Join("testdata", "sentencepiece"))
	files := fstest.MapFS{}
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json", "config.json"} {
		data, ok, err := read(dir, name)
		if err != nil || !ok {
			t.Fatal(name, err)
		}
		files[name] = &fstest.MapFile{Data: data}
	}
	var lists [2][]float32
	var types []uint64
	for i, from := range []fs.FS{dir, files} {
		kvs, _, err := Write(from, 402, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, kv := range kvs {
			switch kv.Key {
			case "tokenizer.ggml.scores":
				lists[i], err = kv.Floats()
			case "tokenizer.ggml.token_type":
				types, err = kv.Uints()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	var t0 tokenizer
	if _, err := readJSON(dir, "tokenizer.json", &t0); err != nil {
		t.Fatal(err)
	}
	ids, err := t0.Model.vocab()
	if err != nil {
		t.Fatal(err)
	}
	pairs, err := t0.Model.merges()
	if err != nil || len(pairs) < 50 {
		t.Fatal(len(pairs), err)
	}
	for i := range pairs {
		for j := range pairs {
			a, b := ids[pairs[i][0]+pairs[i][1]], ids[pairs[j][0]+pairs[j][1]]
			if types[a] != 1 || types[b] != 1 {
				continue
			}
			if lists[0][a] > lists[0][b] && !(lists[1][a] > lists[1][b]) {
				t.Fatalf("%v comes before %v in tokenizer.model, and not by rank", pairs[i], pairs[j])
			}
		}
	}
}

// What llama.cpp would tokenize otherwise is an error that names it.
func TestWriteRefuses(t *testing.T) {
	const bpe = `"model":{"type":"BPE","vocab":{"a":0},"merges":[]}`
	for text, want := range map[string]string{
		`{"model":{"type":"Unigram","vocab":[]}}`:                                                                         "a model of type Unigram",
		`{"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":true},` + bpe + `}`:                                      "a space before the text",
		`{"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Punctuation"},{"type":"ByteLevel"}]},` + bpe + `}`: "Punctuation",
		`{"normalizer":{"type":"Lowercase"},"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},` + bpe + `}`:   "Lowercase",
		`{` + bpe + `}`: "falls back to bytes",
		`{"model":{"type":"BPE","byte_fallback":true,"vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"Whitespace"}}`:              "Whitespace",
		`{"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},"model":{"type":"BPE","vocab":{"a":0,"b":7},"merges":[]}}`:     `"b" has the id 7`,
		`{"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},"model":{"type":"BPE","vocab":{"a":0},"merges":["ab","a b"]}}`: "two parts",
		`{`: "tokenizer.json",
	} {
		_, _, err := Write(fstest.MapFS{"tokenizer.json": {Data: []byte(text)}}, 4, false)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if _, _, err := Write(fstest.MapFS{"tokenizer.model": {}}, 4, false); !errors.Is(err, posenc.ErrUnsupported) {
		t.Errorf("tokenizer.model alone: %v", err)
	}
	kvs, note, err := Write(fstest.MapFS{}, 4, false)
	if err != nil || note == "" || len(kvs) != 1 {
		t.Errorf("no tokenizer: %v, %q, %v", kvs, note, err)
	}
}
