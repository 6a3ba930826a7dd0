package quant_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/store/storetest"
	"github.com/pecvt/pecvt/convert/tensor"
)

const models = "../../testdata/quantised"

// model is a checkpoint in memory, as it is stored, and what declares it.
type model struct {
	tensors map[string]storetest.Tensor
	config  map[string]any
}

func (m *model) declared() map[string]any { return m.config["quantization_config"].(map[string]any) }

// weights are what a config group says of weights.
func (m *model) weights() map[string]any {
	return m.declared()["config_groups"].(map[string]any)["group_0"].(map[string]any)["weights"].(map[string]any)
}

func (m *model) edit(name string, with func(t *storetest.Tensor)) {
	t, ok := m.tensors[name]
	if !ok {
		panic("no tensor " + name)
	}
	t.Shape, t.Data = slices.Clone(t.Shape), slices.Clone(t.Data)
	with(&t)
	m.tensors[name] = t
}

// shape gives a tensor another shape, and as many bytes as that needs.
func (m *model) shape(t testing.TB, name string, shape ...int64) {
	m.edit(name, func(x *storetest.Tensor) {
		n, err := tensor.ByteSize(x.DType, shape)
		if err != nil {
			t.Fatal(err)
		}
		x.Shape, x.Data = shape, append(x.Data, make([]byte, n)...)[:n]
	})
}

func read(t testing.TB, name string) *model {
	t.Helper()
	s, err := store.Open(filepath.Join(models, name))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := storetest.Copy(store.Stored(s), nil)
	if err != nil {
		t.Fatal(err)
	}
	m := &model{tensors: c.Tensors}
	raw, err := os.ReadFile(filepath.Join(models, name, "config.json"))
	if err == nil {
		err = json.Unmarshal(raw, &m.config)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// decode reads every tensor of the model.
func (m *model) decode(t testing.TB) (store.Store, error) {
	t.Helper()
	raw, err := json.Marshal(m.config)
	if err != nil {
		t.Fatal(err)
	}
	c, err := storetest.New("memory", fstest.MapFS{"config.json": {Data: raw}}, m.tensors)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Decoded(c)
	if err != nil {
		return nil, err
	}
	for _, name := range s.Names() {
		if _, err := store.Bytes(s, name); err != nil {
			return nil, err
		}
	}
	return s, nil
}

const first = "model.layers.0.self_attn.q_proj."

// What does not fit, or means nothing, is refused with what it is.
func TestLowRefuses(t *testing.T) {
	for _, c := range []struct {
		model, want string
		edit        func(t testing.TB, m *model)
	}{
		{"llama-gptq4", `"model.layers.0.self_attn.q_proj.scales" is missing`, func(t testing.TB, m *model) { delete(m.tensors, first+"scales") }},
		{"llama-gptq4", `q_proj.qzeros" is missing: it holds the zero points`, func(t testing.TB, m *model) { delete(m.tensors, first+"qzeros") }},
		{"llama-gptq4", "expected (groups, out·bits/32) with 2, 3, 4 or 8 bits", func(t testing.TB, m *model) { m.shape(t, first+"qzeros", 2, 7) }},
		{"llama-gptq4", "holds codes of 8 bits: key \"quantization_config\" of config.json says 4", func(t testing.TB, m *model) { m.shape(t, first+"qzeros", 2, 16) }},
		{"llama-gptq4", "3 groups over 64 columns: key \"quantization_config\" of config.json says groups of 32", func(t testing.TB, m *model) {
			m.shape(t, first+"qzeros", 3, 8)
			m.shape(t, first+"scales", 3, 64)
		}},
		{"llama-gptq4", "groups over 96 columns: key \"quantization_config\" of config.json says groups of 64", func(t testing.TB, m *model) { m.declared()["group_size"] = 64 }},
		{"llama-gptq4", "the codes, has shape [8 63]", func(t testing.TB, m *model) { m.shape(t, first+"qweight", 8, 63) }},
		{"llama-gptq4", `g_idx": element 0 is 2: expected one of 2 blocks`, func(t testing.TB, m *model) { m.edit(first+"g_idx", func(x *storetest.Tensor) { x.Data[0] = 2 }) }},
		{"llama-gptq4", `g_idx": element 1 is -1: expected one of 2 blocks`, func(t testing.TB, m *model) {
			m.edit(first+"g_idx", func(x *storetest.Tensor) { copy(x.Data[4:8], "\xff\xff\xff\xff") })
		}},
		{"llama-gptq4", "has shape [63]: expected [64]", func(t testing.TB, m *model) { m.shape(t, first+"g_idx", 63) }},
		{"llama-gptq4", "is 0 throughout, yet there are 2 groups", func(t testing.TB, m *model) { m.edit(first+"g_idx", func(x *storetest.Tensor) { clear(x.Data) }) }},
		{"llama-gptq4", `checkpoint_format is "marlin": not supported; gptq and gptq_v2 are read`, func(t testing.TB, m *model) { m.declared()["checkpoint_format"] = "marlin" }},
		{"llama-gptq4", `q_proj.scales": element 64 is +Inf: a scale must be finite`, func(t testing.TB, m *model) {
			m.edit(first+"scales", func(x *storetest.Tensor) { copy(x.Data[2*64:], "\x00\x7c") })
		}},
		{"llama-gptq4", "is stored as it is, and as GPTQ", func(t testing.TB, m *model) { m.tensors[first+"weight"] = m.tensors["model.norm.weight"] }},
		{"qwen2-awq", `version is "gemv": not supported; the packing of gemm is read`, func(t testing.TB, m *model) { m.declared()["version"] = "GEMV" }},
		{"qwen2-awq", "codes of 3 bits: not supported; 4 are read", func(t testing.TB, m *model) { m.declared()["bits"] = 3 }},
		{"qwen2-awq", "zero_point is false: not supported", func(t testing.TB, m *model) { m.declared()["zero_point"] = false }},
		{"qwen2-awq", `the scales, has shape [2 32]: expected (groups, 64)`, func(t testing.TB, m *model) { m.shape(t, first+"scales", 2, 32) }},
		{"qwen2-awq", `the zero points, has shape [1 8]: expected [2 8]`, func(t testing.TB, m *model) { m.shape(t, first+"qzeros", 1, 8) }},
		{"llama-autoround", `packing_format is "auto_round:llm_compressor": not supported under quant_method auto-round; read are auto_awq, auto_gptq`, func(t testing.TB, m *model) {
			m.declared()["packing_format"] = "auto_round:llm_compressor"
		}},
		{"llama-autoround", `packing_format is "": not supported`, func(t testing.TB, m *model) { delete(m.declared(), "packing_format") }},
		{"llama-autoround", `data_type is "mx_fp": not supported`, func(t testing.TB, m *model) { m.declared()["data_type"] = "mx_fp" }},
		{"llama-autoround", `(extra_config of model.layers.0.mlp.gate_proj) says 4`, func(t testing.TB, m *model) {
			m.declared()["extra_config"].(map[string]any)["model.layers.0.mlp.gate_proj"] = map[string]any{"bits": 4}
		}},
		{"llama-autoround", "says 16 bits, a module that is not quantised, yet its codes are stored", func(t testing.TB, m *model) {
			m.declared()["extra_config"].(map[string]any)["model.layers.0.mlp.gate_proj"] = map[string]any{"bits": 16}
		}},
		{"llama-autoround", `(extra_config of model.layers.0.self_attn.k_proj) says groups of 64`, func(t testing.TB, m *model) {
			m.declared()["extra_config"].(map[string]any)[`.*self_attn\.(q|k)_proj.*`] = map[string]any{"group_size": 64}
		}},
		{"llama-packed-targets", "gate_proj.weight_zero_point\" is missing", func(t testing.TB, m *model) {
			delete(m.tensors, "model.layers.0.mlp.gate_proj.weight_zero_point")
		}},
		{"llama-packed-targets", "2 of the config_groups", func(t testing.TB, m *model) {
			m.declared()["config_groups"].(map[string]any)["group_1"].(map[string]any)["targets"] = []any{"Linear"}
		}},
		{"llama-packed4", "0 of the config_groups", func(t testing.TB, m *model) { m.weights()["num_bits"] = 5 }},
		{"llama-packed4", "0 of the config_groups", func(t testing.TB, m *model) { m.weights()["group_size"] = 64 }},
		{"llama-packed4", `weight_shape" is missing: it holds the shape of the weight`, func(t testing.TB, m *model) { delete(m.tensors, first+"weight_shape") }},
		{"llama-packed4", "holds the shape [-1 64]: expected (out, in)", func(t testing.TB, m *model) {
			m.edit(first+"weight_shape", func(x *storetest.Tensor) { copy(x.Data, strings.Repeat("\xff", 8)) })
		}},
		{"llama-packed4", "the zero points, has shape [7 2] of I32: expected [8 2] of I32, packed, or [64 2] of I8", func(t testing.TB, m *model) { m.shape(t, first+"weight_zero_point", 7, 2) }},
		{"llama-packed4", "expects zero points: tensor", func(t testing.TB, m *model) { delete(m.tensors, first+"weight_zero_point") }},
		{"qwen3-packed-act", `weight_g_idx": element 0 is 9: expected one of 2 blocks`, func(t testing.TB, m *model) {
			m.edit(first+"weight_g_idx", func(x *storetest.Tensor) { x.Data[0] = 9 })
		}},
		{"llama-nvfp4", `weight_global_scale" is missing`, func(t testing.TB, m *model) { delete(m.tensors, first+"weight_global_scale") }},
		{"llama-nvfp4", "is 0, and scales are divided by it", func(t testing.TB, m *model) {
			m.edit(first+"weight_global_scale", func(x *storetest.Tensor) { clear(x.Data) })
		}},
		{"llama-nvfp4", "the scales, has shape [64 3]: expected [64 4]", func(t testing.TB, m *model) { m.shape(t, first+"weight_scale", 64, 3) }},
		{"llama-nvfp4", `weight_scale": element 5 is NaN`, func(t testing.TB, m *model) {
			m.edit(first+"weight_scale", func(x *storetest.Tensor) { x.Data[5] = 0x7f })
		}},
		{"llama-nvfp4-modelopt", "the scale of all, has shape [2]: expected one number", func(t testing.TB, m *model) { m.shape(t, first+"weight_scale_2", 2) }},
		{"llama-mxfp4", "is the exponent 255, which is no number", func(t testing.TB, m *model) {
			m.edit(first+"weight_scale", func(x *storetest.Tensor) { x.Data[3] = 255 })
		}},
		{"qwen3_moe-mxfp8", "element 2 is the exponent 255, which is no number", func(t testing.TB, m *model) {
			m.edit("model.layers.0.mlp.experts.0.up_proj.weight_scale_inv", func(x *storetest.Tensor) { x.DType, x.Data[2] = tensor.U8, 255 })
		}},
		{"gpt_oss-mxfp4", `gate_up_proj_scales" is missing`, func(t testing.TB, m *model) { delete(m.tensors, "model.layers.0.mlp.experts.gate_up_proj_scales") }},
		{"gpt_oss-mxfp4", "expected (experts, out, groups, 16)", func(t testing.TB, m *model) {
			m.shape(t, "model.layers.0.mlp.experts.gate_up_proj_blocks", 4, 64, 4, 8)
		}},
		{"gpt_oss-mxfp4", `gate_up_proj_scales": element 1 is the exponent 255`, func(t testing.TB, m *model) {
			m.edit("model.layers.0.mlp.experts.gate_up_proj_scales", func(x *storetest.Tensor) { x.Data[1] = 255 })
		}},
		{"bitnet-packed", "bits 4 and 5 of element [0 2] are 3: expected 0, 1 or 2", func(t testing.TB, m *model) { m.edit(first+"weight", func(x *storetest.Tensor) { x.Data[2] |= 0x30 }) }},
		{"bitnet-packed", "quantization_mode is online", func(t testing.TB, m *model) { m.declared()["quantization_mode"] = "online" }},
		{"bitnet-packed", "use_rms_norm is true", func(t testing.TB, m *model) { m.declared()["use_rms_norm"] = true }},
		{"bitnet-packed", `linear_class is "x": not supported`, func(t testing.TB, m *model) { m.declared()["linear_class"] = "x" }},
		{"llama-bitnet", "is 0, and the weight is divided by it", func(t testing.TB, m *model) {
			m.edit(first+"weight_scale", func(x *storetest.Tensor) { clear(x.Data) })
		}},
		{"llama-nf4", `quant_map" is missing: it holds the numbers of the codes`, func(t testing.TB, m *model) { delete(m.tensors, first+"weight.quant_map") }},
		{"llama-nf4", `bitsandbytes__fp4" is missing: it holds the state`, func(t testing.TB, m *model) { delete(m.tensors, first+"weight.quant_state.bitsandbytes__nf4") }},
		{"llama-nf4", `bitsandbytes__nf4", the state: invalid character`, func(t testing.TB, m *model) {
			m.edit(first+"weight.quant_state.bitsandbytes__nf4", func(x *storetest.Tensor) { x.Data[0] = 'x' })
		}},
		{"llama-nf4", `nested_absmax" is missing: it holds the scales of the scales`, func(t testing.TB, m *model) { delete(m.tensors, first+"weight.nested_absmax") }},
		{"llama-nf4", "says shape [64 64] in blocks of 64, and the codes", func(t testing.TB, m *model) { m.shape(t, first+"weight", 2047, 1) }},
		{"qwen3-bnb8", "the scales, has shape [3]: expected [64]", func(t testing.TB, m *model) { m.shape(t, first+"SCB", 3) }},
		{"qwen3-bnb8", "is 2: not supported; codes in the order of rows (0) are read", func(t testing.TB, m *model) {
			m.edit(first+"weight_format", func(x *storetest.Tensor) { x.Data[0] = 2 })
		}},
	} {
		t.Run(c.model+"/"+c.want, func(t *testing.T) {
			m := read(t, c.model)
			c.edit(t, m)
			if _, err := m.decode(t); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// Zeros of GPTQ's first version are stored less one, and one is added to whole words:
// a largest code carries into the next.
func TestGPTQCarries(t *testing.T) {
	before, err := read(t, "llama-gptq4").decode(t)
	if err != nil {
		t.Fatal(err)
	}
	m := read(t, "llama-gptq4")
	var zero [2]float64 // of rows 0 and 1, in the first group
	m.edit(first+"qzeros", func(x *storetest.Tensor) {
		zero = [2]float64{float64(x.Data[0] & 15), float64(x.Data[0] >> 4)}
		x.Data[0] |= 15
	})
	after, err := m.decode(t)
	if err != nil {
		t.Fatal(err)
	}
	if q := store.Quantised(after); len(q.Warnings) != 1 || !strings.Contains(q.Warnings[0], "stored less one, and some as 15") {
		t.Errorf("warnings %q", q.Warnings)
	}
	scales := m.tensors[first+"scales"]
	factors := make([]float64, 2)
	if err := tensor.Decode64(factors, scales.Data[:4], scales.DType); err != nil {
		t.Fatal(err)
	}
	for row, change := range []float64{zero[0] + 1, -1} { // 16 is 0 and one to carry
		var w [2][]float32
		for i, s := range []store.Store{before, after} {
			raw, err := store.ReadRows(s, first+"weight", int64(row), int64(row)+1)
			if err != nil {
				t.Fatal(err)
			}
			w[i] = make([]float32, 64)
			if err := tensor.Decode32(w[i], raw, tensor.F32); err != nil {
				t.Fatal(err)
			}
		}
		for j := range 32 {
			if got, want := float64(w[1][j]-w[0][j]), change*factors[row]; math.Abs(got-want) > 1e-6 {
				t.Fatalf("row %d, column %d changes by %v, want %v", row, j, got, want)
			}
		}
		if !slices.Equal(w[0][32:], w[1][32:]) {
			t.Errorf("row %d: the second group changes", row)
		}
	}
}

// Zero points of compressed-tensors that are not packed are numbers of their own.
func TestPlainZeros(t *testing.T) {
	m := read(t, "qwen3-packed-act")
	before, err := m.decode(t)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 64*2)
	for i := range zeros {
		zeros[i] = byte(int8(i%7 - 3))
	}
	m.tensors[first+"weight_zero_point"] = storetest.Tensor{DType: tensor.I8, Shape: []int64{64, 2}, Data: zeros}
	after, err := m.decode(t)
	if err != nil {
		t.Fatal(err)
	}
	a, errA := store.ReadRows(before, first+"weight", 5, 6)
	b, errB := store.ReadRows(after, first+"weight", 5, 6)
	x, y := make([]float32, 64), make([]float32, 64)
	if err := errors.Join(errA, errB, tensor.Decode32(x, a, tensor.F32), tensor.Decode32(y, b, tensor.F32)); err != nil {
		t.Fatal(err)
	}
	scales, index := make([]float64, 2), make([]int64, 64)
	s, g := m.tensors[first+"weight_scale"], m.tensors[first+"weight_g_idx"]
	if err := errors.Join(tensor.Decode64(scales, s.Data[5*2*2:6*2*2], s.DType), tensor.DecodeInt64(index, g.Data, g.DType)); err != nil {
		t.Fatal(err)
	}
	for j := range x {
		k := index[j]
		if got, want := float64(x[j]-y[j]), float64(int8(zeros[5*2+k]))*scales[k]; math.Abs(got-want) > 1e-6 {
			t.Fatalf("column %d of group %d changes by %v, want %v", j, k, got, want)
		}
	}
}

// The codes of bitsandbytes are the same bytes under whatever type they are stored.
func TestBNBStorage(t *testing.T) {
	m := read(t, "llama-nf4")
	before, err := m.decode(t)
	if err != nil {
		t.Fatal(err)
	}
	m.edit(first+"weight", func(x *storetest.Tensor) { x.DType, x.Shape = tensor.BF16, []int64{int64(len(x.Data) / 2), 1} })
	after, err := m.decode(t)
	if err != nil {
		t.Fatal(err)
	}
	a, errA := store.Bytes(before, first+"weight")
	b, errB := store.Bytes(after, first+"weight")
	if err := errors.Join(errA, errB); err != nil || len(a) == 0 || !slices.Equal(a, b) {
		t.Fatalf("%d and %d bytes, %v: expected the same numbers", len(a), len(b), err)
	}
}
