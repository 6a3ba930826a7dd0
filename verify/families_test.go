package verify_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify"
)

// withoutForm are the families that a form of attention cannot hold; it must say
// so.
var withoutForm = map[string]string{
	"cohere2":          onnxops.AttentionORT, // layers that do not turn
	"aya_vision":       onnxops.AttentionORT,
	"cohere2_vision":   onnxops.AttentionORT,
	"exaone4":          onnxops.AttentionORT, // the same
	"exaone4_5":        onnxops.AttentionORT,
	"nemotron":         onnxops.AttentionORT, // 4 planes in halves: tables of 8 would pair others
	"fuyu":             onnxops.AttentionORT, // as persimmon
	"persimmon":        onnxops.AttentionORT, // 2 planes in halves, as these
	"phi-qknorm":       onnxops.AttentionORT,
	"stablelm-qknorm":  onnxops.AttentionORT, // 1 plane
	"phi":              onnxops.AttentionORT, // the same
	"youtu":            onnxops.AttentionORT, // values of another size than keys
	"deepseek_v3":      onnxops.AttentionORT, // the same
	"hunyuan_v1_dense": onnxops.AttentionORT, // norms after the rotation
	"lara_mini":        onnxops.AttentionORT, // layers that do not turn
	"olmo_hybrid":      onnxops.AttentionORT, // heads of 8
	"qwen3_5":          onnxops.AttentionORT, // as the text models inside
	"qwen3_5_moe":      onnxops.AttentionORT,
	"minicpmv4_6":      onnxops.AttentionORT,
	"glm4v_moe":        onnxops.AttentionORT,
	"llama4":           onnxops.AttentionORT,
	"gemma4":           onnxops.AttentionORT,
	"gemma4_unified":   onnxops.AttentionORT,
	"kimi_k25":         onnxops.AttentionORT,
	"qwen3_5_text":     onnxops.AttentionORT, // planes in halves, as nemotron
	"qwen3_5_moe_text": onnxops.AttentionORT, // planes in halves, as nemotron
	"qwen3_next":       onnxops.AttentionORT, // planes in halves, as nemotron
	"afmoe":            onnxops.AttentionORT, // the same
	"exaone_moe":       onnxops.AttentionORT, // layers that do not turn
	"glm4_moe":         onnxops.AttentionORT, // planes in halves, as nemotron
	"minimax_m2":       onnxops.AttentionORT, // the same
	"nanochat":         onnxops.AttentionORT, // norms after the rotation
	"flint":            onnxops.AttentionORT, // layers that do not turn
	"mimo_v2_flash":    onnxops.AttentionORT, // values of another size than keys
	"beam-nope":        onnxops.AttentionORT, // layers that do not turn
	"laguna":           onnxops.AttentionORT, // planes in halves, as nemotron
	"laguna-heads":     onnxops.AttentionORT, // the same
	"llama4_text":      onnxops.AttentionORT, // chunks, layers that do not turn
	"bamba":            onnxops.AttentionORT, // planes in halves, as nemotron
	"hunyuan_v1_moe":   onnxops.AttentionORT, // norms after the rotation
	"cohere2_moe":      onnxops.AttentionORT, // layers that do not turn
	"kolibri1":         onnxops.AttentionORT, // the same

	"granitemoehybrid-nope": onnxops.AttentionORT, // nothing turns
	"falcon_h1-norm":        onnxops.AttentionORT, // heads of 8
	"gemma4_text":           onnxops.AttentionORT, // planes of all of a head of 24, keys and values of another layer
	"gemma4_text-moe":       onnxops.AttentionORT, // heads by layer
	"gemma4_unified_text":   onnxops.AttentionORT, // the same planes

	// latent attention: keys that share a slice
	"deepseek_v2":         onnxops.AttentionORT,
	"deepseek_v2-groups":  onnxops.AttentionORT,
	"glm4_moe_lite":       onnxops.AttentionORT,
	"sarvam_mla":          onnxops.AttentionORT,
	"axk1":                onnxops.AttentionORT,
	"minicpm3":            onnxops.AttentionORT,
	"minicpm3-factors":    onnxops.AttentionORT,
	"deepseek_v32":        onnxops.AttentionORT,
	"glm_moe_dsa":         onnxops.AttentionORT,
	"glm_moe_dsa-shared":  onnxops.AttentionORT,
	"longcat_flash":       onnxops.AttentionORT,
	"recurrent_gemma":     onnxops.AttentionORT, // planes in halves, as nemotron
	"bailing_hybrid":      onnxops.AttentionORT,
	"bailing_hybrid-free": onnxops.AttentionORT,
}

// lengthOf is the length of the tables of a family's graphs: indexers of keys leave 64
// to a query there.
func lengthOf(name string) int {
	if strings.HasPrefix(name, "deepseek_v32") || strings.HasPrefix(name, "glm_moe_dsa") {
		return 64
	}
	return 120
}

// familiesThere lists the models of testdata/families.
func familiesThere(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(fixtures, "families", "*", "config.json"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no families: %v, %v", names, err)
	}
	for i, config := range names {
		names[i] = filepath.Base(filepath.Dir(config))
	}
	return names
}

// TestFamilies verifies the graphs of every family of testdata/families, in both
// forms of attention, against the answers of stock transformers.
func TestFamilies(t *testing.T) {
	runtimePresent(t)
	there := familiesThere(t)
	if testing.Short() { // the race detector has TestGolden's
		there = there[:1]
	}
	for _, name := range there {
		model := filepath.Join(fixtures, "families", name)
		for _, attention := range []string{onnxops.AttentionStandard, onnxops.AttentionORT} {
			t.Run(name+"/"+attention, func(t *testing.T) {
				t.Parallel()
				c := conversion{attention: attention, maxLength: lengthOf(name)}
				dir := filepath.Join(t.TempDir(), name)
				if err := os.CopyFS(dir, os.DirFS(model)); err != nil {
					t.Fatal(err)
				}
				err := c.emit(dir)
				if withoutForm[name] == attention {
					if !errors.Is(err, posenc.ErrUnsupported) {
						t.Errorf("error %v: want a refusal", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				level := "" // every one
				if attention == onnxops.AttentionORT {
					level = oneLevel() // the rest of the graph is the standard form's
				}
				r := verified(t, dir, verify.Options{Golden: filepath.Join(model, "golden.safetensors"), OptLevel: level})
				sound(t, r)
				answered(t, r)
			})
		}
	}
}

// latentFamilies are those of latent attention.
var latentFamilies = []string{"youtu", "bailing_hybrid", "deepseek_v2", "deepseek_v2-groups", "deepseek_v3", "deepseek_v32", "glm4_moe_lite", "glm_moe_dsa", "glm_moe_dsa-shared",
	"minicpm3", "minicpm3-factors", "sarvam_mla", "axk1", "longcat_flash"}

// TestLatentCaches verifies graphs that carry latents from token to token in the place
// of keys and values, against the answers of stock transformers: in every check that
// graphs with keys and values pass, prompts after made-up pasts of latents included.
func TestLatentCaches(t *testing.T) {
	runtimePresent(t)
	list := []conversion{{model: "deepseek_v3", portable: true}, {model: "longcat_flash", opset: 17}, {model: "minicpm3-factors", linear: onnxops.LinearMatMul}}
	for _, name := range latentFamilies {
		list = append(list, conversion{model: name})
	}
	if testing.Short() {
		list = list[:1]
	}
	for _, c := range list {
		name := c.model
		t.Run(fmt.Sprint(name, c.linear, c.opset, c.portable), func(t *testing.T) {
			t.Parallel()
			c.maxLength, c.cache = lengthOf(name), onnxops.CacheLatent
			dir := filepath.Join(t.TempDir(), name)
			model := filepath.Join(fixtures, "families", name)
			if err := os.CopyFS(dir, os.DirFS(model)); err != nil {
				t.Fatal(err)
			}
			if err := c.emit(dir); err != nil {
				t.Fatal(err)
			}
			r := verified(t, dir, verify.Options{Golden: filepath.Join(model, "golden.safetensors"), OptLevel: oneLevel()})
			sound(t, r)
			checks := []string{"decode", "long-past", "rotation", "law-distance", "golden"}
			if name == "bailing_hybrid" { // states are no made-up past, and the first layer is no attention
				checks = []string{"decode", "rotation", "golden"}
			}
			for _, name := range checks {
				if check, ok := find(r, name, "interp"); !ok || check.Verdict != verify.Pass {
					t.Errorf("%s: %s", name, check.Verdict)
				}
			}
		})
	}
}

// What caches something of each head's keys or values cannot cache latents.
func TestNoLatentCaches(t *testing.T) {
	for _, c := range []conversion{{model: "families/glm", to: "as-is"}, {model: "families/qwen3_next", to: "as-is"}, {model: "families/youtu", to: "hybrid"}} {
		c.cache, c.maxLength = onnxops.CacheLatent, 120
		if _, err := c.try(t); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), "a cache of latents") {
			t.Errorf("%s to %s: %v: want a refusal", c.model, c.to, err)
		}
	}
	c := conversion{model: "families/youtu", to: "as-is", cache: onnxops.CacheLatent, attention: onnxops.AttentionORT}
	if _, err := c.try(t); err == nil || !strings.Contains(err.Error(), "GroupQueryAttention caches") {
		t.Errorf("with GroupQueryAttention: %v", err)
	}
}

// Families whose parts a check of rewrites passes over by mistake: converted, and
// held against their source. The others are converted by make families.
func TestRewritesOfFamilies(t *testing.T) {
	runtimePresent(t)
	for _, name := range []string{"nanochat", "gemma3_text", "glm", "bitnet", "apertus", "gpt_neox_japanese", "mixtral", "lfm2", "qwen3_5_text", "ministral3", "deepseek_v3", "gpt_oss", "mimo_v2_flash", "granite_swa", "deepseek_v2-groups", "minicpm3-factors", "stablelm-qknorm", "llama4_text", "glm_moe_dsa-shared", "phimoe", "dbrx", "modernbert-decoder", "longcat_flash", "bailing_hybrid", "minimax", "recurrent_gemma"} { // one of each part
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rewriteHolds(t, conversion{model: "families/" + name, to: "hope"})
		})
	}
	for _, c := range []conversion{
		{model: "families/dbrx", to: "pi", scale: "pi:2"}, // a length of another name
		{model: "families/gpt_oss", to: "hybrid"},         // a bias beside sinks
		{model: "families/gemma4_text", to: "grape-m"},    // spectra of layers of two head sizes
		{model: "families/modernbert-decoder", to: "hybrid"},
		{model: "families/roformer", to: "grape-m"},
		{model: "families/olmo3", to: "grape-m"}, // attention factors of two kinds of layers
		{model: "families/granite_swa", to: "yarn", scale: "yarn:4"},
	} {
		t.Run(filepath.Base(c.model)+" "+c.to, func(t *testing.T) {
			t.Parallel()
			rewriteHolds(t, c)
		})
	}
}

// Every rewrite of every family: verified, or refused as not supported. There are some
// two thousand; PECVT_LONG=1 takes all of them, else it is one in some hundred.
func TestEveryRewriteOfFamilies(t *testing.T) {
	runtimePresent(t)
	step, n := 149, 0
	if os.Getenv("PECVT_LONG") == "1" {
		step = 1
	}
	for _, name := range familiesThere(t) {
		for _, c := range []conversion{
			{to: "hope"}, {to: "hope-ab1"}, {to: "hope-ab2"}, {to: "hope-ab3"}, {to: "p-rope"}, {to: "nope"}, {to: "grape-m"}, {to: "hybrid"},
			{to: "pi", scale: "pi:2"}, {to: "yarn", scale: "yarn:4"}, {to: "hope", layout: "partial"},
			{to: "hope", layers: "full"}, {to: "hope", layers: "sliding"}, {to: "hope", attention: onnxops.AttentionORT},
		} {
			if n++; n%step != 0 {
				continue
			}
			t.Run(fmt.Sprint(name, c.to, c.layout, c.layers, c.attention), func(t *testing.T) {
				t.Parallel()
				c.model = "families/" + name
				if _, err := c.try(t); errors.Is(err, posenc.ErrUnsupported) || errors.Is(err, rewrite.ErrOptions) {
					t.Logf("refused: %v", err)
					return
				}
				rewriteHolds(t, c)
			})
		}
	}
}

// rewriteHolds verifies a rewrite of a family's model against the model.
func rewriteHolds(t *testing.T, c conversion) {
	t.Helper()
	c.maxLength = lengthOf(filepath.Base(c.model))
	dir, err := c.try(t)
	if err != nil {
		t.Fatal(err)
	}
	r := verified(t, dir, verify.Options{Against: filepath.Join(fixtures, c.model)})
	if check, ok := find(r, "rewrite", "ref"); !ok || check.Verdict != verify.Pass {
		t.Errorf("rewrite: %s: %s", check.Verdict, check.Detail)
	}
	sound(t, r)
}

// Other forms of graphs, of families whose weights or layers no older family has:
// experts in one tensor of three dimensions, convolutions, groups of experts.
func TestFormsOfFamilies(t *testing.T) {
	runtimePresent(t)
	for _, c := range []conversion{
		{model: "families/granitemoe", linear: onnxops.LinearMatMul},
		{model: "families/granitemoe", placement: onnxops.PlaceExternalCopy},
		{model: "families/lfm2", opset: 17},
		{model: "families/qwen3_next", opset: 17},
		{model: "families/qwen3_5_text", portable: true},
		{model: "families/glm4_moe", portable: true},
		{model: "families/phimoe", opset: 17},
		{model: "families/roformer", opset: 17},
		{model: "families/dbrx", linear: onnxops.LinearMatMul},
		{model: "families/gpt_oss", linear: onnxops.LinearMatMul},
		{model: "families/gpt_oss", portable: true, placement: onnxops.PlaceExternalCopy},
	} {
		t.Run(fmt.Sprint(filepath.Base(c.model), c.linear, c.placement, c.opset, c.portable), func(t *testing.T) {
			t.Parallel()
			c.maxLength = 120
			dir := filepath.Join(t.TempDir(), "model")
			if err := os.CopyFS(dir, os.DirFS(filepath.Join(fixtures, c.model))); err != nil {
				t.Fatal(err)
			}
			if err := c.emit(dir); err != nil {
				t.Fatal(err)
			}
			r := verified(t, dir, verify.Options{Golden: filepath.Join(fixtures, c.model, "golden.safetensors"), OptLevel: oneLevel()})
			sound(t, r)
		})
	}
}
