package verify

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/verify/interp"
	"github.com/pecvt/pecvt/verify/ort"
)

// write puts an extract into a folder, whole or not at all.
func (x *extract) write(dir string, force bool) (err error) {
	if err := reproTarget(dir, force); err != nil {
		return err
	}
	path, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("target %s: %w", dir, err)
	}
	temporary, err := os.MkdirTemp(filepath.Dir(path), "."+filepath.Base(path)+".pecvt-")
	if err != nil {
		return fmt.Errorf("target %s: cannot write beside it: %w", dir, err)
	}
	defer func() {
		if err != nil {
			os.RemoveAll(temporary)
		}
	}()
	if err := os.Chmod(temporary, 0o755); err != nil {
		return fmt.Errorf("target %s: %w", dir, err)
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(x.model)
	if err != nil {
		return fmt.Errorf("target %s: %w", dir, err)
	}
	about, err := json.MarshalIndent(x.about, "", "  ")
	if err != nil {
		return fmt.Errorf("target %s: %w", dir, err)
	}
	for _, f := range []struct {
		name string
		data []byte
	}{{GraphFile, raw}, {ReproFile, append(about, '\n')}} {
		if err := os.WriteFile(filepath.Join(temporary, f.name), f.data, 0o666); err != nil {
			return fmt.Errorf("target %s: %w", dir, err)
		}
	}
	if err := writeArrays(filepath.Join(temporary, inputsFile), x.inputs); err != nil {
		return fmt.Errorf("target %s: %w", dir, err)
	}
	if err := writeArrays(filepath.Join(temporary, expectedFile), x.expected); err != nil {
		return fmt.Errorf("target %s: %w", dir, err)
	}
	aside := temporary + ".old"
	err = os.Rename(path, aside)
	replaced := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("target %s: cannot move the old one aside: %w", dir, err)
	}
	if err = os.Rename(temporary, path); err != nil {
		if replaced {
			err = errors.Join(err, os.Rename(aside, path))
		}
		return fmt.Errorf("target %s: cannot put the result in its place: %w", dir, err)
	}
	if replaced {
		if gone := os.RemoveAll(aside); gone != nil {
			return fmt.Errorf("the result is in place, but the old target remains at %s: %w", aside, gone)
		}
	}
	return nil
}

// writeArrays writes values by name: floats in float64, as the oracle has them.
func writeArrays(path string, values map[string]*interp.Array) error {
	var infos []safetensors.Info
	dtype := map[interp.Kind]tensor.DType{interp.Float: tensor.F64, interp.Int: tensor.I64, interp.Bool: tensor.Bool}
	names := sortedKeys(values)
	for _, n := range names {
		info := safetensors.Info{Name: n, DType: dtype[values[n].Kind], Shape: []int64{}}
		for _, d := range values[n].Shape {
			info.Shape = append(info.Shape, int64(d))
		}
		infos = append(infos, info)
	}
	w, err := safetensors.Create(path, infos, map[string]string{"format": "pecvt-repro"})
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := w.WriteTensor(n, littleEndian(values[n])); err != nil {
			return errors.Join(err, w.Close())
		}
	}
	return w.Close()
}

func littleEndian(a *interp.Array) []byte {
	var out []byte
	for _, x := range a.F {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(x))
	}
	for _, x := range a.I {
		out = binary.LittleEndian.AppendUint64(out, uint64(x))
	}
	for _, x := range a.B {
		bit := byte(0)
		if x {
			bit = 1
		}
		out = append(out, bit)
	}
	return out
}

// asArray is a value of an engine's cache.
func asArray(v any) (*interp.Array, error) {
	switch v := v.(type) {
	case *interp.Array:
		return v, nil
	case ort.Tensor:
		return arrayOf(v)
	}
	return nil, fmt.Errorf("a cache of type %T", v)
}

// tensorOf is a value as an input of ONNX Runtime, rounded to its type.
func tensorOf(a *interp.Array, d tensor.DType) (ort.Tensor, error) {
	shape := make([]int64, len(a.Shape))
	for i, n := range a.Shape {
		shape[i] = int64(n)
	}
	switch {
	case a.Kind == interp.Float && d == tensor.F32:
		f := make([]float32, len(a.F))
		for i, x := range a.F {
			f[i] = float32(x)
		}
		return ort.Float32(f, shape...), nil
	case a.Kind == interp.Float && d.IsFloat():
		raw := make([]byte, len(a.F)*d.Size())
		return ort.Raw(d, raw, shape...), tensor.Encode64(raw, a.F, d)
	case a.Kind == interp.Int && d == tensor.I64:
		return ort.Int64(a.I, shape...), nil
	case a.Kind == interp.Bool && d == tensor.Bool:
		return ort.Raw(d, littleEndian(a), shape...), nil
	}
	return ort.Tensor{}, fmt.Errorf("it is %v, the graph takes %s", a, d)
}
