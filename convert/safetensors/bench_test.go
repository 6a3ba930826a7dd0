package safetensors

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/tensor"
)

// big writes a file of the given number of BF16 tensors of the given KiB each. Its
// bytes are not zero: a sparse file would be read and copied faster than a real
// one.
func big(b testing.TB, dir string, tensors, kib int) string {
	b.Helper()
	var infos []Info
	for i := range tensors {
		infos = append(infos, Info{Name: fmt.Sprintf("model.layers.%d.self_attn.q_proj.weight", i), DType: tensor.BF16, Shape: []int64{int64(kib), 512}})
	}
	path := filepath.Join(dir, "model.safetensors")
	w, err := Create(path, infos, map[string]string{"format": "pt"})
	if err != nil {
		b.Fatal(err)
	}
	data := make([]byte, kib<<10)
	for i := range data {
		data[i] = byte(i*31+i>>9) & 0x3f
	}
	for _, info := range infos {
		if err := w.WriteTensor(info.Name, data); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return path
}

// Opening a file of 1000 tensors: reading, checking and mapping.
func BenchmarkOpen1000(b *testing.B) {
	var infos []Info
	for i := range 1000 {
		infos = append(infos, Info{Name: fmt.Sprintf("model.layers.%d.self_attn.q_proj.weight", i), DType: tensor.BF16, Shape: []int64{4, 2}})
	}
	path := filepath.Join(b.TempDir(), "model.safetensors")
	w, err := Create(path, infos, nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, info := range infos {
		if err := w.WriteTensor(info.Name, make([]byte, 16)); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		f, err := Open(path)
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
}

// Looking at every value of 256 MiB: through the map, by Walk over the map (which
// gives the pages back), and by Walk where there is no map.
func BenchmarkScan(b *testing.B) {
	f, err := Open(big(b, b.TempDir(), 256, 1024))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	unmapped, err := openLocal(f.Path, false)
	if err != nil {
		b.Fatal(err)
	}
	defer unmapped.Close()
	walk := func(f *File) func() error {
		return func() error {
			for _, info := range f.Tensors() {
				err := f.Walk(info.Name, func(_ int64, piece []byte) error {
					if _, found := tensor.NonFinite(piece, info.DType); found {
						return fmt.Errorf("%s: not finite", info.Name)
					}
					return nil
				})
				if err != nil {
					return err
				}
			}
			return nil
		}
	}
	for _, c := range []struct {
		name string
		scan func() error
	}{
		{"map", func() error {
			for _, info := range f.Tensors() {
				data, err := f.Bytes(info.Name)
				if err != nil {
					return err
				}
				if _, found := tensor.NonFinite(data, info.DType); found {
					return fmt.Errorf("%s: not finite", info.Name)
				}
			}
			return nil
		}},
		{"walk-map", walk(f)},
		{"walk-read", walk(unmapped)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(f.Size())
			for b.Loop() {
				if err := c.scan(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Copying 256 MiB: the system's cp, a copy of the file, and a new file written
// tensor by tensor from the old one.
func BenchmarkCopy(b *testing.B) {
	dir := b.TempDir()
	src := big(b, dir, 256, 1024)
	f, err := Open(src)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	dst := filepath.Join(dir, "copy")
	ctx := context.Background()
	for _, c := range []struct {
		name string
		copy func() error
	}{
		{"cp", func() error { return exec.Command("cp", src, dst).Run() }},
		{"file", func() error { _, err := fsio.Clone(ctx, src, dst, nil, nil); return err }},
		{"tensors", func() error {
			w, err := Create(dst, f.Tensors(), f.Metadata())
			if err != nil {
				return err
			}
			for _, info := range f.Tensors() {
				section, err := f.Section(info.Name)
				if err != nil {
					return err
				}
				if err := w.CopyTensor(ctx, info.Name, info.DType, section); err != nil {
					return err
				}
			}
			return w.Close()
		}},
		{"link", func() error { _, err := fsio.Link(ctx, src, dst, nil); return err }},
	} {
		b.Run(c.name, func(b *testing.B) {
			if c.name == "cp" {
				if _, err := exec.LookPath("cp"); err != nil {
					b.Skipf("this machine has no cp: %v", err)
				}
			}
			b.SetBytes(f.Size())
			for b.Loop() {
				if err := c.copy(); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if err := os.Remove(dst); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}
