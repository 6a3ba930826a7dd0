package loaders

// Families whose loaders take the same way in a program.
var (
	// llamas are what llama.cpp and Ollama read as architecture llama.
	llamas = []string{"llama", "mistral"}
	// plain have a graph in llama.cpp that turns by one base alone.
	plain = []string{"qwen2", "qwen3", "olmo2", "starcoder2", "stablelm", "gpt_neox", "falcon"}
	// scaled are those whose rope types mlx-lm reads.
	scaled = []string{"llama", "qwen2", "qwen3", "olmo2", "smollm3"}
	// latents have DeepSeek's latent attention in vLLM.
	latents = []string{"deepseek_v2", "deepseek_v3", "kimi_k2"}
	// unpacked are those that the partial layout leaves under their own names.
	unpacked = []string{"qwen2", "qwen3", "olmo2", "smollm3", "starcoder2"}
)

const (
	noFactors   = "its converter passes over the type, and the source is computed"
	warnsAlone  = "its converter only warns of the type, and the source is computed"
	ownShare    = "stops with a shape error: it reads no partial rotary dimension of this family"
	modelType   = "model type pecvt is unknown to it"
	passedOver  = "it passes over rope_parameters: base 10000 and no scaling, or the family's own defaults"
	everyLength = "it takes the factors of the other length for all"
)

// checkpointRows were run on the bundled goldens (a cut to 3 planes, pi:4 and
// yarn:4, every family that has one) and on SmolLM2-135M, or read in the version
// that the table of loaders names.
func checkpointRows() []Row {
	all := []string{Default, Linear, YaRN, Llama3, LongRoPE, LongRoPEGain, LongRoPETwo, Proportional, ProportionalScaled}
	return []Row{
		{"transformers5", []string{NewKeys}, nil, Right, Run, ""},
		{"transformers4", []string{NewKeys}, nil, Wrong, Run, passedOver},
		{"llama.cpp", []string{NewKeys}, nil, Right, Read, ""},
		{"ollama", []string{NewKeys}, append([]string{"qwen2", "qwen3"}, llamas...), Wrong, Read, passedOver},
		{"mlx", []string{NewKeys}, []string{"llama", "mistral", "qwen2", "olmo2", "smollm3", "phi3"}, Wrong, Run, passedOver},
		{"mlx", []string{NewKeys}, []string{"qwen3"}, Right, Run, ""},
		{"mlx", []string{NewKeys}, []string{"stablelm", "gpt_neox"}, Refused, Run, "it wants the older keys"},
		{"vllm", []string{NewKeys}, nil, Right, Read, ""},
		{"candle", []string{NewKeys}, []string{"llama"}, Wrong, Read, passedOver},

		{"transformers5", []string{Partial}, unpacked, Refused, Run, ownShare},
		{"transformers5", []string{Partial}, []string{"phi3"}, Right, Run, ""},
		{"transformers5", append(all, Dynamic), nil, Right, Run, ""},
		{"transformers5", []string{Own}, nil, Refused, Run, modelType},

		{"transformers4", []string{Partial}, unpacked, Refused, Run, ownShare},
		{"transformers4", []string{Partial}, []string{"phi3"}, Right, Run, ""},
		{"transformers4", []string{Default}, []string{"phi3", "olmo2"}, Right, Run, ""},
		{"transformers4", all, []string{"phi3"}, Refused, Run, "its Phi-3 takes rope_scaling of three keys alone"},
		{"transformers4", all, []string{"olmo2"}, Refused, Run, "its OLMo 2 takes rope_scaling of two keys alone"},
		{"transformers4", all, []string{"gpt_neox"}, Unknown, "", ""}, // the golden's head has a name that is transformers 5's
		{"transformers4", []string{Proportional, ProportionalScaled}, nil, Refused, Run, "KeyError 'proportional'"},
		{"transformers4", append(all, Dynamic), nil, Right, Run, ""},
		{"transformers4", []string{Own}, nil, Refused, Run, modelType},

		{"llama.cpp", []string{Default}, nil, Right, Run, ""},
		{"llama.cpp", []string{Linear, YaRN}, llamas, Right, Read, ""},
		{"llama.cpp", []string{Llama3}, llamas, Right, Run, "as rope_freqs.weight"},
		{"llama.cpp", []string{Llama3}, []string{"smollm3"}, Refused, Read, "its converter writes rope_freqs.weight, which its graph of SmolLM3 does not take"},
		{"llama.cpp", []string{Llama3}, plain, Wrong, Read, noFactors},
		{"llama.cpp", []string{LongRoPE, LongRoPEGain, LongRoPETwo}, append([]string{"smollm3"}, llamas...), Wrong, Run, "its converter writes the type and drops the factors, and the source is computed"},
		{"llama.cpp", []string{LongRoPE, LongRoPEGain, LongRoPETwo}, plain, Wrong, Read, noFactors},
		{"llama.cpp", []string{Dynamic}, nil, Wrong, Read, noFactors},
		{"llama.cpp", []string{Proportional, ProportionalScaled}, nil, Wrong, Run, warnsAlone},
		{"llama.cpp", []string{Partial}, []string{"phi3"}, Right, Run, "with a byte-level tokenizer whose class is named; others stop at a missing tokenizer.model"},
		{"llama.cpp", []string{Own}, nil, Refused, Run, modelType},
		{"llama.cpp", []string{GGUF}, []string{"llama"}, Right, Run, ""},
		{"llama.cpp", []string{GGUF}, nil, Right, Read, "pecvt writes it where llama.cpp's graph takes factors alone"},

		{"ollama", []string{Default, Linear}, llamas, Right, Read, ""},
		{"ollama", []string{Llama3}, llamas, Right, Read, "where a head is hidden_size over the heads"},
		{"ollama", []string{YaRN, Dynamic, LongRoPE, LongRoPEGain, LongRoPETwo, Proportional, ProportionalScaled}, llamas, Wrong, Read, "it reads linear and llama3 alone, and computes the source"},
		{"ollama", []string{Default, YaRN}, []string{"qwen2", "qwen3"}, Right, Read, ""},
		{"ollama", append(all, Dynamic), []string{"qwen2", "qwen3"}, Refused, Read, "unknown rope scaling type"},
		{"ollama", []string{GGUF}, llamas, Right, Read, ""},
		{"ollama", []string{Partial}, []string{"phi3"}, Wrong, Read, "it passes over partial_rotary_factor"},

		{"vllm", []string{Linear, Llama3, LongRoPE, LongRoPEGain, LongRoPETwo, Proportional, ProportionalScaled}, latents, Wrong, Read, "it takes every type but default for yarn"},
		{"vllm", []string{ProportionalScaled}, nil, Wrong, Read, "it passes over the factor"},
		{"vllm", []string{LongRoPEGain}, nil, Wrong, Read, "it passes over attention_factor and computes one from the lengths"},
		{"vllm", []string{Default, Linear, YaRN, Llama3, LongRoPE, Proportional, Partial}, nil, Right, Read, ""},
		{"vllm", []string{Own}, nil, Refused, Read, modelType},

		{"sglang", []string{Default, Linear, YaRN, Llama3, LongRoPE, Partial}, nil, Right, Read, ""},
		{"sglang", []string{Proportional}, llamas, Right, Read, "by partial_rotary_factor at the top level"},
		{"sglang", []string{Own}, nil, Refused, Read, modelType},

		{"tgi", []string{Default, YaRN, Llama3}, nil, Right, Read, ""},
		{"tgi", []string{Linear}, nil, Wrong, Read, "it passes over the factor"},
		{"tgi", []string{LongRoPE, LongRoPEGain, LongRoPETwo}, append([]string{"qwen2", "qwen3"}, llamas...), Refused, Read, "it wants original_max_position_embeddings at the top level"},
		{"tgi", []string{Proportional, ProportionalScaled}, nil, Refused, Read, "it stops: the rope type is unknown to it"},

		{"mlx", []string{LongRoPEGain}, append([]string{"phi3"}, scaled...), Wrong, Run, "it passes over attention_factor and computes one from the lengths"},
		{"mlx", []string{LongRoPETwo}, append([]string{"phi3"}, scaled...), Wrong, Read, everyLength},
		{"mlx", all, scaled, Right, Run, ""},
		{"mlx", all, []string{"mistral"}, Right, Read, "without a sliding window, which it passes over"},
		{"mlx", []string{Default, LongRoPE, Partial}, []string{"phi3"}, Right, Run, ""},
		{"mlx", []string{Partial}, unpacked, Wrong, Run, "it turns every coordinate"},
		{"mlx", []string{Default}, []string{"stablelm", "starcoder2"}, Right, Run, ""},
		{"mlx", all, []string{"stablelm", "starcoder2"}, Wrong, Run, "it reads no rope type of this family, and the source is computed"},
		{"mlx", []string{Own}, nil, Refused, Run, modelType}, // and no float64 tensor is read, which it says first

		{"candle", []string{Default, Llama3}, []string{"llama"}, Right, Read, ""},
		{"candle", []string{Linear, Dynamic, YaRN, LongRoPE, LongRoPEGain, LongRoPETwo, Proportional, ProportionalScaled}, []string{"llama"}, Refused, Read, "rope types other than llama3 do not parse"},

		{"ctranslate2", []string{Llama3}, []string{"llama"}, Wrong, Run, "it converts, and the source is computed"},
		{"ctranslate2", []string{LongRoPE, LongRoPEGain, LongRoPETwo}, []string{"llama"}, Refused, Run, "long and short factors \"not set\""},
		{"ctranslate2", []string{Proportional, ProportionalScaled}, []string{"llama"}, Refused, Run, "names the types it supports"},
		{"ctranslate2", []string{Partial}, []string{"phi3"}, Refused, Run, "KeyError 'type'"},
	}
}
