package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/eval"
	"github.com/pecvt/pecvt/verify/eval/tokens"
	"github.com/pecvt/pecvt/verify/ort"
)

// textFlags name the text that a retrofit or a sweep reads, and how models are
// measured on it.
type textFlags struct {
	texts              []string
	ids, tokenizer     string
	bos                bool
	seed               uint64
	measureTokens      int
	runner, ortLibrary string
	provider           string
}

func (f *textFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.texts, "text", nil, "UTF-8 text `FILE` to measure and calibrate on; may be given more than once")
	flags.StringVar(&f.ids, "ids", "", "the same as token ids: safetensors `FILE` with input_ids (rows, positions)")
	flags.StringVar(&f.tokenizer, "tokenizer", "", "tokenizer.json `FILE` (default: the model's own)")
	flags.BoolVar(&f.bos, "bos", false, "put bos_token_id before every sequence (it counts as a token of it)")
	flags.Uint64Var(&f.seed, "seed", 1, "seed of the rows, sequences and strings that are drawn")
	flags.IntVar(&f.measureTokens, "measure-tokens", defaultMeasureTokens, "tokens at the end of the text that end-to-end measurements take, and nothing else")
	flags.StringVar(&f.runner, "runner", "", "what measures: ort or ref (default: ort where it can be loaded)")
	flags.StringVar(&f.ortLibrary, "ort-lib", "", "ONNX Runtime's shared library `FILE`")
	flags.StringVar(&f.provider, "provider", ort.ProviderCPU, "execution provider that measures: cpu or cuda")
	complete(cmd, "runner", eval.Runners())
	complete(cmd, "provider", ort.Providers())
}

// names are the flags that have no use without a text.
func (f *textFlags) names() []string {
	return []string{"text", "ids", "tokenizer", "bos", "seed", "measure-tokens", "runner", "ort-lib", "provider"}
}

func (f *textFlags) given() bool { return len(f.texts) > 0 || f.ids != "" }

func (f *textFlags) check() error {
	switch {
	case len(f.texts) > 0 && f.ids != "":
		return usagef("--text and --ids exclude each other")
	case f.ids != "" && f.tokenizer != "":
		return usagef("--tokenizer has no use with --ids")
	case f.ids != "" && f.bos:
		return usagef("--bos has no use with --ids: put the token into them")
	case f.measureTokens < 2:
		return usagef("--measure-tokens %d: expected 2 or more", f.measureTokens)
	}
	if err := checkRunner(f.runner, f.provider); err != nil {
		return err
	}
	return checkTexts(f.texts, f.ids, f.tokenizer)
}

// checkRunner refuses what cannot run: an unknown name, and a provider of ONNX
// Runtime for the reference.
func checkRunner(runner, provider string) error {
	switch {
	case runner != "" && !slices.Contains(eval.Runners(), runner):
		return usagef("--runner %q%s", runner, posenc.Suggest(runner, eval.Runners()))
	case !slices.Contains(ort.Providers(), provider):
		return usagef("--provider %q%s", provider, posenc.Suggest(provider, ort.Providers()))
	case runner == eval.RunnerRef && provider != ort.ProviderCPU:
		return usagef("--provider %s has no use with --runner ref, which runs on the processor without ONNX Runtime", provider)
	}
	return nil
}

// stream is the token ids of all files, one after the other: a sequence may
// begin in one file and end in the next.
type stream struct {
	ids   []int64
	files []streamFile
	bos   *int64 // before every sequence, nil for none
}

type streamFile struct {
	name, sha256  string
	first, tokens int
}

// read makes the stream for a model in dir with vocab ids.
func (f *textFlags) read(ctx context.Context, dir string, vocab int) (*stream, error) {
	s := &stream{}
	if f.ids != "" {
		rows, err := verify.ReadIDs(f.ids, vocab)
		if err != nil {
			return nil, err
		}
		raw, err := os.ReadFile(f.ids)
		if err != nil {
			return nil, fmt.Errorf("ids: %w", err)
		}
		s.add(f.ids, raw, slices.Concat(rows...))
		return s, nil
	}
	if f.bos {
		id, err := eval.BOS(dir, vocab)
		if err != nil {
			return nil, err
		}
		s.bos = &id
	}
	from := f.tokenizer
	if from == "" {
		from = dir
	}
	tk, err := tokens.Load(from)
	if errors.Is(err, tokens.ErrNone) {
		return nil, fmt.Errorf("%w; name one with --tokenizer, or give the ids with --ids", err)
	}
	if err != nil {
		return nil, err
	}
	return s, eval.ReadTexts(ctx, tk, dir, vocab, f.texts, s.add)
}

func (s *stream) add(path string, raw []byte, ids []int64) {
	sum := sha256.Sum256(raw)
	s.files = append(s.files, streamFile{filepath.Base(path), hex.EncodeToString(sum[:]), len(s.ids), len(ids)})
	s.ids = append(s.ids, ids...)
}

// uses records for the manifest what tokens [first, first+n) served for, file
// by file.
func (s *stream) uses(first, n int, use string) []convert.Text {
	var list []convert.Text
	for _, f := range s.files {
		from, to := max(first, f.first), min(first+n, f.first+f.tokens)
		if from < to {
			list = append(list, convert.Text{Name: f.name, SHA256: f.sha256, First: from - f.first, Tokens: to - from, Use: use})
		}
	}
	return list
}

const (
	// defaultMeasureTokens is what a measurement takes where the text has it.
	defaultMeasureTokens = 16384
	// costTokens is what the costs are measured on, in at most maxSequences.
	costTokens   = 8192
	maxSequences = 8
)

// split divides a stream: its end is measured on, and what is before that serves
// the costs and the calibration.
type split struct {
	*stream
	fit     []int64
	measure [][]int64
}

// divide cuts the measured sequences of length tokens from the end: as many as
// want tokens make, and never more than a third of the text.
func (s *stream) divide(length, want int) (*split, error) {
	n := max(1, min(maxSequences, want/length, len(s.ids)/length/3))
	if len(s.ids) < 2*length {
		return nil, fmt.Errorf("the text has %d tokens: at a length of %d at least %d are needed, half of them to measure the result on; give more text, or a smaller length (--select-length and --calib-length, --length of a sweep)", len(s.ids), length, 2*length)
	}
	return &split{stream: s, fit: s.ids[:len(s.ids)-n*length], measure: s.begun(chunks(s.ids[len(s.ids)-n*length:], length, n))}, nil
}

// costs are the sequences that the costs of planes are measured on.
func (s *split) costs(length int) [][]int64 {
	return s.begun(chunks(s.fit, length, max(1, min(4, costTokens/length))))
}

// begun puts the first token of all before every sequence, whose last gives way.
func (s *stream) begun(sequences [][]int64) [][]int64 {
	if s.bos == nil {
		return sequences
	}
	list := make([][]int64, len(sequences))
	for i, ids := range sequences {
		list[i] = append([]int64{*s.bos}, ids[:len(ids)-1]...)
	}
	return list
}

// chunks cuts at most n sequences from the front.
func chunks(ids []int64, length, n int) [][]int64 {
	var list [][]int64
	for at := 0; at+length <= len(ids) && len(list) < n; at += length {
		list = append(list, ids[at:at+length:at+length])
	}
	return list
}

// tokenCount is the number of tokens in sequences.
func tokenCount(sequences [][]int64) int {
	n := 0
	for _, s := range sequences {
		n += len(s)
	}
	return n
}
