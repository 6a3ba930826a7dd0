package tokens

import (
	"encoding/json"
	"fmt"
	"strings"
)

// around are the tokens that the post-processor puts before and behind a text.
type around struct {
	before, behind []int64
	unlike         error // what is not computed here
}

// postPart is one object of the file's post-processor.
type postPart struct {
	Type       string     `json:"type"`
	Processors []postPart `json:"processors"`
	// TemplateProcessing
	Single []struct {
		Special *struct {
			ID string `json:"id"`
		} `json:"SpecialToken"`
		Sequence *struct {
			ID string `json:"id"`
		} `json:"Sequence"`
	} `json:"single"`
	Specials map[string]struct {
		IDs []int64 `json:"ids"`
	} `json:"special_tokens"`
}

// readPost reads the file's post-processor. What is not known is kept as an error for
// those who ask for it.
func readPost(raw json.RawMessage) around {
	var a around
	if len(raw) == 0 || string(raw) == "null" {
		return a
	}
	var p postPart
	if err := json.Unmarshal(raw, &p); err != nil {
		a.unlike = fmt.Errorf("post_processor: %s", strings.TrimPrefix(err.Error(), "json: "))
		return a
	}
	a.unlike = a.add(p)
	return a
}

func (a *around) add(p postPart) error {
	switch p.Type {
	case "ByteLevel": // offsets only
		return nil
	case "Sequence":
		for _, q := range p.Processors {
			if err := a.add(q); err != nil {
				return err
			}
		}
		return nil
	case "TemplateProcessing":
		return a.template(p)
	}
	return unknownPart("post_processor", p.Type, "ByteLevel", "TemplateProcessing", "Sequence")
}

func (a *around) template(p postPart) error {
	var before, behind []int64
	seen := false
	for i, part := range p.Single {
		switch {
		case part.Special != nil:
			s, ok := p.Specials[part.Special.ID]
			if !ok {
				return fmt.Errorf("post_processor: single[%d] names the token %q, which is not among special_tokens", i, part.Special.ID)
			}
			if seen {
				behind = append(behind, s.IDs...)
			} else {
				before = append(before, s.IDs...)
			}
		case part.Sequence != nil && !seen:
			seen = true
		default:
			return fmt.Errorf("post_processor: single[%d] is neither a token nor the text: expected tokens around one text", i)
		}
	}
	if !seen {
		return fmt.Errorf("post_processor: single has no text in it")
	}
	// A processor that comes later puts its tokens around those of the earlier ones.
	a.before, a.behind = append(before, a.before...), append(a.behind, behind...)
	return nil
}

// EncodeWhole returns the ids of a text with the tokens that the post-processor puts
// around it, as the Python library does by default. An error names the part of the
// file that is not known here.
func (t *Tokenizer) EncodeWhole(text string) ([]int64, error) {
	if t.post.unlike != nil {
		return nil, fmt.Errorf("%s: %w", t.path, t.post.unlike)
	}
	ids, err := t.Encode(text)
	if err != nil {
		return nil, err
	}
	return append(append(append([]int64(nil), t.post.before...), ids...), t.post.behind...), nil
}
