package onnxops

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/posenc"
)

// That these graphs compute what the reference does is for package verify to
// show; onnx.checker's full check, strict shape inference and the onnx package's
// reference evaluator passed all of them by hand (testdata/check.py).

// carried names what the graph carries in layer 0 beside values, with its shape.
func carried(model *onnxpb.ModelProto) (list []string) {
	for _, v := range model.GetGraph().GetInput() {
		name := v.GetName()
		if !strings.HasPrefix(name, "past") || !strings.Contains(name, ".0.") || strings.HasSuffix(name, ".value") {
			continue
		}
		text := strings.TrimPrefix(name, "past_")
		for _, d := range v.GetType().GetTensorType().GetShape().GetDim() {
			if d.GetDimParam() != "" {
				text += " " + d.GetDimParam()
				continue
			}
			text += " " + string(rune('0'+d.GetDimValue()/10)) + string(rune('0'+d.GetDimValue()%10))
		}
		list = append(list, text)
	}
	return list
}

// TestCarried: what a graph carries from call to call, by encoding and form; the
// goldens have 4 heads of 16, bloom-6heads 6.
func TestCarried(t *testing.T) {
	plain := "key_values.0.key batch_size 04 past_sequence_length 16"
	for _, tt := range []struct {
		name, form string
		length     int
		want       []string
	}{
		{"gpt-neox", BiasAuto, 64, []string{plain}},
		{"grape-m-nonctx", BiasAuto, 64, []string{plain}},
		{"grape-m-ctx", BiasAuto, 64, []string{"state.0.phase batch_size 01 02", plain}},
		// 1/√16 and the slopes are powers of two: no digits, no second part
		{"bloom", BiasAuto, 131072, []string{"key_values.0.key batch_size 04 past_sequence_length 18"}},
		{"bloom", BiasMask, 131072, []string{plain}},
		{"bloom-6heads", BiasAuto, 2000, []string{"key_values.0.key batch_size 06 past_sequence_length 18"}},
		{"falcon-alibi", BiasAuto, 2000, []string{"key_values.0.key batch_size 04 past_sequence_length 18"}},
		{"grape-a-querygated", BiasAuto, 64, []string{"key_values.0.key batch_size 04 past_sequence_length 19"}},
		{"grape-a-querygated", BiasAuto, 2000, []string{"key_values.0.key batch_size 04 past_sequence_length 21"}},
		{"grape-a-keygated", BiasAuto, 2000, []string{"key_values.0.key batch_size 04 past_sequence_length 22"}},
		{"grape-a-keygated", BiasMask, 2000, []string{"key_values.0.gate batch_size 04 past_sequence_length 01", plain}},
		{"grape-a-querykeygated", BiasAuto, 2000, []string{"key_values.0.key batch_size 04 past_sequence_length 27"}},
		{"grape-fox", BiasAuto, 2000, []string{"state.0.forget batch_size 04 02", "key_values.0.key batch_size 04 past_sequence_length 19"}},
		{"grape-fox", BiasMask, 2000, []string{"state.0.forget batch_size 04 02", "key_values.0.forget_whole batch_size 04 past_sequence_length 01", "key_values.0.forget_fraction batch_size 04 past_sequence_length 01", plain}},
		{"grape-ap-v1", BiasAuto, 2000, []string{"key_values.0.path batch_size 04 past_sequence_length 08", plain}},
		{"grape-ap-v1-kvshift", BiasAuto, 2000, []string{"state.0.last_key batch_size 04 16", "state.0.last_value batch_size 04 16", "key_values.0.path batch_size 04 past_sequence_length 08", plain}},
		// other slopes have a second part, and positions two digits
		{"third roots", BiasAuto, 64, []string{"key_values.0.key batch_size 04 past_sequence_length 19"}},
		{"third roots", BiasAuto, 2000, []string{"key_values.0.key batch_size 04 past_sequence_length 20"}},
	} {
		name := tt.name
		if name == "third roots" {
			name = "bloom"
		}
		m, ckpt := load(t, "golden/"+name)
		for i := range m.Blocks {
			if name != tt.name {
				m.Blocks[i].Attn().Bias.Slopes = []float64{math.Cbrt(.5), math.Cbrt(.25), .125, .0625}
			}
		}
		model := exportOne(t, m, ckpt, Options{Bias: tt.form, MaxLength: tt.length})
		checkStructure(t, model)
		if got := carried(model); !slices.Equal(got, tt.want) {
			t.Errorf("%s, %s, %d positions: carries %q, expected %q", tt.name, tt.form, tt.length, got, tt.want)
		}
		checkPairs(t, model)
	}
}

// checkPairs: every past input has its present output, in the same order.
func checkPairs(t *testing.T, model *onnxpb.ModelProto) {
	t.Helper()
	var past, present []string
	for _, v := range model.GetGraph().GetInput() {
		if name, ok := strings.CutPrefix(v.GetName(), "past_state"); ok {
			past = append(past, "present_state"+name)
		} else if name, ok := strings.CutPrefix(v.GetName(), "past_key_values"); ok {
			past = append(past, "present"+name)
		}
	}
	for _, v := range model.GetGraph().GetOutput()[1:] {
		present = append(present, v.GetName())
	}
	if !slices.Equal(past, present) {
		t.Errorf("takes %q and gives %q", past, present)
	}
}

// TestBiasStamp: the metadata name the form, and only where there is a bias.
func TestBiasStamp(t *testing.T) {
	for _, tt := range []struct{ name, form, want string }{
		{"grape-rope", BiasMask, ""},
		{"grape-alibi", BiasAuto, BiasLowered},
		{"grape-alibi", BiasMask, BiasMask},
		{"grape-ap-v1", BiasAuto, BiasMask},
	} {
		m, ckpt := load(t, "golden/"+tt.name)
		got := ""
		for _, p := range exportOne(t, m, ckpt, Options{Bias: tt.form}).GetMetadataProps() {
			if p.GetKey() == "pecvt.bias" {
				got = p.GetValue()
			}
		}
		if got != tt.want {
			t.Errorf("%s, %s: pecvt.bias is %q, expected %q", tt.name, tt.form, got, tt.want)
		}
	}
}

// TestNotLowered: a bias without that form is refused when it is asked for, and
// becomes a mask when nothing is.
func TestNotLowered(t *testing.T) {
	rounded := func(a *family.Attention) {
		a.Bias = &family.Bias{Kind: family.ALiBi, Slopes: []float64{0.3, 0.1, 0.03, 0.01}, RoundBF16: true}
	}
	path := func(a *family.Attention) {
		a.Bias = &family.Bias{Kind: family.Path, Slopes: make([]float64, 4), Tie: "q", PDim: a.QKDim, Eps: 0x1p-23}
	}
	for name, set := range map[string]func(a *family.Attention){"rounded": rounded, "path": path} {
		m, ckpt := load(t, "golden/qwen3")
		set(m.Blocks[1].Attn())
		_, err := Export(m, ckpt, Options{Bias: BiasLowered})
		if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), "layer 1") || !strings.Contains(err.Error(), "Options.Bias mask") {
			t.Errorf("%s: error %v", name, err)
		}
		checkStructure(t, exportOne(t, m, ckpt, Options{}))
	}
}

// TestBadBias: a bias that does not fit its layer is an error.
func TestBadBias(t *testing.T) {
	for want, b := range map[string]family.Bias{
		"3 slopes for 4 heads":  {Kind: family.ALiBi, Slopes: make([]float64, 3)},
		"no gate":               {Kind: family.Gated, Slopes: make([]float64, 4)},
		"1 gates for 4 heads":   {Kind: family.Gated, Slopes: make([]float64, 4), U: make([][]float64, 1)},
		`8 numbers tied to "q"`: {Kind: family.Path, Slopes: make([]float64, 4), Tie: "q", PDim: 8},
		"that is ALiBi's alone": {Kind: family.Gated, RoundBF16: true},
	} {
		m, ckpt := load(t, "golden/qwen3")
		m.Blocks[0].Attn().Bias = &b
		if _, err := Export(m, ckpt, Options{}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "layer 0") {
			t.Errorf("error %v, expected %q in it", err, want)
		}
	}
}

// TestSplitConstant: the first part has 12 bits, so that its product with a digit
// is exact in float32, and both together are the number to float32's 36 bits.
func TestSplitConstant(t *testing.T) {
	for _, v := range []float64{0, 1, 0.3, -0.7071067811865476, 3e-7, 123.456} {
		high, low := splitConstant(v)
		if float64(float32(high*(digitBase-1))) != high*(digitBase-1) || float64(float32(low)) != low {
			t.Errorf("%v: parts %v and %v are not exact", v, high, low)
		}
		if math.Abs(high+low-v) > math.Abs(v)*0x1p-36 {
			t.Errorf("%v: parts %v and %v add to %v", v, high, low, high+low)
		}
	}
}
