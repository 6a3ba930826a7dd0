package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/cmd/pecvt/words"
	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/loaders"
	"github.com/pecvt/pecvt/convert/recode"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/convert/tune"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/verify/eval"
)

// conversion is what convert and export print with --json.
type conversion struct {
	*convert.Plan
	// Placed says how each planned file came about: see convert.ResultFile.
	Placed []convert.ResultFile `json:"placed"`
	Graph  *graphResult         `json:"graph,omitempty"`
	// Tuning is what was selected and calibrated, Expected how long that was
	// thought to take, in seconds.
	Tuning   *convert.Tuning `json:"retrofit,omitempty"`
	Expected *tune.Estimate  `json:"expected_seconds,omitempty"`
	// Rounding is what became of weights that are rounded by a text.
	Rounding *tune.Rounded `json:"rounding,omitempty"`
	Seconds  float64       `json:"seconds"`
}

// graphResult describes the emitted graph.
type graphResult struct {
	Files     []string `json:"files"`
	Attention string   `json:"attention"`
	Placement string   `json:"placement"`
	Weights   string   `json:"weights"`
	Linear    string   `json:"linear"`
	Portable  bool     `json:"portable"`
	Opset     int      `json:"opset"`
	// Bytes is the size of the graph with the weights that it reads.
	Bytes int64 `json:"bytes"`
	// Record is what the graph says of its numbers, and pecvt.json with it.
	Record *convert.GraphRecord `json:"record,omitempty"`
	// Runtime is the least ONNX Runtime that gives the graph's numbers.
	Runtime onnxops.Runtime `json:"onnxruntime"`
	// Notes are what whoever serves the graph should know.
	Notes   []string `json:"notes,omitempty"`
	Seconds float64  `json:"seconds"`
}

func newConvert(a *app) *cobra.Command {
	var f rewriteFlags
	var g graphFlags
	var r tuneFlags
	var who forFlags
	var as placed
	var noONNX bool
	cmd := &cobra.Command{
		Use:   "convert MODEL --to ENCODING",
		Short: "rewrite a checkpoint's positional encoding and emit its ONNX graph",
		Long: `convert writes the checkpoint with its new encoding, model.onnx (unless
--no-onnx), the tokenizer and other sidecars, and a manifest (pecvt.json) into a
new folder. Tensor files that do not change are reflinks where the file system
can, else copies; hard links with --link or --no-onnx. The source is never
touched, and nothing is left behind when it fails.

MODEL is a folder, a .safetensors file, a *.safetensors.index.json or a .gguf file,
or the s3://, gs://, azblob:// or hf:// URL of one, which is streamed; a target may
be the URL of a bucket's folder: docs/scale.md.

--format gguf writes one GGUF file instead, for llama.cpp and what is built on it:
from a .gguf file with the bytes of its tensors as they are, whatever their types
(its default), or a new one from safetensors files. docs/gguf.md has the details.

With a text, a lossy conversion can keep the quality: --select drops only planes
of --to hope that cost little, --calibrate refits the queries and keys of any
lossy --to. The end of the text is kept for measuring the result, which is
refused with exit code 7 where it is over the budget. An interrupted calibration
goes on where it was, from DIR.calibration. docs/retrofit.md has the definitions.`,
		Example: `  pecvt convert --to hope llama.safetensors
  pecvt convert --to hope model.Q4_K_M.gguf -o model-hope.gguf
  pecvt convert --to hope path/to/model --select planes=90% --calibrate --text book.txt --picture dropped.svg`,
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
			graph, err := g.options(f.to)
			if err != nil {
				return err
			}
			if err := who.pick(&o, &graph); err != nil {
				return err
			}
			if err := r.check(cmd, o, graph, noONNX); err != nil {
				return err
			}
			if noONNX {
				if err := unusedIn(cmd, true, ""); err != nil && !r.wanted() { // what measures runs a graph
					return err
				}
				return a.write(cmd, args[0], o, nil, &r, who.warnings, as)
			}
			return a.write(cmd, args[0], o, &graph, &r, who.warnings, as)
		},
	}
	f.register(cmd)
	g.register(cmd)
	r.register(cmd)
	who.register(cmd)
	as.register(cmd)
	cmd.Flags().BoolVar(&noONNX, "no-onnx", false, "write no model.onnx")
	return cmd
}

// write plans and runs a conversion, and emits the graph into the result
// before it takes its place. warnings are of the command line, the plan's own go on.
func (a *app) write(cmd *cobra.Command, model string, o convert.Options, graph *onnxops.Options, t *tuneFlags, warnings []string, as placed) error {
	if a.checkOnly {
		return nil
	}
	begin := time.Now()
	if t != nil {
		t.threads = a.threads
	}
	u := newUI(a, cmd.ErrOrStderr())
	defer u.close()
	var tuned *tune.Result
	var plan *convert.Plan
	var err error
	if t != nil && (t.wanted() || t.given()) {
		if err := staged(cmd.Context(), u, &model); err != nil {
			return err
		}
	}
	if a.part != nil && a.part.step != stepJoin {
		if t == nil || !t.calibrate { // nothing to divide
			return nil
		}
		if err := a.part.calibrate(cmd.Context(), rehearsed(t.job(model, o, as.force), graph)); err != nil {
			return inFlags(err)
		}
		return nil
	}
	var rounding *tune.Rounding
	if t != nil && graph != nil && graph.Rounds() && t.given() {
		rounding = t.rounding(model, *graph, u)
		if err := rounding.Open(cmd.Context(), ""); err != nil {
			return inFlags(err)
		}
		defer rounding.Close()
	}
	if t != nil && t.wanted() {
		if tuned, plan, err = a.tune(cmd.Context(), t.job(model, o, as.force), graph, u); err != nil {
			return err
		}
	} else if plan, err = convert.NewPlanContext(cmd.Context(), model, o); err != nil {
		return err
	}
	plan.Warnings = append(plan.Warnings, warnings...)
	for _, w := range plan.Warnings {
		u.note("warning: " + w)
	}
	if plan.Format == convert.GGUF {
		if err := unusedIn(cmd, false, plan.Format); err != nil {
			return err
		}
		graph = nil // one file
	}
	if graph != nil {
		for _, n := range linkNotes(o, *graph) {
			u.note("note: " + n)
		}
	}
	result := conversion{Plan: plan}
	run := convert.RunOptions{Force: as.force, Durable: as.durable, Progress: func(p convert.Progress) { u.bytes(p.File, p.Done, p.Total) }}
	// What measures opens files, and so does what gives a tensor file a second name.
	run.OnDisk = rounding != nil || graph != nil && graph.Folder != ""
	run.Finish = func(ctx context.Context, made convert.Made) error {
		if graph != nil {
			write := func(o onnxops.Options) (err error) {
				u.step("emit model.onnx")
				result.Graph, err = emit(made, o)
				return err
			}
			if rounding != nil {
				result.Rounding, err = rounding.Write(ctx, made.Dir, func(code func(family.Weight) recode.Row) error {
					o := *graph
					if o.Coding.Texts, err = rounding.Texts(); err != nil {
						return err
					}
					o.Coding.Code = func(w family.Weight) onnxops.RowCoder { return onnxops.RowCoder(code(w)) }
					return write(o)
				})
				if err != nil {
					err = inFlags(err)
				}
			} else {
				err = write(*graph)
			}
			if err != nil {
				return err
			}
			if err := stands(o.For, plan, result.Graph.Files, result.Graph.Notes); err != nil {
				return err
			}
			result.Graph.Notes = append(result.Graph.Notes, runtimeNotes(o.For, result.Graph.Runtime)...)
		}
		u.step("wait for the disk")
		return nil
	}
	var done *convert.Result
	if tuned != nil {
		done, err = tuned.Write(cmd.Context(), plan, run)
	} else {
		done, err = convert.Run(cmd.Context(), plan, run)
	}
	if err != nil {
		return err
	}
	u.close()
	if result.Graph != nil && !u.quiet {
		for _, n := range result.Graph.Notes {
			u.note("note: " + n)
		}
	}
	plan.Notes = append(plan.Notes, fileNotes(o.For, plan.Format)...) // of this run, not of the result
	notes := plan.Notes
	if tuned != nil {
		result.Tuning, result.Expected = tuned.Tuning, &tuned.Estimate
		for _, n := range tuned.Notes {
			plan.Notes = append(plan.Notes, words.Say(n))
		}
	} else {
		costs := costNotes(plan)
		for _, n := range costs {
			if !u.quiet {
				u.note("note: " + n)
			}
		}
		plan.Notes = append(plan.Notes, costs...)
	}
	result.Placed = done.Files
	plan.Read, plan.Wrote = done.Read.Add(plan.Read), done.Wrote
	result.Seconds = time.Since(begin).Seconds()
	if a.json {
		err = printJSON(cmd, result)
	} else {
		err = a.print(cmd, plan, &result, notes)
	}
	if err != nil || tuned == nil || t.picture == "" {
		return err
	}
	// last: what it says of a full disk must not hide the figures
	err = writeOutFile(t.picture, func(w io.Writer) error {
		return eval.PlotTuning(w, filepath.Ext(t.picture), tuned.Tuning, len(plan.Encoding.Planes))
	})
	if err != nil {
		return fmt.Errorf("%s is complete, its picture is not: %w", plan.Output, err)
	}
	return nil
}

// tune selects and calibrates as the job says and plans its result.
func (a *app) tune(ctx context.Context, j tune.Job, graph *onnxops.Options, u *ui) (*tune.Result, *convert.Plan, error) {
	j.Expect, j.Progress = u.expect, u.stage
	r, err := rehearsed(j, graph).Run(ctx)
	if err != nil {
		return nil, nil, inFlags(err)
	}
	p, err := r.Plan()
	return r, p, err
}

// rehearsed has the job see before the work whether the graph can be made.
func rehearsed(j tune.Job, graph *onnxops.Options) tune.Job {
	if graph != nil {
		j.Rehearse = func(p *convert.Plan) error { _, err := planGraph(p, *graph); return err }
	}
	return j
}

// print says what a conversion did.
func (a *app) print(cmd *cobra.Command, plan *convert.Plan, result *conversion, notes []string) error {
	e := plan.Encoding
	w := cmd.OutOrStdout()
	if cmd.Name() == "export" {
		fmt.Fprintf(w, "%s: %s as it stands, attention %s, graph %s with its weights (checkpoint %s) in %.2f s\n",
			plan.Output, e.SourceFamily, result.Graph.Attention, bytesText(result.Graph.Bytes), bytesText(plan.Bytes), result.Seconds)
		writeInside(w, plan.InsideOf)
		writeRounding(w, result.Rounding)
		writeNotes(w, plan, notes)
		fmt.Fprintf(w, "prove it with: pecvt verify %s\n", argument(plan.Output))
		return nil
	}
	r := result.Tuning
	planes, chosen := "", r != nil && r.Selection != nil
	switch {
	case chosen && r.Selection.Granularity != retrofit.ByModel:
		still, all := r.Selection.Stopped()
		planes = fmt.Sprintf("%d of %d (layer, key/value head, plane) below the cut (%s) stop turning, ", still, all, e.Cut)
	case len(e.Planes) > 0:
		planes = stops(e) + ", "
	}
	fmt.Fprintf(w, "%s: %s to %s, %s, %s%s in %.2f s\n", plan.Output, e.From, target(e), e.Kind, planes, bytesText(plan.Bytes), result.Seconds)
	writeInside(w, plan.InsideOf)
	if e.Reason != "" && !chosen { // the lines below say it
		fmt.Fprintf(w, "%s\n", e.Reason)
	}
	if r != nil {
		writeTuning(w, r)
	}
	writeRounding(w, result.Rounding)
	writeNotes(w, plan, notes)
	for _, l := range loaders.Lines(e.Readers) {
		if l.Outcome == loaders.Wrong || l.Outcome == loaders.Refused {
			fmt.Fprintf(w, "note: %s: %s\n", outcomeWords[l.Outcome], l.Text)
		}
	}
	if result.Graph != nil {
		fmt.Fprintf(w, "prove it with: pecvt verify %s\n", argument(plan.Output))
	}
	return nil
}

// linkNotes says what a graph over links costs.
func linkNotes(o convert.Options, graph onnxops.Options) []string {
	external := graph.Placement == onnxops.PlaceExternal || graph.Placement == "" && graph.Linear != onnxops.LinearMatMul
	if !o.Link || !external {
		return nil
	}
	return []string{"model.onnx points into files that are links of the source's (--link): onnx refuses them from 1.21.0 on, and so do the tools that load through it; ONNX Runtime runs them"}
}

// writeNotes prints the notes and what stays beside the source.
func writeNotes(w io.Writer, plan *convert.Plan, notes []string) {
	for _, n := range notes {
		fmt.Fprintf(w, "note: %s\n", n)
	}
	if len(plan.LeftBehind) > 0 {
		fmt.Fprintf(w, "left behind: %s\n", strings.Join(plan.LeftBehind, ", "))
	}
}

// target names the new encoding, with the scaling that it has.
func target(e convert.Encoding) string {
	if e.Scale == "" {
		return e.To
	}
	return e.To + " scaled by " + e.Scale
}

// stops counts the planes that stop turning, apart from those that had stopped
// in the source.
func stops(e convert.Encoding) string {
	already := 0
	for _, p := range e.Planes {
		if p.State == "dropped" && p.Before == 0 {
			already++
		}
	}
	text := fmt.Sprintf("%d of %d planes stop turning", e.Dropped-already, len(e.Planes))
	if already > 0 {
		text += fmt.Sprintf(" (%d had stopped already)", already)
	}
	return text
}

// emit writes the graph of a result.
func emit(made convert.Made, o onnxops.Options) (*graphResult, error) {
	begin := time.Now()
	e, err := onnxops.EmitInto(made, o)
	if err != nil {
		return nil, err
	}
	return &graphResult{Files: e.Files, Attention: e.Attention, Placement: e.Placement, Weights: e.Weights, Linear: e.Linear, Portable: e.Portable, Opset: e.Opset, Bytes: e.Bytes, Record: e.Record, Runtime: e.Runtime, Notes: said(e.Notes), Seconds: time.Since(begin).Seconds()}, nil
}

// said says notes of the library with flags.
func said(notes []string) []string {
	var out []string
	for _, n := range notes {
		out = append(out, words.Say(n))
	}
	return out
}
