package families

import "github.com/pecvt/pecvt/convert/family"

// table has the families pecvt reads, in the order documents list them.
var table = family.Table{
	llama,
	mistral,
	ministral,
	exaone,
	internLM3,
	iquestCoder,
	seedOSS,
	cwm,
	qwen2,
	qwen3,
	phi3,
	smollm3,
	olmo2,
	stablelm,
	starcoder2,
	gptNeoX,
	bloom,
	mpt,
	falcon,
	family.Grape,
}
