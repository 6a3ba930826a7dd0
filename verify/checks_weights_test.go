package verify_test

import (
	"context"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify"
)

// poke changes the float32 at an element of a tensor of model.safetensors.
func poke(t *testing.T, dir, name string, element int, f func(x float32) float32) {
	t.Helper()
	path := filepath.Join(dir, "model.safetensors")
	ckpt, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	info, ok := ckpt.Lookup(name)
	at := ckpt.DataStart() + info.Begin + 4*int64(element)
	ckpt.Close()
	data, err := os.ReadFile(path)
	if err != nil || !ok {
		t.Fatal(name, err)
	}
	binary.LittleEndian.PutUint32(data[at:], math.Float32bits(f(math.Float32frombits(binary.LittleEndian.Uint32(data[at:])))))
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestWeights: each way in which the graph's weights are not the checkpoint's.
func TestWeights(t *testing.T) {
	runtimePresent(t)
	const up = "model.layers.1.mlp.up_proj.weight"
	for _, tt := range []struct {
		name      string
		placement string
		plant     func(t *testing.T, dir string)
		detail    string
	}{
		{"one number of an embedded weight", onnxops.PlaceEmbed, graphFault(func(t *testing.T, g *graphOf) {
			w := g.initializer(t, up)
			w.RawData[4*777+3] ^= 0x80
		}), `the graph's own copy of "` + up + `" is not the checkpoint's from number 777 on`},
		{"an embedded weight of zeros", onnxops.PlaceEmbed, graphFault(func(t *testing.T, g *graphOf) {
			clear(g.initializer(t, "model.layers.0.self_attn.o_proj.weight").RawData)
		}), "o_proj.weight\" is not the checkpoint's from number 0 on"},
		{"a truncated copy", onnxops.PlaceExternalCopy, func(t *testing.T, dir string) {
			path := filepath.Join(dir, "model.onnx.data")
			st, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, st.Size()-64); err != nil {
				t.Fatal(err)
			}
		}, "ends after"},
		{"a copy transposed", onnxops.PlaceEmbed, graphFault(func(t *testing.T, g *graphOf) {
			w := g.initializer(t, up)
			w.Dims[0], w.Dims[1] = w.Dims[1], w.Dims[0]
		}), "the checkpoint as ["},
		{"a shorter span", onnxops.PlaceExternal, graphFault(func(t *testing.T, g *graphOf) {
			w := g.initializer(t, up)
			w.Dims[0]--
			for _, e := range w.ExternalData {
				if e.GetKey() == "length" {
					e.Value = "4"
				}
			}
		}), "the checkpoint as ["},
		{"another type", onnxops.PlaceExternal, graphFault(func(t *testing.T, g *graphOf) {
			g.initializer(t, up).DataType = int32(onnxpb.TensorProto_INT32)
		}), "as INT32, the checkpoint as F32"},
		{"a weight that nothing reads", onnxops.PlaceExternal, graphFault(func(t *testing.T, g *graphOf) {
			n := g.node(t, "/layers.1/mlp/up_proj/Gemm")
			n.Input[1] = "model.layers.1.mlp.gate_proj.weight"
		}), `no node of the graph reads rows 0 to`},
		{"a number that is none", onnxops.PlaceExternal, func(t *testing.T, dir string) {
			poke(t, dir, up, 999, func(float32) float32 { return float32(math.NaN()) })
		}, "element 999"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := conversion{model: "golden/llama-gqa", to: "hope", placement: tt.placement}.write(t)
			tt.plant(t, dir)
			c, _ := find(verified(t, dir, verify.Options{OptLevel: "all"}), "weights", "ref")
			if c.Verdict != verify.Fail || !strings.Contains(c.Detail, tt.detail) || c.Blame == "" {
				t.Errorf("%s %q (%q), want a failure with %q", c.Verdict, c.Detail, c.Blame, tt.detail)
			}
		})
	}
}

// TestSourceWeights: a recorded hash of the source finds a change deep inside a
// tensor, of which every runner makes the same.
func TestSourceWeights(t *testing.T) {
	runtimePresent(t)
	for _, tt := range []struct {
		name, to, layout string
		poke             bool
		want             verify.Verdict
	}{
		{"untouched", "hope", "native", false, verify.Pass},
		{"changed", "hope", "native", true, verify.Fail},
		{"written anew", "hope", "partial", false, verify.Skipped},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "out")
			plan, err := convert.NewPlan(filepath.Join(fixtures, "golden/llama-gqa"),
				convert.Options{To: tt.to, Layout: tt.layout, Output: out, Copy: true, Hash: true, ToolVersion: "test"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := convert.Run(context.Background(), plan, convert.RunOptions{}); err != nil {
				t.Fatal(err)
			}
			if tt.poke { // past what the graph's fingerprint samples
				poke(t, out, "model.layers.0.mlp.down_proj.weight", 1234, func(x float32) float32 { return x + 1 })
			}
			if err := (conversion{to: tt.to}).emit(out); err != nil {
				t.Fatal(err)
			}
			r := verified(t, out, verify.Options{OptLevel: "all"})
			c, made := find(r, "source-weights", "ref")
			if !made || c.Verdict != tt.want || tt.want != verify.Pass && c.Detail == "" {
				t.Errorf("%q, want %s: %s", c.Verdict, tt.want, c.Detail)
			}
			if c, _ := find(r, "prefill", "interp"); c.Verdict != verify.Pass {
				t.Errorf("prefill: %s %s: the fault is to be seen in the hash alone", c.Verdict, c.Detail)
			}
		})
	}
}

// TestZeros: a matrix of zeros is told, whatever the logits are.
func TestZeros(t *testing.T) {
	runtimePresent(t)
	c := conversion{model: "golden/llama-gqa", to: "rope"}
	dir := c.write(t)
	const name = "model.layers.1.self_attn.o_proj.weight"
	path := filepath.Join(dir, "model.safetensors")
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	info, _ := f.Lookup(name)
	start := f.DataStart() + info.Begin
	f.Close()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(data[start : start+info.Bytes()])
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := c.emit(dir); err != nil {
		t.Fatal(err)
	}
	r := verified(t, dir, verify.Options{OptLevel: "all"})
	if w := strings.Join(r.Warnings, "\n"); !strings.Contains(w, name+`" holds nothing but zeros`) {
		t.Errorf("warnings %q", w)
	}
}
