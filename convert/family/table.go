package family

import (
	"fmt"

	"github.com/pecvt/pecvt/posenc"
)

// Table returns the families pecvt reads, in the order documents list them.
func Table() []Spec {
	return []Spec{llama, mistral, qwen2, qwen3, phi3, smollm3, olmo2, stablelm, starcoder2, gptNeoX, bloom, mpt, falcon, grape}
}

// Find looks a family up by config.json's model_type.
func Find(modelType string) (Spec, error) {
	var names []string
	for _, s := range Table() {
		if s.ModelType == modelType {
			return s, nil
		}
		names = append(names, s.ModelType)
	}
	return Spec{}, fmt.Errorf("model_type %q%s: %w; a checkpoint of one of these is read, and docs/extending.md tells how a family is added", modelType, posenc.Suggest(modelType, names), posenc.ErrUnsupported)
}
