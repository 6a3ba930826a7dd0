// Package shapes makes checkpoints of the shapes of published models without their
// numbers: tensor files with true headers over holes, which take no space on a file
// system with sparse files. What depends on names, shapes and offsets alone can be tried
// on them at full size. Chosen layers can have drawn numbers.
package shapes

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
)

// Shape is a model's configuration and its tensors.
type Shape struct {
	Name string
	// From says which published model it is the shape of.
	From string
	// Config is config.json.
	Config map[string]any
	// Tensors are in the order in which files hold them.
	Tensors []safetensors.Info
	Layers  int
	// FileBytes bounds a tensor file.
	FileBytes int64
}

// fileBytes is what the published files of these models have.
const fileBytes = 4_300_000_000

// Parameters counts the numbers of a shape's weights, block scales left out.
func (s *Shape) Parameters() int64 {
	var n int64
	for _, info := range s.Tensors {
		if strings.HasSuffix(info.Name, scaleSuffix) {
			continue
		}
		elements, err := tensor.Elements(info.Shape)
		if err != nil {
			panic(err) // the shapes are this package's own
		}
		n += elements
	}
	return n
}

// All lists the shapes, small ones first.
func All() []*Shape {
	return []*Shape{
		llama("llama-1b", "Llama 3.2 1B", llamaSizes{hidden: 2048, layers: 16, heads: 32, headDim: 64, inner: 8192, factor: 32, tied: true}),
		llama("llama-8b", "Llama 3.1 8B", llamaSizes{hidden: 4096, layers: 32, heads: 32, headDim: 128, inner: 14336, factor: 8}),
		llama("llama-70b", "Llama 3.1 70B", llamaSizes{hidden: 8192, layers: 80, heads: 64, headDim: 128, inner: 28672, factor: 8}),
		llama("llama-405b", "Llama 3.1 405B", llamaSizes{hidden: 16384, layers: 126, heads: 128, headDim: 128, inner: 53248, factor: 8}),
		mixture("deepseek-v3", "DeepSeek V3 without the layer that predicts a second token", 2048),
		mixture("trillion", "DeepSeek V3 with experts of 3072 in the place of 2048: 10^12 parameters", 3072),
	}
}

// Find gives the shape of a name, or an error that lists the names.
func Find(name string) (*Shape, error) {
	var names []string
	for _, s := range All() {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return nil, fmt.Errorf("shape %q: known are %s", name, strings.Join(names, ", "))
}

// lister collects tensors.
type lister struct{ list []safetensors.Info }

func (l *lister) add(name string, d tensor.DType, shape ...int64) {
	l.list = append(l.list, safetensors.Info{Name: name, DType: d, Shape: shape})
}

func (l *lister) bf16(name string, shape ...int64) { l.add(name, tensor.BF16, shape...) }

// scaleSuffix ends the name of a weight's block scales.
const scaleSuffix = "_scale_inv"

// scaled is a matrix of float8 with a float32 for each block of 128 × 128.
func (l *lister) scaled(name string, rows, columns int64) {
	l.add(name, tensor.F8E4M3, rows, columns)
	l.add(name+scaleSuffix, tensor.F32, (rows+127)/128, (columns+127)/128)
}

// layersOf gives the layer of a tensor's name, -1 where it is of none.
func layerOf(name string) int {
	var layer int
	if n, _ := fmt.Sscanf(name, "model.layers.%d.", &layer); n == 1 {
		return layer
	}
	return -1
}

// within tells whether a tensor belongs to one of some layers.
func within(name string, layers []int) bool { return slices.Contains(layers, layerOf(name)) }
