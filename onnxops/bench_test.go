package onnxops

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
)

// smolLM2 is the configuration of SmolLM2-135M.
const smolLM2 = `{
 "architectures": ["LlamaForCausalLM"], "model_type": "llama",
 "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
 "num_attention_heads": 9, "num_key_value_heads": 3, "vocab_size": 49152,
 "max_position_embeddings": 8192, "rope_theta": 100000.0, "rms_norm_eps": 1e-05,
 "tie_word_embeddings": true, "bos_token_id": 1, "eos_token_id": 2,
 "hidden_act": "silu", "torch_dtype": "bfloat16", "attention_bias": false, "mlp_bias": false
}`

// sparseSmolLM2 makes a checkpoint of SmolLM2-135M's tensors, all zero, in a
// file with a hole for data.
func sparseSmolLM2(b *testing.B) (*family.Model, *safetensors.Checkpoint) {
	b.Helper()
	var infos []safetensors.Info
	add := func(name string, shape ...int64) {
		infos = append(infos, safetensors.Info{Name: name, DType: tensor.BF16, Shape: shape})
	}
	add("model.embed_tokens.weight", 49152, 576)
	for i := range 30 {
		p := fmt.Sprintf("model.layers.%d.", i)
		add(p+"input_layernorm.weight", 576)
		add(p+"self_attn.q_proj.weight", 576, 576)
		add(p+"self_attn.k_proj.weight", 192, 576)
		add(p+"self_attn.v_proj.weight", 192, 576)
		add(p+"self_attn.o_proj.weight", 576, 576)
		add(p+"post_attention_layernorm.weight", 576)
		add(p+"mlp.gate_proj.weight", 1536, 576)
		add(p+"mlp.up_proj.weight", 1536, 576)
		add(p+"mlp.down_proj.weight", 576, 1536)
	}
	add("model.norm.weight", 576)
	infos, err := safetensors.Layout(infos)
	if err != nil {
		b.Fatal(err)
	}
	header, err := safetensors.Header(infos, nil)
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	path := filepath.Join(dir, "model.safetensors")
	if err := os.WriteFile(path, header, 0o644); err != nil {
		b.Fatal(err)
	}
	if err := os.Truncate(path, int64(len(header))+infos[len(infos)-1].End); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(smolLM2), 0o644); err != nil {
		b.Fatal(err)
	}
	ckpt, err := safetensors.OpenCheckpoint(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ckpt.Close() })
	m, err := families.Load(ckpt)
	if err != nil {
		b.Fatal(err)
	}
	return m, ckpt
}

// BenchmarkExport writes model.onnx for SmolLM2-135M with zero-copy weights.
func BenchmarkExport(b *testing.B) {
	m, ckpt := sparseSmolLM2(b)
	for _, form := range []string{AttentionStandard, AttentionORT} {
		b.Run(form, func(b *testing.B) {
			dir := b.TempDir()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Write(dir, m, ckpt, Options{Attention: form}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
