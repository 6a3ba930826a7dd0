package ort

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/pecvt/pecvt/convert/tensor"
)

// Value is an input or an output that a graph declares.
type Value struct {
	Name  string
	DType tensor.DType
	// Shape has -1 for a dimension that is not fixed. It is nil where the graph
	// declares no shape, and empty but not nil for a scalar.
	Shape []int64
	// Symbols has the name of each dimension that is not fixed, "" for others.
	Symbols []string

	elem uint64 // ONNX's number of the element type, 0 where it is no tensor
}

// String gives the value as a report shows it: `input_ids I64 [batch sequence]`.
func (v Value) String() string {
	if _, ok := elemTypes[v.elem]; !ok {
		return fmt.Sprintf("%s (ONNX element type %d)", v.Name, v.elem)
	}
	return fmt.Sprintf("%s %s %s", v.Name, v.DType, v.dims())
}

func (v Value) dims() string {
	if v.Shape == nil {
		return "[...]"
	}
	dims := make([]string, len(v.Shape))
	for i, d := range v.Shape {
		switch {
		case d >= 0:
			dims[i] = fmt.Sprint(d)
		case v.Symbols[i] != "":
			dims[i] = v.Symbols[i]
		default:
			dims[i] = "?"
		}
	}
	return "[" + strings.Join(dims, " ") + "]"
}

// elemTypes are the element types of onnx.proto's TensorProto.DataType.
var elemTypes = map[uint64]tensor.DType{
	1: tensor.F32, 2: tensor.U8, 3: tensor.I8, 4: tensor.U16, 5: tensor.I16, 6: tensor.I32, 7: tensor.I64,
	9: tensor.Bool, 10: tensor.F16, 11: tensor.F64, 12: tensor.U32, 13: tensor.U64, 16: tensor.BF16,
	17: tensor.F8E4M3, 19: tensor.F8E5M2, 24: tensor.F8E8M0,
}

// Field numbers of onnx.proto that are read here.
const (
	modelGraph = 7

	graphInitializer = 5
	graphInput       = 11
	graphOutput      = 12

	tensorName     = 8
	tensorExternal = 13
	entryKey       = 1
	entryValue     = 2

	valueName = 1
	valueType = 2

	typeTensor  = 1
	tensorElem  = 1
	tensorShape = 2
	shapeDim    = 1
	dimValue    = 1
	dimParam    = 2
)

// readInterface reads what a model file declares as its inputs and outputs, in
// order, and checks that the external data of its weights is there. Inputs that
// an initializer gives a default for are left out, as ONNX Runtime does. The
// runtime itself is not needed.
func readInterface(path string) (inputs, outputs []Value, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("ort: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("ort: %w", err)
	}
	if info.IsDir() {
		return nil, nil, fmt.Errorf("ort: %s: it is a folder: give the .onnx file", path)
	}

	inputs, outputs, stored, err := parseInterface(f, info.Size())
	if err != nil {
		return nil, nil, fmt.Errorf("ort: %s: not an ONNX model, or a truncated one: %w", path, err)
	}
	for _, t := range stored {
		if err := t.check(filepath.Dir(path)); err != nil {
			return nil, nil, fmt.Errorf("ort: %s: tensor %q: %w", path, t.name, err)
		}
	}
	return inputs, outputs, nil
}

func parseInterface(r io.ReaderAt, size int64) (inputs, outputs []Value, stored []initializer, err error) {
	graphs := 0
	err = message{r, 0, size}.each(func(top field) error {
		if top.number != modelGraph || top.kind != protowire.BytesType {
			return nil
		}
		graphs++
		return top.body.each(func(g field) error {
			if g.kind != protowire.BytesType {
				return nil
			}
			switch g.number {
			case graphInput, graphOutput:
				v, err := readValue(g.body)
				if err != nil {
					return err
				}
				if g.number == graphInput {
					inputs = append(inputs, v)
				} else {
					outputs = append(outputs, v)
				}
			case graphInitializer:
				t, err := readInitializer(g.body)
				if err != nil {
					return err
				}
				stored = append(stored, t)
			}
			return nil
		})
	})
	if err == nil && (graphs != 1 || len(outputs) == 0) {
		err = fmt.Errorf("it holds %d graphs and %d outputs", graphs, len(outputs))
	}
	if err != nil {
		return nil, nil, nil, err
	}
	given := map[string]bool{}
	for _, t := range stored {
		given[t.name] = true
	}
	inputs = slices.DeleteFunc(inputs, func(v Value) bool { return given[v.Name] })
	return inputs, outputs, stored, nil
}

func readValue(m message) (Value, error) {
	var v Value
	err := m.each(func(f field) error {
		var err error
		switch f.number {
		case valueName:
			v.Name, err = f.text()
		case valueType:
			err = f.body.each(func(t field) error {
				if t.number != typeTensor {
					return nil // a sequence, a map, ...: elem stays 0
				}
				return readTensorType(&v, t.body)
			})
		}
		return err
	})
	v.DType = elemTypes[v.elem]
	return v, err
}

func readTensorType(v *Value, m message) error {
	return m.each(func(f field) error {
		switch f.number {
		case tensorElem:
			v.elem = f.value
		case tensorShape:
			v.Shape, v.Symbols = []int64{}, []string{}
			return f.body.each(func(d field) error {
				if d.number != shapeDim {
					return nil
				}
				size, symbol := int64(-1), ""
				err := d.body.each(func(x field) error {
					var err error
					switch x.number {
					case dimValue:
						size = int64(x.value)
					case dimParam:
						symbol, err = x.text()
					}
					return err
				})
				v.Shape = append(v.Shape, size)
				v.Symbols = append(v.Symbols, symbol)
				return err
			})
		}
		return nil
	})
}
