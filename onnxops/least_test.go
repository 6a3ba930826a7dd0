package onnxops

import "testing"

// TestLeastRuntime: what testdata/tools/least_runtime.py measured of the versions that
// were run, on the same graphs: one before the version refuses the graph, or gives other
// numbers.
func TestLeastRuntime(t *testing.T) {
	for _, c := range []struct {
		model string
		o     Options
		want  string
	}{
		{"golden/llama-gqa", Options{}, "1.23.2"},
		{"golden/llama-gqa", Options{Portable: true}, "1.23.2"},
		{"golden/llama-gqa", Options{Opset: 21}, "1.22.1"},
		{"golden/llama-gqa", Options{Opset: 17}, "1.17.3"},
		{"golden/gpt-neox", Options{}, "1.24.4"},
		{"golden/gpt-neox", Options{Portable: true}, "1.24.4"},
		{"golden/gpt-neox", Options{Opset: 17}, "1.17.3"},
		{"golden/bloom", Options{Bias: BiasMask}, "1.23.2"},
		{"golden/bloom", Options{}, "1.23.2"},
		{"golden/grape-a-querykeygated", Options{}, "1.23.2"},
		{"golden/mistral", Options{}, "1.23.2"},
		{"families/ministral", Options{Attention: AttentionORT}, "1.24.4"},
		{"golden/llama-tied-bf16", Options{Attention: AttentionORT}, "1.23.2"},
		{"golden/llama-tied-bf16", Options{Weights: WeightsInt4}, "1.23.2"},
		{"golden/llama-tied-bf16", Options{Weights: WeightsInt4, Opset: 17}, "1.23.2"},
		{"families/deepseek_v3", Options{}, "1.24.4"},
		{"families/qwen3_next", Options{}, "1.24.4"},
		{"families/gpt_oss", Options{}, "1.23.2"},
		{"golden/llama-gqa", Options{DType: DTypeFloat16}, "1.26.0"},
		{"golden/llama-tied-bf16", Options{DType: DTypeFloat16, Attention: AttentionORT}, "1.23.2"},
		{"golden/llama-gqa", Options{DType: DTypeBFloat16}, ""},
	} {
		m, ckpt := load(t, c.model)
		c.o.MaxLength = 64
		r := leastRuntime(exportOne(t, m, ckpt, c.o))
		if r.Version != c.want || r.Why == "" {
			t.Errorf("%s %+v: %s, want %q", c.model, c.o, r, c.want)
		}
	}
}
