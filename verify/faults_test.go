package verify_test

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify"
)

// faults are mistakes planted into a converted folder. Each must be found by
// the checks named (as check/runner), must leave those alone that cannot see
// it, and must be blamed on the right part.
var faults = []struct {
	name  string
	in    conversion
	plant func(t *testing.T, dir string)
	fails []string
	holds []string
	blame string // of the first check in fails
}{
	{
		name: "the sign of sin", in: hopeLlama,
		plant: graphFault(func(t *testing.T, g *graphOf) {
			g.table(t, "/rotary/sin_table", func(_, _ int, x float64) float64 { return -x })
		}),
		fails: []string{"prefill/interp", "prefill/ort-cpu", "decode/interp", "tables/interp"},
		holds: []string{"weights/ref", "decode/ref"},
		blame: "config.json was changed after it",
	},
	{
		name: "one frequency", in: hopeLlama,
		plant: graphFault(func(t *testing.T, g *graphOf) {
			theta := math.Pow(300, -2.0/16) * 1.001
			g.table(t, "/rotary/cos_table", replacePlane(1, func(pos float64) float64 { return math.Cos(theta * pos) }))
			g.table(t, "/rotary/sin_table", replacePlane(1, func(pos float64) float64 { return math.Sin(theta * pos) }))
		}),
		fails: []string{"tables/interp", "prefill/interp", "prefill/ort-cpu"},
		blame: "config.json was changed",
	},
	{
		name: "one head's plane between steps", in: conversion{model: "golden/grape-m-nonctx", to: "as-is", maxLength: 300},
		plant: graphFault(func(t *testing.T, g *graphOf) {
			g.headTable(t, "/rotary_heads/near_cos", func(row, head, column int, x float64) float64 {
				if row == 5 && head == 1 && column == 3 {
					return x + 1e-3
				}
				return x
			})
		}),
		fails: []string{"tables/interp", "rotation/interp"},
		blame: "config.json was changed",
	},
	{
		// Attention sees differences of positions: no logit moves.
		name: "tables off by one position", in: hopeLlama,
		plant: graphFault(func(t *testing.T, g *graphOf) {
			for i, name := range []string{"/rotary/cos_table", "/rotary/sin_table"} {
				g.table(t, name, func(row, plane int, x float64) float64 {
					if plane > 2 {
						return x
					}
					angle := math.Pow(300, -2*float64(plane)/16) * float64(row+1)
					return []float64{math.Cos(angle), math.Sin(angle)}[i]
				})
			}
		}),
		fails: []string{"tables/interp"},
		holds: []string{"prefill/interp", "prefill/ort-cpu", "far-positions/interp", "decode/ort-cpu"},
		blame: "emission is wrong",
	},
	{
		name: "the last row of the tables", in: hopeLlama,
		plant: graphFault(func(t *testing.T, g *graphOf) {
			g.table(t, "/rotary/sin_table", func(row, _ int, x float64) float64 {
				if row == 599 {
					return 0
				}
				return x
			})
		}),
		fails: []string{"far-positions/interp", "far-positions/ort-cpu", "tables/interp"},
		holds: []string{"prefill/interp", "prefill/ort-cpu", "decode/ort-cpu"},
		blame: "see the check tables",
	},
	{
		name: "pairing of a query", in: hopeLlama,
		plant: graphFault(func(t *testing.T, g *graphOf) {
			attribute(t, g.node(t, "/layers.0/attn/q/Rotation"), "interleaved").I = 1
		}),
		fails: []string{"prefill/interp", "prefill/ort-cpu", "far-positions/interp"},
		holds: []string{"tables/interp", "weights/ref"},
		blame: "it first shows in layer 0",
	},
	{
		name: "a rotary dimension in the last layer", in: hopeLlama,
		plant: graphFault(func(t *testing.T, g *graphOf) {
			g.node(t, "/layers.1/attn/k/Rotation").Input[1] = g.node(t, "/layers.1/attn/k/Rotation").Input[2]
		}),
		fails: []string{"prefill/interp", "prefill/ort-cpu"},
		blame: "layer 1 (the last)",
	},
	{
		name: "padding on the left is seen", in: hopeLlama,
		plant: graphFault(func(t *testing.T, g *graphOf) {
			n := g.node(t, "/mask/real/Cast")
			n.Input[0] = g.allOnes(t)
		}),
		fails: []string{"left-padding/interp", "left-padding/ort-cpu"},
		holds: []string{"prefill/interp", "decode/interp", "prefill/ort-cpu", "decode/ort-cpu"},
		blame: "what attention_mask hides",
	},
	{
		name: "the window of a layer", in: conversion{model: "golden/mistral", to: "rope"},
		plant: graphFault(func(t *testing.T, g *graphOf) {
			g.constant(t, "/const/window8", 9)
		}),
		fails: []string{"prefill/interp", "prefill/ort-cpu"},
		blame: "it first shows in layer 0",
	},
	{
		name: "a weight's offset", in: hopeLlama,
		plant: graphFault(func(t *testing.T, g *graphOf) {
			g.shift(t, "model.layers.1.mlp.up_proj.weight", 4)
		}),
		fails: []string{"weights/ref", "prefill/interp", "prefill/ort-cpu"},
		blame: "the emission is wrong",
	},
	{
		name: "a row of fused weights", in: conversion{model: "golden/phi3", to: "rope"},
		plant: graphFault(func(t *testing.T, g *graphOf) {
			for _, w := range g.model.Graph.Initializer {
				if strings.HasPrefix(w.GetName(), "model.layers.0.self_attn.qkv_proj.weight[") {
					g.shift(t, w.GetName(), 64*4)
					return
				}
			}
			t.Fatal("no rows of qkv_proj among the initializers")
		}),
		fails: []string{"prefill/interp", "prefill/ort-cpu", "weights/ref"},
		blame: "see the check weights",
	},
	{
		name: "rope_theta after the conversion", in: conversion{model: "golden/llama-gqa", to: "rope"},
		plant: func(t *testing.T, dir string) {
			replaceIn(t, filepath.Join(dir, "config.json"), `"rope_theta": 300.0`, `"rope_theta": 301.0`)
		},
		fails: []string{"tables/interp", "prefill/interp", "prefill/ort-cpu"},
		holds: []string{"weights/ref"},
		blame: "config.json was changed",
	},
	{
		name: "another window in config.json", in: conversion{model: "golden/mistral", to: "rope"},
		plant: func(t *testing.T, dir string) {
			replaceIn(t, filepath.Join(dir, "config.json"), `"sliding_window": 8`, `"sliding_window": 7`)
		},
		fails: []string{"prefill/interp", "prefill/ort-cpu"},
		holds: []string{"tables/interp"},
		blame: "it first shows in layer 0",
	},
	{
		name: "two tensors that change names", in: hopeLlama,
		plant: func(t *testing.T, dir string) {
			swapNames(t, filepath.Join(dir, "model.safetensors"), "model.layers.0.self_attn.k_proj.weight", "model.layers.0.self_attn.v_proj.weight")
		},
		fails: []string{"prefill/interp", "weights/ref"},
		blame: "exchanged after the conversion",
	},
	{
		// Every runner reads the same wrong weights and agrees.
		name: "two tensors that change data", in: hopeLlama,
		plant: func(t *testing.T, dir string) {
			swapData(t, filepath.Join(dir, "model.safetensors"), "model.layers.0.self_attn.k_proj.weight", "model.layers.0.self_attn.v_proj.weight")
		},
		fails: []string{"weights/ref"},
		holds: []string{"prefill/interp", "prefill/ort-cpu"},
		blame: "exchanged after the conversion",
	},
	{
		name: "the graph of another checkpoint", in: conversion{model: "golden/llama-gqa", to: "hope", placement: onnxops.PlaceEmbed},
		plant: func(t *testing.T, dir string) {
			c := conversion{model: "golden/llama-gqa", to: "hope", placement: onnxops.PlaceEmbed}
			other := c.write(t)
			swapData(t, filepath.Join(other, "model.safetensors"), "model.layers.0.self_attn.k_proj.weight", "model.layers.0.self_attn.v_proj.weight")
			if err := c.emit(other); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(filepath.Join(other, "model.onnx"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "model.onnx"), data, 0o666); err != nil {
				t.Fatal(err)
			}
		},
		fails: []string{"weights/ref", "prefill/interp", "prefill/ort-cpu"},
		blame: "exchanged after the conversion",
	},
	{
		name: "keys and values of the past change places", in: hopeLlama,
		plant: graphFault(func(t *testing.T, g *graphOf) {
			n := g.node(t, "/layers.0/attn/Attention")
			n.Input[4], n.Input[5] = n.Input[5], n.Input[4]
		}),
		fails: []string{"chunked-prefill/interp", "chunked-prefill/ort-cpu", "decode/interp", "decode/ort-cpu"},
		holds: []string{"prefill/interp", "prefill/ort-cpu", "right-padding/interp"},
		blame: "where past meets present",
	},
	{
		name: "keys are cached before they turn", in: hopeLlama,
		plant: graphFault(func(t *testing.T, g *graphOf) {
			n := g.node(t, "/layers.1/attn/Attention")
			unturned := g.node(t, "/layers.1/attn/k/Rotation").Input[0]
			g.recache(n, unturned)
		}),
		fails: []string{"chunked-prefill/interp", "chunked-prefill/ort-cpu", "decode/interp"},
		holds: []string{"prefill/interp", "prefill/ort-cpu"},
		blame: "where past meets present",
	},
	{
		name: "positions past the table turn like the last one", in: hopeLlama,
		plant: graphFault(func(t *testing.T, g *graphOf) {
			g.node(t, "/guard/inside/Equal").Input[0] = g.node(t, "/guard/position_ids/Clip").Output[0]
		}),
		fails: []string{"table-end/interp", "table-end/ort-cpu"},
		holds: []string{"prefill/interp", "far-positions/interp", "far-positions/ort-cpu"},
	},
	{
		name: "the scale of scores", in: hopeLlama,
		plant: graphFault(func(t *testing.T, g *graphOf) {
			attribute(t, g.node(t, "/layers.1/attn/Attention"), "scale").F = 0.2501
		}),
		fails: []string{"prefill/interp", "prefill/ort-cpu"},
		blame: "layer 1 (the last)",
	},
	{
		name: "the epsilon of a norm", in: hopeLlama,
		plant: graphFault(func(t *testing.T, g *graphOf) {
			attribute(t, g.node(t, "/layers.0/mlp_norm/RMSNormalization"), "epsilon").F = 1e-3
		}),
		fails: []string{"prefill/interp", "prefill/ort-cpu"},
		blame: "it first shows in layer 0",
	},
	{
		name: "the epsilon of a norm after the MLP", in: conversion{model: "golden/olmo2", to: "hope"},
		plant: graphFault(func(t *testing.T, g *graphOf) {
			attribute(t, g.node(t, "/layers.1/mlp_out_norm/RMSNormalization"), "epsilon").F = 1e-3
		}),
		fails: []string{"attributes/interp", "prefill/interp", "prefill/ort-cpu"},
		holds: []string{"weights/ref"},
		blame: "config.json was changed",
	},
	{
		name: "the weight of a norm after the MLP", in: conversion{model: "golden/olmo2", to: "rope"},
		plant: graphFault(func(t *testing.T, g *graphOf) {
			g.node(t, "/layers.1/mlp_out_norm/RMSNormalization").Input[1] = "model.layers.1.post_attention_layernorm.weight"
		}),
		fails: []string{"weights/ref", "prefill/interp", "prefill/ort-cpu"},
		blame: "the emission is wrong",
	},
	{
		name: "a missing bias", in: conversion{model: "golden/qwen2", to: "rope"},
		plant: graphFault(func(t *testing.T, g *graphOf) {
			n := g.node(t, "/layers.0/attn/k_proj/Gemm")
			n.Input = n.Input[:2]
		}),
		fails: []string{"prefill/interp", "prefill/ort-cpu", "weights/ref"},
		blame: "see the check weights",
	},
	{
		name: "pairing in the form for onnx runtime", in: conversion{model: "golden/llama-gqa", to: "rope", attention: onnxops.AttentionORT},
		plant: graphFault(func(t *testing.T, g *graphOf) {
			n := g.node(t, "/layers.0/attn/GroupQueryAttention")
			n.Attribute = append(n.Attribute, &onnxpb.AttributeProto{
				Name: "rotary_interleaved", Type: onnxpb.AttributeProto_INT, I: 1})
		}),
		fails: []string{"prefill/interp", "prefill/ort-cpu"},
		blame: "it first shows in layer 0",
	},
	{
		name: "a length in the form for onnx runtime", in: conversion{model: "golden/llama-gqa", to: "rope", attention: onnxops.AttentionORT},
		plant: graphFault(func(t *testing.T, g *graphOf) {
			attribute(t, g.node(t, "/layers.1/attn/GroupQueryAttention"), "scale").F = 0.26
		}),
		fails: []string{"prefill/interp", "prefill/ort-cpu"},
		blame: "layer 1 (the last)",
	},
	{
		name: "a weight that is not finite in the graph's own copy", in: conversion{model: "golden/llama-gqa", to: "hope", placement: onnxops.PlaceExternalCopy},
		plant: func(t *testing.T, dir string) {
			f, err := os.OpenFile(filepath.Join(dir, "model.onnx.data"), os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			nan := binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.NaN())))
			if _, err := f.WriteAt(nan, 128*64*4+64*4); err != nil {
				t.Fatal(err)
			}
		},
		fails: []string{"prefill/interp", "prefill/ort-cpu", "weights/ref"},
		blame: "see the check weights",
	},
	{
		name: "a tensor file out of the folder", in: hopeLlama,
		plant: func(t *testing.T, dir string) {
			away := filepath.Join(t.TempDir(), "elsewhere.safetensors")
			if err := os.Rename(filepath.Join(dir, "model.safetensors"), away); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(away, filepath.Join(dir, "model.safetensors")); err != nil {
				t.Fatal(err)
			}
		},
		fails: []string{"load/interp", "load/ort-cpu"},
		blame: "is a symbolic link",
	},
}

var hopeLlama = conversion{model: "golden/llama-gqa", to: "hope"}

func TestFaultsAreFound(t *testing.T) {
	present := runtimePresent(t)
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			dir := f.in.write(t)
			f.plant(t, dir)
			r := verified(t, dir, verify.Options{OptLevel: "all"})
			if r.Verdict != verify.Fail {
				t.Errorf("verdict %s", r.Verdict)
			}
			for i, want := range [][]string{f.fails, f.holds} {
				for _, id := range want {
					name, runner, _ := strings.Cut(id, "/")
					if runner == "ort-cpu" && !present {
						continue
					}
					c, made := find(r, name, runner)
					if verdict := []verify.Verdict{verify.Fail, verify.Pass}[i]; !made || c.Verdict != verdict {
						t.Errorf("%s: %s (max rel %v), want %s: %s %s", id, c.Verdict, c.MaxRel, verdict, c.Detail, c.Blame)
					}
				}
			}
			name, runner, _ := strings.Cut(f.fails[0], "/")
			if c, _ := find(r, name, runner); !strings.Contains(c.Blame, f.blame) || c.Detail == "" {
				t.Errorf("%s: detail %q, blame %q: want %q in it", f.fails[0], c.Detail, c.Blame, f.blame)
			}
		})
	}
}

// faultyGolden copies given answers with one number of a tensor off by 0.01.
func faultyGolden(t *testing.T, tensor string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "golden.safetensors")
	data, err := os.ReadFile(filepath.Join(fixtures, "golden/llama-gqa/golden/hope.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	info, found := f.Lookup(tensor)
	if !found {
		t.Fatalf("no tensor %q", tensor)
	}
	at := f.DataStart() + info.Begin + 4*1000
	f.Close()
	off := math.Float32frombits(binary.LittleEndian.Uint32(data[at:])) + 0.01
	binary.LittleEndian.PutUint32(data[at:], math.Float32bits(off))
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}
