package vocab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// maxFile bounds the files of a tokenizer: the largest of real ones are some 35 MB.
const maxFile = 128 << 20

// tokenizer is what tokenizer.json says, as far as llama.cpp can know of it.
type tokenizer struct {
	Added         []addedToken    `json:"added_tokens"`
	Normalizer    *component      `json:"normalizer"`
	PreTokenizer  *component      `json:"pre_tokenizer"`
	PostProcessor *component      `json:"post_processor"`
	Model         tokenizerModel  `json:"model"`
	Truncation    json.RawMessage `json:"truncation"`
}

type addedToken struct {
	ID      int    `json:"id"`
	Content string `json:"content"`
	Special bool   `json:"special"`
}

type tokenizerModel struct {
	Type         string          `json:"type"`
	Vocab        json.RawMessage `json:"vocab"`
	Merges       json.RawMessage `json:"merges"`
	UnkToken     string          `json:"unk_token"`
	ByteFallback bool            `json:"byte_fallback"`
	IgnoreMerges bool            `json:"ignore_merges"`
	// A prefix or suffix of subwords is not llama.cpp's.
	Prefix string `json:"continuing_subword_prefix"`
	Suffix string `json:"end_of_word_suffix"`
}

// component is a normalizer, a pre-tokenizer or a post-processor, or a sequence of
// them.
type component struct {
	Type          string       `json:"type"`
	Normalizers   []*component `json:"normalizers"`
	PreTokenizers []*component `json:"pretokenizers"`
	Processors    []*component `json:"processors"`

	AddPrefixSpace   *bool  `json:"add_prefix_space"`
	UseRegex         *bool  `json:"use_regex"`
	IndividualDigits bool   `json:"individual_digits"`
	Behavior         string `json:"behavior"`
	Invert           bool   `json:"invert"`
	Replacement      string `json:"replacement"`
	PrependScheme    string `json:"prepend_scheme"`
	Prepend          string `json:"prepend"`
	Content          string `json:"content"`
	Pattern          *struct {
		Regex  *string `json:"Regex"`
		String *string `json:"String"`
	} `json:"pattern"`
	Single []templatePiece `json:"single"`
}

// templatePiece is a piece of a post-processor's template: one of the two.
type templatePiece struct {
	Special  *struct{ ID string } `json:"SpecialToken"`
	Sequence *struct{ ID string } `json:"Sequence"`
}

// steps are the components in their order, without sequences around them.
func (c *component) steps() []*component {
	if c == nil {
		return nil
	}
	if c.Type != "Sequence" {
		return []*component{c}
	}
	var list []*component
	for _, part := range append(append(c.Normalizers, c.PreTokenizers...), c.Processors...) {
		list = append(list, part.steps()...)
	}
	return list
}

// readJSON reads one of the folder's files; false where there is none.
func readJSON(files fs.FS, name string, into any) (bool, error) {
	data, ok, err := read(files, name)
	if err != nil || !ok {
		return ok, err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return false, fmt.Errorf("%s: %w", name, err)
	}
	return true, nil
}

func read(files fs.FS, name string) ([]byte, bool, error) {
	f, err := files.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", name, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", name, err)
	}
	if len(data) > maxFile {
		return nil, false, fmt.Errorf("%s: larger than %d bytes: no tokenizer is", name, maxFile)
	}
	return data, true, nil
}

// vocab reads the ids of the model's own tokens.
func (m tokenizerModel) vocab() (map[string]int, error) {
	var ids map[string]int
	if err := json.Unmarshal(m.Vocab, &ids); err != nil {
		return nil, fmt.Errorf("model.vocab: %w", err)
	}
	return ids, nil
}

// merges reads the merges, which are pairs, or strings with a space between.
func (m tokenizerModel) merges() ([][2]string, error) {
	var pairs [][2]string
	if json.Unmarshal(m.Merges, &pairs) == nil {
		return pairs, nil
	}
	var lines []string
	if err := json.Unmarshal(m.Merges, &lines); err != nil {
		return nil, fmt.Errorf("model.merges: %w", err)
	}
	for i, line := range lines {
		first, second, ok := cut(line)
		if !ok {
			return nil, fmt.Errorf("model.merges: merge %d is %q: expected two parts with a space between", i, line)
		}
		pairs = append(pairs, [2]string{first, second})
	}
	return pairs, nil
}

// cut divides a merge at its one space.
func cut(line string) (first, second string, ok bool) {
	for i := 1; i < len(line)-1; i++ {
		if line[i] == ' ' {
			return line[:i], line[i+1:], true
		}
	}
	return "", "", false
}
