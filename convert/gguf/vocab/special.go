package vocab

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pecvt/pecvt/convert/gguf"
)

// kinds are the tokens with a purpose: how tokenizer_config.json and config.json
// call them, and how a GGUF file does.
var kinds = []struct{ name, key string }{
	{"bos", "tokenizer.ggml.bos_token_id"},
	{"eos", "tokenizer.ggml.eos_token_id"},
	{"unk", "tokenizer.ggml.unknown_token_id"},
	{"sep", "tokenizer.ggml.seperator_token_id"}, // so spelled
	{"pad", "tokenizer.ggml.padding_token_id"},
	{"mask", "tokenizer.ggml.mask_token_id"},
}

// special is what a folder says of tokens with a purpose, and its chat template.
type special struct {
	ids       map[string]int
	add       map[string]bool
	templates []namedTemplate
}

type namedTemplate struct {
	Name     string `json:"name"`
	Template string `json:"template"`
}

// readSpecial reads them from tokenizer_config.json, then config.json, then the
// post-processor of tokenizer.json: the first that names a token has the word, and
// the post-processor on what comes around a text.
func readSpecial(files fs.FS, t *tokenizer) (*special, error) {
	s := &special{ids: map[string]int{}, add: map[string]bool{}}
	var own, model map[string]json.RawMessage
	if _, err := readJSON(files, "tokenizer_config.json", &own); err != nil {
		return nil, err
	}
	if _, err := readJSON(files, "config.json", &model); err != nil {
		return nil, err
	}
	byText := map[string]int{}
	for _, a := range t.Added {
		byText[a.Content] = a.ID
	}
	texts := map[string]string{}
	for _, k := range kinds {
		text := tokenText(own[k.name+"_token"])
		texts[k.name] = text
		if id, ok := byText[text]; ok && text != "" {
			s.ids[k.name] = id
		} else if id, ok := idOf(model[k.name+"_token_id"]); ok {
			s.ids[k.name] = id
		}
	}
	s.around(t, texts)
	for _, name := range []string{"bos", "eos"} {
		var add bool
		if _, said := s.add[name]; !said && json.Unmarshal(own["add_"+name+"_token"], &add) == nil {
			s.add[name] = add
		}
	}
	return s, s.readTemplates(files, own)
}

// tokenText reads a token of tokenizer_config.json: a string, or an object with it.
func tokenText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var token struct {
		Content string `json:"content"`
	}
	_ = json.Unmarshal(raw, &token) // another form names no token
	return token.Content
}

// idOf reads an id of config.json: a number, or the first of a list.
func idOf(raw json.RawMessage) (int, bool) {
	var id int
	if raw != nil && string(raw) != "null" && json.Unmarshal(raw, &id) == nil {
		return id, true
	}
	var list []int
	if json.Unmarshal(raw, &list) == nil && len(list) > 0 {
		return list[0], true
	}
	return 0, false
}

// around reads from the post-processor which tokens come before and after a text.
func (s *special) around(t *tokenizer, texts map[string]string) {
	for _, c := range t.PostProcessor.steps() {
		switch c.Type {
		case "ByteLevel":
			for _, name := range []string{"bos", "eos"} {
				if _, said := s.add[name]; !said {
					s.add[name] = false
				}
			}
		case "TemplateProcessing":
			if len(c.Single) < 2 {
				continue
			}
			if first := c.Single[0].Special; first != nil {
				s.add["bos"] = first.ID == texts["bos"]
			}
			if last := c.Single[len(c.Single)-1].Special; last != nil {
				s.add["eos"] = last.ID == texts["eos"]
			}
		}
	}
}

// readTemplates reads the chat templates: chat_template.jinja, or the key of
// tokenizer_config.json, a text or a list of named ones.
func (s *special) readTemplates(files fs.FS, own map[string]json.RawMessage) error {
	raw := own["chat_template"]
	if raw == nil || string(raw) == "null" {
		text, ok, err := read(files, "chat_template.jinja")
		if ok {
			s.templates = []namedTemplate{{"default", string(text)}}
		}
		return err
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		s.templates = []namedTemplate{{"default", text}}
		return nil
	}
	if err := json.Unmarshal(raw, &s.templates); err != nil {
		return fmt.Errorf("tokenizer_config.json: chat_template: expected a text, or a list of name and template: %w", err)
	}
	return nil
}

// kvs are the special tokens and templates as metadata, for size tokens.
func (s *special) kvs(size int) []gguf.KV {
	var out []gguf.KV
	for _, k := range kinds {
		if id, ok := s.ids[k.name]; ok && id >= 0 && id < size {
			out = append(out, gguf.NewUint32(k.key, uint32(id)))
		}
	}
	for _, name := range []string{"bos", "eos"} {
		if add, said := s.add[name]; said {
			out = append(out, gguf.NewBool("tokenizer.ggml.add_"+name+"_token", add))
		}
	}
	var names []string
	for _, t := range s.templates {
		if t.Name == "default" {
			out = append(out, gguf.NewText("tokenizer.chat_template", t.Template))
			continue
		}
		name := strings.Map(func(r rune) rune {
			if r < 128 && (r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
				return r
			}
			return '_'
		}, t.Name)
		names = append(names, name)
		out = append(out, gguf.NewText("tokenizer.chat_template."+name, t.Template))
	}
	if names != nil {
		out = append(out, gguf.NewTexts("tokenizer.chat_templates", names))
	}
	return out
}
