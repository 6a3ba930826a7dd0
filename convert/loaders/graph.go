package loaders

// ownType is why programs that read config.json beside the graph refuse a folder.
const ownType = "it goes by config.json's model type, and pecvt is unknown to it"

// noGenAI is why onnxruntime-genai refuses a folder without its configuration.
const noGenAI = "no genai_config.json is made: it has no words for a bias of scores or for layers without attention"

// graphRows were run on graphs of stories260K, SmolLM2-135M and the goldens of
// Bloom and GRAPE, against ONNX Runtime's numbers, from an empty cache and over
// one of seven tokens.
func graphRows() []Row {
	return []Row{
		{"onnxruntime", []string{Standard, ORT, Portable, Older}, nil, Right, Run, ""},
		{"onnxruntime", []string{InInt4}, nil, Right, Run, "it makes float32 of them when it loads"},
		{"onnxruntime", []string{InFloat16}, nil, Right, Run, "on a CPU"},
		{"onnxruntime", []string{InBFloat16}, nil, Refused, Run, "its CPU provider has no kernels of bfloat16; others were not run"},
		{"onnx", []string{Standard, Portable, Older}, nil, Right, Run, "weights in a file of one name: hard links are refused from 1.21 on"},
		{"onnx", []string{InInt4}, nil, Right, Run, ""},
		{"onnxruntime-web", []string{Standard, ORT, Portable, Older}, nil, Right, Run, "with the weights passed as externalData"},
		{"transformers.js", []string{Standard, ORT, Portable, Older}, nil, Right, Run, "a graph in onnx/, as is made where it is named, by its defaults; of one beside config.json it must be told: {subfolder: '', dtype: 'fp32'}"},
		{"onnxruntime-web", []string{InFloat16}, nil, Right, Run, "stories260K's, with the weights passed as externalData; within 6e-4 of the largest logit"},
		{"transformers.js", []string{InFloat16}, nil, Right, Run, "stories260K's on Node.js, as model_fp16.onnx, with int4 weights model_q4f16.onnx; without those of float32, model_q4.onnx and model_quantized.onnx"},
		{"transformers.js", []string{InBFloat16}, nil, Refused, Read, "it has no name for such a graph"},
		{"transformers.js", []string{Own}, nil, Refused, Run, ownType},
		{"optimum", []string{Own}, nil, Refused, Run, ownType},
		{"genai", []string{Standard, ORT, Portable, Older}, []string{"bloom"}, Refused, Run, noGenAI},
		{"genai", []string{Standard, ORT, Portable, Older}, []string{"mpt", "lfm2", "qwen3_5_text", "qwen3_5_moe_text", "qwen3_next", "lara_mini", "olmo_hybrid", "bailing_hybrid", "minimax", "recurrent_gemma"}, Refused, Read, noGenAI},
		{"genai", []string{Standard, ORT, Portable, Older}, nil, Right, Run, "where keys are as wide as values and one configuration can say the model: a note says where not"},
		{"genai", []string{InFloat16}, nil, Right, Run, "SmolLM2-135M's on a CPU, of both forms of attention"},
		{"optimum", []string{Standard}, nil, Right, Run, ""},
		{"openvino", []string{Standard}, nil, Refused, Run, "it does not expand functions of a model"},
		{"openvino", []string{ORT}, nil, Right, Run, "SmolLM2-135M's; it holds no function"},
		{"openvino", []string{Portable, Older}, nil, Right, Run, ""},
		{"openvino", []string{InInt4}, nil, Right, Run, "and keeps them in 4 bits"},
		{"onnxruntime-openvino", []string{Standard, ORT, Portable}, nil, Refused, Run, "OpenVINO does not support Attention there"},
		{"onnxruntime-openvino", []string{Older}, nil, Right, Run, "attention is written out there"},
		{"tract", []string{Standard, ORT}, nil, Refused, Run, "it does not expand functions of a model"},
		{"tract", []string{Portable}, nil, Right, Run, ""},
		{"tract", []string{BFloat16}, nil, Refused, Run, "it knows no bfloat16, in which the weights are"},
		{"tract", []string{InInt4}, nil, Refused, Run, "it has no integers of 4 bits; of 8 it runs"},
		{"tract", []string{Older}, nil, Refused, Run, "where heads share keys it does not follow the shape of the scores"},
	}
}
