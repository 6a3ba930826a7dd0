package families

import (
	"slices"

	"github.com/pecvt/pecvt/convert/family"
)

// How checkpoints name the tensors of a language model inside: as transformers 4.52 and
// later hold it, as those before it and the files that every version writes do, and as a
// language model by itself, its head outside.
var (
	inModel    = family.Spelling{Base: "model.language_model.", Head: "lm_head"}
	asModel    = family.Spelling{Base: "language_model.model.", Head: "language_model.lm_head"}
	inText     = family.Spelling{Base: "model.text_model.", Head: "lm_head"}
	byItself   = family.Spelling{Base: "model.", Head: "lm_head"}
	llavaNames = []family.Spelling{asModel, inModel}
)

// llavaParts are the other tensors of models whose parts are named as LLaVA's.
var llavaParts = []string{"vision_tower.", "multi_modal_projector.", "model.vision_tower.", "model.multi_modal_projector.", "image_newline", "model.image_newline"}

// visualParts are those of Qwen's.
var visualParts = []string{"visual.", "model.visual."}

// connectedParts are those of Idefics 3's.
var connectedParts = []string{"model.vision_model.", "model.connector."}

// qwenOwn are the keys of Qwen's first models of vision that stand beside those of the
// language model.
var qwenOwn = []string{"vision_config", "architectures", "image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id", "vision_token_id"}

// plain are the language models that LLaVA and its kin are published with.
var plain = texts("llama", "mistral", "qwen2", "qwen3")

// classSizes are the sizes of configuration classes of transformers 5.24, of those
// whose published files leave them out of text_config.
var classSizes = map[string]string{
	"llama":       `{"vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32, "max_position_embeddings": 2048, "rms_norm_eps": 1e-06, "hidden_act": "silu"}`,
	"mistral":     `{"vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 131072, "rms_norm_eps": 1e-06, "hidden_act": "silu"}`,
	"gemma3_text": `{"vocab_size": 262208, "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26, "num_attention_heads": 8, "num_key_value_heads": 4}`,
}

func texts(names ...string) []family.Text {
	var list []family.Text
	for _, name := range names {
		list = append(list, family.Text{ModelType: name, Defaults: classSizes[name]})
	}
	return list
}

// as is a language model whose text is computed as that of another family.
func as(name, of string) []family.Text {
	return []family.Text{{ModelType: name, Family: of}}
}

// wrappers are the models with a language model inside that pecvt reads.
var wrappers = []family.Wrapper{
	{ModelType: "gemma3", Architecture: "Gemma3ForConditionalGeneration", Texts: texts("gemma3_text"), Spellings: llavaNames, Beside: llavaParts, Tied: true},
	{ModelType: "mistral3", Architecture: "Mistral3ForConditionalGeneration", Texts: texts("mistral", "ministral3"), Spellings: llavaNames, Beside: llavaParts, Tied: true},
	{ModelType: "llava", Architecture: "LlavaForConditionalGeneration", Texts: plain, Spellings: llavaNames, Beside: llavaParts},
	{ModelType: "llava_next", Architecture: "LlavaNextForConditionalGeneration", Texts: plain, Spellings: llavaNames, Beside: llavaParts},
	{ModelType: "llava_onevision", Architecture: "LlavaOnevisionForConditionalGeneration", Texts: texts("qwen2", "qwen3"), Spellings: llavaNames, Beside: llavaParts},
	{ModelType: "internvl", Architecture: "InternVLForConditionalGeneration", Texts: texts("qwen2", "qwen3", "llama"), Spellings: llavaNames, Beside: llavaParts, Tied: true},
	{ModelType: "aya_vision", Architecture: "AyaVisionForConditionalGeneration", Texts: texts("cohere2"), BareLogits: true, Spellings: llavaNames, Beside: llavaParts, Tied: true},
	{ModelType: "cohere2_vision", Architecture: "Cohere2VisionForConditionalGeneration", Texts: texts("cohere2"), BareLogits: true, Spellings: []family.Spelling{inModel, asModel}, Beside: llavaParts, Tied: true},
	{ModelType: "lfm2_vl", Architecture: "Lfm2VlForConditionalGeneration", Texts: texts("lfm2"), Spellings: []family.Spelling{inModel}, Beside: llavaParts, Tied: true},
	{ModelType: "qwen2_vl", Architecture: "Qwen2VLForConditionalGeneration", Texts: as("qwen2_vl_text", "qwen2"), Spellings: []family.Spelling{byItself, inModel}, Beside: visualParts, Flat: true, Own: qwenOwn},
	{ModelType: "qwen2_5_vl", Architecture: "Qwen2_5_VLForConditionalGeneration", Texts: as("qwen2_5_vl_text", "qwen2"), Spellings: []family.Spelling{byItself, inModel}, Beside: visualParts, Flat: true, Own: qwenOwn},
	{ModelType: "qwen3_vl", Architecture: "Qwen3VLForConditionalGeneration", Texts: as("qwen3_vl_text", "qwen3"), Spellings: []family.Spelling{inModel}, Beside: visualParts},
	{ModelType: "idefics3", Architecture: "Idefics3ForConditionalGeneration", Texts: texts("llama"), Spellings: []family.Spelling{inText}, Beside: connectedParts},
	{ModelType: "smolvlm", Architecture: "SmolVLMForConditionalGeneration", Texts: texts("llama"), Spellings: []family.Spelling{inText}, Beside: connectedParts},
}

// Wrappers returns the models of vision whose language model is read.
func Wrappers() []family.Wrapper { return slices.Clone(wrappers) }
