package verify_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// halfModels are bundled models, of families and of encodings: all of them with
// PECVT_LONG, else a share that has one of each kind of layer with something wide, and
// plain ones.
func halfModels(t *testing.T) []string {
	t.Helper()
	share := []string{
		"families/bamba", "families/deepseek_v3", "families/gemma", "families/gemma2", "families/gpt_oss", "families/lfm2", "families/minimax", "families/mixtral",
		"families/phi", "families/qwen3_next", "families/recurrent_gemma",
		"golden/bloom", "golden/grape-a-querykeygated", "golden/grape-ap-v1-kvshift", "golden/grape-fox-rope", "golden/grape-m-ctx-heads", "golden/grape-m-nonctx", "golden/llama-sharded-f16", "golden/llama-tied-bf16",
	}
	var all []string
	for _, of := range []string{"families", "golden"} {
		found, err := filepath.Glob(filepath.Join(fixtures, of, "*", "config.json"))
		if err != nil || len(found) < 30 {
			t.Fatalf("no models: %v, %v", found, err)
		}
		for _, path := range found {
			all = append(all, of+"/"+filepath.Base(filepath.Dir(path)))
		}
	}
	if os.Getenv("PECVT_LONG") != "" {
		return all
	}
	for _, name := range share {
		if !slices.Contains(all, name) {
			t.Fatalf("no model %s", name)
		}
	}
	return share
}

// emittedAs writes the graph of a bundled model in a type.
func emittedAs(t *testing.T, model, dtype string, o onnxops.Options) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), filepath.Base(model))
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(fixtures, model))); err != nil {
		t.Fatal(err)
	}
	o.DType, o.Version = dtype, "test"
	if _, err := onnxops.Emit(dir, o); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestWidened: without its casts a graph of 16 bits is the graph that float32 is emitted
// as, byte for byte but for the number that hides a key.
func TestWidened(t *testing.T) {
	for _, name := range halfModels(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := onnxops.Options{Bias: onnxops.BiasMask}
			want := readModel(t, emittedAs(t, name, onnxops.DTypeFloat32, o))
			for _, dtype := range []string{onnxops.DTypeFloat16, onnxops.DTypeBFloat16} {
				got := readModel(t, emittedAs(t, name, dtype, o))
				if !run.Widen(got) {
					t.Fatalf("%s: nothing to widen", dtype)
				}
				unlikeGraphs(t, dtype, got.GetGraph(), want.GetGraph())
			}
		})
	}
}

func readModel(t *testing.T, dir string) *onnxpb.ModelProto {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(raw, m); err != nil {
		t.Fatal(err)
	}
	return m
}

// unlikeGraphs compares two graphs whose nodes stand in another order where a constant
// was cast first.
func unlikeGraphs(t *testing.T, dtype string, got, want *onnxpb.GraphProto) {
	t.Helper()
	seen := map[string]proto.Message{}
	for _, n := range want.GetNode() {
		seen["node "+n.GetName()] = n
	}
	for _, x := range want.GetInitializer() {
		seen["initializer "+x.GetName()] = x
	}
	for _, v := range slices.Concat(want.GetInput(), want.GetOutput(), want.GetValueInfo()) {
		seen["value "+v.GetName()] = v
	}
	hidden := 0
	compare := func(kind, name string, m proto.Message) {
		w := seen[kind+name]
		delete(seen, kind+name)
		switch {
		case w == nil:
			t.Errorf("%s: %s%s is not in the graph of float32", dtype, kind, name)
		case name == "/const/unseen":
			hidden++
		case !proto.Equal(m, w):
			t.Errorf("%s: %s%s\n%v\nfloat32\n%v", dtype, kind, name, m, w)
		}
	}
	for _, n := range got.GetNode() {
		compare("node ", n.GetName(), n)
	}
	for _, x := range got.GetInitializer() {
		compare("initializer ", x.GetName(), x)
	}
	for _, v := range slices.Concat(got.GetInput(), got.GetOutput(), got.GetValueInfo()) {
		compare("value ", v.GetName(), v)
	}
	for name := range seen {
		t.Errorf("%s: %s of float32's graph is not there", dtype, name)
	}
	if hidden > 1 {
		t.Errorf("%s: %d numbers hide keys", dtype, hidden)
	}
}

// TestHalf verifies graphs of 16 bits, of every family's golden with PECVT_LONG, else of
// a share.
func TestHalf(t *testing.T) {
	runtimePresent(t)
	for i, name := range halfModels(t) {
		dtype := []string{onnxops.DTypeFloat16, onnxops.DTypeBFloat16}[i%2]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := emittedAs(t, name, dtype, onnxops.Options{MaxLength: 64})
			o := verify.Options{OptLevel: oneLevel()}
			if golden := filepath.Join(fixtures, name, "golden.safetensors"); exists(golden) {
				o.Golden = golden
			}
			r := verified(t, dir, o)
			sound(t, r)
			if c, ok := find(r, "types", "interp"); !ok || c.Verdict != verify.Pass {
				t.Errorf("types: %v %s", ok, c.Detail)
			}
			if c, ok := find(r, "golden.as-is", "interp"); ok != (o.Golden != "") || ok && c.Verdict != verify.Pass && c.Verdict != verify.Skipped {
				t.Errorf("golden as it is: made %v, %s: %s", ok, c.Verdict, c.Detail)
			} else if ok {
				t.Logf("golden as it is: %s, off by %.2g of %.2g", c.Verdict, float64(c.MaxRel), float64(c.Limit))
			}
		})
	}
}

// TestHalfForms verifies graphs of 16 bits in the other forms of graphs.
func TestHalfForms(t *testing.T) {
	runtimePresent(t)
	for i, form := range []struct {
		model string
		o     onnxops.Options
	}{
		{"golden/qwen3", onnxops.Options{Attention: onnxops.AttentionORT}},
		{"golden/llama-tied-bf16", onnxops.Options{Attention: onnxops.AttentionORT, Weights: onnxops.WeightsInt4}},
		{"golden/llama-tied-bf16", onnxops.Options{Weights: onnxops.WeightsInt4, Coding: onnxops.Coding{ZeroPoints: "uint8"}}},
		{"golden/llama-tied-bf16", onnxops.Options{Weights: onnxops.WeightsInt8, Coding: onnxops.Coding{ZeroPoints: "none"}}},
		{"golden/llama-tied-bf16", onnxops.Options{Weights: onnxops.WeightsInt4, Portable: true}},
		{"golden/llama-tied-bf16", onnxops.Options{Linear: onnxops.LinearMatMul}},
		{"golden/grape-fox", onnxops.Options{Portable: true, Placement: onnxops.PlaceEmbed}},
		{"golden/grape-fox", onnxops.Options{Bias: onnxops.BiasFused}},
		{"families/deepseek_v3", onnxops.Options{Cache: onnxops.CacheLatent}},
		{"quantised/llama-gptq4", onnxops.Options{}},
		{"quantised/deepseek_v3-fp8", onnxops.Options{}},
	} {
		for _, dtype := range []string{onnxops.DTypeFloat16, onnxops.DTypeBFloat16} {
			if dtype == onnxops.DTypeBFloat16 && form.o.Bias == onnxops.BiasFused {
				continue
			}
			t.Run(fmt.Sprint(i, " ", dtype), func(t *testing.T) {
				t.Parallel()
				form.o.MaxLength = 64
				r := verified(t, emittedAs(t, form.model, dtype, form.o), verify.Options{OptLevel: oneLevel()})
				sound(t, r)
			})
		}
	}
}

// TestHalfFaults: what a graph in float32 would not show is found by the check types, and
// the other checks are made all the same.
func TestHalfFaults(t *testing.T) {
	const bfloat16 = int64(onnxpb.TensorProto_BFLOAT16)
	for name, c := range map[string]struct {
		plant func(t *testing.T, g *graphOf)
		says  string
	}{
		"metadata": {func(t *testing.T, g *graphOf) {
			for _, p := range g.model.GetMetadataProps() {
				if p.GetKey() == "pecvt.dtype" {
					p.Value = "bfloat16"
				}
			}
		}, "says that it computes in bfloat16, its nodes compute in float16"},
		"a mask of float32": {func(t *testing.T, g *graphOf) {
			for _, x := range g.model.GetGraph().GetInitializer() {
				if x.GetName() == "/const/unseen" {
					copy(x.RawData, []byte{0xff, 0xff, 0x7f, 0xff})
				}
			}
		}, "which becomes -Inf"},
		"another type of 16 bits": {func(t *testing.T, g *graphOf) {
			attribute(t, g.node(t, "/cast/model.layers.0.mlp.up_proj.weight"), "to").I = bfloat16
		}, `node "/cast/model.layers.0.mlp.up_proj.weight" casts to BFLOAT16, and the graph computes in FLOAT16 elsewhere`},
		"a cache of another type": {func(t *testing.T, g *graphOf) {
			for _, in := range g.model.GetGraph().GetInput() {
				if in.GetName() == "past_key_values.0.key" {
					in.GetType().GetTensorType().ElemType = int32(bfloat16)
				}
			}
		}, `input "past_key_values.0.key" is BFLOAT16, and the graph computes in FLOAT16 elsewhere`},
		"a weight without its cast": {func(t *testing.T, g *graphOf) {
			for _, n := range g.model.GetGraph().GetNode() {
				for i, in := range n.GetInput() {
					if in == "/cast/model.layers.0.mlp.up_proj.weight_output_0" {
						n.Input[i] = "model.layers.0.mlp.up_proj.weight"
					}
				}
			}
		}, `reads "model.layers.0.mlp.up_proj.weight" as it is stored: expected a Cast between`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := emittedAs(t, "golden/llama-sharded-f16", onnxops.DTypeFloat16, onnxops.Options{MaxLength: 64})
			graphFault(c.plant)(t, dir)
			r := verified(t, dir, verify.Options{})
			if c, ok := find(r, "types", "interp"); !ok || c.Verdict != verify.Fail {
				t.Errorf("types: made %v, %s: %s", ok, c.Verdict, c.Detail)
			}
			if got, _ := find(r, "types", "interp"); !strings.Contains(got.Detail, c.says) {
				t.Errorf("types: %q, want %q", got.Detail, c.says)
			}
			if c, ok := find(r, "prefill", "ort-cpu"); !ok || c.Verdict != verify.Pass {
				t.Errorf("prefill without the casts: made %v, %s: %s", ok, c.Verdict, c.Detail)
			}
		})
	}
}

// TestHalfBudget: what 16 bits cost, in parts of what a plain float32 run predicts, over
// all bundled models with PECVT_LONG: the figures of report.HalfLimit, whose limit is to
// be twice what any model costs. Of mixtures, where another expert may be chosen within
// the limit too, the figures are printed and not judged.
func TestHalfBudget(t *testing.T) {
	if os.Getenv("PECVT_LONG") == "" {
		t.Skip("the whole measurement: PECVT_LONG=1")
	}
	runtimePresent(t)
	var mu sync.Mutex
	ratios := map[string][]float64{}
	t.Run("models", func(t *testing.T) {
		for _, name := range halfModels(t) {
			for _, dtype := range []string{onnxops.DTypeFloat16, onnxops.DTypeBFloat16} {
				t.Run(name+"."+dtype, func(t *testing.T) {
					t.Parallel()
					dir := emittedAs(t, name, dtype, onnxops.Options{MaxLength: 64})
					mixes, err := verify.Mixes(dir)
					if err != nil {
						t.Fatal(err)
					}
					r := verified(t, dir, verify.Options{OptLevel: oneLevel(), Provider: "cpu"})
					predicted := 0.0 // the interpreter's limit; another's is held to its answer too
					for _, c := range r.Checks {
						if c.Name != report.CheckSixteenBits {
							continue
						}
						if c.Runner == "interp" {
							predicted = float64(c.Limit) / report.HalfC
						}
						if c.Verdict == verify.Fail {
							t.Errorf("%s: %s", c.Runner, c.Detail)
						}
						ratio := float64(c.MaxRel) / predicted
						t.Logf("%s %s: ratio %.3g, off by %.3g, %d positions, top 1 %.3g, %s %s", c.Runner, dtype, ratio, float64(c.MaxRel), c.Positions, float64(c.Top1), c.Verdict, c.Detail)
						if c.Verdict == verify.Skipped || c.Positions == 0 {
							continue
						}
						of := c.Runner + " " + dtype
						if mixes {
							of += ", mixtures"
						} else if ratio > report.HalfC/2 {
							t.Errorf("%s: %.3g times what float32 predicts: more than half of the limit", c.Runner, ratio)
						}
						mu.Lock()
						ratios[of] = append(ratios[of], ratio)
						mu.Unlock()
					}
				})
			}
		}
	})
	for of, list := range ratios {
		slices.Sort(list)
		n := len(list)
		t.Logf("%s: %d, median %.3g, 90%% %.3g, 99%% %.3g, largest %.3g, least %.3g", of, n, list[n/2], list[n*9/10], list[n*99/100], list[n-1], list[0])
	}
}
