package families_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/store/storetest"
	"github.com/pecvt/pecvt/posenc"
)

// respelt are goldens of mixtures, and what transformers 5.24 calls their tensors
// besides (model.state_dict(), and save_original_format=False).
var respelt = map[string][]string{
	"afmoe":            nil,
	"aria_text":        {".experts.fc1.weight", ".experts.gate_up_proj", ".experts.fc2.weight", ".experts.down_proj"},
	"axk1":             {"post_mlp_layernorm", "mlp.post_mlp_layernorm"},
	"beam":             nil,
	"cohere2_moe":      nil,
	"deepseek_v3":      nil,
	"dots1":            nil,
	"ernie4_5_moe":     {"mlp.moe_statics", "mlp.gate.moe_statics"},
	"exaone_moe":       {"mlp.e_score", "mlp.gate.e_score"},
	"flex_olmo":        nil,
	"flint":            {"softmax_offset", "sinks"},
	"granitemoe":       {"input_linear.weight", "experts.gate_up_proj", "output_linear.weight", "experts.down_proj", "router.layer", "router"},
	"granitemoehybrid": {"moe.input_linear.weight", "moe.experts.gate_up_proj", "moe.output_linear.weight", "moe.experts.down_proj", "router.layer", "router"},
	"hunyuan_v1_moe":   nil,
	"hy_v3":            {"mlp.router.gate", "mlp.gate", "mlp.expert_bias", "mlp.e_score_correction_bias", "shared_mlp", "shared_experts"},
	"kolibri1":         {"moe.router.expert_bias", "mlp.gate.e_score_correction_bias", "post_attn_norm", "post_self_attn_layernorm", "post_ffn_norm", "post_mlp_layernorm"},
	"laguna":           {"mlp.experts.e_score", "mlp.gate.e_score", "shared_expert.", "shared_experts."},
	"lfm2_moe":         nil,
	"mellum":           nil,
	"mimo_v2_flash":    {"attention_sink_bias", "sinks"},
	"minimax":          {"block_sparse_moe", "mlp"},
	"minimax_m2":       {"block_sparse_moe", "mlp"},
	"mixtral":          {"block_sparse_moe", "mlp"},
	"olmoe":            nil,
	"phimoe":           {"block_sparse_moe.gate", "mlp.router", "block_sparse_moe", "mlp"},
	"qwen3_moe":        nil,
	"qwen3_5_moe_text": nil,
	"qwen3_5_moe":      nil,
	"solar_open":       nil,
}

// Mixtures are read as transformers 5.24 holds them too, experts in one tensor.
func TestHeld(t *testing.T) {
	for name, rename := range respelt {
		sameModel(t, name, func(tensors map[string]storetest.Tensor) map[string]storetest.Tensor {
			out := map[string]storetest.Tensor{}
			for stored, v := range together(tensors) {
				out[strings.NewReplacer(rename...).Replace(stored)] = v
			}
			return out
		})
	}
}

// Experts that a family's own files hold in one tensor are read one by one, as tools
// that quantise linears write them.
func TestExpertsApart(t *testing.T) {
	for _, name := range []string{"llama4_text", "llama4", "gpt_oss", "gemma4_text-moe", "granitemoe_swa", "lara_mini", "qwen3_vl_moe"} {
		across := strings.HasPrefix(name, "llama4") || name == "gpt_oss" // (experts, in, out)
		sameModel(t, name, func(tensors map[string]storetest.Tensor) map[string]storetest.Tensor {
			return apart(tensors, across, name == "gpt_oss")
		})
	}
}

// Experts in a layout that nobody knows are refused as that, a missing one as missing.
func TestExpertsUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		rename      func(string) string
		unsupported bool
		words       string
	}{
		"llama4_text": {func(s string) string { return strings.Replace(s, "experts.gate_up_proj", "experts.gate_up_projs", 1) }, true, "layers.1.feed_forward.experts.gate_up_projs"},
		"mixtral": {func(s string) string {
			return strings.Replace(s, "layers.0.block_sparse_moe.experts.2.w1", "elsewhere", 1)
		}, false, "experts.2.w1.weight\" is missing"},
	} {
		s, err := store.Open("../../testdata/families/" + name)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		copied, err := storetest.Copy(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		tensors := map[string]storetest.Tensor{}
		for stored, v := range copied.Tensors {
			v.Place = nil
			tensors[c.rename(stored)] = v
		}
		from, err := storetest.New(s.Root(), s.FS(), tensors)
		if err != nil {
			t.Fatal(err)
		}
		_, err = families.Load(from)
		if err == nil || errors.Is(err, posenc.ErrUnsupported) != c.unsupported || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// sameModel compares a golden's weights with those of the same tensors respelt.
func sameModel(t *testing.T, name string, respell func(map[string]storetest.Tensor) map[string]storetest.Tensor) {
	t.Helper()
	s, err := store.Open("../../testdata/families/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want, err := families.Load(s)
	if err != nil {
		t.Fatal(err)
	}
	copied, err := storetest.Copy(s, func(_ string, v *storetest.Tensor) error {
		v.Place = nil
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	tensors := respell(maps.Clone(copied.Tensors))
	if reflect.DeepEqual(slices.Sorted(maps.Keys(tensors)), slices.Sorted(maps.Keys(copied.Tensors))) {
		t.Errorf("%s: respelt as it was", name)
	}
	from, err := storetest.New(s.Root(), s.FS(), tensors)
	if err != nil {
		t.Fatal(err)
	}
	got, err := families.Load(from)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if a, b := numbersOf(t, want, s), numbersOf(t, got, from); !reflect.DeepEqual(a, b) {
		t.Errorf("%s: %d weights: want %d with the same numbers", name, len(b), len(a))
	}
}

// numbersOf are the numbers of the weights of every part.
func numbersOf(t *testing.T, m *family.Model, s family.Source) map[string][]float32 {
	t.Helper()
	out := map[string][]float32{}
	for _, p := range m.Parts() {
		for _, w := range p.Weights {
			x, err := w.Float32(s)
			if err != nil {
				t.Fatal(err)
			}
			out[fmt.Sprintf("%d %s %s %v", p.Layer, p.Place, w.Name, w.Shape)] = x
		}
	}
	return out
}

var expert = regexp.MustCompile(`^(.*\.experts\.)0\.(gate_proj|w1)\.weight$`)

// together puts experts stored one by one into one tensor, gate before up.
func together(tensors map[string]storetest.Tensor) map[string]storetest.Tensor {
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		found := expert.FindStringSubmatch(name)
		if found == nil {
			continue
		}
		folder, up, down := found[1], "up_proj", "down_proj"
		if found[2] == "w1" {
			up, down = "w3", "w2"
		}
		take := func(e int, projection string) (storetest.Tensor, bool) {
			at := fmt.Sprintf("%s%d.%s.weight", folder, e, projection)
			v, ok := tensors[at]
			delete(tensors, at)
			return v, ok
		}
		var first, second storetest.Tensor
		count := int64(0)
		for ; ; count++ {
			gate, ok := take(int(count), found[2])
			if !ok {
				break
			}
			other, _ := take(int(count), up)
			back, _ := take(int(count), down)
			first.DType, second.DType = gate.DType, back.DType
			first.Shape, second.Shape = []int64{0, 2 * gate.Shape[0], gate.Shape[1]}, append([]int64{0}, back.Shape...)
			first.Data = append(append(first.Data, gate.Data...), other.Data...)
			second.Data = append(second.Data, back.Data...)
		}
		first.Shape[0], second.Shape[0] = count, count
		tensors[folder+"gate_up_proj"], tensors[folder+"down_proj"] = first, second
	}
	return tensors
}

// apart gives experts in one tensor of float32 tensors of their own: rows of gate lie
// before those of up, or turn with them.
func apart(tensors map[string]storetest.Tensor, across, turns bool) map[string]storetest.Tensor {
	split := func(name string, many int, pick func(i, n int64) (int, int64), names ...string) {
		v, folder := tensors[name], name[:strings.LastIndex(name, ".")+1]
		delete(tensors, name)
		if len(v.Shape) == 2 { // a bias
			v.Shape = []int64{v.Shape[0], v.Shape[1], 1}
		} else if across {
			v.Data, v.Shape = transposed(v.Data, v.Shape), []int64{v.Shape[0], v.Shape[2], v.Shape[1]}
		}
		out, in := v.Shape[1]/int64(many), v.Shape[2]
		for e := range v.Shape[0] {
			parts := make([][][]byte, many)
			for i := range parts {
				parts[i] = make([][]byte, out)
			}
			for i := range v.Shape[1] {
				part, row := pick(i, out)
				at := 4 * in * (e*v.Shape[1] + i)
				parts[part][row] = v.Data[at : at+4*in]
			}
			for i, rows := range parts {
				shape := []int64{out, in}
				if strings.HasSuffix(names[i], ".bias") {
					shape = shape[:1]
				}
				tensors[fmt.Sprintf("%s%d.%s", folder, e, names[i])] = storetest.Tensor{DType: v.DType, Shape: shape, Data: bytes.Join(rows, nil)}
			}
		}
	}
	pair := func(i, n int64) (int, int64) {
		if turns {
			return int(i % 2), i / 2
		}
		return int(i / n), i % n
	}
	one := func(i, _ int64) (int, int64) { return 0, i }
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		switch name[strings.LastIndex(name, ".")+1:] {
		case "gate_up_proj":
			split(name, 2, pair, "gate_proj.weight", "up_proj.weight")
		case "gate_up_proj_bias":
			split(name, 2, pair, "gate_proj.bias", "up_proj.bias")
		case "down_proj":
			split(name, 1, one, "down_proj.weight")
		case "down_proj_bias":
			split(name, 1, one, "down_proj.bias")
		}
	}
	return tensors
}
