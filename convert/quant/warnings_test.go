package quant_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pecvt/pecvt/convert/quant"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

// shapes is a source of tensors that are zeros.
type shapes map[string]tensor.Info

func (s shapes) Lookup(name string) (tensor.Info, bool) {
	info, ok := s[name]
	info.Name = name
	return info, ok
}

func (s shapes) Read(name string, begin, end int64) ([]byte, error) {
	if info, ok := s[name]; !ok || end > info.Bytes() {
		return nil, fmt.Errorf("no bytes %d to %d of %q", begin, end, name)
	}
	return make([]byte, end-begin), nil
}

func find(config string, s shapes) (*quant.Storage, error) {
	var names []string
	for name := range s {
		names = append(names, name)
	}
	slices.Sort(names)
	return quant.Find(quant.Declared(fstest.MapFS{"config.json": {Data: []byte(config)}}), s, names)
}

func fp8(more map[string]tensor.Info) shapes {
	s := shapes{"l.q_proj.weight": {DType: tensor.F8E4M3, Shape: []int64{4, 6}}, "l.q_proj.weight_scale_inv": {DType: tensor.F32, Shape: []int64{2, 2}}}
	for name, info := range more {
		s[name] = info
	}
	return s
}

// What others compute of the same tensors is said; a declaration is found wherever
// writers put it.
func TestWarnings(t *testing.T) {
	const blocks = `"weight_block_size": [2, 3]`
	for config, want := range map[string]string{
		`{"quantization_config": {"quant_method": "fp8", ` + blocks + `, "activation_scheme": "dynamic"}}`:                                    "what enters quantised linears is rounded too",
		`{"quantization_config": {"quant_method": "FP8", "weight_block_size": [3, 4]}}`:                                                       "no multiples of their blocks",
		`{"text_config": {"quantization_config": {"quant_method": "fp8", ` + blocks + `, "modules_to_not_convert": ["l.q_proj"]}}}`:           `lists "l.q_proj.weight" among the modules that are not quantised`,
		`{"pecvt": {"source": {"quantization_config": {"quant_method": "fp8", ` + blocks + `, "ignored_layers": ["re:.*q_proj"]}}}}`:          `lists "l.q_proj.weight"`,
		`{"compression_config": {"quant_method": "fp8", ` + blocks + `, "modules_to_not_convert": ["lm_head"], "activation_scheme": "none"}}`: "rounded too",
	} {
		s, err := find(config, fp8(nil))
		if err != nil || s == nil || len(s.Tensors) != 1 || !slices.ContainsFunc(s.Warnings, func(w string) bool { return strings.Contains(w, want) }) {
			t.Errorf("%s: %+v, %v; want %q", config, s, err, want)
		}
	}
	cache := map[string]tensor.Info{"l.k_scale": {DType: tensor.F32}, "l.v_scale": {DType: tensor.F32}}
	s, err := find(`{"quantization_config": {"quant_method": "fp8", "weight_block_size": [2, 3]}}`, fp8(cache))
	if err != nil || len(s.Hidden) != 3 || len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "2 stored scales of the cache") {
		t.Errorf("%+v, %v", s, err)
	}
	s, err = find(`{"quantization_config": {"quant_method": "fp8", "weight_block_size": [2, 3]}}`, fp8(map[string]tensor.Info{"l.q_proj.input_scale_ub": {DType: tensor.F32, Shape: []int64{1}}}))
	if err != nil || !s.Hidden["l.q_proj.input_scale_ub"] || !strings.Contains(strings.Join(s.Warnings, "\n"), "1 stored scales of activations") {
		t.Errorf("%+v, %v", s, err)
	}
	// scales of a cache alone
	if s, err := find(`{"quantization_config": {"quant_method": "compressed-tensors"}}`, shapes(cache)); err != nil || s == nil || len(s.Tensors) != 0 || len(s.Warnings) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	// plain weights under a declaration, and codes without one
	if s, err := find(`{"quantization_config": {"quant_method": "fp8"}}`, shapes{"w.weight": {DType: tensor.BF16, Shape: []int64{4, 6}}}); s != nil || err != nil {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := find(`{}`, fp8(nil)); s != nil || err != nil {
		t.Errorf("%+v, %v", s, err)
	}
}

// Codes without their scales, and weights that something was done to before they were
// quantised, are refused by name.
func TestRefusals(t *testing.T) {
	const config = `{"quantization_config": {"quant_method": "fp8", "weight_block_size": [2, 3]}}`
	if _, err := find(config, fp8(map[string]tensor.Info{"l.k_proj.weight": {DType: tensor.F8E4M3, Shape: []int64{4, 6}}})); err == nil || !strings.Contains(err.Error(), `"l.k_proj.weight" is F8_E4M3`) {
		t.Errorf("%v", err)
	}
	if _, err := find(config, fp8(map[string]tensor.Info{"l.q_proj.pre_quant_scale": {DType: tensor.F32, Shape: []int64{6}}})); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), "pre_quant_scale") {
		t.Errorf("%v", err)
	}
	if _, err := find(`{"quantization_config": {"quant_method": "compressed-tensors", "transform_config": {"config_groups": {}}}}`, fp8(nil)); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), "transform_config") {
		t.Errorf("%v", err)
	}
}
