package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/cmd/pecvt/words"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify/generate"
	"github.com/pecvt/pecvt/verify/ort"
)

func newRun(a *app) *cobra.Command {
	var j generate.Job
	var ids string
	cmd := &cobra.Command{
		Use:   "run DIR (--prompt TEXT | --ids LIST)",
		Short: "go on with a text through ONNX Runtime",
		Long: `run generates text from a folder that pecvt wrote: the graph in ONNX Runtime,
the folder's tokenizer.json, and its chat template with --chat. Text goes to
stdout as it comes, figures to stderr. It ends at the model's end token, after
--max-tokens, or where the graph's tables do.

Without --temperature every token is the likeliest one. docs/serving.md has the
definitions.`,
		Example: `  pecvt run model-hope --prompt "Hello," --max-tokens 64
  pecvt run model-hope --chat --prompt "Hello?" --temperature 0.7 --top-p 0.9`,
		Args: exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			j.Dir = args[0]
			var err error
			if j.IDs, err = parseIDs(ids); err != nil {
				return err
			}
			if err := checkRunFlags(cmd, &j); err != nil {
				return err
			}
			ui := newUI(a, cmd.ErrOrStderr())
			err = staged(cmd.Context(), ui, &j.Dir)
			ui.close()
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			last := ""
			if !a.json {
				j.Show = func(piece string) error {
					last = piece
					_, err := io.WriteString(out, piece)
					return err
				}
			}
			r, err := generate.Run(cmd.Context(), j)
			if last != "" && !strings.HasSuffix(last, "\n") {
				fmt.Fprintln(out)
			}
			if r == nil {
				return err
			}
			words.All(r)
			if a.json {
				return errors.Join(err, printJSON(cmd, r))
			}
			if !a.quiet {
				printRun(cmd.ErrOrStderr(), r)
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&j.Prompt, "prompt", "", "the `TEXT` that goes on, or with --chat what the user says")
	f.StringVar(&ids, "ids", "", "the prompt as token ids: a `LIST` such as 1,403,407")
	f.BoolVar(&j.Chat, "chat", false, "put the prompt into the model's chat template")
	f.StringVar(&j.System, "system", "", "`TEXT` of the system's message (with --chat)")
	f.StringVar(&j.Tokenizer, "tokenizer", "", "tokenizer.json `FILE` (default: the model's own)")
	f.IntVar(&j.MaxTokens, "max-tokens", 0, fmt.Sprintf("tokens to make at most (0: %d, or what the graph's tables have room for)", generate.DefaultTokens))
	f.Float64Var(&j.Temperature, "temperature", 0, "draw from softmax(logits/temperature); 0 takes the largest logit")
	f.IntVar(&j.TopK, "top-k", 0, "draw from the likeliest so many tokens (0: all)")
	f.Float64Var(&j.TopP, "top-p", 0, "draw from the likeliest tokens that have this probability together (0: all)")
	f.Uint64Var(&j.Seed, "seed", 1, "seed of what is drawn")
	f.IntVar(&j.ORT.Threads, "threads", 0, "threads of ONNX Runtime (0: its choice, one per core)")
	f.StringVar(&j.ORTLibrary, "ort-lib", "", "ONNX Runtime's shared library `FILE`")
	f.StringVar(&j.ORT.OpsLibrary, "ops-lib", "", "shared library `FILE` of kernels for the operators of ai.pecvt (make ops)")
	f.StringVar(&j.ORT.Provider, "provider", ort.ProviderCPU, "execution provider: cpu or cuda")
	complete(cmd, "provider", ort.Providers())
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return cmd
}

// parseIDs reads a list of token ids.
func parseIDs(text string) ([]int64, error) {
	if text == "" {
		return nil, nil
	}
	parts := strings.Fields(text)
	if strings.Contains(text, ",") { // 1,,3 is a list that lost a number
		parts = strings.Split(text, ",")
	}
	var ids []int64
	for _, part := range parts {
		part = strings.TrimSpace(part)
		id, err := strconv.ParseInt(part, 10, 64)
		if err != nil || id < 0 {
			return nil, usagef("--ids: %q is no token id: expected whole numbers with commas between them", part)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// checkRunFlags refuses what cannot be meant, before any work.
func checkRunFlags(cmd *cobra.Command, j *generate.Job) error {
	given := cmd.Flags().Changed
	switch {
	case !given("prompt") && !given("ids"):
		return usagef("run: --prompt or --ids is missing: the text that goes on")
	case given("prompt") && given("ids"):
		return usagef("run: --prompt and --ids exclude each other")
	case given("ids") && len(j.IDs) == 0:
		return usagef("--ids is empty: expected whole numbers with commas between them")
	case given("ids") && (j.Chat || given("system")):
		return usagef("run: --chat and --system have no use with --ids: they are of a text")
	case given("system") && !j.Chat:
		return usagef("run: --system has no use without --chat")
	case j.MaxTokens < 0 || given("max-tokens") && j.MaxTokens == 0:
		return usagef("--max-tokens %d: expected 1 or more", j.MaxTokens)
	case !(j.Temperature >= 0) || math.IsInf(j.Temperature, 1):
		return usagef("--temperature %v: expected 0 (the likeliest token) or more", j.Temperature)
	case j.TopK < 0:
		return usagef("--top-k %d: expected 1 or more, or 0 for all tokens", j.TopK)
	case !(j.TopP >= 0 && j.TopP <= 1):
		return usagef("--top-p %v: expected a probability", j.TopP)
	case j.Temperature == 0 && (j.TopK > 0 || j.TopP > 0 || given("seed")):
		return usagef("run: --top-k, --top-p and --seed have no use without --temperature: the likeliest token is taken")
	case j.ORT.Threads < 0:
		return usagef("--threads %d: expected 1 or more, or 0 for ONNX Runtime's choice", j.ORT.Threads)
	case !slices.Contains(ort.Providers(), j.ORT.Provider):
		return usagef("--provider %q%s", j.ORT.Provider, posenc.Suggest(j.ORT.Provider, ort.Providers()))
	}
	return nil
}

// printRun says the figures of a run.
func printRun(w io.Writer, r *generate.Report) {
	for _, n := range r.Notes {
		fmt.Fprintf(w, "note  %s\n", n)
	}
	stopped := "to --max-tokens or the end of the tables"
	switch r.Stopped {
	case generate.StoppedAtEnd:
		stopped = "to an end token"
	case generate.StoppedAtContext:
		stopped = "until it was interrupted"
	}
	rate := ""
	if r.DecodeRate != nil {
		rate = fmt.Sprintf(", %.1f tokens/s", *r.DecodeRate)
	}
	fmt.Fprintf(w, "loaded in %.2f s; prompt of %d tokens in %.2f s, %.1f tokens/s; %d tokens in %.2f s%s, %s; onnx runtime %s on %s\n",
		r.LoadSeconds, len(r.PromptIDs), r.PrefillSeconds, r.PrefillRate, len(r.IDs), r.DecodeSeconds, rate, stopped, r.Runtime, r.Provider)
}
