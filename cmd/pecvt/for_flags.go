package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/loaders"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/onnxops/lower"
	"github.com/pecvt/pecvt/posenc"
)

// forFlags name the programs that must compute the result.
type forFlags struct {
	names  []string
	graphs []string // those that read a graph
	cmd    *cobra.Command

	warnings []string // of the form of graph that was asked for
}

func (f *forFlags) register(cmd *cobra.Command) {
	f.cmd = cmd
	var names []string
	for _, l := range loaders.Loaders() {
		names = append(names, l.Name)
	}
	cmd.Flags().StringSliceVar(&f.names, "for", nil, "`LOADERS` that must compute the result, such as llama.cpp,vllm,openvino: picks what is not asked for (see pecvt loaders)")
	complete(cmd, "for", names)
}

// check reads the names, and hands them to the conversion's options. Where
// loaders are named, a layout that was not asked for is free.
func (f *forFlags) check(o *convert.Options, graph bool) error {
	for i, name := range f.names {
		f.names[i] = strings.TrimSpace(name)
	}
	_, graphs, err := loaders.Named(f.names)
	if err != nil {
		return usagef("--for: %v", err)
	}
	if len(graphs) > 0 && !graph {
		return usagef("--for %s: it reads a graph, and --no-onnx writes none", strings.Join(graphs, ","))
	}
	f.graphs, o.For = graphs, f.names
	if layout := f.cmd.Flags().Lookup("layout"); len(f.names) > 0 && layout != nil && !layout.Changed {
		o.Layout = ""
	}
	return nil
}

// graphForms are the forms of graphs that --for picks from, the first one first.
var graphForms = []string{loaders.Standard, loaders.Portable, loaders.ORT, loaders.Older}

// typeForms are the forms of graphs that compute in 16 bits.
var typeForms = map[string]string{onnxops.DTypeFloat16: loaders.InFloat16, onnxops.DTypeBFloat16: loaders.InBFloat16}

// pick chooses the form of graph that all named loaders run. A form that was
// asked for stays, with a warning that says who does not run it.
func (f *forFlags) pick(o *convert.Options, g *onnxops.Options) error {
	if len(f.graphs) == 0 {
		return nil
	}
	if form := typeForms[g.DType]; form != "" {
		if missing := loaders.Missing(loaders.Judge(form, ""), f.graphs); len(missing) > 0 {
			return fmt.Errorf("--for %s with --dtype %s: %w: %s; leave those out of --for, or choose another --dtype", strings.Join(f.graphs, ","), g.DType, posenc.ErrUnsupported, loaders.Reasons(missing))
		}
	}
	if slices.Contains(f.graphs, "transformers.js") {
		if err := f.web(o, g); err != nil {
			return err
		}
	}
	names := strings.Join(f.graphs, ",")
	if slices.ContainsFunc([]string{"attention", "portable", "opset"}, f.cmd.Flags().Changed) {
		form := graphForm(*g)
		if missing := loaders.Missing(loaders.Judge(form, ""), f.graphs); len(missing) > 0 {
			f.warnings = append(f.warnings, fmt.Sprintf("--for %s: the form of graph that was asked for (%s) is not run by all (%s)", names, form, loaders.Reasons(missing)))
		}
		return nil
	}
	form, err := loaders.PickGraph(f.graphs, "", graphForms...)
	if err != nil {
		return fmt.Errorf("--for %s: %w", names, err)
	}
	switch form {
	case loaders.Portable:
		if g.Weights == onnxops.WeightsInt4 {
			if refused := refusedOf(f.graphs, loaders.InInt4); len(refused) > 0 {
				return fmt.Errorf("--for %s with --weights int4: %w: %s; choose --weights int8, or leave those out of --for", names, posenc.ErrUnsupported, loaders.Reasons(refused))
			}
		}
		g.Portable = true
	case loaders.ORT:
		g.Attention = onnxops.AttentionORT
	case loaders.Older:
		g.Opset = lower.Oldest
	}
	return nil
}

// refusedOf are those of the loaders that refuse a form.
func refusedOf(names []string, form string) []loaders.Verdict {
	return slices.DeleteFunc(loaders.Missing(loaders.Judge(form, ""), names), func(v loaders.Verdict) bool { return v.Outcome != loaders.Refused })
}

// web puts the graph where transformers.js looks for it. Others are told a graph's
// path, but for onnxruntime-genai, which wants it beside its configuration, and
// onnx, which takes no weights in a file of two names.
func (f *forFlags) web(o *convert.Options, g *onnxops.Options) error {
	if slices.Contains(f.graphs, "genai") {
		return fmt.Errorf("--for transformers.js,genai: one looks for onnx/model.onnx, the other for %s beside the graph: %w; write once for each", onnxops.GenAIFile, posenc.ErrUnsupported)
	}
	formed := g.Formed()
	name, ok := loaders.Web(formed.DType, formed.Weights)
	if !ok {
		return fmt.Errorf("--for transformers.js: it has no name for a graph of --dtype %s with --weights %s: %w; leave it out, or choose another of the two", formed.DType, formed.Weights, posenc.ErrUnsupported)
	}
	o.WebName = name.Name
	g.Folder = onnxops.FolderWeb
	if g.Placement == "" && (g.Linear == onnxops.LinearMatMul || slices.Contains(f.graphs, "onnx") || slices.Contains(f.graphs, "optimum")) {
		g.Placement = onnxops.PlaceExternalCopy
	}
	if g.Rounds() && g.Placement == onnxops.PlaceExternal {
		return fmt.Errorf("--for transformers.js: --placement external with --weights %s: what is rounded lies in a file of the graph's own, and transformers.js calls that as it would the checkpoint's: %w; leave --placement out", formed.Weights, posenc.ErrUnsupported)
	}
	o.WebWeights = cmp.Or(g.Placement, map[bool]string{true: onnxops.PlaceExternalCopy, false: onnxops.PlaceExternal}[g.Rounds()])
	return nil
}

// fileNotes says how llama.cpp comes by its file, where a folder is written for it.
func fileNotes(names []string, format string) []string {
	if format == convert.GGUF || !slices.Contains(names, "llama.cpp") {
		return nil
	}
	return []string{"llama.cpp reads this folder through its converter, convert_hf_to_gguf.py; -o NAME.gguf writes its file directly"}
}

// runtimeNotes say the least ONNX Runtime of a graph where a program that brings one, or
// takes the one that is installed, is named.
func runtimeNotes(names []string, r onnxops.Runtime) []string {
	if !slices.ContainsFunc(names, func(name string) bool { return slices.Contains([]string{"onnxruntime", "genai", "optimum"}, name) }) {
		return nil
	}
	return []string{"the graph's numbers need ONNX Runtime " + r.String()}
}

// stands refuses a loader that does not take a result for another reason than the
// form of its graph: one that goes by config.json's model type, and onnxruntime-genai
// where its configuration could not be written. files and notes are the graph's.
func stands(names []string, p *convert.Plan, files, notes []string) error {
	for _, name := range names {
		for _, form := range p.BesideGraph() {
			v, err := loaders.Beside(name, form, p.Encoding.Family)
			if err != nil {
				return fmt.Errorf("--for: %w", err)
			}
			advice := "leave it out"
			switch {
			case v.Outcome != loaders.Refused:
				continue
			case form == loaders.Own:
				advice += ", or convert to what stock configurations say (hope, p-rope, nope)"
			case form == loaders.BFloat16:
				advice += ", or save the source in float16 or float32 first"
			}
			return fmt.Errorf("--for %s: %s: %w; %s", name, v.Note, posenc.ErrUnsupported, advice)
		}
	}
	if !slices.Contains(names, "genai") || slices.Contains(files, onnxops.GenAIFile) {
		return nil
	}
	why := "no " + onnxops.GenAIFile
	for _, n := range notes {
		if strings.HasPrefix(n, why) {
			why = n
		}
	}
	return fmt.Errorf("--for genai: %s: %w; leave genai out, or choose another encoding", why, posenc.ErrUnsupported)
}

// graphForm is the form of graph that options make.
func graphForm(g onnxops.Options) string {
	switch {
	case g.Attention == onnxops.AttentionORT:
		return loaders.ORT
	case g.Opset != 0 && g.Opset < lower.Current:
		return loaders.Older
	case g.Portable:
		return loaders.Portable
	}
	return loaders.Standard
}
