package verify_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify"
)

// On right graphs of every family and encoding no node is taken for bad, on any
// runner, and most nodes have a counterpart.
func TestEveryNodeHasItsCounterpart(t *testing.T) {
	look := func(t *testing.T, dir string, least float64) {
		nodes, compared, bad, without, err := verify.EveryNode(dir, verify.Options{Provider: "cpu", OptLevel: "all", Tokens: 24, Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range bad {
			t.Error(b)
		}
		for runner, n := range nodes {
			t.Logf("%s: %d of %d", runner, compared[runner], n)
			share := least
			if runner != "interp" {
				share = 0.9
			}
			if float64(compared[runner]) < share*float64(n) {
				t.Errorf("%s: %d of %d nodes have a counterpart; without: %v", runner, compared[runner], n, without)
			}
		}
		t.Log(without)
	}
	seen := map[string]bool{}
	for _, g := range goldenCases {
		for _, form := range []string{onnxops.AttentionStandard, onnxops.AttentionORT} {
			name := fmt.Sprintf("%s/%s%s/%s", filepath.Base(g.model), g.to, g.scale, form)
			// The form for ONNX Runtime differs in attention alone: one of each kind.
			if seen[name] || form == onnxops.AttentionORT && g.to != "rope" || testing.Short() && g.to != "hope" {
				continue
			}
			seen[name] = true
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				dir, err := conversion{model: g.model, to: g.to, scale: g.scale, attention: form}.try(t)
				if errors.Is(err, posenc.ErrUnsupported) {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				look(t, dir, 0.5)
			})
		}
	}
	for _, c := range []conversion{{model: "families/deepseek_v3", cache: onnxops.CacheLatent}, {model: "families/longcat_flash", cache: onnxops.CacheLatent}, {model: "families/longcat_flash"}} {
		t.Run(filepath.Base(c.model)+c.cache, func(t *testing.T) {
			t.Parallel()
			c.to, c.maxLength = "as-is", 120
			look(t, c.write(t), 0.4)
		})
	}
	for _, model := range []string{"gpt-neox", "bloom", "mpt", "falcon-alibi", "grape-rope", "grape-alibi", "grape-fox", "grape-m-nonctx", "grape-m-ctx",
		"grape-a-querykeygated", "grape-ap-v1", "grape-ap-v1-kvshift", "smollm3", "stablelm-parallel", "starcoder2", "grape-rope-subln", "grape-m-ctx-heads"} {
		t.Run(model, func(t *testing.T) {
			t.Parallel()
			dir, err := exportGolden(t, model, onnxops.Options{MaxLength: 600, Version: "test"})
			if err != nil {
				t.Fatal(err)
			}
			look(t, dir, 0.1)
		})
	}
}
