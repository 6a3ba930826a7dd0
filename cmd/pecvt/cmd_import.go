package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/convert"
)

func newImport(a *app) *cobra.Command {
	var opts convert.ImportOptions
	var output, shard string
	cmd := &cobra.Command{
		Use:   "import CHECKPOINT -o DIR",
		Short: "write a PyTorch checkpoint (.pt, .bin) or a GGUF file as safetensors",
		Long: `import writes the tensors of a PyTorch checkpoint as safetensors, bit by bit, with
config.json and the tokenizer's files beside it. Nothing in the checkpoint is
run: a pickle that asks for more than torch's own tensors is refused by name.

Of a GGUF file it writes the tensors with the family's names and order of rows,
config.json with the rotation, and tokenizer.json with its configuration and
chat template. Blocks of scaled codes become float32, which loses nothing; all
else keeps its type unless --dtype says another.

CHECKPOINT is a .pt, .bin or .gguf file, a *.bin.index.json, or a folder that
holds pytorch_model.bin or its index; a URL of one is fetched into a cache. DIR
may be the URL of a bucket's folder where nothing lies: all is made in the folder
for temporary files, then sent.`,
		Example: `  pecvt import path/to/model -o model
  pecvt import model.Q4_K_M.gguf -o model --dtype bfloat16
  pecvt import model.Q4_K_M.gguf -o s3://bucket/model`,
		Args: exactly("CHECKPOINT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if output == "" {
				return usagef("import: -o DIR is missing: the folder to write")
			}
			var err error
			if opts.MaxShardSize, err = parseSize(shard); err != nil {
				return err
			}
			if a.checkOnly {
				return nil
			}
			u := newUI(a, cmd.ErrOrStderr())
			defer u.close()
			opts.ToolVersion = toolVersion()
			opts.Progress = func(done, total int64) { u.bytes("importing", done, total) }
			if err := convert.CheckImport(cmd.Context(), args[0], output); err != nil { // known before anything is fetched
				return err
			}
			if err := fetched(cmd.Context(), u, &args[0]); err != nil {
				return err
			}
			r, err := convert.Import(cmd.Context(), args[0], output, opts)
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
	cmd.Flags().StringVarP(&output, "output", "o", "", "target `DIR` or URL; nothing in it is replaced")
	cmd.Flags().StringVar(&shard, "max-shard-size", "", "largest tensor file, such as 5GB (default: one file)")
	cmd.Flags().StringVar(&opts.DType, "dtype", "auto", "type of a GGUF file's tensors: "+strings.Join(convert.ImportDTypes(), ", "))
	cmd.Flags().BoolVar(&opts.NoTokenizer, "no-tokenizer", false, "leave a GGUF file's tokenizer out")
	return cmd
}
