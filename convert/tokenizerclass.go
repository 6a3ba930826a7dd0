package convert

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pecvt/pecvt/convert/family"
)

const (
	tokenizerFile       = "tokenizer.json"
	tokenizerConfigName = "tokenizer_config.json"
	// byteLevelClass is the class by which llama.cpp's converter knows a
	// byte-level tokenizer of a Phi-3; of any other class it looks for
	// SentencePiece's tokenizer.model.
	byteLevelClass = "GPT2Tokenizer"
)

// planTokenizerClass names the tokenizer's class where the partial layout makes a
// Phi-3 of another family: what a converter then asks for is true of a byte-level
// BPE alone, and nothing is written of any other. transformers 4.57 and 5.24 read
// tokenizer.json by that class id for id as before.
func (p *Plan) planTokenizerClass(m *family.Model) error {
	if p.rewrite.Family != "phi3" || m.Family == "phi3" {
		return nil
	}
	raw, err := p.small(tokenizerFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("source folder: %w", err)
	}
	if !byteLevelBPE(raw) {
		return nil
	}
	text, err := p.small(tokenizerConfigName)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = []byte("{}"), nil
	}
	if err != nil {
		return fmt.Errorf("source folder: %w", err)
	}
	c, err := family.ParseObject(text)
	if err != nil {
		return fmt.Errorf("%s: %w", p.folder.Path(tokenizerConfigName), err)
	}
	was, _, err := c.Text("tokenizer_class")
	if err != nil {
		return fmt.Errorf("%s: %w", p.folder.Path(tokenizerConfigName), err)
	}
	if was == byteLevelClass {
		return nil
	}
	c.Set("tokenizer_class", byteLevelClass)
	if p.tokenizer, err = c.Indented(); err != nil {
		return err
	}
	made := FilePlan{Name: tokenizerConfigName, Action: Write, Bytes: int64(len(p.tokenizer))}
	found := false
	for i := range p.Files {
		if p.Files[i].Name == tokenizerConfigName {
			p.Files[i], found = made, true
		}
	}
	if !found {
		p.Files = append(p.Files, made)
	}
	p.Notes = append(p.Notes, fmt.Sprintf("%s names the class %s (%q before), by which llama.cpp's converter knows a byte-level tokenizer of a Phi-3; its tokens stay", tokenizerConfigName, byteLevelClass, was))
	return nil
}

// byteLevelBPE reports whether a tokenizer.json is a BPE over bytes.
func byteLevelBPE(raw []byte) bool {
	type part struct {
		Type   string `json:"type"`
		Pretok []struct {
			Type string `json:"type"`
		} `json:"pretokenizers"`
	}
	var t struct {
		Model struct {
			Type         string `json:"type"`
			ByteFallback bool   `json:"byte_fallback"`
		} `json:"model"`
		PreTokenizer *part `json:"pre_tokenizer"`
		Decoder      *part `json:"decoder"`
	}
	if json.Unmarshal(raw, &t) != nil || t.Model.Type != "BPE" || t.Model.ByteFallback || t.PreTokenizer == nil {
		return false
	}
	const byteLevel = "ByteLevel"
	before := t.PreTokenizer.Type == byteLevel
	for _, p := range t.PreTokenizer.Pretok {
		before = before || p.Type == byteLevel
	}
	return before && t.Decoder != nil && t.Decoder.Type == byteLevel
}
