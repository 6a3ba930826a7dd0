package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/cmd/pecvt/words"
	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/quant/nearest"
	"github.com/pecvt/pecvt/convert/quant/widths"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/onnxops/lower"
	"github.com/pecvt/pecvt/posenc"
)

// rewriteFlags are the flags that decide a conversion.
type rewriteFlags struct {
	to, cut, scale, layout, spelling string
	slope, layers                    string
	trainLength, extend              int
	queryScale                       float64
	output, shard                    string
	linkFiles, copyFiles, hash       bool
	ignoreKeys                       []string
	format, ggufType                 string
}

func (f *rewriteFlags) register(cmd *cobra.Command) {
	var names []string
	for _, e := range posenc.Encodings() {
		names = append(names, e.Name)
	}
	flags := cmd.Flags()
	flags.StringVar(&f.to, "to", "", "target `ENCODING`: "+strings.Join(names, ", "))
	flags.StringVar(&f.cut, "cut", "paper", "planes hope drops: paper (θ <= 2π/L), k=N (keep N), max-phase=RADIANS (drop what turns less over L)")
	flags.StringVar(&f.scale, "scale", "", "context extension: pi:FACTOR or yarn:FACTOR")
	flags.IntVar(&f.extend, "extend", 0, "`N` times the trained length is to be reached: --calibrate fits layers for that (or --select with --scale reaches it), and max_position_embeddings says so")
	flags.Float64Var(&f.queryScale, "query-scale", 0, "`BETA` of a factor 1 + BETA ln(1 + ⌊t/L⌋) of queries at position t, which keeps attention sharp over more than L keys (with --extend or --scale; no stock key says it but ministral3's)")
	flags.StringVar(&f.slope, "slope", "", "what a hybrid's bias starts with: 0 (nothing: exact), alibi, or a number in score units per position (default 0)")
	flags.StringVar(&f.layers, "layers", "", "`KIND` of layers that change, by what their attention sees: all, full or sliding (default: all, but full where sliding ones turn by rope keys of their own)")
	flags.IntVar(&f.trainLength, "train-length", 0, "trained length L in positions (default: from config.json)")
	flags.StringVar(&f.layout, "layout", rewrite.Native, "native (stock spelling, weights untouched) or partial (kept planes first, partial rotary)")
	flags.StringVar(&f.spelling, "spelling", rewrite.Auto, "rope type of the native spelling: "+strings.Join(rewrite.Spellings(), ", "))
	f.registerOutput(cmd)
	flags.StringVar(&f.format, "format", "", "safetensors (a folder) or gguf (one file, -o FILE.gguf); default: gguf where --output ends in .gguf, or for a .gguf file")
	flags.StringVar(&f.ggufType, "gguf-type", "", "type of the matrices of a new GGUF file: "+strings.Join(convert.GGUFTypes(), ", ")+" (default: the source's); one made from a GGUF file keeps its own")
	complete(cmd, "format", convert.Formats())
	complete(cmd, "gguf-type", convert.GGUFTypes())
	complete(cmd, "to", names)
	complete(cmd, "cut", []string{"paper", "k=", "max-phase="})
	complete(cmd, "scale", []string{"pi:", "yarn:"})
	complete(cmd, "slope", []string{"0", "alibi"})
	complete(cmd, "layers", rewrite.LayerKinds())
	complete(cmd, "layout", rewrite.Layouts())
	complete(cmd, "spelling", rewrite.Spellings())
}

func (f *rewriteFlags) registerOutput(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&f.output, "output", "o", "", "target `DIR`, or the file of --format gguf (default: the model's name and the encoding)")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if cmd.Flags().Changed("output") && f.output == "" {
			return usagef("--output is empty: it names the target folder")
		}
		if cmd.Flags().Changed("slope") && f.slope == "" {
			return usagef("--slope is empty: expected 0 (no bias yet), alibi (a slope per head) or a positive number in score units per position")
		}
		if cmd.Flags().Changed("extend") && (f.extend < 2 || f.extend > rewrite.MostExtended) {
			return usagef("--extend %d: expected how many times the trained length is to be reached, 2 to %d", f.extend, rewrite.MostExtended)
		}
		if cmd.Flags().Changed("query-scale") && !(f.queryScale > 0 && f.queryScale <= family.MostQueryScale) {
			return usagef("--query-scale %v: expected a number above 0 and at most %d", f.queryScale, family.MostQueryScale)
		}
		if f.linkFiles && f.copyFiles {
			return usagef("--link and --copy exclude each other")
		}
		return nil
	}
	flags.BoolVar(&f.linkFiles, "link", false, "make tensor files that stay as they are hard links of the source's, as --no-onnx does (onnx 1.21 and later loads no graph that points into them)")
	flags.BoolVar(&f.copyFiles, "copy", false, "make them files of their own: reflinks where the file system can, else copies")
	flags.StringVar(&f.shard, "max-shard-size", "", "largest tensor file, such as 5GB (default: the source's files)")
	ignoreKeyFlag(cmd, &f.ignoreKeys)
	flags.BoolVar(&f.hash, "hash", false, "record the SHA-256 of the source's files in the manifest")
}

// placed says how a result comes to its place.
type placed struct{ force, durable bool }

func (p *placed) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&p.force, "force", false, "replace an existing target that pecvt wrote")
	cmd.Flags().BoolVar(&p.durable, "durable", false, "wait until the result is on the disk before it is put in its place: it outlasts a loss of power right after")
}

// place decides how tensor files that stay come to their place: links only where
// no graph points into them, unless asked for.
func (f *rewriteFlags) place(o *convert.Options, graph bool) {
	o.Link, o.Copy = f.linkFiles || !graph && !f.copyFiles, f.copyFiles
}

// ignoreKeyFlag is of every verb that reads a model.
func ignoreKeyFlag(cmd *cobra.Command, keys *[]string) {
	cmd.Flags().StringSliceVar(keys, "ignore-key", nil, "`KEY` of config.json that changes nothing of what the model computes: read as absent, left out of the result")
}

// options reads the flags into a plan's options.
func (f *rewriteFlags) options() (convert.Options, error) {
	o := convert.Options{To: f.to, TrainLength: f.trainLength, Layout: f.layout, Spelling: f.spelling, Extend: f.extend, QueryScale: f.queryScale, Slope: f.slope, Layers: f.layers,
		Format: f.format, GGUFType: f.ggufType, Output: f.output, Hash: f.hash, IgnoreKeys: f.ignoreKeys, ToolVersion: toolVersion(), Say: words.Say}
	if f.to == "" {
		var names []string
		for _, e := range posenc.Encodings() {
			names = append(names, e.Name)
		}
		return o, usagef("--to is missing: it names the target encoding (valid: %s)", strings.Join(names, ", "))
	}
	if _, err := posenc.FindEncoding(f.to); err != nil {
		return o, usageError{fmt.Errorf("--to: %w", err)}
	}
	for _, v := range []struct {
		flag, value string
		valid       []string
	}{{"format", f.format, convert.Formats()}, {"gguf-type", f.ggufType, convert.GGUFTypes()}} {
		if v.value != "" && !slices.Contains(v.valid, v.value) {
			return o, usagef("--%s %q%s", v.flag, v.value, posenc.Suggest(v.value, v.valid))
		}
	}
	var err error
	if o.Cut, err = posenc.ParseCut(f.cut); err != nil {
		return o, usageError{fmt.Errorf("--cut: %w", err)}
	}
	if o.Scale, err = posenc.ParseScale(f.scale); err != nil {
		return o, usageError{fmt.Errorf("--scale: %w", err)}
	}
	o.MaxShardSize, err = parseSize(f.shard)
	return o, err
}

// parseSize reads a number of bytes with an optional unit, as Hugging Face
// spells shard sizes: kB, MB, GB in steps of 1000, KiB, MiB, GiB of 1024.
func parseSize(s string) (int64, error) { return parseSizeOf("max-shard-size", s) }

// parseSizeOf is parseSize for another flag.
func parseSizeOf(flag, s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	i := strings.LastIndexAny(s, "0123456789.") + 1
	units := map[string]float64{"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
	unit, known := units[strings.ToLower(strings.TrimSpace(s[i:]))]
	n, err := posenc.ParseDecimal(strings.TrimSpace(s[:i]))
	if err != nil || !known || !(n*unit >= 1) || n*unit > math.MaxInt64/2 {
		return 0, usagef("--%s %q: expected a size such as 5GB, 500MB or 1GiB", flag, s)
	}
	return int64(n * unit), nil
}

// graphFlags are the flags of the ONNX graph.
type graphFlags struct {
	attention, placement, weights, bias, linear, cache string
	dtype, logits                                      string
	zeroPoints, accuracy, head                         string
	block                                              int
	maxLength, opset                                   int
	portable                                           bool
}

var (
	attentionForms = []string{onnxops.AttentionStandard, onnxops.AttentionORT}
	placements     = []string{onnxops.PlaceExternal, onnxops.PlaceExternalCopy, onnxops.PlaceEmbed}
	linearForms    = []string{onnxops.LinearGemm, onnxops.LinearMatMul}
	cacheForms     = []string{onnxops.CacheFull, onnxops.CacheLatent}
	weightKinds    = []string{onnxops.WeightsStored, onnxops.WeightsFloat32, onnxops.WeightsInt8, onnxops.WeightsInt4}
	dtypes         = []string{onnxops.DTypeFloat32, onnxops.DTypeFloat16, onnxops.DTypeBFloat16}
	logitsKinds    = []string{onnxops.LogitsAll, onnxops.LogitsLast}
	accuracies     = []string{onnxops.AccuracyFloat32, onnxops.AccuracyInt8}
	biasForms      = []string{onnxops.BiasAuto, onnxops.BiasLowered, onnxops.BiasMask, onnxops.BiasFused}
)

func (f *graphFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.attention, "attention", onnxops.AttentionStandard, "standard (opset-23 Attention, any runtime) or ort (GroupQueryAttention, with genai_config.json)")
	flags.StringVar(&f.placement, "placement", "", "where the weights lie: external (point into the safetensors file; the default), external-copy (the default of --linear matmul) or embed")
	flags.StringVar(&f.linear, "linear", onnxops.LinearGemm, "linear maps: gemm on the weights as they are stored, or matmul on transposed float32 copies, which quantisers look for")
	flags.StringVar(&f.bias, "bias", onnxops.BiasAuto, "additive biases: lowered (extra head coordinates), mask (S × T), fused (an operator of ai.pecvt that is the attention too: for --ops-lib), or auto (lowered where that form exists)")
	flags.StringVar(&f.cache, "cache", onnxops.CacheFull, "what the graph carries from token to token: full (keys and values of every head) or latent (what they are made of, of latent attention alone)")
	flags.StringVar(&f.weights, "weights", onnxops.WeightsStored, "what the weights are: stored (as the checkpoint has them, in codes where operators compute with them), float32 (the numbers that codes mean), or int8 or int4 (linear maps and embeddings rounded to codes that share a scale in blocks)")
	flags.IntVar(&f.block, "block", 0, "`COLUMNS` of a row that share a scale with --weights int4 or int8: 32, 64 or 128 (default 32)")
	flags.StringVar(&f.zeroPoints, "zero-points", "", "what each block of --weights int4 or int8 has beside its scale: float (its least number), uint8 (the code of 0) or none (default float)")
	flags.StringVar(&f.head, "head", "", "what embedding and head are with --weights int4 or int8: stored, int8, int4, or auto (a grid of 4 or 8 bits on which their numbers lie already, else as the maps; the default)")
	flags.StringVar(&f.accuracy, "accuracy", onnxops.AccuracyFloat32, "what enters a product with codes, of --weights int4 or int8 or as they are stored: float32 as it is, or int8, rounded by blocks and faster")
	flags.StringVar(&f.dtype, "dtype", onnxops.DTypeFloat32, "what the graph computes in and keeps keys and values in: float32, float16 or bfloat16; positions, biases, routers and recurrences stay float32")
	flags.StringVar(&f.logits, "logits", onnxops.LogitsAll, "which logits the graph gives: all (of every token) or last (of each row's last token in a call, which is what generating reads; the head and the last MLP are computed for that alone)")
	complete(cmd, "dtype", dtypes)
	complete(cmd, "logits", logitsKinds)
	complete(cmd, "zero-points", nearest.ZeroPoints())
	complete(cmd, "head", widths.Heads())
	complete(cmd, "accuracy", accuracies)
	complete(cmd, "block", []string{"32", "64", "128"})
	complete(cmd, "weights", weightKinds)
	complete(cmd, "attention", attentionForms)
	complete(cmd, "cache", cacheForms)
	complete(cmd, "bias", biasForms)
	complete(cmd, "linear", linearForms)
	complete(cmd, "placement", placements)
	flags.BoolVar(&f.portable, "portable", false, "write functions of ai.pecvt out in standard operators, for runtimes that expand none")
	flags.IntVar(&f.opset, "opset", lower.Current, fmt.Sprintf("operator set of ai.onnx, %d to %d; an older one has rotation, RMS norm and attention written out", lower.Oldest, lower.Current))
	flags.IntVar(&f.maxLength, "max-length", 0, "positions in the cos and sin tables (default: max_position_embeddings, at least 4096; the trained length where longrope has factors for longer ones)")
}

// unusedIn refuses flags of the graph where none is written: with --no-onnx, and in
// the format GGUF.
func unusedIn(cmd *cobra.Command, noONNX bool, format string) error {
	why := "--no-onnx"
	switch {
	case format == convert.GGUF:
		why = "--format gguf"
	case !noONNX:
		return nil
	}
	for _, name := range []string{"attention", "placement", "weights", "block", "zero-points", "head", "accuracy", "dtype", "logits", "bias", "linear", "cache", "max-length", "portable", "opset"} {
		if cmd.Flags().Changed(name) {
			return usagef("--%s has no use with %s: no graph is written", name, why)
		}
	}
	return nil
}

func (f *graphFlags) options(encoding string) (onnxops.Options, error) {
	if slices.Contains(placements, f.weights) {
		return onnxops.Options{}, usagef("--weights %s: what the weights are is %s; where they lie is --placement %s", f.weights, strings.Join(weightKinds, ", "), f.weights)
	}
	for _, v := range []struct {
		flag, value string
		valid       []string
	}{
		{"attention", f.attention, attentionForms},
		{"linear", f.linear, linearForms},
		{"cache", f.cache, cacheForms},
		{"placement", cmp.Or(f.placement, onnxops.PlaceExternal), placements},
		{"weights", f.weights, weightKinds},
		{"accuracy", f.accuracy, accuracies},
		{"dtype", f.dtype, dtypes},
		{"logits", f.logits, logitsKinds},
		{"zero-points", cmp.Or(f.zeroPoints, nearest.ZeroFloat), nearest.ZeroPoints()},
		{"head", cmp.Or(f.head, widths.Auto), widths.Heads()},
		{"bias", f.bias, biasForms},
	} {
		if !slices.Contains(v.valid, v.value) {
			return onnxops.Options{}, usagef("--%s %q%s", v.flag, v.value, posenc.Suggest(v.value, v.valid))
		}
	}
	if f.maxLength < 0 {
		return onnxops.Options{}, usagef("--max-length %d: expected a positive number", f.maxLength)
	}
	o := onnxops.Options{Attention: f.attention, Placement: f.placement, Weights: f.weights, Coding: onnxops.Coding{Block: f.block, ZeroPoints: f.zeroPoints, Head: f.head, Accuracy: f.accuracy}, Bias: f.bias, Linear: f.linear, Cache: f.cache, DType: f.dtype, Logits: f.logits, MaxLength: f.maxLength, Portable: f.portable, Opset: f.opset, Version: toolVersion(), Encoding: encoding}
	if f.opset == 0 { // which a program leaves to the library, and nobody types
		return o, usagef("--opset 0: expected %d to %d", lower.Oldest, lower.Current)
	}
	if err := o.Check(); err != nil {
		return o, usageError{err}
	}
	return o, nil
}
