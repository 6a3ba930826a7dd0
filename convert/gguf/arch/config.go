package arch

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/posenc"
)

// Described is what a header says of its model.
type Described struct {
	Arch  Arch
	Sizes Sizes
	// Config is the config.json that the metadata amount to.
	Config []byte
}

// Numbers reads the numbers of one of the file's small tensors.
type Numbers func(name string) ([]float32, error)

// Describe makes the configuration of a header. Every key of the architecture is
// read, known to change nothing, or an error that names it.
func Describe(h *gguf.Header, numbers Numbers) (*Described, error) {
	kv, ok := h.Find("general.architecture")
	if !ok {
		return nil, fmt.Errorf("general.architecture is missing: %w", gguf.ErrFormat)
	}
	name, err := kv.Text()
	if err != nil {
		return nil, fmt.Errorf("general.architecture: %w", errors.Join(err, gguf.ErrFormat))
	}
	a, err := Find(name)
	if err != nil {
		return nil, err
	}
	r := &reader{h: h, arch: a, config: map[string]any{"model_type": a.Family, "architectures": []string{a.Class}, "torch_dtype": "float32"}, read: map[string]bool{}}
	for key, value := range a.Fixed {
		r.config[key] = value
	}
	r.keys()
	for _, b := range a.Biases {
		r.config[b.Config] = r.hasTensor(b.Tensor)
	}
	r.config["tie_word_embeddings"] = !r.hasTensor("output.weight")
	r.plain()
	s := r.sizes()
	if len(r.errs) == 0 {
		r.rope(s, numbers)
	}
	if a.Adjust != nil && len(r.errs) == 0 {
		a.Adjust(r)
	}
	r.tokens()
	if len(r.errs) == 0 {
		r.unread()
	}
	if len(r.errs) > 0 {
		return nil, r.errs[0]
	}
	text, err := json.MarshalIndent(r.config, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	return &Described{Arch: r.arch, Sizes: s, Config: append(text, '\n')}, nil
}

// plain reads the keys that must have one value, and those that have no meaning
// for what is computed.
func (r *reader) plain() {
	if n, ok := r.size("expert_count"); ok && n != 0 {
		r.failf("%s.expert_count is %d: a mixture of experts: %w", r.arch.Name, n, posenc.ErrUnsupported)
	}
	if causal, ok := r.truth("attention.causal"); ok && !causal {
		r.failf("%s.attention.causal is false: %w", r.arch.Name, posenc.ErrUnsupported)
	}
	for _, key := range []string{"attention.sliding_window", "expert_used_count"} {
		if r.arch.Name == "phi3" && key == "attention.sliding_window" {
			continue // it says of itself what it has
		}
		if n, ok := r.size(key); ok && n != 0 {
			r.failf("%s.%s is %d: %w", r.arch.Name, key, n, posenc.ErrUnsupported)
		}
	}
	for _, key := range []string{"attention.scale", "logit_scale", "residual_scale", "embedding_scale", "attn_logit_softcapping", "final_logit_softcapping"} {
		if x, ok := r.real(key); ok && x != 0 {
			r.failf("%s.%s is %v: %w", r.arch.Name, key, x, posenc.ErrUnsupported)
		}
	}
	// The layout names how Q and K lay before the conversion; finetuned is said to
	// people.
	for _, key := range []string{"tensor_data_layout", "rope.scaling.finetuned", "pooling_type"} {
		r.skip(key)
	}
	if n, ok := r.size("context_length"); ok && (n == 0 || n > math.MaxInt32) {
		r.failf("%s.context_length is %d: expected 1 to %d positions: %w", r.arch.Name, n, math.MaxInt32, gguf.ErrFormat)
	}
	embd, ok := r.h.Tensor("token_embd.weight")
	if !ok || len(embd.Dims) != 2 {
		r.failf("tensor %q: expected a matrix of one row for each token: %w", "token_embd.weight", gguf.ErrFormat)
		return
	}
	r.config["vocab_size"] = embd.Dims[1]
	if n, ok := r.size("vocab_size"); ok && n != embd.Dims[1] {
		r.failf("%s.vocab_size is %d, and token_embd.weight has %d rows: %w", r.arch.Name, n, embd.Dims[1], gguf.ErrFormat)
	}
}

// sizes finds what the orders of rows depend on.
func (r *reader) sizes() Sizes {
	heads, ok := r.size("attention.head_count")
	hidden, _ := r.size("embedding_length")
	if !ok || heads == 0 {
		r.failf("%s.attention.head_count: expected a positive number: %w", r.arch.Name, gguf.ErrFormat)
		return Sizes{}
	}
	s := Sizes{Heads: heads, KVHeads: heads, HeadDim: hidden / heads}
	if kv, ok := r.size("attention.head_count_kv"); ok {
		s.KVHeads = kv
	}
	if s.KVHeads == 0 || heads%s.KVHeads != 0 {
		r.failf("%d heads with %d keys and values: expected a whole number of heads for each: %w", heads, s.KVHeads, gguf.ErrFormat)
		return Sizes{}
	}
	key, ok := r.size("attention.key_length")
	if value, also := r.size("attention.value_length"); also && ok && value != key {
		r.failf("%s.attention.key_length is %d and value_length %d: %w", r.arch.Name, key, value, posenc.ErrUnsupported)
	}
	if ok {
		s.HeadDim = key
	}
	switch r.arch.Name {
	case "llama", "qwen3", "smollm3":
		r.config["head_dim"] = s.HeadDim
	default:
		if s.HeadDim*heads != hidden {
			r.failf("%d heads of %d in a width of %d: %w", heads, s.HeadDim, hidden, posenc.ErrUnsupported)
		}
	}
	if s.HeadDim == 0 {
		r.failf("a head size of 0: %w", gguf.ErrFormat)
	}
	return s
}

// tokens carries the ids of the tokens that begin, end and fill a text.
func (r *reader) tokens() {
	for _, name := range []string{"bos", "eos", "pad"} {
		from := name
		if name == "pad" {
			from = "padding"
		}
		kv, ok := r.h.Find("tokenizer.ggml." + from + "_token_id")
		if !ok {
			continue
		}
		id, err := kv.Uint()
		if err != nil {
			r.failf("%s: %w", kv.Key, errors.Join(err, gguf.ErrFormat))
			continue
		}
		r.config[name+"_token_id"] = id
	}
}
