package eval

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/eval/tokens"
	"github.com/pecvt/pecvt/verify/run"
)

// readRows returns the rows that sequences are cut from: one for each text, or
// those of input_ids.
func readRows(ctx context.Context, c *Config, models []*Model) (rows [][]int64, tokenizer string, err error) {
	vocab := models[0].Vocab
	if c.IDs != "" {
		rows, err = run.ReadIDs(c.IDs, vocab)
		return rows, "", err
	}
	tk, err := findTokenizer(c.Tokenizer, models)
	if err != nil {
		return nil, "", err
	}
	err = ReadTexts(ctx, tk, models[0].Dir, vocab, c.Texts, func(_ string, _ []byte, ids []int64) { rows = append(rows, ids) })
	return rows, tk.Path(), err
}

// ReadTexts gives each file's bytes and token ids to add. Errors: a tokenizer
// whose ids exceed the vocabulary of the model in dir, a file that cannot be read
// or is not UTF-8.
func ReadTexts(ctx context.Context, tk *tokens.Tokenizer, dir string, vocab int, paths []string, add func(path string, raw []byte, ids []int64)) error {
	if tk.Highest() >= int64(vocab) {
		return fmt.Errorf("%s gives ids up to %d, the model %s has a vocabulary of %d: it is another model's tokenizer", tk.Path(), tk.Highest(), dir, vocab)
	}
	for _, path := range paths {
		if err := ctx.Err(); err != nil {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("text: %w", err)
		}
		if at := notUTF8(raw); at >= 0 {
			return fmt.Errorf("%s: byte %d is not UTF-8: tokenizers read text; convert the file to UTF-8 first", path, at)
		}
		ids, err := tk.Encode(string(raw))
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		add(path, raw, ids)
	}
	return nil
}

// notUTF8 is the offset of the first byte that is not, or -1.
func notUTF8(raw []byte) int {
	for i := 0; i < len(raw); {
		r, n := utf8.DecodeRune(raw[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// findTokenizer loads the tokenizer named, else the first that a model's folder
// has. Models that disagree are refused: ids of one would mean nothing to the
// other.
func findTokenizer(named string, models []*Model) (*tokens.Tokenizer, error) {
	if named != "" {
		return tokens.Load(named)
	}
	first, text := "", []byte(nil)
	for _, m := range models {
		path := filepath.Join(m.Dir, tokens.FileName)
		raw, err := os.ReadFile(path)
		switch {
		case err != nil:
		case first == "":
			first, text = path, raw
		case string(raw) != string(text):
			return nil, hint.Errorf("%s and %s differ: perplexities by different tokens cannot be compared; name one with "+hint.Tokenizer+", or evaluate them apart", first, path)
		}
	}
	if first == "" {
		return nil, hint.Errorf("%s: %w in it: a text cannot become token ids; name one with "+hint.Tokenizer+", or give the ids with "+hint.Scored, models[0].Dir, tokens.ErrNone)
	}
	return tokens.Load(first)
}

// cutRows makes want sequences of n tokens (0: as many as there are, at most
// defaultSequences) from the rows' fronts, in order, without overlap. first,
// where not negative, is put before the tokens of each and counts.
func cutRows(rows [][]int64, n, want int, first int64) ([][]int64, error) {
	take := n
	if first >= 0 {
		take--
	}
	limit := want
	if want == 0 {
		limit = defaultSequences
	}
	var out [][]int64
	fit, total, longest := 0, 0, 0
	for _, row := range rows {
		total, longest = total+len(row), max(longest, len(row))
		fit += len(row) / take
		for from := 0; from+take <= len(row) && len(out) < limit; from += take {
			seq := row[from : from+take : from+take]
			if first >= 0 {
				seq = append([]int64{first}, seq...)
			}
			out = append(out, seq)
		}
	}
	switch {
	case len(out) == 0:
		where := ""
		if len(rows) > 1 {
			where = fmt.Sprintf(" in %d texts or rows, the longest of %d, and no sequence crosses two", len(rows), longest)
		}
		return nil, hint.Errorf("the text has %d tokens%s: too short for a sequence of %d; give more text or smaller "+hint.Lengths, total, where, n)
	case len(out) < want:
		return nil, hint.Errorf("the text has %d tokens, which make %d sequences of %d: "+hint.Sequences+" %d asks for more; give more text", total, fit, n, want)
	}
	return out, nil
}
