package evidence

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/family/config"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

// format is a way of storing quantised weights, by the tensors that show it.
type format struct {
	name string
	// suffix ends the name of the codes, and beside the names of what must stand
	// beside them; dtypes are those of the codes, nil for any.
	suffix string
	dtypes []tensor.DType
	beside []string
	// plain is a way to numbers.
	plain string
}

var (
	bytes8 = []tensor.DType{tensor.U8}
	ints8  = []tensor.DType{tensor.I8}
	words  = []tensor.DType{tensor.I32, tensor.U32}
	floats = []tensor.DType{tensor.F8E4M3, tensor.F8E5M2}
	whole  = []tensor.DType{tensor.U8, tensor.I8, tensor.I16, tensor.U16, tensor.I32, tensor.U32, tensor.I64, tensor.U64, tensor.Bool}
)

const dequantise = "model.dequantize() in transformers, where it has that method"

// formats are asked in order: the more particular come first. Names and types as
// the writers of each format have them.
var formats = []format{
	{"GPTQ", ".qweight", words, []string{".qzeros", ".scales", ".g_idx"}, dequantise},
	{"AWQ", ".qweight", words, []string{".qzeros", ".scales"}, dequantise},
	{"GPTQ or AWQ", ".qweight", nil, nil, dequantise},
	{"EXL2", ".q_weight", nil, []string{".q_scale"}, ""},
	{"EXL3", ".trellis", nil, nil, ""},
	{"HQQ", ".W_q", nil, nil, dequantise},
	{"AQLM", ".codes", nil, []string{".codebooks"}, ""},
	{"QuIP#", ".Qidxs", nil, nil, ""},
	{"VPTQ", ".indices", nil, []string{".centroids.weight"}, ""},
	{"VPTQ", ".indices", nil, []string{".centroids"}, ""},
	{"Marlin", ".B", words, []string{".s"}, ""},
	{"Marlin, 2:4", ".B_24", nil, []string{".B_meta"}, ""},
	{"SpQR", ".dense_weights", nil, nil, ""},
	{"compressed-tensors, sparse", ".compressed", nil, []string{".bitmask"}, dequantise},
	{"torchao", "._weight_qdata", nil, nil, dequantise},
	{"torchao", ".weight_qdata", nil, nil, dequantise},
	{"torchao", ".weight:qdata", nil, nil, dequantise},
	{"torchao", ".weight:_data", nil, nil, dequantise},
	{"compressed-tensors, packed", ".weight_packed", nil, []string{".weight_scale"}, dequantise},
	{"NVFP4", ".weight", bytes8, []string{".weight_scale", ".weight_scale_2"}, ""},
	{"bitsandbytes, 4 bits", ".weight", bytes8, []string{".weight.absmax"}, dequantise},
	{"bitsandbytes, 8 bits", ".weight", ints8, []string{".SCB"}, dequantise},
	{"MLX", ".weight", words, []string{".scales"}, "mlx_lm.convert, dequantising"},
	{"MXFP4", "_blocks", bytes8, []string{"_scales"}, "Mxfp4Config(dequantize=True) in transformers"},
	{"fp8 in blocks", ".weight", floats, []string{".weight_scale_inv"}, "FineGrainedFP8Config(dequantize=True) in transformers"},
	{"fp8", ".weight", floats, []string{".weight_scale"}, dequantise},
	{"int8", ".weight", ints8, []string{".weight_scale"}, dequantise},
	{"EETQ", ".weight", ints8, []string{".weight_scales"}, dequantise},
	{"packed bytes", ".weight", bytes8, []string{".weight_scale"}, dequantise},
	{"quanto", ".weight._data", nil, []string{".weight._scale"}, dequantise},
	{"integers", ".weight", whole, nil, ""},
	{"scaled weights", ".weight", nil, []string{".weight_scale"}, dequantise},
	{"scaled weights", ".weight", nil, []string{".weight_scale_inv"}, dequantise},
}

// Format is a way of storing quantised weights, for documents.
type Format struct {
	Name, Codes string
	Beside      []string
}

// Formats lists those that are recognised.
func Formats() []Format {
	var list []Format
	for _, f := range formats {
		codes := "*" + f.suffix
		if f.dtypes != nil {
			var names []string
			for _, d := range f.dtypes {
				names = append(names, d.String())
			}
			codes += " (" + strings.Join(names, ", ") + ")"
		}
		list = append(list, Format{f.name, codes, f.beside})
	}
	return list
}

// Quantised refuses a store whose weights are quantised, by the tensors that show
// it, nil where none does. What declares it (Declared) is part of the text.
func Quantised(s store.Store, c *config.Config) error {
	names := s.Names()
	for _, f := range formats {
		for _, name := range names {
			base, ok := strings.CutSuffix(name, f.suffix)
			if !ok {
				continue
			}
			info, _ := s.Lookup(name)
			if f.dtypes != nil && !slices.Contains(f.dtypes, info.DType) {
				continue
			}
			var beside []string
			for _, suffix := range f.beside {
				other, ok := s.Lookup(base + suffix)
				if !ok {
					break
				}
				beside = append(beside, fmt.Sprintf("%q (%s)", base+suffix, other.DType))
			}
			if len(beside) == len(f.beside) {
				return f.refuse(s, c, name, info, beside)
			}
		}
	}
	return nil
}

// refuse puts the evidence into words, and says what can be done.
func (f format) refuse(s store.Store, c *config.Config, name string, info store.Info, beside []string) error {
	text := fmt.Sprintf("%s: quantised (%s): tensor %q has dtype %s and shape %v", store.Where(s, name), f.name, name, info.DType, info.Shape)
	if beside != nil {
		text += ", beside it " + strings.Join(beside, ", ")
	}
	if declared := Declared(s.FS(), c); declared != nil {
		text += "; " + strings.Join(declared, ", ") + " says so too"
	}
	advice := "use the unquantised checkpoint that it was made from"
	if Declared(s.FS(), c) == nil {
		advice = "config.json has no quantization_config, which says what the numbers are: take that of the original, if the format is one that is read; or " + advice
	}
	if f.plain != "" {
		advice += ", or make plain weights of it first (" + f.plain + ")"
	}
	return fmt.Errorf("%s: %w; %s", text, posenc.ErrUnsupported, advice)
}

// sideFiles are written by quantisers beside a checkpoint.
var sideFiles = []string{"quantize_config.json", "quant_config.json", "quantization_config.json", "hf_quant_config.json", "quant_strategy.json"}

// Declared lists what beside the tensors says that the weights are quantised: keys
// of config.json, files of quantisers.
func Declared(beside fs.FS, c *config.Config) []string {
	var list []string
	for _, key := range []string{"quantization_config", "compression_config", "quantization"} {
		if !c.Has(key) {
			continue
		}
		say := fmt.Sprintf("key %q of config.json", key)
		if dict, err := c.Object.Object(key); err == nil && dict != nil {
			if method, ok, err := dict.Text("quant_method"); ok && err == nil {
				say = fmt.Sprintf("key %q (%s) of config.json", key, method)
			}
		}
		list = append(list, say)
	}
	for _, name := range sideFiles {
		if Beside(beside, name) {
			list = append(list, name)
		}
	}
	return list
}

// Beside reports whether a file or folder stands beside the tensors.
func Beside(files fs.FS, name string) bool {
	if files == nil {
		return false
	}
	_, err := fs.Stat(files, name)
	return err == nil
}
