package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/cmd/pecvt/words"
	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/convert/rewrite"
)

func newExport(a *app) *cobra.Command {
	var f rewriteFlags
	var g graphFlags
	var t tuneFlags
	var who forFlags
	var as placed
	cmd := &cobra.Command{
		Use:   "export MODEL -o DIR",
		Short: "emit the ONNX graph of a checkpoint as it stands",
		Long: `export writes a folder with the checkpoint (unchanged), its sidecars and
model.onnx: the encoding stays what it is. The source is never touched. MODEL and
DIR may be URLs: docs/scale.md.`,
		Example: `  pecvt export path/to/model -o out
  pecvt export path/to/model -o out --attention ort --max-length 4096`,
		Args: exactly("MODEL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.output == "" {
				return usagef("export: -o DIR is missing: the folder to write")
			}
			if to, err := place.Parse(f.output); err == nil && strings.HasSuffix(strings.ToLower(to.Base()), ".gguf") {
				return usagef("export: -o %s: a folder is written, with the graph beside the checkpoint: choose another name", to)
			}
			graph, err := g.options("")
			if err != nil {
				return err
			}
			shard, err := parseSize(f.shard)
			if err != nil {
				return err
			}
			o := convert.Options{To: rewrite.AsIs, Format: convert.Safetensors, Output: f.output, Hash: f.hash, IgnoreKeys: f.ignoreKeys, MaxShardSize: shard, ToolVersion: toolVersion(), Say: words.Say}
			f.place(&o, true)
			if err := who.check(&o, true); err != nil {
				return err
			}
			if err := who.pick(&o, &graph); err != nil {
				return err
			}
			if err := t.checkExport(cmd, graph); err != nil {
				return err
			}
			return a.write(cmd, args[0], o, &graph, &t, who.warnings, as)
		},
	}
	f.registerOutput(cmd)
	g.register(cmd)
	t.registerRounding(cmd)
	who.register(cmd)
	as.register(cmd)
	return cmd
}
