package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/cmd/pecvt/garbage"
	"github.com/pecvt/pecvt/cmd/pecvt/words"
	"github.com/pecvt/pecvt/convert"
)

func newInspect(a *app) *cobra.Command {
	var ignore []string
	cmd := &cobra.Command{
		Use:   "inspect MODEL",
		Short: "show a checkpoint's family, sizes and planes",
		Long: `inspect reads headers and config.json (no weights) and prints the family, the
sizes, the positional encoding with its scaling, and a table of planes.

MODEL is a folder, a .safetensors file, a *.safetensors.index.json or a .gguf, or
the s3://, gs://, azblob:// or hf:// URL of one: docs/scale.md.`,
		Example: `  pecvt inspect path/to/model
  pecvt inspect llama.safetensors --json
  pecvt inspect s3://bucket/path/to/model`,
		Args: exactly("MODEL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.checkOnly {
				return nil
			}
			defer garbage.Frugal()()
			in, err := convert.InspectContext(cmd.Context(), args[0], ignore...)
			if err != nil {
				return err
			}
			words.All(in)
			if a.json {
				return printJSON(cmd, in)
			}
			return writeInspection(cmd.OutOrStdout(), in)
		},
	}
	ignoreKeyFlag(cmd, &ignore)
	return cmd
}

// writeInside says whose language model is spoken of, where it does not stand alone.
func writeInside(w io.Writer, wrapper string) {
	if wrapper != "" {
		fmt.Fprintf(w, "inside of  %s: all of this is of its language model\n", wrapper)
	}
}

func writeInspection(w io.Writer, in *convert.Inspection) error {
	fmt.Fprintf(w, "model      %s: %s, %s, %d layers, hidden %d, %d heads, %d key/value heads, head size %d, vocabulary %d\n",
		in.Model, in.Family, in.DType, in.Layers, in.Hidden, in.Heads, in.KVHeads, in.HeadDim, in.Vocab)
	writeInside(w, in.InsideOf)
	fmt.Fprintf(w, "size       %s parameters, %s in %d file(s)", count(in.Parameters), bytesText(in.Bytes), len(in.Files))
	for _, q := range in.Quantised {
		fmt.Fprintf(w, ", %d weights quantised (%s)", q.Weights, q.Format)
	}
	if in.Tied {
		fmt.Fprint(w, ", tied embeddings")
	}
	if in.Window > 0 {
		fmt.Fprintf(w, ", sliding window %d", in.Window)
	}
	if in.Rope.Type == "" {
		fmt.Fprintf(w, "\nencoding   %s, rotary dimension %d of %d", in.Encoding, in.Rope.RotaryDim, in.HeadDim)
	} else {
		fmt.Fprintf(w, "\nencoding   rope type %s, base %v, rotary dimension %d of %d (%s)", in.Rope.Type, in.Rope.Theta, in.Rope.RotaryDim, in.HeadDim, in.Rope.Pairing)
	}
	if in.Rope.Factor != 0 {
		fmt.Fprintf(w, ", factor %v", in.Rope.Factor)
	}
	if in.Rope.AttentionFactor != 1 {
		fmt.Fprintf(w, ", attention factor %.6g", in.Rope.AttentionFactor)
	}
	if k := in.Kernel; k != nil {
		fmt.Fprintf(w, "\nkernel     %s, r1 %.5g, r2 %.5g", k.Form, k.R1, k.R2)
	}
	if in.Slopes != nil {
		fmt.Fprintf(w, "\nslopes     %.5g", in.Slopes)
	}
	if in.QueryScale != nil {
		fmt.Fprintf(w, "\nqueries    times %v", in.QueryScale)
	}
	fmt.Fprintf(w, "\nlength     L = %d (%s), max_position_embeddings %d\n", in.TrainedLength, in.TrainedLengthFrom, in.MaxPositions)
	if in.Graph != nil {
		fmt.Fprintf(w, "graph      %s\n", in.Graph)
	}
	writeReaders(w, in.Readers, false)
	for _, warning := range in.Warnings {
		fmt.Fprintf(w, "warning    %s\n", warning)
	}
	if len(in.Planes) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	return writePlanes(w, in.Planes)
}

// writePlanes prints the table of planes.
func writePlanes(w io.Writer, planes []convert.Plane) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "PLANE\tTHETA\tWAVELENGTH\tWAVELENGTH/L\tROTATIONS OVER L\tBAND\tPAPER'S CUT\t")
	for _, p := range planes {
		cut := "dropped"
		if p.Kept {
			cut = "kept"
		}
		length, over := "-", "-"
		if p.InvFreq != 0 {
			length, over = fmt.Sprintf("%.5g", p.Wavelength), fmt.Sprintf("%.4g", p.WavelengthOverL)
		}
		fmt.Fprintf(t, "%d\t%.6g\t%s\t%s\t%.4g\t%s\t%s\t\n", p.Plane, p.InvFreq, length, over, p.Rotations, p.Band, cut)
	}
	return t.Flush()
}

// count writes a number of parameters as the field does: 135M, 1.1B.
func count(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.2fB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1fM", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1fK", float64(n)/1e3)
	}
	return fmt.Sprint(n)
}

// bytesText writes a number of bytes in decimal units.
func bytesText(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.2f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d bytes", n)
}
