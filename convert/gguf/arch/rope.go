package arch

import (
	"errors"
	"fmt"
	"math"

	"encoding/json"

	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/posenc"
)

// The tensors that change a rotation: what each plane's frequency is divided by.
const (
	FreqTensor  = "rope_freqs.weight"
	LongTensor  = "rope_factors_long.weight"
	ShortTensor = "rope_factors_short.weight"
)

// rope says the rotation in config.json's keys:
//
//	llama.cpp                          config.json
//	rope.freq_base                     rope_theta
//	rope.dimension_count               partial_rotary_factor
//	rope.scaling.type linear           rope_type linear
//	rope.scaling.type yarn             rope_type yarn
//	rope_freqs.weight                  rope_type longrope, both factors these
//	rope_factors_{short,long}.weight   rope_type longrope
//
// The type llama3 cannot hold any factors that a file may have; longrope can, to
// the last bit of float32.
func (r *reader) rope(s Sizes, numbers Numbers) {
	if r.arch.Base == "" {
		for _, key := range []string{"rope.freq_base", "rope.dimension_count"} { // written for every model by some converters
			r.skip(key)
		}
		r.noFactors("")
		return
	}
	base, ok := r.real("rope.freq_base")
	if !ok {
		base = 10000 // llama.cpp's
	}
	if !(base > 0) || math.IsInf(base, 0) {
		r.failf("%s.rope.freq_base is %v: expected a positive number: %w", r.arch.Name, base, gguf.ErrFormat)
	}
	r.config[r.arch.Base] = short(base)
	dims, ok := r.size("rope.dimension_count")
	if !ok {
		dims = s.HeadDim
	}
	switch {
	case dims <= 0 || dims > s.HeadDim || dims%2 != 0:
		r.failf("%s.rope.dimension_count is %d: expected an even number up to the head size %d: %w", r.arch.Name, dims, s.HeadDim, gguf.ErrFormat)
	case r.arch.Partial != "":
		r.config[r.arch.Partial] = float64(dims) / float64(s.HeadDim)
	case dims != s.HeadDim:
		r.failf("%s.rope.dimension_count is %d of a head of %d: %w; llama.cpp's graph of it turns whole heads", r.arch.Name, dims, s.HeadDim, posenc.ErrUnsupported)
	}
	scaling, err := r.scaling(dims/2, numbers)
	if err != nil {
		r.errs = append(r.errs, err)
	}
	if scaling != nil {
		r.config["rope_scaling"] = scaling
	}
}

// scaling makes the dictionary of the rope type; nil for none.
func (r *reader) scaling(planes int64, numbers Numbers) (map[string]any, error) {
	kind, _ := r.text("rope.scaling.type")
	factor, ok := r.real("rope.scaling.factor")
	if !ok {
		if factor, ok = r.real("rope.scale_linear"); !ok {
			factor = 1
		}
	} else {
		r.skip("rope.scale_linear") // llama.cpp passes over it then
	}
	trained, stated := r.size("rope.scaling.original_context_length")
	context, _ := r.size("context_length")
	if !stated {
		trained = context
	}
	gain, hasGain := r.real("rope.scaling.attn_factor")
	if kind == "" {
		kind = "linear" // llama.cpp's; with a factor of 1 it is none
	}
	fast, hasFast := r.real("rope.scaling.yarn_beta_fast")
	slow, hasSlow := r.real("rope.scaling.yarn_beta_slow")
	if !hasGain {
		gain = 1
	}
	if gain != 1 && kind != "longrope" && (kind == "yarn" || !r.hasTensor(FreqTensor) && !r.hasTensor(LongTensor)) {
		return nil, fmt.Errorf("%s.rope.scaling.attn_factor is %v with the type %q: %w", r.arch.Name, gain, kind, posenc.ErrUnsupported)
	}
	switch kind {
	case "none", "linear":
		if kind == "none" {
			factor = 1
		}
		return r.byFactors(factor, planes, trained, gain, numbers)
	case "yarn":
		r.noFactors("the type yarn")
		out := map[string]any{"rope_type": "yarn", "factor": short(factor), "original_max_position_embeddings": trained}
		if hasFast {
			out["beta_fast"] = short(fast)
		}
		if hasSlow {
			out["beta_slow"] = short(slow)
		}
		return out, nil
	case "longrope":
		return r.longrope(planes, trained, gain, numbers)
	}
	return nil, fmt.Errorf("%s.rope.scaling.type is %q: %w; known are none, linear, yarn and longrope", r.arch.Name, kind, posenc.ErrUnsupported)
}

// byFactors is the type linear, or with rope_freqs.weight the spectrum of both.
func (r *reader) byFactors(factor float64, planes, trained int64, gain float64, numbers Numbers) (map[string]any, error) {
	for _, name := range []string{LongTensor, ShortTensor} {
		// phi3's files need not say their type.
		if r.hasTensor(name) && r.arch.Name == "phi3" && factor == 1 {
			return r.longrope(planes, trained, gain, numbers)
		}
		if r.hasTensor(name) {
			return nil, fmt.Errorf("tensor %q without the rope scaling type longrope: %w; llama.cpp does not load it", name, posenc.ErrUnsupported)
		}
	}
	if !r.hasTensor(FreqTensor) {
		if r.arch.Name == "phi3" {
			r.trained()
		}
		if factor == 1 {
			return nil, nil
		}
		said := map[string]any{"rope_type": "linear", "factor": short(factor)}
		if context, _ := r.size("context_length"); trained != context {
			said["original_max_position_embeddings"] = trained
		}
		return said, nil
	}
	if !r.arch.FreqFactors {
		return nil, fmt.Errorf("tensor %q in architecture %s, whose graph does not apply it: %w", FreqTensor, r.arch.Name, posenc.ErrUnsupported)
	}
	list, err := r.factors(FreqTensor, planes, factor, numbers)
	if err != nil {
		return nil, err
	}
	return spectrum(list, list, trained, gain), nil
}

// longrope is the type of the name, with factors for short and for long texts.
func (r *reader) longrope(planes, trained int64, gain float64, numbers Numbers) (map[string]any, error) {
	if !r.arch.LongFactors || r.hasTensor(FreqTensor) {
		return nil, fmt.Errorf("the rope scaling type longrope in architecture %s (with %s: %v): %w; llama.cpp's graph does not apply it", r.arch.Name, FreqTensor, r.hasTensor(FreqTensor), posenc.ErrUnsupported)
	}
	if !r.hasTensor(LongTensor) && !r.hasTensor(ShortTensor) {
		return nil, fmt.Errorf("the rope scaling type longrope without %s and %s: %w; llama.cpp computes the base's own frequencies then, and the model was made with others", LongTensor, ShortTensor, posenc.ErrUnsupported)
	}
	short, err := r.factors(ShortTensor, planes, 1, numbers)
	if err != nil {
		return nil, err
	}
	long, err := r.factors(LongTensor, planes, 1, numbers)
	if err != nil {
		return nil, err
	}
	if trained == 0 {
		return nil, fmt.Errorf("%s.rope.scaling.original_context_length is missing: %w", r.arch.Name, gguf.ErrFormat)
	}
	if r.arch.Name == "phi3" {
		r.trained()
	}
	return spectrum(short, long, trained, gain), nil
}

// trained is where Phi-3's class looks for the trained length.
func (r *reader) trained() {
	n, ok := r.size("rope.scaling.original_context_length")
	if !ok {
		n, _ = r.size("context_length")
	}
	r.config["original_max_position_embeddings"] = n
}

func spectrum(short, long []json.Number, trained int64, gain float64) map[string]any {
	return map[string]any{
		"rope_type": "longrope", "short_factor": short, "long_factor": long,
		"original_max_position_embeddings": trained, "attention_factor": exact(float32(gain)),
	}
}

// factors reads a tensor of one number for each plane, times a factor that serves
// all.
func (r *reader) factors(name string, planes int64, times float64, numbers Numbers) ([]json.Number, error) {
	t, ok := r.h.Tensor(name)
	if !ok || t.Type != gguf.F32 || len(t.Dims) != 1 || t.Dims[0] != planes {
		return nil, fmt.Errorf("tensor %q: expected %d float32, one for each plane that turns: %w", name, planes, gguf.ErrFormat)
	}
	values, err := numbers(name)
	if err != nil {
		return nil, err
	}
	list := make([]json.Number, len(values))
	for i, x := range values {
		y := float64(x) * times
		if !(y > 0) || math.IsInf(y, 0) {
			return nil, fmt.Errorf("tensor %q: element %d is %v: %w", name, i, x, errors.Join(gguf.ErrFormat, errors.New("expected a positive number")))
		}
		if list[i] = exact(x); times != 1 {
			list[i] = exact(float32(y))
		}
	}
	return list, nil
}

// noFactors refuses tensors of factors where they change nothing, or where no
// spelling holds both.
func (r *reader) noFactors(with string) {
	for _, name := range []string{FreqTensor, LongTensor, ShortTensor} {
		if !r.hasTensor(name) {
			continue
		}
		if with != "" {
			r.failf("tensor %q with %s: %w", name, with, posenc.ErrUnsupported)
			continue
		}
		r.failf("tensor %q in architecture %s, which does not rotate: %w", name, r.arch.Name, posenc.ErrUnsupported)
	}
}
