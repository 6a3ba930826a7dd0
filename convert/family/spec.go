package family

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/posenc"
)

// Spec is a model family as data. What data cannot say goes into Adjust.
type Spec struct {
	// Name is the family's name, ModelType the value of model_type in
	// config.json, Architecture the causal-LM class stock loaders use.
	Name, ModelType, Architecture string
	// Names are the stored names; "{i}" stands for the layer.
	Names Names
	// Norm is the kind of every norm outside the heads; EpsKey its ε.
	Norm   NormKind
	EpsKey string
	// QKVBias, OBias and MLPBias say which linears carry a bias.
	QKVBias, OBias, MLPBias BiasRule
	// QKNorm: queries and keys are RMS-normalised per head before the rotation.
	QKNorm bool
	// Window says where a sliding window is declared.
	Window WindowRule
	// HeadDim is the head size where head_dim is absent; 0 is hidden_size over
	// the heads.
	HeadDim int
	// Tied is tie_word_embeddings where the key is absent.
	Tied bool
	// Rope holds the defaults of rope_theta and partial_rotary_factor.
	Rope ropeDefaults
	// RopeTypes lists the rope types that the family's stock loader takes; nil
	// is all of them.
	RopeTypes []string
	// PartialLayout names the family whose layout can hold this one's weights
	// with a partial rotary dimension that stock loaders read: its own name
	// where its loaders do, empty if none.
	PartialLayout string
	// Adjust edits the model after the data was applied; may be nil.
	Adjust func(r *reader, m *Model)
}

// Names are templates of stored tensor names, without ".weight" or ".bias".
// QKV and GateUp are fused matrices: rows of Q, then K, then V; of gate, then
// up.
type Names struct {
	Embed, FinalNorm, Head        string
	AttnNorm, MLPNorm             string
	Q, K, V, QKV, O, QNorm, KNorm string
	Gate, Up, GateUp, Down        string
	// Ignore are stored buffers that carry no weight.
	Ignore []string
}

// BiasRule says whether linears have a bias: Always, or as the boolean key
// says (absent is false); the zero value is never.
type BiasRule struct {
	Always bool
	Key    string
}

// WindowRule says where a sliding window is declared: Key holds its size (an
// absent one is Default, null is none). Switch, where set, is a boolean key
// that must be true, and then only layers that layer_types calls
// sliding_attention have it, or those from max_window_layers (From, where
// absent) on. Without a Switch every layer has it.
type WindowRule struct {
	Key, Switch   string
	Default, From int
}

// checkRope refuses what the family's stock loader would not read as declared.
func (s Spec) checkRope(p posenc.RopeParams) error {
	if s.RopeTypes != nil && !slices.Contains(s.RopeTypes, p.Type) {
		return fmt.Errorf("rope type %q: loaders of family %s take %s alone: %w", p.Type, s.Name, strings.Join(s.RopeTypes, " and "), posenc.ErrUnsupported)
	}
	if p.Type == "default" && p.RotaryDim() != p.HeadDim && s.PartialLayout != s.Name {
		return fmt.Errorf("partial_rotary_factor %v: loaders of family %s disagree on it (transformers 5 ignores it where the rope type is \"default\", others read it): %w; remove the key if all %d coordinates turn", p.Partial, s.Name, posenc.ErrUnsupported, p.HeadDim)
	}
	return nil
}

// hfNames are the names most Hugging Face decoders use.
var hfNames = Names{
	Embed: "model.embed_tokens", FinalNorm: "model.norm", Head: "lm_head",
	AttnNorm: "model.layers.{i}.input_layernorm", MLPNorm: "model.layers.{i}.post_attention_layernorm",
	Q: "model.layers.{i}.self_attn.q_proj", K: "model.layers.{i}.self_attn.k_proj", V: "model.layers.{i}.self_attn.v_proj",
	O:    "model.layers.{i}.self_attn.o_proj",
	Gate: "model.layers.{i}.mlp.gate_proj", Up: "model.layers.{i}.mlp.up_proj", Down: "model.layers.{i}.mlp.down_proj",
	Ignore: []string{"model.layers.{i}.self_attn.rotary_emb.inv_freq"},
}

// with returns a copy of the names after an edit.
func (n Names) with(edit func(*Names)) Names {
	edit(&n)
	return n
}
