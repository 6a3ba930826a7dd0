package onnxops

import (
	"testing"

	"github.com/pecvt/pecvt/convert/family/familytest"
)

// TestInventedParts: no form of graph leaves out a part that it does not know.
func TestInventedParts(t *testing.T) {
	m, ckpt := load(t, "golden/qwen3")
	for _, c := range familytest.Invented(m) {
		for _, form := range []string{AttentionStandard, AttentionORT} {
			for _, bias := range []string{BiasAuto, BiasLowered, BiasMask} {
				_, err := Export(c.Model, ckpt, Options{Attention: form, Bias: bias})
				c.Refused(t, form+", "+bias, err)
			}
		}
		_, err := GenAIConfig(c.Model, Options{Attention: AttentionORT})
		c.Refused(t, "genai_config.json", err)
	}
}
