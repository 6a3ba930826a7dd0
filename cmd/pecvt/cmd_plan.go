package main

import (
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/cmd/pecvt/garbage"
	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/loaders"
	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/verify/eval"
)

func newPlan(a *app) *cobra.Command {
	var f rewriteFlags
	var g graphFlags
	var who forFlags
	var sw sweepFlags
	var noONNX bool
	cmd := &cobra.Command{
		Use:   "plan MODEL --to ENCODING",
		Short: "show what convert would do and write, without writing",
		Long: `plan decides a conversion and prints it: which planes change, whether it is
exact or lossy and why, the spelling and who reads it, and every file with its
size and how it comes about. Nothing is written.

--sweep lists instead what each plane of --to hope does (θ, wavelength, the
largest angle at L, its band), and with a text what dropping it costs, exactly,
in attention KL over layers and heads; then what each candidate cut is predicted
to cost, and with --measure what it does cost. docs/retrofit.md has the
definitions.

MODEL may be an s3://, gs://, azblob:// or hf:// URL: docs/scale.md.`,
		Example: `  pecvt plan path/to/model --to hope --cut max-phase=1.5 --json
  pecvt plan path/to/model --to hope --sweep --text book.txt --measure --plot sweep.svg`,
		Args: exactly("MODEL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.options()
			if err != nil {
				return err
			}
			f.place(&o, !noONNX)
			if err := who.check(&o, !noONNX); err != nil {
				return err
			}
			if err := sw.check(cmd, f.to); err != nil {
				return err
			}
			if sw.sweep {
				return a.printSweep(cmd, args[0], o, &sw)
			}
			graph, err := g.options(f.to)
			if err != nil {
				return err
			}
			if err := who.pick(&o, &graph); err != nil {
				return err
			}
			defer garbage.Frugal()()
			p, err := convert.NewPlanContext(cmd.Context(), args[0], o)
			if err != nil {
				return err
			}
			p.Warnings = append(p.Warnings, who.warnings...)
			if err := unusedIn(cmd, noONNX, p.Format); err != nil {
				return err
			}
			planned := planned{Plan: p}
			if !noONNX && p.Format != convert.GGUF {
				planned.GraphReaders = loaders.JudgeFolder(graphForm(graph), p.Encoding.Family, p.BesideGraph()...)
				if graph.Rounds() { // the skeleton has no numbers
					src, err := store.OpenContext(cmd.Context(), args[0])
					if err != nil {
						return err
					}
					defer src.Close()
					graph.Coding.Like = src
				}
				emitted, err := planGraph(p, graph)
				if err != nil {
					return err
				}
				planned.Runtime = &emitted.Runtime
				var files []string
				for _, f := range p.Files {
					files = append(files, f.Name)
				}
				if err := stands(o.For, p, files, p.Notes); err != nil {
					return err
				}
			}
			p.Notes = append(p.Notes, fileNotes(o.For, p.Format)...)
			p.Notes = append(p.Notes, costNotes(p)...)
			if !noONNX {
				p.Notes = append(p.Notes, linkNotes(o, graph)...)
			}
			if planned.CopySeconds, err = p.CopyTime(cmd.Context()); err != nil {
				p.Notes = append(p.Notes, "how long the files take is not known: "+err.Error())
			}
			if a.json {
				return printJSON(cmd, planned)
			}
			return writePlan(cmd.OutOrStdout(), planned)
		},
	}
	f.register(cmd)
	g.register(cmd)
	sw.register(cmd)
	who.register(cmd)
	cmd.Flags().BoolVar(&noONNX, "no-onnx", false, "plan no model.onnx")
	return cmd
}

// planned is what plan prints.
type planned struct {
	*convert.Plan
	// CopySeconds estimates how long the files take that must be written; 0 where
	// that is not known.
	CopySeconds float64 `json:"copy_seconds,omitempty"`
	// GraphReaders says what becomes of the graph in each loader of graphs.
	GraphReaders []loaders.Verdict `json:"graph_readers,omitempty"`
	// Runtime is the least ONNX Runtime that gives the graph's numbers.
	Runtime *onnxops.Runtime `json:"onnxruntime,omitempty"`
}

// printSweep sweeps, prints and draws.
func (a *app) printSweep(cmd *cobra.Command, model string, o convert.Options, f *sweepFlags) error {
	u := newUI(a, cmd.ErrOrStderr())
	defer u.close()
	if err := staged(cmd.Context(), u, &model); err != nil {
		return err
	}
	s, err := a.sweep(cmd.Context(), model, o, f, u)
	u.close()
	if err != nil {
		return err
	}
	for _, path := range f.plots {
		if err := writeOutFile(path, func(w io.Writer) error { return eval.PlotSweep(w, filepath.Ext(path), s) }); err != nil {
			return err
		}
	}
	if a.json {
		return printJSON(cmd, s)
	}
	return writeSweep(cmd.OutOrStdout(), s)
}

// planGraph adds the graph's files with their sizes: it is emitted from the
// result's headers alone, into a scratch folder.
func planGraph(p *convert.Plan, o onnxops.Options) (*graphResult, error) {
	own, err := fsio.NewTemporary("", "plan")
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	defer own.Remove()
	dir := own.Dir
	if err := p.Skeleton(dir); err != nil {
		return nil, err
	}
	o.Sketch = true
	result, err := emit(convert.Made{Dir: dir, Folder: place.Local(dir)}, o)
	if err != nil {
		return nil, err
	}
	if err := p.ExpectGraph(result.Record); err != nil {
		return nil, err
	}
	p.Notes = append(p.Notes, result.Notes...) // behind the size of a manifest that has none of them
	for _, name := range result.Files {
		st, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("plan: %w", err)
		}
		f := convert.FilePlan{Name: name, Action: convert.Emit, Bytes: st.Size()}
		p.Bytes += f.Bytes
		if result.Placement == onnxops.PlaceExternal && o.Folder != "" && path.Base(name) != onnxops.ModelFile {
			f.Action = convert.Link // of the result's own tensor files
		} else {
			p.Written += f.Bytes
		}
		p.Files = append(p.Files, f)
	}
	return result, nil
}

// aboutSeconds says an estimate, unless it is of no time worth saying.
func aboutSeconds(s float64) string {
	switch {
	case s <= 0:
		return ""
	case s < 0.1:
		return " in under 0.1 s"
	case s < 10:
		return fmt.Sprintf(" in about %.1f s", s)
	}
	return fmt.Sprintf(" in about %.0f s", s)
}

func writePlan(w io.Writer, p planned) error {
	e := p.Encoding
	fmt.Fprintf(w, "convert    %s (%s) to %s: %s\n", e.From, e.SourceFamily, target(e), e.Kind)
	writeInside(w, p.InsideOf)
	if e.Reason != "" {
		fmt.Fprintf(w, "because    %s\n", e.Reason)
	}
	fmt.Fprintf(w, "length     L = %d (%s)\n", e.TrainLength, e.TrainLengthFrom)
	if q := p.Rewrite().QueryScale; q != nil {
		fmt.Fprintf(w, "queries    times %v\n", q)
	}
	fmt.Fprintf(w, "written    layout %s, family %s, rope type %s", e.Layout, e.Family, e.Spelling)
	if e.GainAfter != 1 {
		fmt.Fprintf(w, ", attention factor %.6g", e.GainAfter)
	}
	fmt.Fprintln(w)
	if e.Readers == nil && e.Loaders != "" {
		fmt.Fprintf(w, "read by    %s\n", e.Loaders)
	}
	writeReaders(w, e.Readers, true)
	for _, l := range loaders.Lines(p.GraphReaders) {
		switch l.Outcome {
		case loaders.Right:
			fmt.Fprintf(w, "graph in   %s\n", strings.Join(l.Names, ", "))
		case loaders.Refused:
			fmt.Fprintf(w, "not in     %s; --for looks for a form that they run\n", l.Text)
		}
	}
	if p.Runtime != nil {
		fmt.Fprintf(w, "runs in    ONNX Runtime %s\n", p.Runtime)
	}
	for _, n := range p.Notes {
		fmt.Fprintf(w, "note       %s\n", n)
	}
	for _, n := range p.Warnings {
		fmt.Fprintf(w, "warning    %s\n", n)
	}
	fmt.Fprintf(w, "\n%s:\n", stops(e))
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "PLANE\tTHETA BEFORE\tTHETA AFTER\tBAND\tSTATE\t")
	for _, c := range e.Planes {
		fmt.Fprintf(t, "%d\t%.6g\t%.6g\t%s\t%s\t\n", c.Index, c.Before, c.After, c.Band, c.State)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%s, %s in all, %s to write%s:\n", p.Output, bytesText(p.Bytes), bytesText(p.Written), aboutSeconds(p.CopySeconds))
	t = tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, file := range p.Files {
		fmt.Fprintf(t, "%s\t%s\t%d bytes", file.Name, file.Action, file.Bytes)
		if file.Edited > 0 {
			fmt.Fprintf(t, "\t%d of %d tensors change", file.Edited, file.Tensors)
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, name := range p.LeftBehind {
		fmt.Fprintf(w, "left behind: %s\n", name)
	}
	return nil
}
