package vocab

import (
	"fmt"
	"io/fs"
	"strings"

	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/posenc"
)

// tokenType is llama.cpp's class of a token.
type tokenType int32

const (
	normal      tokenType = 1
	unknown     tokenType = 2
	control     tokenType = 3
	userDefined tokenType = 4
	unused      tokenType = 5
	byteToken   tokenType = 6
)

// maxVocabulary bounds the vocabulary that a configuration claims.
const maxVocabulary = 1 << 22

// list is a vocabulary being put together, by id.
type list struct {
	tokens []string
	types  []tokenType
	scores []float32 // nil for byte-level BPE
}

// Write gives the tokenizer's metadata for the folder of a model with size tokens.
// noBOS says that no token comes before a text, whatever the folder leaves open. A
// folder without a tokenizer gives the model "none", and a note.
func Write(files fs.FS, size int, noBOS bool) (kvs []gguf.KV, note string, err error) {
	if size <= 0 || size > maxVocabulary {
		return nil, "", fmt.Errorf("a vocabulary of %d: expected 1 to %d", size, maxVocabulary)
	}
	var t tokenizer
	there, err := readJSON(files, "tokenizer.json", &t)
	if err != nil {
		return nil, "", err
	}
	if !there {
		for _, name := range []string{"tokenizer.model", "vocab.json", "tekken.json"} {
			if f, err := files.Open(name); err == nil {
				f.Close()
				return nil, "", fmt.Errorf("%s without tokenizer.json: %w: save the tokenizer with transformers (AutoTokenizer.from_pretrained(…).save_pretrained(…)), which writes it", name, posenc.ErrUnsupported)
			}
		}
		return []gguf.KV{gguf.NewText("tokenizer.ggml.model", "none")},
			"the source has no tokenizer.json: the GGUF file has no tokenizer and runs on token ids alone", nil
	}
	s, err := readSpecial(files, &t)
	if err != nil {
		return nil, "", err
	}
	if t.Model.Type != "BPE" || t.Model.Prefix != "" || t.Model.Suffix != "" {
		return nil, "", fmt.Errorf("tokenizer.json: a model of type %s: %w as one of llama.cpp's; byte-level BPE and SentencePiece's BPE are", t.Model.Type, posenc.ErrUnsupported)
	}
	if t.byteLevel() {
		kvs, err = t.byteBPE(size)
	} else {
		kvs, err = t.sentencePiece(files, size)
	}
	if err != nil {
		return nil, "", fmt.Errorf("tokenizer.json: %w", err)
	}
	if noBOS {
		s.add["bos"] = false
	}
	return append(kvs, s.kvs(size)...), "", nil
}

// newList is a vocabulary of the model's own tokens, then the added ones.
func (t *tokenizer) newList(size int, class func(token string) tokenType) (*list, error) {
	ids, err := t.Model.vocab()
	if err != nil {
		return nil, err
	}
	l := &list{tokens: make([]string, size), types: make([]tokenType, size)}
	put := func(id int, token string, c tokenType) error {
		if id < 0 || id >= size {
			return fmt.Errorf("token %q has the id %d, the model has %d tokens", token, id, size)
		}
		l.tokens[id], l.types[id] = token, c
		return nil
	}
	for i := range size {
		l.tokens[i], l.types[i] = fmt.Sprintf("[PAD%d]", i), unused
	}
	given := make(map[int]string, len(ids))
	for token, id := range ids {
		if other, taken := given[id]; taken {
			return nil, fmt.Errorf("tokens %q and %q have the id %d", min(token, other), max(token, other), id)
		}
		given[id] = token
		if err := put(id, token, class(token)); err != nil {
			return nil, err
		}
	}
	for _, a := range t.Added {
		c := control
		if !a.Special && !looksSpecial(a.Content) {
			c = userDefined
			a.Content = strings.ReplaceAll(a.Content, "▁", " ") // llama.cpp compares these with plain text
		}
		if err := put(a.ID, a.Content, c); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// looksSpecial reports an added token that writers forget to mark as special.
func looksSpecial(token string) bool {
	in := func(begin, end string) bool { return strings.HasPrefix(token, begin) && strings.HasSuffix(token, end) }
	switch token {
	case "<pad>", "<mask>", "<2mass>", "[@BOS@]":
		return true
	}
	return in("<|", "|>") || in("<｜", "｜>") || in("<unused", ">")
}

// kvs are the lists as metadata.
func (l *list) kvs(model, pre string) []gguf.KV {
	types := make([]int32, len(l.types))
	for i, c := range l.types {
		types[i] = int32(c)
	}
	out := []gguf.KV{gguf.NewText("tokenizer.ggml.model", model), gguf.NewText("tokenizer.ggml.pre", pre), gguf.NewTexts("tokenizer.ggml.tokens", l.tokens)}
	if l.scores != nil {
		out = append(out, gguf.NewFloat32s("tokenizer.ggml.scores", l.scores))
	}
	return append(out, gguf.NewInt32s("tokenizer.ggml.token_type", types))
}

// byteBPE writes byte-level BPE.
func (t *tokenizer) byteBPE(size int) ([]gguf.KV, error) {
	if err := t.normalizes(); err != nil {
		return nil, err
	}
	pre, err := t.pre()
	if err != nil {
		return nil, err
	}
	l, err := t.newList(size, func(string) tokenType { return normal })
	if err != nil {
		return nil, err
	}
	pairs, err := t.Model.merges()
	if err != nil {
		return nil, err
	}
	merges := make([]string, len(pairs))
	for i, p := range pairs { // a space in a token is spelled as byte-level BPE spells it
		merges[i] = strings.ReplaceAll(p[0], " ", "Ġ") + " " + strings.ReplaceAll(p[1], " ", "Ġ")
	}
	return append(l.kvs("gpt2", pre), gguf.NewTexts("tokenizer.ggml.merges", merges)), nil
}
