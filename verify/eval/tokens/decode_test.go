package tokens_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pecvt/pecvt/verify/eval/tokens"
)

// with is a tokenizer of testdata with a part of its file replaced.
func with(t *testing.T, name, part string, value json.RawMessage) *tokens.Tokenizer {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]json.RawMessage
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	file[part] = value
	if raw, err = json.Marshal(file); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), tokens.FileName)
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	tk, err := tokens.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return tk
}

func golden[T any](t *testing.T, name string) map[string]T {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]T
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	if len(v) < 5 {
		t.Fatalf("%s: %d cases: not that of make_decoded.py", name, len(v))
	}
	return v
}

// decode is the text of ids, each piece of it whole characters.
func decode(t *testing.T, tk *tokens.Tokenizer, ids []int64) string {
	t.Helper()
	d, err := tk.Decoder()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, id := range ids {
		piece, err := d.Next(id)
		if err != nil {
			t.Fatal(err)
		}
		if !utf8.ValidString(piece) {
			t.Errorf("%q is shown before it is whole", piece)
		}
		b.WriteString(piece)
	}
	return b.String() + d.End()
}

// TestDecoded: the texts of the Python library (testdata/make_decoded.py).
func TestDecoded(t *testing.T) {
	for name, c := range golden[[2]json.RawMessage](t, "decoded.json") {
		t.Run(name, func(t *testing.T) {
			file, _, _ := strings.Cut(name, "/")
			tk := with(t, file, "decoder", c[0])
			var list [][2]json.RawMessage
			if err := json.Unmarshal(c[1], &list); err != nil {
				t.Fatal(err)
			}
			for _, pair := range list {
				var ids []int64
				var want string
				if json.Unmarshal(pair[0], &ids) != nil || json.Unmarshal(pair[1], &want) != nil {
					t.Fatalf("%s", pair)
				}
				if got := decode(t, tk, ids); got != want {
					t.Errorf("%v: %q, want %q", ids, got, want)
				}
			}
		})
	}
}

// TestWhole: the ids of the Python library with the tokens around a text.
func TestWhole(t *testing.T) {
	for name, c := range golden[[2]json.RawMessage](t, "whole.json") {
		t.Run(name, func(t *testing.T) {
			tk := with(t, "sentencepiece", "post_processor", c[0])
			var list [][2]json.RawMessage
			if err := json.Unmarshal(c[1], &list); err != nil {
				t.Fatal(err)
			}
			for _, pair := range list {
				var text string
				var want []int64
				if json.Unmarshal(pair[0], &text) != nil || json.Unmarshal(pair[1], &want) != nil {
					t.Fatalf("%s", pair)
				}
				if got, err := tk.EncodeWhole(text); err != nil || !slices.Equal(got, want) {
					t.Errorf("%q: %v (%v), want %v", text, got, err, want)
				}
			}
		})
	}
}

// TestUnknownDecoder: what is not computed is an error by name, and no hindrance for
// the ids.
func TestUnknownDecoder(t *testing.T) {
	for part, text := range map[string]string{
		"decoder":        `{"type":"WordPiece","prefix":"##","cleanup":true}`,
		"post_processor": `{"type":"BertProcessing","sep":["</s>",2],"cls":["<s>",1]}`,
	} {
		tk := with(t, "sentencepiece", part, json.RawMessage(text))
		if _, err := tk.Encode("a"); err != nil {
			t.Errorf("%s: %v", part, err)
		}
		_, err := tk.Decoder()
		if part == "post_processor" {
			_, err = tk.EncodeWhole("a")
		}
		if err == nil || !strings.Contains(err.Error(), part+` "`) {
			t.Errorf("%s: %v", part, err)
		}
	}
	tk := with(t, "gpt2", "decoder", json.RawMessage(`{"type":"ByteLevel"}`))
	d, err := tk.Decoder()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Next(1 << 40); err == nil || !strings.Contains(err.Error(), "not the id of a token") {
		t.Error(err)
	}
}
