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
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	j := &job{ctx: ctx, c: &c, report: &Report{Schema: 1, IDs: base(c.IDs), Seed: c.Seed}, begin: time.Now()}
	defer j.close()
	for _, t := range c.Texts {
		j.report.Texts = append(j.report.Texts, base(t))
	}
	if err := j.open(); err != nil {
		return nil, err
	}
	if err := j.read(); err != nil {
		return nil, err
	}
	if j.source >= 0 {
		err = j.group(j.models, 0)
	} else {
		for _, m := range j.models {
			if err = j.group([]*Model{m}, -1); err != nil {
				break
			}
			m.free()
		}
	}
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(j.report.Results, func(a, b *Result) int { return a.Length - b.Length })
	for _, m := range j.models {
		if m.Note != "" {
			j.report.Notes = append(j.report.Notes, m.Name+": "+m.Note)
		}
	}
	j.report.Seconds = Number(time.Since(j.begin).Seconds())
	return j.report, nil
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
	switch {
	case len(c.Models) == 0:
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
	c.Options.Length = c.Lengths[len(c.Lengths)-1]
	return c, nil
}

// job is one evaluation under way.
type job struct {
	ctx         context.Context
	c           *Config
	models      []*Model // the source first
	source      int      // 0, or -1 for none
	rows        [][]int64
	sequences   [][][]int64 // by length
	probe       *probe
	report      *Report
	begin, work time.Time
	done, total int
}

func (j *job) close() {
	for _, m := range j.models {
		m.Close()
	}
}

func (j *job) open() error {
	paths := j.c.Models
	j.source = -1
	if j.c.Against != "" {
		j.source = 0
		paths = append([]string{j.c.Against}, paths...)
	}
	for i, path := range paths {
		m, err := Open(j.ctx, path, j.c.Options)
		if err != nil {
			if i == 0 && j.source == 0 {
				err = hint.Errorf(hint.EvalAgainst+": %w", err)
			}
			return err
		}
		j.models = append(j.models, m)
		if m.Runtime != "" {
			j.report.Runtime = m.Runtime
		}
		if m.Vocab != j.models[0].Vocab {
			return fmt.Errorf("%s has a vocabulary of %d, %s one of %d: the same tokens cannot be given to both", j.models[0].Dir, j.models[0].Vocab, m.Dir, m.Vocab)
		}
	}
	nameApart(j.models)
	return nil
}

// nameApart gives folders of one name their paths as names.
func nameApart(models []*Model) {
	count := map[string]int{}
	for _, m := range models {
		count[m.Name]++
	}
	for _, m := range models {
		if count[m.Name] > 1 {
			m.Name = m.Dir
		}
	}
}

func (j *job) read() (err error) {
	if j.rows, j.report.Tokenizer, err = readRows(j.ctx, j.c, j.models); err != nil {
		return err
	}
	for _, row := range j.rows {
		j.report.TokensRead += len(row)
	}
	first := int64(-1)
	if j.c.BOS {
		if first, err = BOS(j.models[0].Dir, j.models[0].Vocab); err != nil {
			return err
		}
		j.report.BOS = &first
	}
	for _, n := range j.c.Lengths {
		s, err := cutRows(j.rows, n, j.c.Sequences, first)
		if err != nil {
			return err
		}
		j.sequences = append(j.sequences, s)
		j.total += len(s) * n * len(j.models)
	}
	if j.c.Copy == 0 {
		return nil
	}
	if j.probe, err = newProbe(j.rows, j.c.CopyTokens, j.c.Seed); err != nil {
		return err
	}
	before := 0
	for _, n := range j.c.Lengths {
		for _, d := range j.probe.distances(before, n) {
			j.total += j.c.Copy * (d + j.c.CopyTokens) * len(j.models)
		}
		before = n
	}
	return nil
}

// group evaluates models in lock-step at every length.
func (j *job) group(models []*Model, source int) error {
	before := 0
	for l, n := range j.c.Lengths {
		all := make([][]trace, len(models))
		for s, row := range j.sequences[l] {
			what := fmt.Sprintf("length %d, sequence %d of %d", n, s+1, len(j.sequences[l]))
			if len(models) < len(j.models) {
				what = models[0].Name + ", " + what
			}
			traces, err := lockstep(j.ctx, models, source, row, j.step(what))
			if err != nil {
				return err
			}
			for k := range models {
				all[k] = append(all[k], traces[k])
			}
		}
		var copies [][]Copy // by distance, model
		if j.probe != nil {
			for _, d := range j.probe.distances(before, n) {
				c, err := j.probe.run(j.ctx, models, d, j.c.Copy, j.step(fmt.Sprintf("copying over %d", d)))
				if err != nil {
					return err
				}
				copies = append(copies, c)
			}
		}
		before = n
		for k, m := range models {
			var from []trace
			if source >= 0 && k != source {
				from = all[source]
			}
			r := m.summarise(all[k], from, lastOf(j.c.Last, n))
			r.Source = k == source
			for _, c := range copies {
				r.Copy = append(r.Copy, c[k])
			}
			j.report.Results = append(j.report.Results, r)
		}
	}
	return nil
}

// step tells of tokens that have run.
func (j *job) step(what string) func(tokens int) {
	return func(tokens int) {
		now := time.Now()
		if j.done == 0 {
			j.work = now // the first piece includes loading the weights
		}
		j.done += tokens
		if j.c.Progress == nil {
			return
		}
		p := Progress{What: what, Done: j.done, Total: j.total, Elapsed: now.Sub(j.begin)}
		if j.done > tokens {
			p.Left = time.Duration(float64(now.Sub(j.work)) / float64(j.done-tokens) * float64(j.total-j.done)).Round(time.Second)
		}
		j.c.Progress(p)
	}
}
