package onnxops

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"

	"github.com/pecvt/pecvt/convert/family"
)

// The files beside a model in which tokens have ids.
const (
	generationFile      = "generation_config.json"
	tokenizerFile       = "tokenizer.json"
	tokenizerConfigFile = "tokenizer_config.json"
	specialsFile        = "special_tokens_map.json"
	addedFile           = "added_tokens.json"
	vocabFile           = "vocab.json"
)

// maxSidecar bounds a file beside the model before it is read: the largest
// tokenizer.json in use are some 30 MB.
const maxSidecar = 256 << 20

type addedToken struct {
	ID      int64  `json:"id"`
	Content string `json:"content"`
}

// inTokenizer looks through tokenizer.json's added_tokens. They stand before the
// vocabulary, which can be long: reading ends with them.
func (s *specials) inTokenizer(content string) (*int64, error) {
	var list []addedToken
	if err := s.member(tokenizerFile, "added_tokens", &list); err != nil {
		return nil, err
	}
	for _, t := range list {
		if t.Content == content {
			return &t.ID, nil
		}
	}
	return nil, nil
}

// inTokenizerConfig looks through tokenizer_config.json's added_tokens_decoder.
func (s *specials) inTokenizerConfig(content string) (*int64, error) {
	var byID map[string]addedToken
	if err := s.member(tokenizerConfigFile, "added_tokens_decoder", &byID); err != nil {
		return nil, err
	}
	for key, t := range byID {
		if t.Content != content {
			continue
		}
		id, err := strconv.ParseInt(key, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("onnx: %s: added_tokens_decoder: key %q: expected the id of a token", tokenizerConfigFile, key)
		}
		return &id, nil
	}
	return nil, nil
}

// inTable looks through a file of texts and ids.
func (s *specials) inTable(file string) func(string) (*int64, error) {
	return func(content string) (*int64, error) {
		o, err := s.object(file)
		if o == nil || err != nil || !o.Has(content) {
			return nil, err
		}
		id, _, err := o.Int(content)
		if err != nil {
			return nil, fmt.Errorf("onnx: %s: %w", file, err)
		}
		n := int64(id)
		return &n, nil
	}
}

// inModel looks through the vocabulary of tokenizer.json: ids by text, or a list
// of texts and scores.
func (s *specials) inModel(content string) (*int64, error) {
	var model struct {
		Vocab json.RawMessage `json:"vocab"`
	}
	if err := s.member(tokenizerFile, "model", &model); err != nil || model.Vocab == nil {
		return nil, err
	}
	var byText map[string]int64
	if json.Unmarshal(model.Vocab, &byText) == nil {
		if id, ok := byText[content]; ok {
			return &id, nil
		}
		return nil, nil
	}
	var list [][]json.RawMessage
	if json.Unmarshal(model.Vocab, &list) != nil {
		return nil, nil // a kind of vocabulary that names no ids
	}
	for i, row := range list {
		var text string
		if len(row) > 0 && json.Unmarshal(row[0], &text) == nil && text == content {
			id := int64(i)
			return &id, nil
		}
	}
	return nil, nil
}

// object reads one of the small files; nil if there is none.
func (s *specials) object(file string) (*family.Object, error) {
	f, err := s.open(file)
	if f == nil || err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("onnx: %s: %w", file, err)
	}
	o, err := family.ParseObject(data)
	if err != nil {
		return nil, fmt.Errorf("onnx: %s: %w", file, err)
	}
	return o, nil
}

// member decodes one member of a file's object and reads no further; v stays as it
// is where there is no such file or member.
func (s *specials) member(file, key string, v any) error {
	f, err := s.open(file)
	if f == nil || err != nil {
		return err
	}
	defer f.Close()
	wrong := func(err error) error { return fmt.Errorf("onnx: %s: %s: %w", file, key, err) }
	d := json.NewDecoder(f)
	if t, err := d.Token(); err != nil {
		return wrong(err)
	} else if t != json.Delim('{') {
		return wrong(errors.New("expected an object"))
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return wrong(err)
		}
		if t == key {
			if err := d.Decode(v); err != nil {
				return wrong(err)
			}
			return nil
		}
		var passed json.RawMessage
		if err := d.Decode(&passed); err != nil {
			return wrong(err)
		}
	}
	return nil
}

// limited is a file of which no more is read than a bound.
type limited struct {
	io.Reader
	io.Closer
}

func (s *specials) open(file string) (io.ReadCloser, error) {
	f, err := s.files.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	return limited{io.LimitReader(f, maxSidecar), f}, nil
}
