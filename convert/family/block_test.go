package family_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

const blockSource = `{"model_type":"llama","vocab_size":8,"hidden_size":8,"intermediate_size":8,"num_hidden_layers":2,"num_attention_heads":2,
"num_key_value_heads":2,"hidden_act":"silu","rms_norm_eps":1e-06,"max_position_embeddings":32,"rope_theta":100.0,"tie_word_embeddings":true}`

func blockConfig(rest string) string {
	return `{"architectures":["PecvtForCausalLM"],"model_type":"pecvt","vocab_size":-1,"pecvt":{"version":1,"source":` + blockSource + rest + `}}`
}

const grapeMBlock = `,"rotation":{"type":"grape-m","attention_factor":1}`

// TestBlockIsStrict: whatever a block does not know, or what contradicts it, is
// refused with its name.
func TestBlockIsStrict(t *testing.T) {
	good := blockConfig(grapeMBlock + `,"bias":{"type":"grape-a","gates":["query","key"]}`)
	for _, c := range []struct {
		name, from, to, want string
		unsupported          bool
	}{
		{name: "version", from: `"version":1`, to: `"version":2`, want: "pecvt: version 2: this program reads version 1", unsupported: true},
		{name: "no version", from: `"version":1,`, to: ``, want: `key "version" is missing: expected 1`},
		{name: "text version", from: `"version":1`, to: `"version":"1"`, want: `key "version" is "1"`},
		{name: "unknown key", from: `"version":1`, to: `"version":1,"window":4`, want: `pecvt: key "window": the block has the keys`, unsupported: true},
		{name: "outer key", from: `"vocab_size":-1`, to: `"vocab_size":-1,"rope_theta":5`, want: `key "rope_theta": the configuration has the keys`, unsupported: true},
		{name: "architecture", from: `["PecvtForCausalLM"]`, to: `["LlamaForCausalLM"]`, want: `key "architectures" is ["LlamaForCausalLM"]: expected ["PecvtForCausalLM"]`},
		{name: "two architectures", from: `["PecvtForCausalLM"]`, to: `["PecvtForCausalLM","LlamaForCausalLM"]`, want: `key "architectures" is`},
		{name: "text architecture", from: `["PecvtForCausalLM"]`, to: `"PecvtForCausalLM"`, want: `key "architectures" is "PecvtForCausalLM": expected ["PecvtForCausalLM"]`},
		{name: "vocabulary", from: `"vocab_size":-1`, to: `"vocab_size":8`, want: `key "vocab_size" is 8: expected -1`},
		{name: "text vocabulary", from: `"vocab_size":-1`, to: `"vocab_size":"-1"`, want: `key "vocab_size" is "-1": expected -1`},
		{name: "rotation type", from: `"grape-m"`, to: `"grape-n"`, want: `rotation: type "grape-n" is unknown; did you mean "grape-m"?`, unsupported: true},
		{name: "rotation key", from: `"attention_factor":1`, to: `"attention_factor":1,"base":3`, want: `rotation: key "base"`, unsupported: true},
		{name: "form", from: `"attention_factor":1`, to: `"attention_factor":1,"form":"bassis"`, want: `rotation: form "bassis" is unknown; did you mean "basis"?`, unsupported: true},
		{name: "number as form", from: `"attention_factor":1`, to: `"attention_factor":1,"form":2`, want: `rotation: key "form" is 2`},
		{name: "no rank", from: `"attention_factor":1`, to: `"attention_factor":1,"form":"mixed"`, want: `rotation: key "rank" is missing: expected a positive even number`},
		{name: "odd rank", from: `"attention_factor":1`, to: `"attention_factor":1,"form":"mixed","rank":3`, want: `rotation: key "rank" is 3: expected a positive even number`},
		{name: "large rank", from: `"attention_factor":1`, to: `"attention_factor":1,"form":"mixed","rank":6`, want: `rotation: form mixed: layer 0: key "rank" is 6: expected at most the 4 coordinates that turn`},
		{name: "rank of no form", from: `"attention_factor":1`, to: `"attention_factor":1,"rank":4`, want: `rotation: key "rank": it has the keys type, attention_factor, attention_factors, form alone`, unsupported: true},
		{name: "rank of another form", from: `"attention_factor":1`, to: `"attention_factor":1,"form":"rank2","generators":1,"rank":4`, want: `rotation: key "rank": it has the keys`, unsupported: true},
		{name: "no generators", from: `"attention_factor":1`, to: `"attention_factor":1,"form":"rank2"`, want: `rotation: key "generators" is missing: expected a number from 1 to 1024`},
		{name: "many generators", from: `"attention_factor":1`, to: `"attention_factor":1,"form":"rank2","generators":1025`, want: `rotation: key "generators" is 1025`},
		{name: "null form", from: `"attention_factor":1`, to: `"attention_factor":1,"form":null`, want: `rotation: key "form" is null`},
		{name: "no factor", from: `,"attention_factor":1`, to: ``, want: `key "attention_factor" is missing: expected a positive number`},
		{name: "factor", from: `"attention_factor":1`, to: `"attention_factor":-1`, want: `key "attention_factor" is -1: expected a positive number`},
		{name: "both factors", from: `"attention_factor":1`, to: `"attention_factor":1,"attention_factors":[1]`, want: `keys "attention_factor" and "attention_factors" are both there`},
		{name: "factors of no number", from: `"attention_factor":1`, to: `"attention_factors":[]`, want: `key "attention_factors" is []: expected a number for each layer`},
		{name: "factors of other layers", from: `"attention_factor":1`, to: `"attention_factors":[1,1,1,1,1,1,1,1,1]`, want: `rotation: key "attention_factors" has 9 numbers: expected one for each of the`},
		{name: "bad factors", from: `"attention_factor":1`, to: `"attention_factors":[-1]`, want: `key "attention_factors" has -1 for layer 0: expected a positive number`},
		{name: "huge factor", from: `"attention_factor":1`, to: `"attention_factor":1e308`, want: `rotation: key "attention_factor" is 1e308: expected a positive number, from 0.01 to 100`},
		{name: "tiny factor", from: `"attention_factor":1`, to: `"attention_factor":1e-308`, want: `key "attention_factor" is 1e-308: expected a positive number, from 0.01 to 100`},
		{name: "bias type", from: `"grape-a"`, to: `"grape-b"`, want: `bias: type "grape-b" is unknown`, unsupported: true},
		{name: "bias key", from: `"gates"`, to: `"path_size":4,"gates"`, want: `bias: key "path_size": type grape-a has the keys type, gates`, unsupported: true},
		{name: "gate", from: `"query","key"`, to: `"query","value"`, want: `gate "value"`},
		{name: "gate twice", from: `"query","key"`, to: `"key","key"`, want: `gate "key"`},
		{name: "no gates", from: `"query","key"`, to: ``, want: `key "gates" is []`},
		{name: "null", from: `"rotation":{"type":"grape-m","attention_factor":1}`, to: `"rotation":null`, want: `key "rotation" is null`},
		{name: "path size", from: `"grape-a","gates":["query","key"]`, to: `"grape-ap","path_size":3`, want: `key "path_size" is 3: expected a positive even number`},
		{name: "kernel", from: `"grape-a","gates":["query","key"]`, to: `"kerple","kernel":"logg"`, want: `bias: kernel "logg" is unknown; did you mean "log"? (valid: log, power)`, unsupported: true},
		{name: "no kernel", from: `"grape-a","gates":["query","key"]`, to: `"kerple"`, want: `bias: key "kernel" is missing: expected one of power, log`},
		{name: "kernel of no text", from: `"grape-a","gates":["query","key"]`, to: `"kerple","kernel":1`, want: `key "kernel" is 1`},
		{name: "kernel beside", from: `"grape-a"`, to: `"kerple","kernel":"log"`, want: `bias: key "gates": type kerple has the keys type, kernel alone`, unsupported: true},
		{name: "nothing", from: grapeMBlock + `,"bias":{"type":"grape-a","gates":["query","key"]}`, to: ``, want: `neither "rotation" nor "bias" nor "query_scale"`},
		{name: "query scale key", from: grapeMBlock, to: grapeMBlock + `,"query_scale":{"beta":0.1,"length":8,"power":2}`, want: `query_scale: key "power": it has the keys beta, length alone`, unsupported: true},
		{name: "no beta", from: grapeMBlock, to: grapeMBlock + `,"query_scale":{"length":8}`, want: `query_scale: key "beta" is missing: expected a number above 0 and at most 1`},
		{name: "beta", from: grapeMBlock, to: grapeMBlock + `,"query_scale":{"beta":0,"length":8}`, want: `query_scale: key "beta" is 0: expected`},
		{name: "large beta", from: grapeMBlock, to: grapeMBlock + `,"query_scale":{"beta":1.5,"length":8}`, want: `query_scale: key "beta" is 1.5: expected`},
		{name: "text beta", from: grapeMBlock, to: grapeMBlock + `,"query_scale":{"beta":"0.1","length":8}`, want: `query_scale: key "beta" is "0.1"`},
		{name: "no length", from: grapeMBlock, to: grapeMBlock + `,"query_scale":{"beta":0.1}`, want: `query_scale: key "length" is missing: expected a positive number of positions`},
		{name: "length", from: grapeMBlock, to: grapeMBlock + `,"query_scale":{"beta":0.1,"length":0}`, want: `query_scale: key "length" is 0: expected`},
		{name: "broken length", from: grapeMBlock, to: grapeMBlock + `,"query_scale":{"beta":0.1,"length":8.5}`, want: `query_scale: key "length" is 8.5`},
		{name: "null query scale", from: grapeMBlock, to: grapeMBlock + `,"query_scale":null`, want: `key "query_scale" is null`},
		{name: "nested", from: `"model_type":"llama"`, to: `"model_type":"pecvt"`, want: "blocks do not nest"},
		{name: "source", from: `"model_type":"llama"`, to: `"model_type":"lama"`, want: `pecvt.source: config.json: model_type "lama"`, unsupported: true},
		{name: "stock type", from: `"model_type":"pecvt"`, to: `"model_type":"llama"`, want: `key "pecvt" stands beside model_type "llama"`},
		{name: "no source", from: `"source":` + blockSource + `,`, to: ``, want: `key "source" is missing`},
	} {
		text := strings.Replace(good, c.from, c.to, 1)
		if text == good {
			t.Fatalf("%s: nothing replaced", c.name)
		}
		o, err := family.ParseObject([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		_, err = families.FromConfig(&family.Config{Object: o, Path: "config.json"})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "config.json") {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
		if errors.Is(err, posenc.ErrUnsupported) != c.unsupported {
			t.Errorf("%s: wraps ErrUnsupported: %v, want %v", c.name, !c.unsupported, c.unsupported)
		}
	}
}

// TestBlockReads writes a folder by hand and checks that the tensors' numbers
// are the model's: spectra per head, a layer whose heads share theirs, gates.
func TestBlockReads(t *testing.T) {
	c, err := blockFolder(t, blockConfig(`,"rotation":{"type":"grape-m","attention_factor":1.5},"bias":{"type":"grape-a","gates":["key"]}`), map[string]blockTensor{
		"pecvt.layers.0.rotation.inv_freq": {[]int64{2, 2}, []float64{1, -0.5, 0.25, 0}},
		"pecvt.layers.1.rotation.inv_freq": {[]int64{2, 2}, []float64{3, 0.1, 3, 0.1}},
		"pecvt.layers.0.bias.omega":        {[]int64{2}, []float64{0.5, 2}}, "pecvt.layers.1.bias.omega": {[]int64{2}, []float64{7, 9}},
		"pecvt.layers.0.bias.u": {[]int64{2, 4}, []float64{1, 2, 3, 4, 5, 6, 7, 8}}, "pecvt.layers.1.bias.u": {[]int64{2, 4}, make([]float64, 8)},
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := families.Load(c)
	if err != nil {
		t.Fatal(err)
	}
	first, second := m.Blocks[0].Attn(), m.Blocks[1].Attn()
	if diff := cmp.Diff([][]float64{{1, -0.5}, {0.25, 0}}, first.Spectra.InvFreq); diff != "" {
		t.Errorf("layer 0: %s", diff)
	}
	if second.Spectra != nil || !cmp.Equal(second.Rotary.InvFreq, []float64{3, 0.1}) {
		t.Errorf("layer 1: %v, %v: a spectrum of all heads is the layer's", second.Spectra, second.Rotary.InvFreq)
	}
	if first.Rotary.Gain != 1.5 || m.Rope.Type != "" || m.Encoding() != "grape-m + grape-a" || m.Family != "llama" {
		t.Errorf("factor %v, rope type %q, encoding %q, family %q", first.Rotary.Gain, m.Rope.Type, m.Encoding(), m.Family)
	}
	if diff := cmp.Diff(&family.Bias{Kind: family.Gated, Slopes: []float64{0.5, 2}, U: [][]float64{{1, 2, 3, 4}, {5, 6, 7, 8}}}, first.Bias); diff != "" {
		t.Errorf("bias: %s", diff)
	}
	own := m.Extension.Source
	if own.Rope.Type != "default" || own.Blocks[0].Attn().Bias != nil || !cmp.Equal(own.Blocks[0].Attn().Rotary.InvFreq, []float64{1, 0.1}) {
		t.Errorf("the source is %q with %v", own.Rope.Type, own.Blocks[0].Attn().Rotary.InvFreq)
	}
}

// TestBlockWarnsOfItsSource: frequencies other than the source declares are
// used, and said.
func TestBlockWarnsOfItsSource(t *testing.T) {
	for _, c := range []struct {
		name  string
		value float64
		want  string
	}{
		{"as declared", 0.1, ""},
		{"in float32", float64(float32(0.1)), ""},
		{"backward", -0.1, ""},
		{"trained", 0.125, `"pecvt.layers.1.rotation.inv_freq": plane 1 of head 1 turns by 0.125 per position, pecvt.source declares 0.1`},
	} {
		ckpt, err := blockFolder(t, blockConfig(grapeMBlock), map[string]blockTensor{
			"pecvt.layers.0.rotation.inv_freq": {[]int64{2, 2}, []float64{1, 0.1, 1, 0.1}},
			"pecvt.layers.1.rotation.inv_freq": {[]int64{2, 2}, []float64{1, 0.1, 1, c.value}},
		})
		if err != nil {
			t.Fatal(err)
		}
		m, err := families.Load(ckpt)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		all := strings.Join(m.Warnings, "; ")
		if c.want == "" && strings.Contains(all, "turns by") || !strings.Contains(all, c.want) {
			t.Errorf("%s: warnings %q, want %q", c.name, all, c.want)
		}
	}
}

// TestBlockClaims: tensors of the block are required and none is passed over.
func TestBlockClaims(t *testing.T) {
	spectra := map[string]blockTensor{
		"pecvt.layers.0.rotation.inv_freq": {[]int64{2, 2}, []float64{1, 1, 1, 1}},
		"pecvt.layers.1.rotation.inv_freq": {[]int64{2, 2}, []float64{1, 1, 1, 1}},
	}
	with := func(name string, v blockTensor) map[string]blockTensor {
		out := map[string]blockTensor{name: v}
		for k, t := range spectra {
			if k != name {
				out[k] = t
			}
		}
		return out
	}
	nan := 0.0
	nan /= nan
	for _, c := range []struct {
		name    string
		tensors map[string]blockTensor
		want    string
	}{
		{"missing", map[string]blockTensor{"pecvt.layers.0.rotation.inv_freq": spectra["pecvt.layers.0.rotation.inv_freq"]}, `tensor "pecvt.layers.1.rotation.inv_freq" is missing`},
		{"shape", with("pecvt.layers.1.rotation.inv_freq", blockTensor{[]int64{2}, []float64{1, 1}}), `"pecvt.layers.1.rotation.inv_freq" has shape [2]: config.json asks for [2 2]`},
		{"extra", with("pecvt.layers.0.bias.slope", blockTensor{[]int64{2}, []float64{1, 1}}), "pecvt.layers.0.bias.slope"},
		{"NaN", with("pecvt.layers.0.rotation.inv_freq", blockTensor{[]int64{2, 2}, []float64{1, nan, 1, 1}}), `"pecvt.layers.0.rotation.inv_freq": element 1 is NaN`},
	} {
		ckpt, err := blockFolder(t, blockConfig(grapeMBlock), c.tensors)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := families.Load(ckpt); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

// TestBlockGatesAreFinite: what a bias reads the layer's input through has
// numbers alone, in a block and in an official model.
func TestBlockGatesAreFinite(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	fox := func(layer int, weight, bias []float64) map[string]blockTensor {
		out := map[string]blockTensor{}
		for i := range 2 {
			out[fmt.Sprintf("pecvt.layers.%d.bias.gate.weight", i)] = blockTensor{shape: []int64{2, 8}}
			out[fmt.Sprintf("pecvt.layers.%d.bias.gate.bias", i)] = blockTensor{shape: []int64{2}}
		}
		out[fmt.Sprintf("pecvt.layers.%d.bias.gate.weight", layer)] = blockTensor{[]int64{2, 8}, weight}
		out[fmt.Sprintf("pecvt.layers.%d.bias.gate.bias", layer)] = blockTensor{[]int64{2}, bias}
		return out
	}
	path := func(weight []float64) map[string]blockTensor {
		out := map[string]blockTensor{}
		for i := range 2 {
			out[fmt.Sprintf("pecvt.layers.%d.bias.path.weight", i)] = blockTensor{shape: []int64{4, 8}}
			out[fmt.Sprintf("pecvt.layers.%d.bias.beta", i)] = blockTensor{shape: []int64{2}}
		}
		out["pecvt.layers.1.bias.path.weight"] = blockTensor{[]int64{4, 8}, weight}
		return out
	}
	at := func(n, i int, x float64) []float64 {
		v := make([]float64, n)
		v[i] = x
		return v
	}
	for _, c := range []struct {
		bias    string
		tensors map[string]blockTensor
		want    string
	}{
		{`{"type":"fox"}`, fox(1, at(16, 11, nan), nil), `tensor "pecvt.layers.1.bias.gate.weight": element 11 of shape [2 8] is NaN`},
		{`{"type":"fox"}`, fox(0, nil, at(2, 1, inf)), `tensor "pecvt.layers.0.bias.gate.bias": element 1 of shape [2] is +Inf`},
		{`{"type":"grape-ap","path_size":2}`, path(at(32, 31, -inf)), `tensor "pecvt.layers.1.bias.path.weight": element 31 of shape [4 8] is -Inf`},
		{`{"type":"fox"}`, fox(0, at(16, 3, 1e300), at(2, 0, -1e300)), ""},
	} {
		ckpt, err := blockFolder(t, blockConfig(`,"bias":`+c.bias), c.tensors)
		if err != nil {
			t.Fatal(err)
		}
		_, err = families.Load(ckpt)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("large numbers: %v", err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "model.safetensors")):
			t.Errorf("error %v, want %q and the file", err, c.want)
		}
	}
}

// TestBlockKernels: KERPLE's numbers are read as they are, and are in their range.
func TestBlockKernels(t *testing.T) {
	for _, c := range []struct {
		kernel string
		r1, r2 []float64
		want   string
	}{
		{"log", []float64{0, 3}, []float64{1e-3, 7}, ""},
		{"power", []float64{0.5, 3}, []float64{1, 2}, ""},
		{"power", []float64{0.5, 3}, []float64{1, 2.01}, `tensor "pecvt.layers.1.bias.r2": head 1 has 2.01: expected an exponent above 0 and at most 2`},
		{"power", []float64{0.5, 3}, []float64{0, 1}, `tensor "pecvt.layers.1.bias.r2": head 0 has 0: expected an exponent above 0`},
		{"log", []float64{-0.5, 3}, []float64{1, 1}, `tensor "pecvt.layers.1.bias.r1": head 0 has -0.5: expected 0 or more`},
		{"log", []float64{0.5, 3}, []float64{1, -1}, `tensor "pecvt.layers.1.bias.r2": head 1 has -1: expected a number above 0`},
		{"log", []float64{0.5, math.NaN()}, []float64{1, 1}, `tensor "pecvt.layers.1.bias.r1": element 1 is NaN`},
		{"log", nil, []float64{1, 1}, `tensor "pecvt.layers.1.bias.r1" is missing`},
	} {
		tensors := map[string]blockTensor{"pecvt.layers.0.bias.r1": {[]int64{2}, []float64{1, 2}}, "pecvt.layers.0.bias.r2": {[]int64{2}, []float64{0.5, 1}}, "pecvt.layers.1.bias.r2": {[]int64{2}, c.r2}}
		if c.r1 != nil {
			tensors["pecvt.layers.1.bias.r1"] = blockTensor{[]int64{2}, c.r1}
		}
		ckpt, err := blockFolder(t, blockConfig(`,"bias":{"type":"kerple","kernel":"`+c.kernel+`"}`), tensors)
		if err != nil {
			t.Fatal(err)
		}
		m, err := families.Load(ckpt)
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		want := &family.Bias{Kind: family.Kerple, Power: c.kernel == "power", Slopes: c.r1, R2: c.r2}
		if diff := cmp.Diff(want, m.Blocks[1].Attn().Bias); diff != "" || m.Encoding() != "rope + kerple" {
			t.Errorf("encoding %q, bias %s", m.Encoding(), diff)
		}
	}
}

// TestBlockRewardsNoDistance: what multiplies a distance is not below 0, in no bias.
func TestBlockRewardsNoDistance(t *testing.T) {
	one := func(name string, n ...int64) map[string]blockTensor { // in both layers
		size := int64(1)
		for _, d := range n {
			size *= d
		}
		return map[string]blockTensor{"pecvt.layers.0.bias." + name: {n, make([]float64, size)}, "pecvt.layers.1.bias." + name: {n, make([]float64, size)}}
	}
	for _, c := range []struct {
		name, keys string
		more       map[string]blockTensor
	}{
		{"slope", `"type":"alibi"`, nil},
		{"omega", `"type":"grape-a","gates":["query"]`, one("v", 2, 4)},
		{"beta", `"type":"grape-ap","path_size":2`, one("path.weight", 4, 8)},
	} {
		for _, last := range []float64{0, 0.5, -1e-9} {
			tensors := one(c.name, 2)
			maps.Copy(tensors, c.more)
			tensors["pecvt.layers.1.bias."+c.name] = blockTensor{[]int64{2}, []float64{3, last}}
			ckpt, err := blockFolder(t, blockConfig(`,"bias":{`+c.keys+`}`), tensors)
			if err != nil {
				t.Fatal(err)
			}
			m, err := families.Load(ckpt)
			switch want := `tensor "pecvt.layers.1.bias.` + c.name + `": head 1 has -1e-09: expected 0 or more: below it a bias would reward distance`; {
			case last < 0 && (err == nil || !strings.Contains(err.Error(), want)):
				t.Errorf("%s: error %v, want %q", c.name, err, want)
			case last >= 0 && err != nil:
				t.Errorf("%s of %v: %v", c.name, last, err)
			case last >= 0 && !cmp.Equal(m.Blocks[1].Attn().Bias.Slopes, []float64{3, last}):
				t.Errorf("%s: read as %v", c.name, m.Blocks[1].Attn().Bias.Slopes)
			}
		}
	}
}

type blockTensor struct {
	shape  []int64
	values []float64
}

// blockFolder writes a model of zeros with the given tensors beside.
func blockFolder(t *testing.T, config string, tensors map[string]blockTensor) (*safetensors.Checkpoint, error) {
	t.Helper()
	dir := t.TempDir()
	all := map[string]blockTensor{"model.embed_tokens.weight": {shape: []int64{8, 8}}, "model.norm.weight": {shape: []int64{8}}}
	for i := range 2 {
		for _, n := range []string{"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"} {
			all[fmt.Sprintf("model.layers.%d.%s.weight", i, n)] = blockTensor{shape: []int64{8, 8}}
		}
		for _, n := range []string{"input_layernorm", "post_attention_layernorm"} {
			all[fmt.Sprintf("model.layers.%d.%s.weight", i, n)] = blockTensor{shape: []int64{8}}
		}
	}
	for name, v := range tensors {
		all[name] = v
	}
	var infos []safetensors.Info
	for name, v := range all {
		infos = append(infos, safetensors.Info{Name: name, DType: tensor.F64, Shape: v.shape})
	}
	infos, err := safetensors.Layout(infos)
	if err != nil {
		return nil, err
	}
	w, err := safetensors.Create(filepath.Join(dir, "model.safetensors"), infos, nil)
	if err != nil {
		return nil, err
	}
	for _, info := range infos {
		raw := make([]byte, info.Bytes())
		if v := all[info.Name].values; v != nil {
			if err := tensor.Encode64(raw, v, tensor.F64); err != nil {
				return nil, err
			}
		}
		if err := w.WriteTensor(info.Name, raw); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o666); err != nil {
		return nil, err
	}
	c, err := safetensors.OpenCheckpoint(dir)
	if err == nil {
		t.Cleanup(func() { c.Close() })
	}
	return c, err
}
