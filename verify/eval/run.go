package eval

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/pecvt/pecvt/posenc/hint"
)

// Config is one evaluation: models, tokens, and what is measured.
type Config struct {
	// Models are folders of checkpoints; Against, where not empty, is the one
	// that KL, top-1 agreement and ratios are taken from. It is evaluated too.
	Models  []string
	Against string
	// Compare are conversions of the source, as ParseRivals reads them, which are made for
	// the evaluation and scored after the models. The source is Against, or else the only
	// one of Models.
	Compare []string
	// Texts are UTF-8 files, or IDs a safetensors file with input_ids (rows,
	// positions). Sequences never cross a file or a row.
	Texts []string
	IDs   string
	// Tokenizer is a tokenizer.json or a folder with one; "" is the models' own.
	Tokenizer string
	// BOS puts bos_token_id of the first model's config.json before every
	// sequence, as its token 0. Without it a sequence is text alone.
	BOS bool
	// Lengths are the T of sequences, none is 512 and 2048; Sequences is N for
	// each, 0 as many as there are, at most 8.
	Lengths   []int
	Sequences int
	// Last is k of the last-k perplexity: 0 is 512, and never more than T/4.
	Last int
	// Copy is the number of strings of CopyTokens tokens (0: 32) that are probed
	// at each distance; 0 leaves the copy probe out. Seed makes the strings; 0 is 1.
	Copy, CopyTokens int
	Seed             int64
	// CopyTogether has all strings of a distance stand in one sequence, one after the
	// other, which costs one sequence and not Copy of them.
	CopyTogether bool
	// CopyDistances, where not nil, are the distances that are probed, each no
	// less than what stands twice, which must fit into the longest of Lengths.
	CopyDistances []int
	// Options are those of every model; Length is set.
	Options Options
	// Progress, where not nil, is told how far the work is.
	Progress func(Progress)
}

// Progress is how far an evaluation is: tokens of all models together.
type Progress struct {
	What        string // "length 2048, sequence 3 of 8"
	Done, Total int
	Elapsed     time.Duration
	// Left is the estimated time to the end, 0 while nothing is known.
	Left time.Duration
}

// Report is what an evaluation found.
type Report struct {
	Schema  int       `json:"schema"`
	Results []*Result `json:"results"`
	// Texts and IDs are the files' names, Tokenizer the file used.
	Texts     []string `json:"texts,omitempty"`
	IDs       string   `json:"ids,omitempty"`
	Tokenizer string   `json:"tokenizer,omitempty"`
	// BOS is the token before every sequence, null without one.
	BOS *int64 `json:"bos"`
	// TokensRead is how many tokens the texts have.
	TokensRead int      `json:"tokens_read"`
	Runtime    string   `json:"runtime,omitempty"`
	Seed       int64    `json:"seed"`
	Notes      []string `json:"notes,omitempty"`
	Seconds    Number   `json:"seconds"`
}

const (
	defaultSequences  = 8
	defaultCopyTokens = 32
)

// Run evaluates. Results are in the order of lengths, then the source, then the
// models as given. With a source all models are open at once and run in
// lock-step; without one they are opened one after the other.
func Run(ctx context.Context, c Config) (*Report, error) {
	e, err := Begin(ctx, c)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	pieces := make([]*Piece, e.Pieces())
	for i := range pieces {
		if pieces[i], err = e.Piece(ctx, i); err != nil {
			return nil, err
		}
	}
	r, err := e.Report(pieces)
	if err != nil {
		return nil, err
	}
	r.Seconds = Number(time.Since(e.begin).Seconds())
	return r, nil
}

func base(path string) string {
	if path == "" {
		return ""
	}
	return filepath.Base(path)
}

func (c Config) withDefaults() (Config, error) {
	if c.CopyTokens == 0 {
		c.CopyTokens = defaultCopyTokens
	}
	if c.Seed == 0 {
		c.Seed = 1
	}
	if c.Lengths = slices.Clone(c.Lengths); len(c.Lengths) == 0 {
		c.Lengths = []int{512, 2048}
	}
	slices.Sort(c.Lengths)
	c.Lengths = slices.Compact(c.Lengths)
	if len(c.Compare) > 0 && c.Against == "" && len(c.Models) == 1 {
		c.Against, c.Models = c.Models[0], nil
	}
	c.CopyDistances = slices.Clone(c.CopyDistances)
	slices.Sort(c.CopyDistances)
	c.CopyDistances = slices.Compact(c.CopyDistances)
	longest := slices.Max(c.Lengths)
	switch {
	case len(c.Compare) > 0 && c.Against == "":
		return c, hint.Errorf("eval: " + hint.Compare + " of several models: what its rivals are made of is not known; name the source with " + hint.EvalAgainst)
	case len(c.Models) == 0 && len(c.Compare) == 0:
		return c, fmt.Errorf("eval: no model")
	case (len(c.Texts) == 0) == (c.IDs == ""):
		return c, fmt.Errorf("eval: expected either texts or ids")
	case c.IDs != "" && c.BOS:
		return c, fmt.Errorf("eval: ids are taken as they are: put the first token into them")
	case len(c.Lengths) == 0:
		return c, fmt.Errorf("eval: no length")
	case c.Lengths[0] < 2:
		return c, fmt.Errorf("eval: length %d: expected 2 or more, of which the last is predicted", c.Lengths[0])
	case c.Sequences < 0 || c.Last < 0 || c.Copy < 0:
		return c, fmt.Errorf("eval: a negative count")
	case c.CopyTokens < 2:
		return c, fmt.Errorf("eval: a copy probe of %d tokens: expected 2 or more", c.CopyTokens)
	}
	if (len(c.CopyDistances) > 0 || c.CopyTogether) && c.Copy == 0 {
		return c, hint.Errorf("eval: distances of the copy probe, and its strings together, have no use without " + hint.CopyStrings)
	}
	block := (&probe{size: c.CopyTokens, strings: c.Copy, together: c.CopyTogether}).block()
	if c.CopyTogether && 2*block > longest {
		return c, hint.Errorf("eval: "+hint.CopyStrings+": %d random tokens, twice, do not fit into %d, the longest of "+hint.Lengths, block, longest)
	}
	for _, d := range c.CopyDistances {
		if d < block || d+block > longest {
			return c, hint.Errorf("eval: "+hint.CopyDistances+" %d: expected %d to %d, with %d random tokens twice in sequences of %d", d, block, longest-block, block, longest)
		}
	}
	c.Options.Length = longest
	return c, nil
}
