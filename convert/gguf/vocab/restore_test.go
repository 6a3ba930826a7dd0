package vocab

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/posenc"
)

// header is what llama.cpp's converter made of a folder of testdata.
func header(t *testing.T, name string) *gguf.Header {
	t.Helper()
	size := map[string]int{"bytelevel": 310, "sentencepiece": 402}[name]
	kvs, _, err := Write(os.DirFS(filepath.Join("testdata", name)), size, false) // held to expected.json by TestWrite
	if err != nil {
		t.Fatal(err)
	}
	kvs = append(kvs, gguf.NewText("general.architecture", "llama"), gguf.NewUint32("llama.context_length", 64))
	return &gguf.Header{Version: 3, KVs: kvs}
}

func parsed(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// pairs spells merges alike, whichever of two ways a file has.
func pairs(t *testing.T, merges any) []string {
	t.Helper()
	var list []string
	for _, m := range merges.([]any) {
		if s, ok := m.(string); ok {
			list = append(list, s)
			continue
		}
		p := m.([]any)
		list = append(list, p[0].(string)+" "+p[1].(string))
	}
	return list
}

// What was made of a tokenizer gives the tokenizer: its tokens and ids, its merges
// in their order, the steps before them.
func TestRestore(t *testing.T) {
	for _, name := range []string{"bytelevel", "sentencepiece"} {
		t.Run(name, func(t *testing.T) {
			files, err := Restore(header(t, name))
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(filepath.Join("testdata", name, "tokenizer.json"))
			if err != nil {
				t.Fatal(err)
			}
			got, want := parsed(t, files["tokenizer.json"]), parsed(t, text)
			gm, wm := got["model"].(map[string]any), want["model"].(map[string]any)
			all := map[string]any{} // tokens with a purpose may stand among the others or not
			for token, id := range wm["vocab"].(map[string]any) {
				all[token] = id
			}
			for _, a := range want["added_tokens"].([]any) {
				all[a.(map[string]any)["content"].(string)] = a.(map[string]any)["id"]
			}
			if !reflect.DeepEqual(gm["vocab"], all) {
				t.Errorf("%d tokens, want %d", len(gm["vocab"].(map[string]any)), len(all))
			}
			if g, w := pairs(t, gm["merges"]), pairs(t, wm["merges"]); !reflect.DeepEqual(g, w) {
				t.Errorf("%d merges, want %d; they begin with %q and %q", len(g), len(w), g[:3], w[:3])
			}
			for key, absent := range map[string]any{"byte_fallback": false, "ignore_merges": false} {
				w := wm[key]
				if w == nil {
					w = absent
				}
				if gm[key] != w {
					t.Errorf("model.%s is %v, want %v", key, gm[key], w)
				}
			}
			var g, w tokenizer
			if err := errors.Join(json.Unmarshal(files["tokenizer.json"], &g), json.Unmarshal(text, &w)); err != nil {
				t.Fatal(err)
			}
			for i, c := range w.PreTokenizer.steps() {
				if s := g.PreTokenizer.steps(); len(s) != len(w.PreTokenizer.steps()) || step(s[i]) != step(c) {
					t.Errorf("step %d before the merges is not %s", i, step(c))
				}
			}
			again, err := writeFiles(t, files, name)
			if err != nil {
				t.Fatal(err)
			}
			for _, kv := range header(t, name).KVs {
				for _, a := range again {
					if strings.HasSuffix(kv.Key, "scores") {
						continue // ranks stand for them where there is no tokenizer.model
					}
					if a.Key == kv.Key && !reflect.DeepEqual(a, kv) {
						t.Errorf("%s is another when it is written again", kv.Key)
					}
				}
			}
		})
	}
}

// writeFiles writes restored files as metadata again.
func writeFiles(t *testing.T, files map[string][]byte, name string) ([]gguf.KV, error) {
	t.Helper()
	folder := fstest.MapFS{}
	for file, data := range files {
		folder[file] = &fstest.MapFile{Data: data}
	}
	kvs, _, err := Write(folder, map[string]int{"bytelevel": 310, "sentencepiece": 402}[name], false)
	return kvs, err
}

// What cannot be said, and what is damaged, is an error that names the key.
func TestRestoreRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		kv          gguf.KV
		want        string
		unsupported bool
	}{
		"model":     {gguf.NewText("tokenizer.ggml.model", "t5"), `tokenizer.ggml.model "t5"`, true},
		"pre":       {gguf.NewText("tokenizer.ggml.pre", "smolm"), `did you mean "smollm"`, true},
		"types":     {gguf.NewInt32s("tokenizer.ggml.token_type", []int32{1}), "1 classes of 310 tokens", false},
		"merges":    {gguf.NewTexts("tokenizer.ggml.merges", []string{"q"}), `element 0 is "q"`, false},
		"no tokens": {gguf.NewUint32("tokenizer.ggml.tokens", 1), "tokenizer.ggml.tokens", false},
		"bos":       {gguf.NewUint32("tokenizer.ggml.bos_token_id", 310), "310 of 310 tokens", false},
		"twice":     {gguf.NewTexts("tokenizer.ggml.tokens", make([]string, 310)), `"" is token 0 and 1`, true},
	} {
		h := header(t, "bytelevel")
		h.Set(c.kv)
		_, err := Restore(h)
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, posenc.ErrUnsupported) != c.unsupported || errors.Is(err, gguf.ErrFormat) == c.unsupported {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
	h := header(t, "bytelevel")
	h.Set(gguf.NewText("tokenizer.ggml.model", "none"))
	if files, err := Restore(h); err != nil || files != nil {
		t.Errorf("without a tokenizer: %d files, %v", len(files), err)
	}
}
