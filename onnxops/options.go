package onnxops

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
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
)

// Places for the weights.
const (
	// WeightsExternal points into the checkpoint's safetensors files, which must
	// lie in the model's folder as files or hard links.
	WeightsExternal = "external"
	// WeightsExternalCopy copies them to model.onnx.data.
	WeightsExternalCopy = "external-copy"
	// WeightsEmbed puts them into model.onnx itself, up to 2 GiB.
	WeightsEmbed = "embed"
)

// Names of the files written.
const (
	ModelFile = "model.onnx"
	DataFile  = "model.onnx.data"
	GenAIFile = "genai_config.json"
)

// Options chooses among the forms of a graph. The zero value is the standard
// form with zero-copy weights, over tables that are long enough for most uses.
type Options struct {
	Attention string // AttentionStandard ("") or AttentionORT
	Bias      string // BiasAuto (""), BiasLowered or BiasMask
	Weights   string // WeightsExternal (""), WeightsExternalCopy or WeightsEmbed
	// MaxLength is the number of positions of the cos and sin tables; the model
	// turns as it does for sequences of that length. 0 is the model's
	// max_position_embeddings, at least 4096; where the rotation changes with the
	// length, the longest that runs as trained.
	MaxLength int
	// Version is pecvt's version, for the model's metadata.
	Version string
	// Encoding names the positional encoding, for the metadata; empty is the
	// model's own name of it.
	Encoding string
}

// maxTableBytes bounds one table of cosines or sines; a model.onnx cannot be
// larger than 2 GiB as a whole.
const maxTableBytes = 512 << 20

func (o Options) withDefaults(m *family.Model) (Options, error) {
	if o.Attention == "" {
		o.Attention = AttentionStandard
	}
	if o.Bias == "" {
		o.Bias = BiasAuto
	}
	if o.Weights == "" {
		o.Weights = WeightsExternal
	}
	if o.MaxLength == 0 {
		var err error
		if o.MaxLength, err = tableLength(m); err != nil {
			return o, err
		}
	}
	if o.Version == "" {
		o.Version = "devel"
	}
	if o.Encoding == "" {
		o.Encoding = m.Encoding()
	}
	if a := o.Attention; a != AttentionStandard && a != AttentionORT {
		return o, fmt.Errorf("onnx: attention form %q: expected %q or %q", a, AttentionStandard, AttentionORT)
	}
	switch o.Bias {
	case BiasAuto, BiasLowered, BiasMask:
	default:
		return o, fmt.Errorf("onnx: bias form %q: expected %q, %q or %q", o.Bias, BiasAuto, BiasLowered, BiasMask)
	}
	switch o.Weights {
	case WeightsExternal, WeightsExternalCopy, WeightsEmbed:
	default:
		return o, fmt.Errorf("onnx: weights %q: expected %q, %q or %q", o.Weights, WeightsExternal, WeightsExternalCopy, WeightsEmbed)
	}
	if o.MaxLength < 1 || o.MaxLength > math.MaxInt32 {
		return o, hint.Errorf("onnx: maximum length %d: expected 1 to 2147483647 positions; give such a number with "+hint.MaxLength, o.MaxLength)
	}
	for i, a := range m.Attentions() {
		planes := a.Rotary.Planes()
		switch {
		case a.Phase != nil:
			planes = 0 // no table
		case a.Spectra != nil:
			planes *= len(a.Spectra.InvFreq)
		}
		if n := int64(o.MaxLength) * int64(planes) * 4; n > maxTableBytes {
			return o, hint.Errorf("onnx: layer %d: a table of %d positions and %d planes takes %d bytes, at most %d fit: give a smaller "+hint.MaxLength,
				i, o.MaxLength, planes, n, maxTableBytes)
		}
	}
	return o, nil
}

// unsupported marks err as something pecvt knows and does not do.
func unsupported(format string, args ...any) error {
	return hint.Errorf(format+": %w", append(args, posenc.ErrUnsupported)...)
}
