package tokens

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/posenc/hint"
)

// FileName is the tokenizer's file in a checkpoint's folder.
const FileName = "tokenizer.json"

// Tokenizer turns text into ids. Its methods may not be used from several
// goroutines.
type Tokenizer struct {
	path       string
	normalise  []func(string) string
	split      []splitter
	model      *bpe
	plain      *added // found in the text as it is
	normalised *added // found in the normalised text
	highest    int64
	words      map[int64]string // what each id stands for
	special    map[int64]bool   // those that are no text
	rules      rules
	post       around
}

// ErrNone is matched by the error for a folder without a tokenizer.json.
var ErrNone = errors.New("no tokenizer.json")

// part is one object of the file; parts differ in their type.
type part struct {
	Type          string `json:"type"`
	Normalizers   []part `json:"normalizers"`
	Pretokenizers []part `json:"pretokenizers"`
	// ByteLevel
	AddPrefixSpace *bool `json:"add_prefix_space"`
	UseRegex       *bool `json:"use_regex"`
	TrimOffsets    *bool `json:"trim_offsets"` // offsets only
	// Digits
	Individual bool `json:"individual_digits"`
	// Split, Replace
	Pattern struct {
		String *string `json:"String"`
		Regex  *string `json:"Regex"`
	} `json:"pattern"`
	Behavior string `json:"behavior"`
	Invert   bool   `json:"invert"`
	Content  string `json:"content"`
	// Prepend
	Prepend string `json:"prepend"`
}

// file is a tokenizer.json as far as it is read.
type file struct {
	Version       string          `json:"version"`
	Truncation    json.RawMessage `json:"truncation"`
	Padding       json.RawMessage `json:"padding"`
	AddedTokens   []addedToken    `json:"added_tokens"`
	Normalizer    *part           `json:"normalizer"`
	PreTokenizer  *part           `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         struct {
		Type         string           `json:"type"`
		Dropout      *float64         `json:"dropout"`
		UnkToken     *string          `json:"unk_token"`
		Prefix       *string          `json:"continuing_subword_prefix"`
		Suffix       *string          `json:"end_of_word_suffix"`
		FuseUnk      bool             `json:"fuse_unk"`
		ByteFallback bool             `json:"byte_fallback"`
		IgnoreMerges bool             `json:"ignore_merges"`
		Vocab        map[string]int64 `json:"vocab"`
		Merges       json.RawMessage  `json:"merges"`
	} `json:"model"`
}

// Load reads a tokenizer.json, or the one of a folder. An error names the part
// of the file that is not known here.
func Load(path string) (*Tokenizer, error) {
	named := true // the file itself
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		path, named = filepath.Join(path, FileName), false
	}
	raw, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && named:
		return nil, fmt.Errorf("tokenizer %s: no such file: expected a tokenizer.json, or a folder with one; check the path", path)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %w there: the text cannot become token ids", filepath.Dir(path), ErrNone)
	case err != nil:
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	t, err := parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	t.path = path
	return t, nil
}

// Path is the file the tokenizer was read from.
func (t *Tokenizer) Path() string { return t.path }

// Highest is the largest id that the tokenizer can give.
func (t *Tokenizer) Highest() int64 { return t.highest }

func parse(raw []byte) (*Tokenizer, error) {
	var f file
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, fmt.Errorf("not a tokenizer.json: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if f.Version != "1.0" {
		return nil, fmt.Errorf("version %q: expected \"1.0\"", f.Version)
	}
	for _, p := range []struct {
		name string
		raw  json.RawMessage
	}{{"truncation", f.Truncation}, {"padding", f.Padding}} {
		if len(p.raw) > 0 && !bytes.Equal(p.raw, []byte("null")) {
			return nil, fmt.Errorf("%s is set: the ids of a long text would be cut or padded; set it to null", p.name)
		}
	}
	t := &Tokenizer{}
	if f.Normalizer != nil {
		if err := t.addNormaliser(*f.Normalizer); err != nil {
			return nil, err
		}
	}
	if f.PreTokenizer != nil {
		if err := t.addSplitter(*f.PreTokenizer); err != nil {
			return nil, err
		}
	}
	var err error
	if t.model, err = newBPE(&f); err != nil {
		return nil, err
	}
	var plain, normalised []addedToken
	for _, a := range f.AddedTokens {
		if a.Normalized { // it is looked for in the normalised text, so normalised too
			for _, n := range t.normalise {
				a.Content = n(a.Content)
			}
			normalised = append(normalised, a)
		} else {
			plain = append(plain, a)
		}
		t.highest = max(t.highest, a.ID)
	}
	t.words, t.special = make(map[int64]string, len(f.Model.Vocab)), map[int64]bool{}
	for word, id := range f.Model.Vocab {
		t.highest = max(t.highest, id)
		t.words[id] = word
	}
	for _, a := range f.AddedTokens {
		t.words[a.ID], t.special[a.ID] = a.Content, a.Special
	}
	t.rules, t.post = readRules(f.Decoder), readPost(f.PostProcessor)
	t.plain, t.normalised = newAdded(plain), newAdded(normalised)
	return t, nil
}

// Encode returns the ids of a text, without tokens before or behind it.
func (t *Tokenizer) Encode(text string) ([]int64, error) {
	var ids []int64
	err := t.plain.cut(text, &ids, func(piece string) error {
		for _, n := range t.normalise {
			piece = n(piece)
		}
		return t.normalised.cut(piece, &ids, func(piece string) error { return t.encode(piece, &ids) })
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.path, err)
	}
	return ids, nil
}

// encode appends the ids of a piece without added tokens.
func (t *Tokenizer) encode(piece string, ids *[]int64) error {
	words := []string{piece}
	for _, s := range t.split {
		var next []string
		for _, w := range words {
			parts, err := s(w)
			if err != nil {
				return err
			}
			next = append(next, parts...)
		}
		words = next
	}
	for _, w := range words {
		if w == "" {
			continue
		}
		if err := t.model.word(w, ids); err != nil {
			return err
		}
	}
	return nil
}

// unknownPart refuses a part that is not computed here.
func unknownPart(kind, name string, known ...string) error {
	slices.Sort(known)
	return hint.Errorf("%s %q is not one that pecvt computes (%s): its ids would be wrong; give the ids with "+hint.Scored, kind, name, strings.Join(known, ", "))
}
