package loaders

import "strings"

// webTypes are the model types that transformers.js 4.3.2 has a causal language
// model of. It stops at the others ("Unsupported model type").
var webTypes = strings.Fields(`afmoe apertus arcee bloom codegen cohere cohere2 deepseek_v3 deepseek_v4
	ernie4_5 exaone falcon falcon_h1 gemma gemma2 gemma3 gemma3_text gemma3n gemma4 glm glm_moe_dsa gpt2
	gpt_bigcode gpt_neo gpt_neox gpt_oss gptj granite granitemoehybrid helium hrm_text hunyuan_v1_dense jais
	lfm2 lfm2_moe lfm3 llama llama4_text ministral ministral3 mistral mistral4 mobilellm modernbert-decoder mpt
	nanochat nemotron_h olmo olmo2 olmo3 olmo_hybrid openelm opt phi phi3 phi3_v qwen2 qwen2_5_vl qwen2_moe
	qwen2_vl qwen3 qwen3_5 qwen3_5_moe qwen3_5_text qwen3_moe qwen3_next qwen3_vl qwen3_vl_moe smollm3
	solar_open stablelm starcoder2 vaultgemma youtu zaya`)
