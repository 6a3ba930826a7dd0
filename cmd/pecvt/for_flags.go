package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/loaders"
	"github.com/pecvt/pecvt/onnxops"
)

// forFlags name the programs that must compute the result.
type forFlags struct {
	names  []string
	graphs []string // those that read a graph
	cmd    *cobra.Command
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
var graphForms = []string{loaders.Standard, loaders.ORT}

// pick chooses the form of graph that all named loaders run. A form that was
// asked for stays, with a warning that says who does not run it.
func (f *forFlags) pick(g *onnxops.Options) error {
	if len(f.graphs) == 0 {
		return nil
	}
	names := strings.Join(f.graphs, ",")
	if f.cmd.Flags().Changed("attention") {
		form := loaders.Standard
		if g.Attention == onnxops.AttentionORT {
			form = loaders.ORT
		}
		if missing := loaders.Missing(loaders.Judge(form, ""), f.graphs); len(missing) > 0 {
			fmt.Fprintf(f.cmd.ErrOrStderr(), "warning: --for %s: --attention %s was asked for, and not all run it (%s)\n", names, g.Attention, loaders.Reasons(missing))
		}
		return nil
	}
	form, err := loaders.PickGraph(f.graphs, "", graphForms...)
	if err != nil {
		return fmt.Errorf("--for %s: %w", names, err)
	}
	if form == loaders.ORT {
		g.Attention = onnxops.AttentionORT
	}
	return nil
}
