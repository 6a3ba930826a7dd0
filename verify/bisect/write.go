package bisect

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/verify/interp"
	"github.com/pecvt/pecvt/verify/run"
)

// write puts an extract into a folder, whole or not at all.
func (x *extract) write(dir string, force bool) (err error) {
	if err := ReproTarget(dir, force); err != nil {
		return err
	}
	path, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("target %s: %w", dir, err)
	}
	own, err := fsio.NewTemporary(filepath.Dir(path), filepath.Base(path))
	if err != nil {
		return fmt.Errorf("target %s: cannot write beside it: %w", dir, err)
	}
	defer func() {
		if gone := own.Remove(); err == nil && gone != nil {
			err = fmt.Errorf("the result is in place, but what was temporary remains beside it: %w", gone)
		}
	}()
	temporary := own.Dir
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
	}{{run.GraphFile, raw}, {ReproFile, append(about, '\n')}} {
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
	if _, there := os.Lstat(path); there == nil {
		err = own.Replace(temporary, path)
	} else {
		err = fsio.Put(temporary, path)
	}
	if err != nil {
		return fmt.Errorf("target %s: cannot put the result in its place: %w", dir, err)
	}
	return nil
}

// writeArrays writes values by name: floats in float64, as the oracle has them.
func writeArrays(path string, values map[string]*interp.Array) error {
	var infos []safetensors.Info
	dtype := map[interp.Kind]tensor.DType{interp.Float: tensor.F64, interp.Int: tensor.I64, interp.Bool: tensor.Bool}
	names := slices.Sorted(maps.Keys(values))
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
		if err := w.WriteTensor(n, run.LittleEndian(values[n])); err != nil {
			return errors.Join(err, w.Close())
		}
	}
	return w.Close()
}
