package mutants

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"

	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
)

// Folder is a converted folder that a mutant changes. Its methods panic with a
// misfit where the folder is not what the mutant takes it for.
type Folder struct {
	dir      string
	testdata string
	base     Base
}

func (f *Folder) path(name string) string { return filepath.Join(f.dir, name) }

// source is the checkpoint's folder that the conversion started from.
func (f *Folder) source() string { return f.base.Source(f.testdata) }

// bytes is a hash of everything in the folder.
func (f *Folder) bytes() (string, error) {
	names, err := os.ReadDir(f.dir)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, e := range names {
		fmt.Fprintf(h, "%s %s\n", e.Name(), e.Type())
		r, err := os.Open(f.path(e.Name()))
		if err != nil {
			return "", err
		}
		_, err = io.Copy(h, r)
		r.Close()
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (f *Folder) read(name string) []byte {
	data, err := os.ReadFile(f.path(name))
	check(err)
	return data
}

func (f *Folder) write(name string, data []byte) { check(os.WriteFile(f.path(name), data, 0o666)) }

// replace changes the only occurrence of a text in a file.
func (f *Folder) replace(name, old, with string) {
	data := f.read(name)
	if n := bytes.Count(data, []byte(old)); n != 1 {
		fail("%s: %q occurs %d times", name, old, n)
	}
	f.write(name, bytes.Replace(data, []byte(old), []byte(with), 1))
}

// unsummed takes the sums of tensor files out of pecvt.json.
func (f *Folder) unsummed() {
	if data, err := os.ReadFile(f.path("pecvt.json")); err == nil {
		f.write("pecvt.json", sums.ReplaceAll(data, nil))
	}
}

var sums = regexp.MustCompile(`,\s*"crc32c": "[^"]*"`)

// config is replace in config.json.
func (f *Folder) config(old, with string) { f.replace("config.json", old, with) }

// rope is config in both of the rope keys' spellings, which say the same.
func (f *Folder) rope(old, with string) {
	data := f.read("config.json")
	if n := bytes.Count(data, []byte(old)); n != 2 {
		fail("config.json: %q occurs %d times, expected two", old, n)
	}
	f.write("config.json", bytes.ReplaceAll(data, []byte(old), []byte(with)))
}

// stockOfBlock makes the source in the block of config.json the whole of it.
func (f *Folder) stockOfBlock() {
	var c struct {
		Pecvt struct {
			Source json.RawMessage `json:"source"`
		} `json:"pecvt"`
	}
	check(json.Unmarshal(f.read("config.json"), &c))
	f.write("config.json", c.Pecvt.Source)
}

// where finds a tensor's file and its place in it.
func (f *Folder) where(name string) (store.Info, store.Place) { return locate(f.dir, name) }

func locate(dir, name string) (store.Info, store.Place) {
	s, err := store.Open(dir)
	check(err)
	defer s.Close()
	stored := store.Stored(s)
	info, ok := stored.Lookup(name)
	at, placed := stored.Place(name)
	if !ok || !placed {
		fail("no tensor %q among %v", name, stored.Names())
	}
	return info, at
}

// tensorBytes are a tensor's bytes in a folder.
func tensorBytes(dir, name string) []byte {
	_, at := locate(dir, name)
	data, err := os.ReadFile(at.File)
	check(err)
	return bytes.Clone(data[at.Offset : at.Offset+at.Length])
}

// raw changes a tensor's bytes in place.
func (f *Folder) raw(name string, change func(b []byte, info store.Info)) {
	info, at := f.where(name)
	data, err := os.ReadFile(at.File)
	check(err)
	change(data[at.Offset:at.Offset+at.Length], info)
	check(os.WriteFile(at.File, data, 0o666))
}

// values changes a tensor's numbers in place; they are rounded to its type.
func (f *Folder) values(name string, change func(x []float64, info store.Info)) {
	f.raw(name, func(b []byte, info store.Info) {
		x := make([]float64, len(b)/info.DType.Size())
		check(tensor.Decode64(x, b, info.DType))
		change(x, info)
		check(tensor.Encode64(b, x, info.DType))
	})
}

// scale multiplies a tensor's numbers from one index to another.
func (f *Folder) scale(name string, from, to int, by float64) {
	f.values(name, func(x []float64, _ store.Info) {
		for i := from; i < to; i++ {
			x[i] *= by
		}
	})
}

// rowsMoved lets row i of a matrix be its row order(i).
func (f *Folder) rowsMoved(name string, order func(i int) int) {
	f.raw(name, func(b []byte, info store.Info) {
		moved(b, int(info.Shape[0]), order)
	})
}

// moved permutes rows of equal length.
func moved(b []byte, rows int, order func(i int) int) {
	old := bytes.Clone(b)
	n := len(b) / rows
	for i := range rows {
		copy(b[i*n:(i+1)*n], old[order(i)*n:])
	}
}

// transpose turns a square matrix over.
func (f *Folder) transpose(name string) {
	f.values(name, func(x []float64, info store.Info) {
		n := int(info.Shape[0])
		if len(info.Shape) != 2 || info.Shape[1] != info.Shape[0] {
			fail("tensor %q has shape %v: not square", name, info.Shape)
		}
		for i := range n {
			for j := range i {
				x[i*n+j], x[j*n+i] = x[j*n+i], x[i*n+j]
			}
		}
	})
}

// exchange swaps two tensors' bytes.
func (f *Folder) exchange(a, b string) {
	x, y := tensorBytes(f.dir, a), tensorBytes(f.dir, b)
	if len(x) != len(y) {
		fail("%q has %d bytes, %q %d", a, len(x), b, len(y))
	}
	f.raw(a, func(to []byte, _ store.Info) { copy(to, y) })
	f.raw(b, func(to []byte, _ store.Info) { copy(to, x) })
}

// restore puts a tensor's bytes back as the source has them.
func (f *Folder) restore(name string) {
	old := tensorBytes(f.source(), name)
	f.raw(name, func(to []byte, _ store.Info) {
		if copy(to, old) != len(old) {
			fail("tensor %q has another size in the source", name)
		}
	})
}

// tensors lists the folder's tensor files, sorted.
func (f *Folder) tensors() []string {
	list, err := filepath.Glob(f.path("*.safetensors"))
	check(err)
	sort.Strings(list)
	return list
}

// graph changes model.onnx.
func (f *Folder) graph(change func(*Graph)) {
	g := readGraph(f.path("model.onnx"))
	change(g)
	g.save()
}

// external is where a weight lies in the graph's own data.
func (f *Folder) external(name string) (offset, length int64) {
	for _, e := range readGraph(f.path("model.onnx")).initializer(name).ExternalData {
		n, err := strconv.ParseInt(e.GetValue(), 10, 64)
		switch e.GetKey() {
		case "offset":
			check(err)
			offset = n
		case "length":
			check(err)
			length = n
		}
	}
	return offset, length
}
