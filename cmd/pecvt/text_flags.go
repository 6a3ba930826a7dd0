package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/convert/tune"
	"github.com/pecvt/pecvt/posenc"
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
	threads            int // of ONNX Runtime, 0 its choice
}

func (f *textFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.texts, "text", nil, "UTF-8 text `FILE` to measure and calibrate on; may be given more than once")
	flags.StringVar(&f.ids, "ids", "", "the same as token ids: safetensors `FILE` with input_ids (rows, positions)")
	flags.StringVar(&f.tokenizer, "tokenizer", "", "tokenizer.json `FILE` (default: the model's own)")
	flags.BoolVar(&f.bos, "bos", false, "put bos_token_id before every sequence (it counts as a token of it)")
	flags.Uint64Var(&f.seed, "seed", 1, "seed of the rows, sequences and strings that are drawn")
	flags.IntVar(&f.measureTokens, "measure-tokens", tune.DefaultMeasureTokens, "tokens at the end of the text that end-to-end measurements take, and nothing else")
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

// Tokens reads the text, as the job asks for it: after what can be refused
// without it.
func (f *textFlags) Tokens(ctx context.Context, dir string, vocab int) (*tune.Text, error) {
	text, err := eval.Texts{Files: f.texts, Tokenizer: f.tokenizer, BOS: f.bos, IDs: f.ids}.Tokens(ctx, dir, vocab)
	if errors.Is(err, tokens.ErrNone) {
		return nil, fmt.Errorf("%w; name one with --tokenizer, or give the ids with --ids", err)
	}
	return text, err
}

// engine measures as the flags say.
func (f *textFlags) engine() tune.RoundingEngine {
	return eval.Engine{Options: eval.Options{Runner: f.runner, ORTLibrary: f.ortLibrary, Provider: f.provider, Threads: f.threads, Version: toolVersion()}}
}
