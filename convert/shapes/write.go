package shapes

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
)

// Write makes the checkpoint in dir, which it makes where it is not there, with
// config.json and, for several files, an index. Tensors of the layers in filled have
// drawn numbers: matrices N(0, 1/√columns), norms around one; −1 stands for those that
// are of no layer (embedding, last norm, head). All others are holes: zeros.
func (s *Shape) Write(dir string, filled ...int) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("shape %s: %w", s.Name, err)
	}
	shards, err := safetensors.PlanShards(s.Tensors, s.FileBytes)
	if err != nil {
		return fmt.Errorf("shape %s: %w", s.Name, err)
	}
	for _, shard := range shards {
		if err := writeShard(filepath.Join(dir, shard.File), shard, filled); err != nil {
			return fmt.Errorf("shape %s: %w", s.Name, err)
		}
	}
	if len(shards) > 1 {
		if err := safetensors.WriteIndex(filepath.Join(dir, "model.safetensors.index.json"), shards); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(s.Config, "", "  ")
	if err != nil {
		return fmt.Errorf("shape %s: config.json: %w", s.Name, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), append(text, '\n'), 0o666); err != nil {
		return fmt.Errorf("shape %s: %w", s.Name, err)
	}
	return nil
}

func writeShard(path string, shard safetensors.Shard, filled []int) error {
	header, err := safetensors.Header(shard.Infos, map[string]string{"format": "pt"})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(header); err != nil {
		return err
	}
	if err := f.Truncate(int64(len(header)) + shard.Bytes); err != nil {
		return err
	}
	for i, info := range shard.Infos {
		if !within(info.Name, filled) {
			continue
		}
		if _, err := f.Seek(int64(len(header))+info.Begin, io.SeekStart); err != nil {
			return err
		}
		if err := draw(f, info, uint64(i)); err != nil {
			return fmt.Errorf("tensor %q: %w", info.Name, err)
		}
	}
	return f.Close()
}

// draw writes a tensor's numbers, drawn from its name.
func draw(w io.Writer, info safetensors.Info, salt uint64) error {
	seed := salt
	for _, c := range []byte(info.Name) {
		seed = seed*1099511628211 + uint64(c)
	}
	r := rand.New(rand.NewPCG(seed, 17))
	number := func() float64 { return r.NormFloat64() / math.Sqrt(float64(info.Shape[len(info.Shape)-1])) }
	switch {
	case strings.Contains(info.Name, "norm"):
		number = func() float64 { return 1 + 0.1*r.NormFloat64() }
	case strings.HasSuffix(info.Name, scaleSuffix): // codes reach ±448: of a normal variable, three are within a third of it
		number = func() float64 { return (1 + r.Float64()) / 8192 }
	case info.DType == tensor.F8E4M3:
		number = func() float64 { return 64 * r.NormFloat64() }
	}
	left := info.Bytes() / int64(info.DType.Size())
	values := make([]float64, min(left, 1<<16))
	for left > 0 {
		values = values[:min(left, int64(len(values)))]
		for i := range values {
			values[i] = number()
		}
		raw, err := encode(values, info.DType)
		if err != nil {
			return err
		}
		if _, err := w.Write(raw); err != nil {
			return err
		}
		left -= int64(len(values))
	}
	return nil
}

func encode(values []float64, d tensor.DType) ([]byte, error) {
	raw := make([]byte, 0, len(values)*d.Size())
	for _, v := range values {
		bits := math.Float32bits(float32(v))
		switch d {
		case tensor.F32:
			raw = binary.LittleEndian.AppendUint32(raw, bits)
		case tensor.BF16:
			raw = binary.LittleEndian.AppendUint16(raw, uint16((bits+0x7fff+bits>>16&1)>>16))
		case tensor.F8E4M3: // cut, not rounded: any code will do
			sign, exponent, mantissa := byte(bits>>31)<<7, int(bits>>23&0xff)-127+7, byte(bits>>20&7)
			if exponent <= 0 {
				exponent, mantissa = 0, 0
			}
			raw = append(raw, sign|byte(min(exponent, 14))<<3|mantissa)
		default:
			return nil, fmt.Errorf("numbers of type %v are not drawn", d)
		}
	}
	return raw, nil
}
