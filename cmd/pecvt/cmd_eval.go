package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/cmd/pecvt/words"
	"github.com/pecvt/pecvt/verify/eval"
	"github.com/pecvt/pecvt/verify/ort"
)

// compareExample is a value of --compare.
const compareExample = "source,pi:2,yarn:4,hope,hope+yarn:2"

// plotTypes are the endings of --plot.
var plotTypes = []string{".png", ".svg"}

func newEval(a *app) *cobra.Command {
	var c eval.Config
	var plots []string
	cmd := &cobra.Command{
		Use:   "eval MODEL... (--text FILE | --ids FILE)",
		Short: "measure perplexity, the distance from a source, and copying",
		Long: `eval scores models on the same tokens: perplexity by context length and by
position, the perplexity of the last tokens, and against a source (--against)
KL divergence, top-1 agreement and the ratio of perplexities, each with a 95%
confidence interval over the sequences. Nothing is judged. docs/eval.md has the
definitions.

Sequences are cut from the front of each text, without overlap. A model runs in
ONNX Runtime where that can be loaded, else in the Go reference, slowly; one
without a model.onnx that is long enough gets a graph in a temporary folder.
With --against all models are held in memory at once, or one after the other
where sequences are long. --compare makes conversions of the source in a
temporary folder and scores them too: any --to, a scaling with its factor
(yarn:4), or both (hope+yarn:2). With --against and --compare the MODEL may be
left out: the source and its rivals are scored alone. Models may be URLs
(docs/scale.md): the files are fetched into a cache.`,
		Example: `  pecvt eval model-hope --against path/to/model --text book.txt --lengths 512,2048
  pecvt eval model-hope --ids tokens.safetensors --plot eval.png --json
  pecvt eval path/to/model --compare yarn:2,hope,hope+yarn:2 --text book.txt --lengths 16384`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) > 0 || len(c.Compare) > 0 && c.Against != "":
				return nil
			case len(c.Compare) > 0:
				return usagef("eval: MODEL is missing: --compare makes its rivals of that one, or of the source that --against names")
			}
			return usagef("eval: MODEL is missing")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c.Models = args
			if err := checkEvalFlags(&c, plots); err != nil {
				return err
			}
			if a.checkOnly {
				return nil
			}
			ui := newUI(a, cmd.ErrOrStderr())
			defer ui.close()
			models := []*string{&c.Against}
			for i := range c.Models {
				models = append(models, &c.Models[i])
			}
			if err := staged(cmd.Context(), ui, models...); err != nil {
				return err
			}
			c.Options.Version, c.Options.Threads = toolVersion(), a.threads
			c.Progress = func(p eval.Progress) { ui.step(progressText(p)) }
			var r *eval.Report
			var err error
			if a.part != nil {
				r, err = a.part.eval(cmd.Context(), c)
			} else {
				r, err = eval.Run(cmd.Context(), c)
			}
			ui.close()
			if err != nil || r == nil {
				return err
			}
			words.All(r)
			if a.json {
				err = printJSON(cmd, r)
			} else {
				err = r.WriteText(cmd.OutOrStdout())
			}
			for _, path := range plots { // after the figures, which a full disk must not cost
				plotErr := writeOutFile(path, func(w io.Writer) error { return r.Plot(w, filepath.Ext(path)) })
				if err == nil {
					err = plotErr
				}
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&c.Texts, "text", nil, "UTF-8 text `FILE`; may be given more than once")
	f.StringVar(&c.IDs, "ids", "", "safetensors `FILE` whose input_ids (rows, positions) are scored")
	f.StringVar(&c.Against, "against", "", "source `MODEL` for KL, top-1 agreement and ratios; it is scored too")
	f.StringSliceVar(&c.Compare, "compare", nil, "conversions of the source to score beside it, made on the way: `TARGETS` as "+compareExample+" (the source is --against, or the one MODEL)")
	f.IntSliceVar(&c.Lengths, "lengths", []int{512, 2048}, "context lengths in tokens, each once, in any order")
	f.IntVar(&c.Sequences, "sequences", 0, "sequences per length (0: as many as the text has, at most 8)")
	f.IntVar(&c.Last, "last", 512, "tokens of the last-k perplexity (never more than a quarter of the length)")
	f.IntVar(&c.Copy, "copy", 0, "random strings per distance of the copy probe (0: none)")
	f.IntSliceVar(&c.CopyDistances, "copy-distances", nil, "distances of the copy probe in tokens (default: powers of two, and the farthest, within the lengths)")
	f.BoolVar(&c.CopyTogether, "copy-together", false, "put all strings of a distance into one sequence, which costs one and not --copy of them")
	f.IntVar(&c.CopyTokens, "copy-tokens", 32, "tokens of such a string")
	f.Int64Var(&c.Seed, "seed", 1, "seed of the copy probe's strings")
	f.BoolVar(&c.BOS, "bos", false, "put bos_token_id before every sequence (it counts as a token of it)")
	f.StringVar(&c.Tokenizer, "tokenizer", "", "tokenizer.json `FILE` (default: the models' own)")
	f.StringArrayVar(&plots, "plot", nil, "write a picture: `FILE`.png or FILE.svg; may be given more than once")
	ignoreKeyFlag(cmd, &c.Options.IgnoreKeys)
	f.StringVar(&c.Options.Runner, "runner", "", "ort or ref (default: ort where it can be loaded)")
	f.IntVar(&c.Options.Chunk, "chunk", 0, "tokens that run at once (0: 256, fewer where one of their tensors would take over 64 MiB)")
	f.StringVar(&c.Options.ORTLibrary, "ort-lib", "", "ONNX Runtime's shared library `FILE`")
	f.StringVar(&c.Options.OpsLibrary, "ops-lib", "", "shared library `FILE` of kernels for the operators of ai.pecvt (make ops)")
	f.StringVar(&c.Options.Provider, "provider", ort.ProviderCPU, "execution provider: cpu or cuda")
	complete(cmd, "provider", ort.Providers())
	complete(cmd, "runner", eval.Runners())
	complete(cmd, "compare", []string{"source", "pi:", "yarn:", "hope", "hope+yarn:"})
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return cmd
}

// checkEvalFlags refuses what cannot be meant, before any work.
func checkEvalFlags(c *eval.Config, plots []string) error {
	switch {
	case len(c.Texts) == 0 && c.IDs == "":
		return usagef("eval: --text or --ids is missing: the tokens to score")
	case len(c.Texts) > 0 && c.IDs != "":
		return usagef("eval: --text and --ids exclude each other")
	case c.IDs != "" && c.Tokenizer != "":
		return usagef("eval: --tokenizer has no use with --ids")
	case c.IDs != "" && c.BOS:
		return usagef("eval: --bos has no use with --ids: put the token into them")
	case len(c.Lengths) == 0:
		return usagef("eval: --lengths is empty")
	}
	for i, n := range c.Lengths {
		if n < 2 {
			return usagef("--lengths %d: expected 2 or more, of which the last is predicted", n)
		}
		if slices.Contains(c.Lengths[:i], n) {
			return usagef("--lengths: %d is there twice: every length is measured once; leave one out", n)
		}
	}
	for _, f := range []struct {
		name       string
		value, min int
	}{{"sequences", c.Sequences, 0}, {"last", c.Last, 1}, {"copy", c.Copy, 0}, {"copy-tokens", c.CopyTokens, 2}, {"chunk", c.Options.Chunk, 0}} {
		if f.value < f.min {
			return usagef("--%s %d: expected %d or more", f.name, f.value, f.min)
		}
	}
	if _, err := eval.ParseRivals(c.Compare); err != nil {
		return usageError{err}
	}
	if c.Compare != nil && len(c.Compare) == 0 {
		return usagef("--compare is empty: expected targets as " + compareExample)
	}
	if len(c.Compare) > 0 && c.Against == "" && len(c.Models) > 1 {
		return usagef("--compare: what is compared is made from one source: name it with --against")
	}
	if (len(c.CopyDistances) > 0 || c.CopyTogether) && c.Copy == 0 {
		return usagef("--copy-distances and --copy-together have no use without --copy")
	}
	if longest := slices.Max(c.Lengths); c.Copy > 0 && longest < 2*c.CopyTokens {
		return usagef("--copy: two strings of --copy-tokens %d do not fit into %d tokens, the longest of --lengths", c.CopyTokens, longest)
	}
	if err := checkRunner(c.Options.Runner, c.Options.Provider); err != nil {
		return err
	}
	for _, path := range plots {
		if err := checkPlot("plot", path); err != nil {
			return err
		}
		if err := checkOutFile("plot", path); err != nil {
			return err
		}
	}
	return checkTexts(c.Texts, c.IDs, c.Tokenizer)
}

// checkPlot refuses a picture's name whose ending says no format.
func checkPlot(flag, path string) error {
	if !slices.Contains(plotTypes, strings.ToLower(filepath.Ext(path))) {
		return usagef("--%s %s: expected a file that ends in %s", flag, path, strings.Join(plotTypes, " or "))
	}
	return nil
}

// progressText is one line of progress.
func progressText(p eval.Progress) string {
	text := fmt.Sprintf("%s, %d%%", p.What, 100*p.Done/max(p.Total, 1))
	if p.Left > 0 {
		text += fmt.Sprintf(", about %s left", p.Left.Round(time.Second))
	}
	return text
}
