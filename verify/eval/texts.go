package eval

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/pecvt/pecvt/convert/tune"
	"github.com/pecvt/pecvt/verify/eval/tokens"
	"github.com/pecvt/pecvt/verify/run"
)

// Texts are the files that a job of package tune reads: UTF-8 texts, or ids.
type Texts struct {
	// Files are read with Tokenizer, a tokenizer.json or a folder with one; "" is
	// the model's own.
	Files     []string
	Tokenizer string
	// BOS puts bos_token_id of the model's config.json before every sequence.
	BOS bool
	// IDs is a safetensors file with input_ids (rows, positions), in place of
	// Files. They are taken as they are.
	IDs string
}

var _ tune.Source = Texts{}

// Tokens reads them. Errors: no tokenizer (matches [tokens.ErrNone]), one of
// another model, a file that cannot be read or is not UTF-8, ids that are not of
// the vocabulary.
func (t Texts) Tokens(ctx context.Context, dir string, vocab int) (*tune.Text, error) {
	if (len(t.Files) == 0) == (t.IDs == "") || t.IDs != "" && t.BOS {
		return nil, fmt.Errorf("eval: expected either text files or ids, and of ids no first token but their own")
	}
	s := &tune.Text{}
	if t.IDs != "" {
		rows, err := run.ReadIDs(t.IDs, vocab)
		if err != nil {
			return nil, err
		}
		raw, err := os.ReadFile(t.IDs)
		if err != nil {
			return nil, fmt.Errorf("ids: %w", err)
		}
		s.Add(t.IDs, raw, slices.Concat(rows...))
		return s, nil
	}
	if t.BOS {
		id, err := BOS(dir, vocab)
		if err != nil {
			return nil, err
		}
		s.BOS = &id
	}
	from := t.Tokenizer
	if from == "" {
		from = dir
	}
	tk, err := tokens.Load(from)
	if err != nil {
		return nil, err
	}
	if err := ReadTexts(ctx, tk, dir, vocab, t.Files, s.Add); err != nil {
		return nil, err
	}
	return s, nil
}
