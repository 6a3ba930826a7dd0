package vocab

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/posenc"
)

// The patterns of splits, as tokenizer.json files spell them.
const (
	llama3Split = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	qwen2Split  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	qwen35Split = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	o200kSplit  = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	tekkenSplit = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// preTokenizer is a name that llama.cpp knows, by the steps it stands for.
type preTokenizer struct {
	name  string
	steps []string
	// ignoreMerges: tokens of the vocabulary are taken whole before any merge.
	ignoreMerges bool
}

// preTokenizers lists them; of several names for the same steps, as smollm,
// starcoder, refact and command-r, the first that llama.cpp treats as the tokenizer
// does stands here. Source: the regular expressions by LLAMA_VOCAB_PRE_TYPE in
// llama-vocab.cpp, whose comments quote the patterns of tokenizer.json.
var preTokenizers = []preTokenizer{
	{"gpt-2", []string{"byte-level, words"}, false},
	{"smollm", []string{"single digits", "byte-level, words"}, false},
	{"llama-bpe", []string{split(llama3Split), "byte-level"}, true},
	{"smaug-bpe", []string{split(llama3Split), "byte-level"}, false},
	{"qwen2", []string{split(qwen2Split), "byte-level"}, false},
	{"qwen35", []string{split(qwen35Split), "byte-level"}, false},
	{"gpt-4o", []string{split(o200kSplit), "byte-level"}, false},
	{"tekken", []string{split(tekkenSplit), "byte-level"}, true},
}

func split(pattern string) string { return "split at " + pattern }

// step says a step of a pre-tokenizer in words.
func step(c *component) string {
	switch {
	case c.Type == "ByteLevel" && yes(c.AddPrefixSpace, true):
		return "byte-level with a space before the text"
	case c.Type == "ByteLevel" && yes(c.UseRegex, true):
		return "byte-level, words"
	case c.Type == "ByteLevel":
		return "byte-level"
	case c.Type == "Digits" && c.IndividualDigits:
		return "single digits"
	case c.Type == "Split" && c.Behavior == "Isolated" && !c.Invert && c.Pattern != nil && c.Pattern.Regex != nil:
		return split(*c.Pattern.Regex)
	case c.Type == "Split" && c.Pattern != nil && c.Pattern.Regex != nil:
		return fmt.Sprintf("split (%s, invert %v) at %s", c.Behavior, c.Invert, *c.Pattern.Regex)
	}
	return c.Type
}

func yes(b *bool, absent bool) bool {
	if b == nil {
		return absent
	}
	return *b
}

// byteLevel reports whether the tokenizer works on bytes spelled as letters.
func (t *tokenizer) byteLevel() bool {
	for _, c := range t.PreTokenizer.steps() {
		if c.Type == "ByteLevel" {
			return true
		}
	}
	return false
}

// pre finds llama.cpp's name for the pre-tokenizer.
func (t *tokenizer) pre() (string, error) {
	var steps []string
	for _, c := range t.PreTokenizer.steps() {
		steps = append(steps, step(c))
	}
	have := strings.Join(steps, "; ")
	var names []string
	for _, p := range preTokenizers {
		names = append(names, p.name)
		if strings.Join(p.steps, "; ") == have && p.ignoreMerges == t.Model.IgnoreMerges {
			return p.name, nil
		}
	}
	return "", fmt.Errorf("pre_tokenizer: %q, ignore_merges %v: %w as one of llama.cpp's (%s): llama.cpp's own converter knows more of them", have, t.Model.IgnoreMerges, posenc.ErrUnsupported, strings.Join(names, ", "))
}

// normalizes refuses normalizers that llama.cpp does not have. NFC is passed over
// as llama.cpp's own converter does: text in another form is tokenized otherwise.
func (t *tokenizer) normalizes() error {
	for _, c := range t.Normalizer.steps() {
		if c.Type != "NFC" {
			return fmt.Errorf("normalizer: %s: %w by llama.cpp for byte-level BPE", c.Type, posenc.ErrUnsupported)
		}
	}
	return nil
}
