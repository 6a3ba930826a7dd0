package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/cmd/pecvt/words"
	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/ort"
)

func newVerify(a *app) *cobra.Command {
	var opts verify.Options
	var output verifyOutput
	var maxMem string
	cmd := &cobra.Command{
		Use:   "verify [DIR|FILE.gguf]",
		Short: "prove a converted folder: checkpoint, Go references and ONNX Runtime agree",
		Long: `verify computes the logits of the same tokens three times: with a Go forward
pass in float64 straight from the checkpoint (ref), with a Go interpreter of
model.onnx (interp), and in ONNX Runtime (ort-cpu, ort-cuda). Prefill, chunked
prefill, token-by-token decode, padding on either side, the far end of the
tables and one position past it are checked.

ONNX Runtime is looked for at --ort-lib, in PECVT_ORT_LIB, in the cache that
'make ort' fills, and in the system's library folders. Without it the Go
runners still verify and the exit code is 5 (--require ort: a failure).

--layers 0,30,60 judges some layers of a model that is too large to run, with
the memory of those: docs/verify.md. The exit code is then 5 at best.

A .gguf file is first written as safetensors with a graph into a temporary
folder (TMPDIR), in float32 where it has blocks, and that is verified: the
numbers that were read, the rotation, and what the graph makes of them.

DIR defaults to the current folder. It, and what --against names, may be a URL
(docs/scale.md): the files are fetched into a cache, with --layers no more than
these need. Exit code 3 means a mismatch.`,
		Example: `  pecvt verify model-hope
  pecvt verify model-hope --golden logits.safetensors --against path/to/model --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("verify: unexpected argument %q", args[1])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			if err := checkVerifyFlags(opts); err != nil {
				return err
			}
			var err error
			if opts.MaxMem, err = parseSizeOf("max-mem", maxMem); err != nil {
				return err
			}
			if err := output.check(); err != nil {
				return err
			}
			if a.checkOnly {
				return nil
			}
			ui := newUI(a, cmd.ErrOrStderr())
			defer ui.close()
			opts.Fetched = func(file string, done, total int64) { ui.bytes("fetch "+file, done, total) }
			if at, err := place.Parse(dir); err == nil && len(opts.Layers) == 0 && strings.HasSuffix(strings.ToLower(at.Base()), ".gguf") { // Verify has folders come
				if err := staged(cmd.Context(), ui, &dir, &opts.Against); err != nil {
					return err
				}
			}
			opts.Progress, opts.Threads = ui.steps, a.threads
			opts.Curves = output.wantCurves()
			r, err := verifyAny(cmd.Context(), dir, opts)
			ui.close()
			if err != nil {
				return output.failed(cmd.Context(), dir, err)
			}
			r.Version = toolVersion()
			words.All(r)
			if err := output.write(r); err != nil {
				return err
			}
			if err := printReport(cmd, a.json, r); err != nil {
				return err
			}
			return verdictOf(r)
		},
	}
	output.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&opts.Golden, "golden", "", "safetensors `FILE` with input_ids and logits to compare every runner with")
	f.StringVar(&opts.Against, "against", "", "source `MODEL`: judges the rewrite, and reports the drift (never judged)")
	ignoreKeyFlag(cmd, &opts.IgnoreKeys)
	f.StringVar(&opts.IDs, "ids", "", "safetensors `FILE` whose input_ids are the prompt (default: generated)")
	f.IntVar(&opts.Tokens, "tokens", 48, "length of the prompt")
	f.IntVar(&opts.DriftTokens, "drift-tokens", 0, "positions to measure the drift on (0: all of the prompt)")
	f.Int64Var(&opts.Seed, "seed", 1, "seed of the generated prompt")
	f.StringVar(&opts.ORTLibrary, "ort-lib", "", "ONNX Runtime's shared library `FILE`")
	f.StringVar(&opts.OpsLibrary, "ops-lib", "", "shared library `FILE` of kernels for the operators of ai.pecvt (make ops)")
	f.StringVar(&opts.Provider, "provider", "", "execution provider: cpu or cuda (default: cpu and, where there is one, cuda)")
	f.StringVar(&opts.OptLevel, "opt-level", "", "graph optimisation level: disabled, basic, extended or all (default: every one)")
	f.BoolVar(&opts.Bisect, "bisect", false, "find the first layer, and in it the first node, whose values leave the budget")
	f.StringVar(&opts.Extract, "extract", "", "write that node with its inputs to a new folder `DIR`, for pecvt verify DIR (implies --bisect)")
	f.BoolVar(&opts.Force, "force", false, "with --extract: replace an older repro")
	f.IntSliceVar(&opts.Layers, "layers", nil, "run only these layers (0,30,60), in order: for a model too large to run; the verdict is incomplete at best")
	f.StringVar(&maxMem, "max-mem", "1GiB", "values that --bisect holds at a time, as a `SIZE` such as 500MB")
	f.StringSliceVar(&opts.Require, "require", nil, "runners whose absence is a failure: ort")
	complete(cmd, "provider", ort.Providers())
	complete(cmd, "opt-level", ort.OptLevels())
	complete(cmd, "require", []string{"ort"})
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return cmd
}

// checkVerifyFlags refuses values outside the tables, naming the nearest.
func checkVerifyFlags(o verify.Options) error {
	for _, f := range []struct {
		name  string
		value string
		valid []string
	}{{"provider", o.Provider, ort.Providers()}, {"opt-level", o.OptLevel, ort.OptLevels()}} {
		if f.value != "" && !slices.Contains(f.valid, f.value) {
			return usagef("--%s %q%s", f.name, f.value, posenc.Suggest(f.value, f.valid))
		}
	}
	for _, r := range o.Require {
		if r != "ort" {
			return usagef("--require %q%s", r, posenc.Suggest(r, []string{"ort"}))
		}
	}
	if o.Tokens < 1 {
		return usagef("--tokens %d: expected a positive number", o.Tokens)
	}
	if o.DriftTokens < 0 {
		return usagef("--drift-tokens %d: expected a positive number, or 0 for all of the prompt", o.DriftTokens)
	}
	return nil
}

// verdictOf turns a verdict into an exit code.
func verdictOf(r *verify.Report) error {
	switch r.Verdict {
	case verify.Pass:
		return nil
	case verify.Fail:
		return verdictError{exitMismatch}
	case verify.Ambiguous:
		return verdictError{exitAmbiguous}
	default:
		return verdictError{exitIncomplete}
	}
}
