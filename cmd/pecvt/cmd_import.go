package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/convert"
)

func newImport(a *app) *cobra.Command {
	var output, shard string
	cmd := &cobra.Command{
		Use:   "import CHECKPOINT -o DIR",
		Short: "write a PyTorch checkpoint (.pt, .bin) as safetensors",
		Long: `import writes the tensors of a PyTorch checkpoint as safetensors, bit by bit, with
config.json and the tokenizer's files beside it. Nothing in the checkpoint is
run: a pickle that asks for more than torch's own tensors is refused by name.

CHECKPOINT is a .pt or .bin file, a *.bin.index.json, or a folder that holds
pytorch_model.bin or its index.`,
		Example: `  pecvt import path/to/model -o model
  pecvt import pytorch_model.bin -o model --max-shard-size 5GB`,
		Args: exactly("CHECKPOINT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if output == "" {
				return usagef("import: -o DIR is missing: the folder to write")
			}
			size, err := parseSize(shard)
			if err != nil {
				return err
			}
			u := newUI(a, cmd.ErrOrStderr())
			defer u.close()
			r, err := convert.Import(cmd.Context(), args[0], output, size, func(done, total int64) { u.bytes("importing", done, total) })
			if err != nil {
				return err
			}
			u.close()
			if a.json {
				return printJSON(cmd, r)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "imported   %d tensors, %s, into %s (%d files)\n", r.Tensors, bytesText(r.Bytes), r.Output, len(r.Files))
			return err
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "target `DIR`; nothing in it is replaced")
	cmd.Flags().StringVar(&shard, "max-shard-size", "", "largest tensor file, such as 5GB (default: one file)")
	return cmd
}
