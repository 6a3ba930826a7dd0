package mutants

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/posenc"
)

// Base is one conversion of a bundled checkpoint; mutants are planted into it.
type Base struct {
	// Name is unique; Model is the checkpoint's folder below testdata.
	Name, Model string
	// To is a value of --to, or as-is. Cut, Scale, Slope, Layout and Spelling are
	// the flags of the same names; empty is the default.
	To, Cut, Scale, Slope, Layout, Spelling string
	// Attention, Bias, Placement, Linear and Cache are the forms of the graph; empty is
	// the default, as 0 is of Opset.
	Attention, Bias, Placement, Linear, Cache string
	// DType is what the graph computes in, Logits which logits it gives.
	DType, Logits string
	// Weights, ZeroPoints and Head say how the weights are rounded.
	Weights, ZeroPoints, Head string
	Portable                  bool
	Opset                     int
	// MaxLength is the length of the tables, 0 for defaultMaxLength.
	MaxLength int
	// Extend and QueryScale are those of --extend and --query-scale, 0 for none.
	Extend     int
	QueryScale float64
	// Layers are those that are verified, without a source; nil is all of them.
	Layers []int
}

// defaultMaxLength leaves some rows of the tables past the longest prompt.
const defaultMaxLength = 600

// Bases lists the conversions that mutants are planted into.
func Bases() []Base {
	const asIs = rewrite.AsIs
	return []Base{
		{Name: "stories-hope", Model: "models/stories260K", To: "hope"},
		{Name: "stories-layers", Model: "models/stories260K", To: "hope", Layers: []int{1, 3}},
		{Name: "llama-rope", Model: "golden/llama-gqa", To: "rope"},
		{Name: "llama-rope-ort", Model: "golden/llama-gqa", To: "rope", Attention: onnxops.AttentionORT},
		{Name: "llama-hope", Model: "golden/llama-gqa", To: "hope"},
		{Name: "llama-hope-copy", Model: "golden/llama-gqa", To: "hope", Placement: onnxops.PlaceExternalCopy},
		{Name: "llama-hope-opset17", Model: "golden/llama-gqa", To: "hope", Opset: 17},
		{Name: "llama-hope-matmul", Model: "golden/llama-gqa", To: "hope", Linear: onnxops.LinearMatMul},
		{Name: "llama-hope-longrope", Model: "golden/llama-gqa", To: "hope", Spelling: "longrope"},
		{Name: "llama-hope-partial", Model: "golden/llama-gqa", To: "hope", Cut: "k=3", Layout: rewrite.Partial},
		{Name: "llama-hope-ab3", Model: "golden/llama-gqa", To: "hope-ab3"},
		{Name: "llama-yarn", Model: "golden/llama-gqa", To: "yarn", Scale: "yarn:4"},
		{Name: "llama-hope-far", Model: "golden/llama-gqa", To: "hope", Extend: 4},
		{Name: "llama-hope-scaled", Model: "golden/llama-gqa", To: "hope", Extend: 4, QueryScale: 0.3},
		{Name: "llama-hope-scaled-ort", Model: "golden/llama-gqa", To: "hope", Extend: 4, QueryScale: 0.3, Attention: onnxops.AttentionORT},
		{Name: "youtu-scaled-latent", Model: "families/youtu", To: "hope", Extend: 4, QueryScale: 0.3, Cache: onnxops.CacheLatent},
		{Name: "llama-pi", Model: "golden/llama-gqa", To: "pi", Scale: "pi:4"},
		{Name: "llama-grape-m", Model: "golden/llama-gqa", To: "grape-m"},
		{Name: "llama-basis", Model: "golden/llama-gqa", To: "grape-m:basis"},
		{Name: "llama-mixed", Model: "golden/llama-gqa", To: "grape-m:mixed"},
		{Name: "llama-rank2", Model: "golden/llama-gqa", To: "grape-m:rank2"},
		{Name: "qwen3-dense", Model: "golden/qwen3", To: "grape-m:dense"},
		{Name: "llama-hybrid", Model: "golden/llama-gqa", To: "hybrid:alibi", Slope: "alibi"},
		{Name: "llama3", Model: "golden/llama3-scaled", To: "rope"},
		{Name: "llama-sharded", Model: "golden/llama-sharded-f16", To: "rope"},
		{Name: "llama-tied", Model: "golden/llama-tied-bf16", To: "rope"},
		{Name: "mistral", Model: "golden/mistral", To: "rope"},
		{Name: "mistral-ort", Model: "golden/mistral", To: "rope", Attention: onnxops.AttentionORT},
		{Name: "qwen2", Model: "golden/qwen2", To: "rope"},
		{Name: "qwen3-hope", Model: "golden/qwen3", To: "hope"},
		{Name: "qwen3-ab3", Model: "golden/qwen3", To: "hope-ab3"},
		{Name: "phi3", Model: "golden/phi3", To: "rope"},
		{Name: "neox", Model: "golden/gpt-neox", To: "rope"},
		{Name: "smollm3", Model: "golden/smollm3", To: "rope"},
		{Name: "starcoder2", Model: "golden/starcoder2", To: "rope"},
		{Name: "granite", Model: "families/granite", To: "hope"},
		{Name: "lfm2", Model: "families/lfm2", To: "hope"},
		{Name: "bamba", Model: "families/bamba", To: "hope"},
		{Name: "falcon-h1", Model: "families/falcon_h1", To: "grape-m"},
		{Name: "falcon-h1-norm", Model: "families/falcon_h1-norm", To: "hope"},
		{Name: "granite-hybrid", Model: "families/granitemoehybrid", To: "p-rope"},
		{Name: "qwen3-next", Model: "families/qwen3_next", To: "hope"},
		{Name: "bailing", Model: "families/bailing_hybrid", To: "hope"},
		{Name: "olmo-hybrid", Model: "families/olmo_hybrid", To: "rope"},
		{Name: "minimax-whole", Model: "families/minimax-whole", To: "rope"},
		{Name: "minimax", Model: "families/minimax", To: "hope"},
		{Name: "recurrent-gemma", Model: "families/recurrent_gemma", To: "rope"},
		{Name: "mimo", Model: "families/mimo_v2_flash", To: "hope"},
		{Name: "gpt-oss", Model: "families/gpt_oss", To: "hope"},
		{Name: "gemma4", Model: "families/gemma4_text", To: "hope"},
		{Name: "afmoe", Model: "families/afmoe", To: "grape-m"},
		{Name: "youtu", Model: "families/youtu", To: "hope"},
		{Name: "deepseek-v3", Model: "families/deepseek_v3", To: "hope"},
		{Name: "deepseek-v2", Model: "families/deepseek_v2-groups", To: "rope"},
		{Name: "deepseek-v32", Model: "families/deepseek_v32", To: "hope", MaxLength: 64},
		{Name: "gemma4-moe", Model: "families/gemma4_text-moe", To: "hope"},
		{Name: "deepseek-v3-latent", Model: "families/deepseek_v3", To: "hope", Cache: onnxops.CacheLatent},
		{Name: "longcat-latent", Model: "families/longcat_flash", To: "rope", Cache: onnxops.CacheLatent},
		{Name: "longcat", Model: "families/longcat_flash", To: "hope"},
		{Name: "gemma", Model: "families/gemma", To: "rope"},
		{Name: "gemma2", Model: "families/gemma2", To: "rope"},
		{Name: "gemma3", Model: "families/gemma3_text", To: "hope"},
		{Name: "arcee", Model: "families/arcee", To: "rope"},
		{Name: "phi", Model: "families/phi", To: "rope"},
		{Name: "olmo", Model: "families/olmo", To: "rope"},
		{Name: "ministral3", Model: "families/ministral3", To: "rope"},
		{Name: "glm", Model: "families/glm", To: "hope"},
		{Name: "olmo3", Model: "families/olmo3", To: "hope"},
		{Name: "cohere2", Model: "families/cohere2", To: "rope"},
		{Name: "glm4-moe", Model: "families/glm4_moe", To: "hope"},
		{Name: "qwen3-moe", Model: "families/qwen3_moe", To: "rope"},
		{Name: "cohere-qknorm", Model: "families/cohere-qknorm", To: "hope"},
		{Name: "roformer", Model: "families/roformer", To: "grape-m"},
		{Name: "modernbert", Model: "families/modernbert-decoder", To: "hope"},
		{Name: "persimmon", Model: "families/persimmon", To: "rope"},
		{Name: "llama4", Model: "families/llama4_text", To: "hope"},
		{Name: "phimoe", Model: "families/phimoe", To: "rope"},
		{Name: "cohere2-moe", Model: "families/cohere2_moe", To: "rope"},
		{Name: "kolibri1", Model: "families/kolibri1", To: "rope"},
		{Name: "fp8", Model: "quantised/deepseek_v3-fp8", To: "hope"},
		{Name: "mxfp4", Model: "quantised/gpt_oss-mxfp4", To: "hope"},
		{Name: "awq", Model: "quantised/qwen2-awq", To: "hope"},
		{Name: "gptq-act", Model: "quantised/qwen2-gptq4-act", To: "rope"},
		{Name: "bitnet", Model: "quantised/bitnet-packed", To: "hope"},
		{Name: "int8", Model: "quantised/seed_oss-int8", To: "rope"},
		{Name: "gptq4", Model: "quantised/llama-gptq4", To: "rope", Placement: onnxops.PlaceEmbed},
		{Name: "int4", Model: "golden/llama-tied-bf16", To: "rope", Placement: onnxops.PlaceEmbed, Weights: onnxops.WeightsInt4},
		{Name: "int4-zeros", Model: "golden/llama-gqa", To: "rope", Placement: onnxops.PlaceEmbed, Weights: onnxops.WeightsInt4, ZeroPoints: "uint8"},
		{Name: "int4-ort", Model: "golden/llama-gqa", To: "rope", Attention: onnxops.AttentionORT, Weights: onnxops.WeightsInt4},
		{Name: "int4-ort-none", Model: "golden/llama-gqa", To: "rope", Attention: onnxops.AttentionORT, Weights: onnxops.WeightsInt4, ZeroPoints: "none"},
		{Name: "int4-head8", Model: "golden/llama-tied-bf16", To: "rope", Placement: onnxops.PlaceEmbed, Weights: onnxops.WeightsInt4, Head: "int8"},
		{Name: "int4-portable", Model: "golden/llama-tied-bf16", To: "rope", Placement: onnxops.PlaceEmbed, Weights: onnxops.WeightsInt4, Portable: true},
		{Name: "half", Model: "golden/llama-gqa", To: "hope", DType: onnxops.DTypeFloat16},
		{Name: "half-alibi", Model: "golden/bloom", To: "alibi", DType: onnxops.DTypeFloat16},
		{Name: "half-experts", Model: "families/qwen3_moe", To: "rope", DType: onnxops.DTypeFloat16},
		{Name: "last", Model: "golden/llama-gqa", To: "hope", Logits: onnxops.LogitsLast},
		{Name: "last-ort", Model: "golden/llama-gqa", To: "rope", Attention: onnxops.AttentionORT, Logits: onnxops.LogitsLast},
		{Name: "gguf", Model: "quantised/llama-gguf", To: "hope", Placement: onnxops.PlaceEmbed},
		{Name: "bloom", Model: "golden/bloom", To: "alibi"},
		{Name: "bloom-mask", Model: "golden/bloom-6heads", To: "alibi", Bias: onnxops.BiasMask},
		{Name: "bloom-mask-portable", Model: "golden/bloom-6heads", To: "alibi", Bias: onnxops.BiasMask, Portable: true},
		{Name: "bloom-fox", Model: "golden/bloom", To: "fox"},
		{Name: "bloom-grape-a", Model: "golden/bloom", To: "grape-a"},
		{Name: "bloom-grape-ap", Model: "golden/bloom", To: "grape-ap"},
		{Name: "bloom-kerple", Model: "golden/bloom-6heads", To: "kerple:power"},
		{Name: "bloom-kerple-log", Model: "golden/bloom-6heads", To: "kerple:log"},
		{Name: "llama-kerple", Model: "golden/llama-gqa", To: "hybrid:kerple:power", Slope: "alibi"},
		{Name: "llama-hybrid-fox", Model: "golden/llama-gqa", To: "hybrid:fox"},
		{Name: "sinks-alibi", Model: "families/gpt_oss", To: "hybrid:alibi", Slope: "0.3"},
		{Name: "mpt", Model: "golden/mpt", To: "alibi"},
		{Name: "grape-fox", Model: "golden/grape-fox", To: "fox"},
		{Name: "grape-a", Model: "golden/grape-a-querykeygated", To: asIs},
		{Name: "grape-ap", Model: "golden/grape-ap-v1", To: asIs},
		{Name: "grape-ap-kvshift", Model: "golden/grape-ap-v1-kvshift", To: asIs},
		{Name: "grape-a-fused", Model: "golden/grape-a-querykeygated", To: asIs, Bias: onnxops.BiasFused},
		{Name: "grape-fox-fused", Model: "golden/grape-fox", To: asIs, Bias: onnxops.BiasFused},
		{Name: "grape-ap-fused", Model: "golden/grape-ap-v1", To: asIs, Bias: onnxops.BiasFused},
		{Name: "grape-m", Model: "golden/grape-m-nonctx", To: asIs},
		{Name: "grape-m-ctx", Model: "golden/grape-m-ctx", To: asIs},
	}
}

// find returns a base by name.
func find(name string) (Base, error) {
	for _, b := range Bases() {
		if b.Name == name {
			return b, nil
		}
	}
	return Base{}, fmt.Errorf("mutants: no base %q", name)
}

// Source is the checkpoint's folder below testdata's.
func (b Base) Source(testdata string) string {
	return filepath.Join(testdata, filepath.FromSlash(b.Model))
}

// Convert writes the converted checkpoint, without a graph, into dir, which must
// not exist, and tells whether the rewrite is exact. Tensor files are copied:
// mutants change them.
func (b Base) Convert(ctx context.Context, testdata, dir string) (exact bool, err error) {
	o := convert.Options{To: b.To, Extend: b.Extend, QueryScale: b.QueryScale, Slope: b.Slope, Layout: b.Layout, Spelling: b.Spelling, Output: dir, Copy: true, ToolVersion: "mutants"}
	if b.Cut != "" {
		if o.Cut, err = posenc.ParseCut(b.Cut); err != nil {
			return false, err
		}
	}
	if o.Scale, err = posenc.ParseScale(b.Scale); err != nil {
		return false, err
	}
	plan, err := convert.NewPlan(b.Source(testdata), o)
	if err != nil {
		return false, fmt.Errorf("base %s: %w", b.Name, err)
	}
	if _, err := convert.Run(ctx, plan, convert.RunOptions{}); err != nil {
		return false, fmt.Errorf("base %s: %w", b.Name, err)
	}
	return plan.Rewrite().Kind == rewrite.Exact, nil
}

// length is the number of positions of the tables.
func (b Base) length() int {
	if b.MaxLength != 0 {
		return b.MaxLength
	}
	return defaultMaxLength
}

// Emit writes the graph of the checkpoint in dir.
func (b Base) Emit(dir string) error {
	_, err := onnxops.Emit(dir, onnxops.Options{Attention: b.Attention, Bias: b.Bias, Placement: b.Placement, Weights: b.Weights, Coding: onnxops.Coding{ZeroPoints: b.ZeroPoints, Head: b.Head}, Linear: b.Linear, Cache: b.Cache, DType: b.DType, Logits: b.Logits, Portable: b.Portable, Opset: b.Opset, MaxLength: b.length(), Version: "mutants"})
	return err
}
