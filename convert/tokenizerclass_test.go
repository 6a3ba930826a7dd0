package convert_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/rewrite"
)

// TestTokenizerClass: a partial layout names the class of a byte-level tokenizer
// that llama.cpp's converter of Phi-3 asks for, and of no other tokenizer; nothing
// else of the file changes.
func TestTokenizerClass(t *testing.T) {
	const byteLevel = `{"model":{"type":"BPE","byte_fallback":false,"vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Digits"},{"type":"ByteLevel"}]},"decoder":{"type":"ByteLevel"}}`
	const config = `{"tokenizer_class":"PreTrainedTokenizerFast","bos_token":"<s>","n":1.50}`
	for _, c := range []struct {
		name, tokenizer, config string
		layout                  string
		want                    string // of tokenizer_config.json; "" is none
	}{
		{"byte-level", byteLevel, config, rewrite.Partial, strings.Replace(config, "PreTrainedTokenizerFast", "GPT2Tokenizer", 1)},
		{"no class", byteLevel, `{"n":1}`, rewrite.Partial, `{"n":1,"tokenizer_class":"GPT2Tokenizer"}`},
		{"no configuration", byteLevel, "", rewrite.Partial, `{"tokenizer_class":"GPT2Tokenizer"}`},
		{"named already", byteLevel, `{"tokenizer_class":"GPT2Tokenizer" }`, rewrite.Partial, `{"tokenizer_class":"GPT2Tokenizer" }`},
		{"native layout", byteLevel, config, rewrite.Native, config},
		{"SentencePiece's", `{"model":{"type":"BPE","byte_fallback":true},"pre_tokenizer":null,"decoder":{"type":"Sequence"}}`, config, rewrite.Partial, config},
		{"fallback to bytes", strings.Replace(byteLevel, `"byte_fallback":false`, `"byte_fallback":true`, 1), config, rewrite.Partial, config},
		{"unigram", strings.Replace(byteLevel, `"BPE"`, `"Unigram"`, 1), config, rewrite.Partial, config},
		{"no tokenizer.json", "", config, rewrite.Partial, config},
	} {
		t.Run(c.name, func(t *testing.T) {
			source := filepath.Join(t.TempDir(), "model")
			if err := os.CopyFS(source, os.DirFS(golden(t, "llama-gqa"))); err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string]string{"tokenizer.json": c.tokenizer, "tokenizer_config.json": c.config} {
				if text == "" {
					continue
				}
				if err := os.WriteFile(filepath.Join(source, name), []byte(text), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			o := to("hope")
			o.Layout = c.layout
			out, p, _ := produce(t, source, o)
			got, err := os.ReadFile(filepath.Join(out, "tokenizer_config.json"))
			if err != nil && c.want != "" {
				t.Fatal(err)
			}
			squeeze := strings.NewReplacer("\n", "", " ", "").Replace
			if changed := c.want != c.config; changed && squeeze(string(got)) != squeeze(c.want) || !changed && string(got) != c.want {
				t.Errorf("tokenizer_config.json %s, want %s", got, c.want)
			}
			said := strings.Contains(strings.Join(p.Notes, " "), "GPT2Tokenizer")
			if changed := c.want != c.config; said != changed {
				t.Errorf("notes %q: the class is named: %v", p.Notes, changed)
			}
			for _, f := range p.Files {
				if f.Name == "tokenizer_config.json" && f.Bytes != int64(len(got)) {
					t.Errorf("%s: %d bytes planned, %d written", f.Name, f.Bytes, len(got))
				}
			}
		})
	}
}
