package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify/bench"
	"github.com/pecvt/pecvt/verify/ort"
)

// workerFlag makes a process of bench's: it is no flag for people.
const workerFlag = "worker"

func newBench(a *app) *cobra.Command {
	var c bench.Config
	var worker bool
	var picture string
	cmd := &cobra.Command{
		Use:   "bench DIR[@FILE]...",
		Short: "time graphs in ONNX Runtime, in turns",
		Long: `bench measures the graphs of folders: loading, a prompt by its length, tokens one
by one by what was before them, and memory, each folder in a process of its own,
all in turns. Ratios are of the time of the first folder in the same round.
DIR@FILE runs the folder with a library of kernels (make ops), DIR@ with none.
Folders may be pecvt's, or others' with the same inputs and outputs:
onnxruntime-genai's (genai_config.json), optimum's, mobius'. docs/serving.md has
the definitions.`,
		Example: `  pecvt bench model-hope
  pecvt bench model-fused model-fused@build/libpecvt_ops.so
  pecvt bench peer model-hope --lengths 256 --contexts 512 --threads 1 --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 && !worker {
				return usagef("bench: DIR is missing")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if worker {
				return bench.Serve(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
			}
			c.Dirs, c.Ops = foldersAndOps(args, c.ORT.OpsLibrary)
			if err := checkBenchFlags(&c); err != nil {
				return err
			}
			if err := checkPicture(cmd, picture); err != nil {
				return err
			}
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("bench: this program's own file: %w", err)
			}
			c.Worker = []string{self, "bench", "--" + workerFlag}
			ui := newUI(a, cmd.ErrOrStderr())
			defer ui.close()
			for i := range c.Dirs {
				if err := staged(cmd.Context(), ui, &c.Dirs[i]); err != nil {
					return err
				}
			}
			c.Progress = ui.steps
			r, err := bench.Run(cmd.Context(), c)
			ui.close()
			if err != nil {
				return err
			}
			if a.json {
				err = printJSON(cmd, r)
			} else {
				err = r.WriteText(cmd.OutOrStdout())
			}
			if picture != "" { // after the figures, which a full disk must not cost
				err = errors.Join(err, writeOutFile(picture, func(w io.Writer) error { return r.Plot(w, filepath.Ext(picture)) }))
			}
			return err
		},
	}
	f := cmd.Flags()
	f.IntSliceVar(&c.Lengths, "lengths", []int{64, 256}, "lengths of prompts in tokens")
	f.IntSliceVar(&c.Contexts, "contexts", []int{64, 512}, "tokens before those that are decoded")
	f.IntVar(&c.Steps, "steps", 8, "tokens that a round decodes")
	f.IntVar(&c.Repeat, "repeat", 7, "rounds that count; one before them warms up")
	f.IntVar(&c.ORT.Threads, "threads", 0, "threads of ONNX Runtime (0: its choice, one per core)")
	f.StringVar(&c.ORTLibrary, "ort-lib", "", "ONNX Runtime's shared library `FILE`")
	f.StringVar(&c.ORT.OpsLibrary, "ops-lib", "", "shared library `FILE` of kernels for the operators of ai.pecvt (make ops)")
	f.StringVar(&c.ORT.Provider, "provider", ort.ProviderCPU, "execution provider: cpu or cuda")
	f.StringVar(&picture, "picture", "", "draw the rates: `FILE`.png or FILE.svg")
	f.BoolVar(&worker, workerFlag, false, "be the process of one folder")
	_ = f.MarkHidden(workerFlag) // it is there
	complete(cmd, "provider", ort.Providers())
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return cmd
}

// foldersAndOps takes DIR@FILE apart where DIR is a folder and the whole is none; a
// folder alone has the library of the flag.
func foldersAndOps(args []string, library string) (dirs, ops []string) {
	isDir := func(path string) bool {
		info, err := os.Stat(path)
		return err == nil && info.IsDir()
	}
	for _, arg := range args {
		at := len(arg)
		for i := range len(arg) {
			if arg[i] == '@' && isDir(arg[:i]) && !isDir(arg) {
				at = i
			}
		}
		if at == len(arg) {
			dirs, ops = append(dirs, arg), append(ops, library)
			continue
		}
		dirs, ops = append(dirs, arg[:at]), append(ops, arg[at+1:])
	}
	return dirs, ops
}

// checkBenchFlags refuses what cannot be meant, before any work.
func checkBenchFlags(c *bench.Config) error {
	for _, f := range []struct {
		name string
		list []int
	}{{"lengths", c.Lengths}, {"contexts", c.Contexts}, {"steps", []int{c.Steps}}, {"repeat", []int{c.Repeat}}} {
		for _, n := range f.list {
			if n < 1 {
				return usagef("--%s %d: expected 1 or more", f.name, n)
			}
		}
	}
	switch {
	case c.ORT.Threads < 0:
		return usagef("--threads %d: expected 1 or more, or 0 for ONNX Runtime's choice", c.ORT.Threads)
	case !slices.Contains(ort.Providers(), c.ORT.Provider):
		return usagef("--provider %q%s", c.ORT.Provider, posenc.Suggest(c.ORT.Provider, ort.Providers()))
	}
	return nil
}

// checkPicture refuses before any work what cannot be drawn or written.
func checkPicture(cmd *cobra.Command, path string) error {
	if !cmd.Flags().Changed("picture") {
		return nil
	}
	if err := checkPlot("picture", path); err != nil {
		return err
	}
	return checkOutFile("picture", path)
}
