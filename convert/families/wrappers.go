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
	ownNames   = []family.Spelling{inModel}
	qwenNames  = []family.Spelling{byItself, inModel}
)

// The other tensors, by what their names begin with; each stands behind "model." too.
var (
	llavaParts     = parts("vision_tower.", "multi_modal_projector.", "image_newline")
	visualParts    = parts("visual.")
	connectedParts = parts("vision_model.", "connector.")
	videoParts     = parts("image_tower.", "video_tower.", "multi_modal_projector.")
	soundParts     = parts("audio_tower.", "multi_modal_projector.")
	janusParts     = parts("vision_model.", "aligner.", "vqmodel.", "generation_embeddings.", "generation_aligner.", "generation_head.")
	omniParts      = parts("visual.", "audio_tower.")
	gemmaParts     = parts("vision_tower.", "embed_vision.", "audio_tower.", "embed_audio.", "vision_embedder.", "audio_embedder.")
)

func parts(names ...string) []string {
	for _, name := range slices.Clone(names) {
		names = append(names, "model."+name)
	}
	return names
}

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

// counted are language models whose configuration says how many tokens an image is.
func counted(names ...string) []family.Text {
	list := texts(names...)
	for i := range list {
		list[i].Change = func(s family.Spec) family.Spec {
			s.Reads = append(slices.Clone(s.Reads), "num_image_tokens")
			return s
		}
	}
	return list
}

// stackedExperts: the experts of a layer in one tensor, input by output, and their
// weights always normalised.
func stackedExperts(s family.Spec) family.Spec {
	s.Names = s.Names.With(func(n *family.Names) {
		n.ExpertGate, n.ExpertUp = "", ""
		n.ExpertGateUp, n.ExpertDown = "model.layers.{i}.mlp.experts.gate_up_proj", "model.layers.{i}.mlp.experts.down_proj"
	})
	experts := *s.Experts
	experts.Across, experts.Bare, experts.Normalise = true, true, family.Rule{Always: true}
	s.Experts = &experts
	s.Reads = append(slices.Clone(s.Reads), "norm_topk_prob")
	return s
}

// wrappers are the models with a language model inside that pecvt reads.
var wrappers = []family.Wrapper{
	{ModelType: "gemma3", Architecture: "Gemma3ForConditionalGeneration", Texts: texts("gemma3_text"), Spellings: llavaNames, Beside: llavaParts, Tied: true},
	{ModelType: "mistral3", Architecture: "Mistral3ForConditionalGeneration", Texts: texts("mistral", "ministral3"), Spellings: llavaNames, Beside: llavaParts, Tied: true},
	{ModelType: "llava", Architecture: "LlavaForConditionalGeneration", Texts: plain, Spellings: llavaNames, Beside: llavaParts, Ties: family.TiesEither},
	{ModelType: "llava_next", Architecture: "LlavaNextForConditionalGeneration", Texts: plain, Spellings: llavaNames, Beside: llavaParts},
	{ModelType: "llava_onevision", Architecture: "LlavaOnevisionForConditionalGeneration", Texts: texts("qwen2", "qwen3"), Spellings: llavaNames, Beside: llavaParts, Ties: family.TiesEither},
	{ModelType: "internvl", Architecture: "InternVLForConditionalGeneration", Texts: texts("qwen2", "qwen3", "llama"), Spellings: llavaNames, Beside: llavaParts, Tied: true},
	{ModelType: "aya_vision", Architecture: "AyaVisionForConditionalGeneration", Texts: texts("cohere2"), BareLogits: true, Spellings: llavaNames, Beside: llavaParts, Tied: true},
	{ModelType: "cohere2_vision", Architecture: "Cohere2VisionForConditionalGeneration", Texts: texts("cohere2"), BareLogits: true, Spellings: []family.Spelling{inModel, asModel}, Beside: llavaParts, Tied: true},
	{ModelType: "lfm2_vl", Architecture: "Lfm2VlForConditionalGeneration", Texts: texts("lfm2"), Spellings: ownNames, Beside: llavaParts, Tied: true},
	{ModelType: "qwen2_vl", Architecture: "Qwen2VLForConditionalGeneration", Texts: as("qwen2_vl_text", "qwen2"), Spellings: qwenNames, Beside: visualParts, Flat: true, Own: qwenOwn, Ties: family.TiesEither},
	{ModelType: "qwen2_5_vl", Architecture: "Qwen2_5_VLForConditionalGeneration", Texts: as("qwen2_5_vl_text", "qwen2"), Spellings: qwenNames, Beside: visualParts, Flat: true, Own: qwenOwn, Ties: family.TiesEither},
	{ModelType: "qwen3_vl", Architecture: "Qwen3VLForConditionalGeneration", Texts: as("qwen3_vl_text", "qwen3"), Spellings: ownNames, Beside: visualParts},
	{ModelType: "idefics3", Architecture: "Idefics3ForConditionalGeneration", Texts: texts("llama"), Spellings: []family.Spelling{inText}, Beside: connectedParts},
	{ModelType: "qwen3_vl_moe", Architecture: "Qwen3VLMoeForConditionalGeneration", Texts: []family.Text{{ModelType: "qwen3_vl_moe_text", Family: "qwen3_moe", Change: stackedExperts, EitherWay: true}}, Spellings: ownNames, Beside: visualParts},
	{ModelType: "qwen3_5", Architecture: "Qwen3_5ForConditionalGeneration", Texts: texts("qwen3_5_text"), Spellings: ownNames, Beside: append(visualParts, "mtp.")},
	{ModelType: "qwen3_5_moe", Architecture: "Qwen3_5MoeForConditionalGeneration", Texts: texts("qwen3_5_moe_text"), Spellings: ownNames, Beside: append(visualParts, "mtp.")},
	{ModelType: "qwen2_5_omni_thinker", Architecture: "Qwen2_5OmniThinkerForConditionalGeneration", Texts: as("qwen2_5_omni_text", "qwen2"), Spellings: qwenNames, Beside: omniParts},
	{ModelType: "llama4", Architecture: "Llama4ForConditionalGeneration", Texts: texts("llama4_text"), Spellings: llavaNames, Beside: parts("vision_model.", "multi_modal_projector."), Ties: family.TiesText},
	{ModelType: "gemma4", Architecture: "Gemma4ForConditionalGeneration", Texts: texts("gemma4_text"), Spellings: ownNames, Beside: gemmaParts, Tied: true},
	{ModelType: "gemma4_unified", Architecture: "Gemma4UnifiedForConditionalGeneration", Texts: texts("gemma4_unified_text"), Spellings: ownNames, Beside: gemmaParts, Tied: true},
	{ModelType: "kimi_k25", Architecture: "Kimi_K25ForConditionalGeneration", Texts: texts("deepseek_v3"), Spellings: llavaNames, Beside: parts("vision_tower.", "mm_projector."), Tied: true},
	{ModelType: "paligemma", Architecture: "PaliGemmaForConditionalGeneration", Texts: counted("gemma", "gemma2"), Causal: true, Spellings: llavaNames, Beside: llavaParts, Tied: true},
	{ModelType: "aria", Architecture: "AriaForConditionalGeneration", Texts: texts("aria_text"), Spellings: llavaNames, Beside: llavaParts},
	{ModelType: "voxtral", Architecture: "VoxtralForConditionalGeneration", Texts: texts("llama"), Spellings: llavaNames, Beside: soundParts, Ties: family.TiesNever},
	{ModelType: "qwen2_audio", Architecture: "Qwen2AudioForConditionalGeneration", Texts: texts("qwen2"), Spellings: llavaNames, Beside: soundParts, Ties: family.TiesNever},
	{ModelType: "granite_speech", Architecture: "GraniteSpeechForConditionalGeneration", Texts: texts("granite"), BareLogits: true, Spellings: llavaNames, Beside: parts("encoder.", "projector."), Tied: true},
	{ModelType: "got_ocr2", Architecture: "GotOcr2ForConditionalGeneration", Texts: texts("qwen2"), Spellings: llavaNames, Beside: llavaParts, Tied: true},
	{ModelType: "lighton_ocr", Architecture: "LightOnOcrForConditionalGeneration", Texts: texts("qwen3"), Spellings: ownNames, Beside: parts("vision_encoder.", "vision_projection."), Tied: true},
	{ModelType: "paddleocr_vl", Architecture: "PaddleOCRVLForConditionalGeneration", Texts: as("paddleocr_vl_text", "llama"), Spellings: qwenNames, Beside: parts("visual.", "mlp_AR."), Tied: true, Ties: family.TiesEither},
	{ModelType: "ovis2", Architecture: "Ovis2ForConditionalGeneration", Texts: texts("qwen2"), Spellings: ownNames, Beside: parts("vision_tower.", "visual_embeddings_table."), Tied: true},
	{ModelType: "fast_vlm", Architecture: "FastVlmForConditionalGeneration", Texts: texts("qwen2"), Spellings: ownNames, Beside: llavaParts, Ties: family.TiesEither},
	{ModelType: "idefics2", Architecture: "Idefics2ForConditionalGeneration", Texts: texts("mistral"), Spellings: []family.Spelling{inText}, Beside: connectedParts},
	{ModelType: "llava_next_video", Architecture: "LlavaNextVideoForConditionalGeneration", Texts: plain, Spellings: llavaNames, Beside: llavaParts, Ties: family.TiesEither},
	{ModelType: "video_llava", Architecture: "VideoLlavaForConditionalGeneration", Texts: texts("llama", "mistral"), Spellings: llavaNames, Beside: videoParts},
	{ModelType: "vipllava", Architecture: "VipLlavaForConditionalGeneration", Texts: texts("llama", "mistral"), Spellings: llavaNames, Beside: llavaParts},
	{ModelType: "video_llama_3", Architecture: "VideoLlama3ForConditionalGeneration", Texts: texts("qwen2"), Spellings: ownNames, Beside: parts("vision_model.", "projector."), Ties: family.TiesEither},
	{ModelType: "deepseek_vl", Architecture: "DeepseekVLForConditionalGeneration", Texts: texts("llama"), Spellings: ownNames, Beside: parts("vision_model.", "aligner."), Tied: true},
	{ModelType: "exaone4_5", Architecture: "Exaone4_5_ForConditionalGeneration", Texts: texts("exaone4"), Spellings: ownNames, Beside: visualParts},
	{ModelType: "minicpmv4_6", Architecture: "MiniCPMV4_6ForConditionalGeneration", Texts: texts("qwen3_5_text"), Spellings: ownNames, Beside: parts("vision_tower.", "merger.")},
	{ModelType: "janus", Architecture: "JanusForConditionalGeneration", Texts: texts("llama"), Spellings: ownNames, Beside: janusParts, Tied: true},
	{ModelType: "glm4v", Architecture: "Glm4vForConditionalGeneration", Texts: as("glm4v_text", "glm4"), Spellings: ownNames, Beside: visualParts, Ties: family.TiesEither},
	{ModelType: "glm46v", Architecture: "Glm46VForConditionalGeneration", Texts: as("glm4v_text", "glm4"), Spellings: ownNames, Beside: visualParts},
	{ModelType: "glm_ocr", Architecture: "GlmOcrForConditionalGeneration", Texts: as("glm_ocr_text", "glm4"), Spellings: ownNames, Beside: visualParts, Ties: family.TiesEither},
	{ModelType: "glm4v_moe", Architecture: "Glm4vMoeForConditionalGeneration", Texts: as("glm4v_moe_text", "glm4_moe"), Spellings: ownNames, Beside: visualParts, Ties: family.TiesEither},
	{ModelType: "glmasr", Architecture: "GlmAsrForConditionalGeneration", Texts: texts("llama"), Spellings: llavaNames, Beside: soundParts, Tied: true},
	{ModelType: "fuyu", Architecture: "FuyuForCausalLM", Texts: texts("persimmon"), Spellings: llavaNames, Beside: parts("vision_embed_tokens.")},
	{ModelType: "smolvlm", Architecture: "SmolVLMForConditionalGeneration", Texts: texts("llama"), Spellings: []family.Spelling{inText}, Beside: connectedParts},
}

// Wrappers returns the models of vision and sound whose language model is read.
func Wrappers() []family.Wrapper { return slices.Clone(wrappers) }
