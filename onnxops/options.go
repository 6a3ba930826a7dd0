package onnxops

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/loaders"
	"github.com/pecvt/pecvt/convert/quant/nearest"
	"github.com/pecvt/pecvt/convert/quant/widths"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/headtables"
	"github.com/pecvt/pecvt/onnxops/lower"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// Forms of attention.
const (
	// AttentionStandard uses Attention of opset 23: any runtime.
	AttentionStandard = "standard"
	// AttentionORT uses com.microsoft GroupQueryAttention: ONNX Runtime and
	// onnxruntime-genai only.
	AttentionORT = "ort"
)

// Forms of a bias.
const (
	// BiasAuto is BiasLowered where a bias has that form, else BiasMask.
	BiasAuto = "auto"
	// BiasLowered puts a bias into extra coordinates of queries and keys, so that
	// no tensor of sequence × total is made for it and keys are cached with theirs.
	BiasLowered = "lowered"
	// BiasMask adds a bias to the mask, (batch, heads, sequence, total) in float32.
	BiasMask = "mask"
	// BiasFused leaves bias and mask to an operator that is the attention too
	// (RelativeAttention, PathAttention, PathIntegralAttention): for a library of
	// kernels. Elsewhere its body runs, which makes what BiasMask does.
	BiasFused = "fused"
)

// Forms of the linear maps.
const (
	// LinearGemm is Gemm on the weights as they are stored.
	LinearGemm = "gemm"
	// LinearMatMul is MatMul on float32 copies of them, transposed: what the tools
	// that quantise weights look for.
	LinearMatMul = "matmul"
)

// What a graph carries from token to token.
const (
	// CacheFull is keys and values as they meet in the score, of every head.
	CacheFull = "full"
	// CacheLatent is what they are made of: latent attention's alone.
	CacheLatent = "latent"
)

// What logits a graph gives, Options.Logits.
const (
	// LogitsAll are those of every token: (batch, sequence, vocabulary).
	LogitsAll = "all"
	// LogitsLast are those of each row's last token in a call, by attention_mask:
	// (batch, 1, vocabulary).
	LogitsLast = "last"
)

// Places of the weights, Options.Placement.
const (
	// PlaceExternal points into the checkpoint's safetensors files, which must
	// lie in the model's folder as files or hard links.
	PlaceExternal = "external"
	// PlaceExternalCopy copies them to model.onnx.data.
	PlaceExternalCopy = "external-copy"
	// PlaceEmbed puts them into model.onnx itself, up to 2 GiB.
	PlaceEmbed = "embed"
)

// What the weights in a graph are, Options.Weights.
const (
	// WeightsStored is what is stored: floats in their type, and codes where operators
	// can compute with them.
	WeightsStored = "stored"
	// WeightsFloat32 is stored floats, and the numbers that stored codes mean.
	WeightsFloat32 = "float32"
	// WeightsInt8 and WeightsInt4 are codes of 8 and 4 bits, to which the weights of
	// linear maps and embeddings are rounded; see [Coding].
	WeightsInt8 = "int8"
	WeightsInt4 = "int4"
)

// What enters a product with codes, Coding.Accuracy.
const (
	// AccuracyFloat32 leaves it as it is.
	AccuracyFloat32 = "float32"
	// AccuracyInt8 has it rounded to 8 bits by blocks (accuracy_level 4 of
	// MatMulNBits): a quarter of the time of a token, and off by 5e-3.
	AccuracyInt8 = "int8"
)

// What a graph computes in, Options.DType.
const (
	DTypeFloat32  = "float32"
	DTypeFloat16  = "float16"
	DTypeBFloat16 = "bfloat16"
)

// computing is the type of a DType.
var computing = map[string]graph.DType{DTypeFloat32: graph.Float, DTypeFloat16: graph.Float16, DTypeBFloat16: graph.BFloat16}

// Coding says how weights become codes, and how the graph computes with them.
type Coding struct {
	// Block is how many columns of a row share a scale: 32 (0), 64 or 128.
	Block int
	// ZeroPoints is nearest.ZeroFloat (""), ZeroCode or ZeroNone.
	ZeroPoints string
	// Head is what the embedding and the head are: widths.Auto (""), Stored, Int8 or Int4.
	Head string
	// Like, where not nil, has the numbers at which Auto looks, in the place of the
	// model's own: for a Sketch of what is not written yet.
	Like store.Store
	// Accuracy is AccuracyFloat32 ("") or AccuracyInt8.
	Accuracy string
	// Code gives a weight's rows in codes, nil for one that is rounded to the nearest; a
	// nil Code is nil of all.
	Code func(w family.Weight) RowCoder
	// Texts says what text Code was made by, for the graph's metadata.
	Texts string
}

// FolderWeb is the folder of transformers.js.
const FolderWeb = names.WebFolder

// Names of the files written.
const (
	ModelFile = names.GraphFile
	DataFile  = names.DataFile
	GenAIFile = "genai_config.json"
)

// Options chooses among the forms of a graph. The zero value is the standard
// form with zero-copy weights, over tables that are long enough for most uses.
type Options struct {
	Attention string // AttentionStandard ("") or AttentionORT
	Bias      string // BiasAuto (""), BiasLowered, BiasMask or BiasFused
	Linear    string // LinearGemm ("") or LinearMatMul
	Cache     string // CacheFull ("") or CacheLatent
	Logits    string // LogitsAll ("") or LogitsLast
	// DType is what the graph computes in, and keeps keys and values in: DTypeFloat32
	// (""), DTypeFloat16 or DTypeBFloat16. Positions, biases, routers and recurrences
	// stay float32, and so do the logits.
	DType string
	// Placement is PlaceExternal, PlaceExternalCopy or PlaceEmbed; "" is the
	// first, or the second where LinearMatMul asks for copies.
	Placement string
	// Weights is WeightsStored (""), WeightsFloat32, WeightsInt8 or WeightsInt4.
	Weights string
	// Coding is for the last two.
	Coding Coding
	// Folder is where the graph and what lies beside it go in the model's folder: ""
	// for beside config.json, or FolderWeb, with the names by which transformers.js
	// finds them: onnx/model.onnx, or that of its numbers (loaders.WebNames), its
	// weights in onnx/model.onnx_data, …_data_1, ….
	// With PlaceExternal those are the tensor files themselves, as reflinks, or
	// hard links where the file system cannot; config.json must say how many
	// (convert.Options.WebData).
	Folder string
	// Portable leaves out the model-local functions of domain ai.pecvt: their bodies
	// stand where they were called. Not with AttentionORT, an operator of its own.
	Portable bool
	// Opset is the operator set of ai.onnx, lower.Oldest to lower.Current, the
	// latter for 0. Below it what it lacks is written out, functions included.
	Opset int
	// MaxLength is the number of positions of the cos and sin tables; the model
	// turns as it does for sequences of that length. 0 is the model's
	// max_position_embeddings, at least 4096; where the rotation changes with the
	// length, the longest that runs as trained.
	MaxLength int
	// Sketch leaves the graph's own file of weights a hole of its size: for who wants
	// to know the sizes of a graph over weights that are not there yet.
	Sketch bool
	// Version is pecvt's version, for the model's metadata.
	Version string
	// Encoding names the positional encoding, for the metadata; empty is the
	// model's own name of it.
	Encoding string
}

// maxTableBytes bounds one table of cosines or sines; a model.onnx cannot be
// larger than 2 GiB as a whole.
const maxTableBytes = 512 << 20

// Check says which of the options are unknown, or do not go together; what depends
// on the model, Export says.
func (o Options) Check() error { return o.formed().checkForm() }

// Formed fills in the forms that are left to choose; what depends on the model stays.
func (o Options) Formed() Options { return o.formed() }

// formed fills in the forms that are left to choose.
func (o Options) formed() Options {
	if o.Attention == "" {
		o.Attention = AttentionStandard
	}
	if o.Bias == "" {
		o.Bias = BiasAuto
	}
	if o.Linear == "" {
		o.Linear = LinearGemm
	}
	if o.Cache == "" {
		o.Cache = CacheFull
	}
	if o.Logits == "" {
		o.Logits = LogitsAll
	}
	if o.DType == "" {
		o.DType = DTypeFloat32
	}
	if o.Placement == "" {
		o.Placement = PlaceExternal
		if o.Linear == LinearMatMul || o.Rounds() {
			o.Placement = PlaceExternalCopy
		}
	}
	if o.Weights == "" {
		o.Weights = WeightsStored
	}
	if o.Coding.Accuracy == "" {
		o.Coding.Accuracy = AccuracyFloat32
	}
	if o.Rounds() {
		o.Coding.Block = cmp.Or(o.Coding.Block, 32)
		o.Coding.ZeroPoints = cmp.Or(o.Coding.ZeroPoints, nearest.ZeroFloat)
		o.Coding.Head = cmp.Or(o.Coding.Head, widths.Auto)
	}
	if o.Opset == 0 {
		o.Opset = lower.Current
	}
	if o.narrow() && o.Bias == BiasAuto {
		o.Bias = BiasMask
	}
	return o
}

func (o Options) withDefaults(m *family.Model) (Options, error) {
	o = o.formed()
	if err := o.checkForm(); err != nil {
		return o, err
	}
	if o.MaxLength == 0 {
		var err error
		if o.MaxLength, err = tableLength(m); err != nil {
			return o, err
		}
	}
	if n := m.Selects(); n > 0 && o.MaxLength > n {
		return o, unsupported("onnx: maximum length %d, and a layer's indexer leaves %d keys to a query (index_topk): a graph sees all of them, which is right up to there; give "+hint.MaxLength+" %d or less", o.MaxLength, n, n)
	}
	if m.Quantised != nil && o.Folder != "" && o.Placement == PlaceExternal {
		return o, unsupported("onnx: quantised weights in a folder of the graph's own with " + hint.Placement + " external: their numbers lie in no file that it could link to; use " + hint.Placement + " external-copy")
	}
	if o.Version == "" {
		o.Version = "devel"
	}
	if o.Encoding == "" {
		o.Encoding = m.Encoding()
	}
	if o.MaxLength < 1 || o.MaxLength > math.MaxInt32 {
		return o, hint.Errorf("onnx: maximum length %d: expected 1 to 2147483647 positions; give such a number with "+hint.MaxLength, o.MaxLength)
	}
	for i, a := range m.Attentions() {
		planes := a.Rotary.Planes()
		if a.Phase != nil || a.Spectra != nil {
			planes = 0 // no table of every position
		}
		if n := int64(o.MaxLength) * int64(planes) * 4; n > maxTableBytes {
			return o, hint.Errorf("onnx: layer %d: a table of %d positions and %d planes takes %d bytes, at most %d fit: give a smaller "+hint.MaxLength,
				i, o.MaxLength, planes, n, maxTableBytes)
		}
	}
	var bytes, columns int64
	for _, t := range headtables.Of(m, o.MaxLength) {
		bytes, columns = bytes+t.Bytes(), columns+int64(t.Columns())
	}
	if bytes > maxTableBytes {
		return o, hint.Errorf("onnx: tables of %d positions and %d planes of all layers and heads take %d bytes, at most %d fit: give a smaller "+hint.MaxLength,
			o.MaxLength, columns, bytes, maxTableBytes)
	}
	return o, nil
}

// checkForm says which of the choices of operators do not go together.
func (o Options) checkForm() error {
	known := func(what, value string, list ...string) error {
		if slices.Contains(list, value) {
			return nil
		}
		return fmt.Errorf("onnx: %s %q%s", what, value, posenc.Suggest(value, list))
	}
	if err := cmp.Or(
		known("attention form", o.Attention, AttentionStandard, AttentionORT),
		known("bias form", o.Bias, BiasAuto, BiasLowered, BiasMask, BiasFused),
		known("linear form", o.Linear, LinearGemm, LinearMatMul),
		known("cache", o.Cache, CacheFull, CacheLatent),
		known("logits", o.Logits, LogitsAll, LogitsLast),
		known("type", o.DType, DTypeFloat32, DTypeFloat16, DTypeBFloat16),
		known("placement", o.Placement, PlaceExternal, PlaceExternalCopy, PlaceEmbed),
		known("weights", o.Weights, WeightsStored, WeightsFloat32, WeightsInt8, WeightsInt4),
		known("accuracy", o.Coding.Accuracy, AccuracyFloat32, AccuracyInt8),
		known("folder", o.Folder, "", FolderWeb),
	); err != nil {
		return err
	}
	if o.Rounds() {
		if err := o.Scheme().Check(); err != nil {
			return hint.Errorf("onnx: "+hint.Weights+" %s: %w", o.Weights, err)
		}
		if err := known("head", o.Coding.Head, widths.Heads()...); err != nil {
			return err
		}
	}
	switch {
	case !o.Rounds() && (o.Coding.Block != 0 || o.Coding.ZeroPoints != "" || o.Coding.Head != ""):
		return hint.Errorf("onnx: " + hint.Block + ", " + hint.ZeroPoints + " and " + hint.Head + " are of weights that are rounded; choose " + hint.Weights + " int4 or int8")
	case o.Rounds() && o.Linear == LinearMatMul:
		return hint.Errorf("onnx: "+hint.Weights+" %s with "+hint.Linear+" matmul: that form holds floats for other quantisers; leave one out", o.Weights)
	case o.Coding.Accuracy == AccuracyInt8 && (o.Weights == WeightsFloat32 || o.Linear == LinearMatMul || o.Portable):
		return hint.Errorf("onnx: " + hint.Accuracy + " int8 is of ONNX Runtime's products with codes: it needs " + hint.Weights + " int4 or int8, or codes of the checkpoint's own, and no " + hint.Portable)
	case o.Opset < lower.Oldest || o.Opset > lower.Current:
		return hint.Errorf("onnx: "+hint.Opset+" %d: expected %d to %d", o.Opset, lower.Oldest, lower.Current)
	case o.narrow() && o.Opset < lower.Current:
		return hint.Errorf("onnx: "+hint.DType+" %s with "+hint.Opset+" %d: operators that it lacks are written out in float32's; use %d", o.DType, o.Opset, lower.Current)
	case o.Folder == FolderWeb && o.graphFile() == "":
		return unsupported("onnx: "+hint.DType+" %s with "+hint.Weights+" %s in the folder of transformers.js, which has no name for such a graph: write it beside config.json, or choose another of the two", o.DType, o.Weights)
	case o.narrow() && o.Coding.Accuracy == AccuracyInt8:
		return hint.Errorf("onnx: "+hint.DType+" %s with "+hint.Accuracy+" int8: a product that rounds what enters it to 8 bits computes in float32 around that; leave one out", o.DType)
	case o.DType == DTypeBFloat16 && o.Bias == BiasFused:
		return hint.Errorf("onnx: " + hint.DType + " bfloat16 with " + hint.Bias + " fused: fused operators are defined for float32 and float16; use " + hint.Bias + " mask")
	case o.narrow() && o.Bias == BiasLowered:
		return hint.Errorf("onnx: "+hint.DType+" %s with "+hint.Bias+" lowered: 16 bits hold no coordinate of a position beside a key's; use "+hint.Bias+" mask", o.DType)
	case o.Linear == LinearMatMul && o.Placement == PlaceExternal:
		return hint.Errorf("onnx: " + hint.Linear + " matmul with " + hint.Placement + " external: transposed weights are copies, which the checkpoint's files do not hold; use " + hint.Placement + " external-copy or embed")
	case o.Cache == CacheLatent && o.Attention == AttentionORT:
		return hint.Errorf("onnx: " + hint.Cache + " latent with " + hint.Attention + " ort: GroupQueryAttention caches keys and values of one size; use " + hint.Attention + " standard")
	case o.Bias == BiasFused && o.Cache == CacheLatent:
		return hint.Errorf("onnx: " + hint.Bias + " fused with " + hint.Cache + " latent: a fused operator's cache is keys and values; use " + hint.Cache + " full")
	case o.Bias == BiasFused && o.inlined():
		return hint.Errorf("onnx: "+hint.Bias+" fused with "+hint.Portable+" or "+hint.Opset+" below %d: a fused operator is a function of the model; use "+hint.Bias+" auto", lower.Current)
	case o.Portable && o.Attention == AttentionORT:
		return hint.Errorf("onnx: " + hint.Portable + " with " + hint.Attention + " ort: GroupQueryAttention is ONNX Runtime's own operator; use " + hint.Attention + " standard")
	}
	return nil
}

// graphFile is the name of the graph's file, "" where its folder has none for it.
func (o Options) graphFile() string {
	if o.Folder != FolderWeb {
		return ModelFile
	}
	if name, ok := loaders.Web(o.DType, o.Weights); ok {
		return name.Graph()
	}
	return ""
}

// narrow tells whether it computes in 16 bits.
func (o Options) narrow() bool { return o.DType != DTypeFloat32 && o.DType != "" }

// inlined tells whether the graph has no functions. An older operator set is for
// runtimes that know none, and lacks what their bodies are made of.
func (o Options) inlined() bool { return o.Portable || o.Opset < lower.Current }

// unsupported marks err as something pecvt knows and does not do.
func unsupported(format string, args ...any) error {
	return hint.Errorf(format+": %w", append(args, posenc.ErrUnsupported)...)
}
