package safetensors

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/tensor"
)

var two = []Info{
	{Name: "b", DType: tensor.F32, Shape: []int64{2}},
	{Name: "a", DType: tensor.BF16, Shape: []int64{3}},
}

// The bytes of a small file, worked out by hand: tensors in the given order,
// metadata first with its keys sorted, spaces up to a multiple of 8.
func TestWriterBytes(t *testing.T) {
	var b bytes.Buffer
	w, err := NewWriter(&b, two, map[string]string{"z": `"1" <&>`, "format": "pt"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteTensor("b", []byte("12345678")); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteTensorFrom("a", strings.NewReader("abcdef")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	header := `{"__metadata__":{"format":"pt","z":"\"1\" <&>"},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"BF16","shape":[3],"data_offsets":[8,14]}}`
	header += strings.Repeat(" ", 7-(len(header)+7)%8)
	want := string(raw(header, 0)) + "12345678abcdef"
	if b.String() != want {
		t.Errorf("got  %q\nwant %q", b.String(), want)
	}
}

func TestEmptyFile(t *testing.T) {
	var b bytes.Buffer
	w, err := NewWriter(&b, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil || b.String() != string(raw("{}      ", 0)) {
		t.Errorf("%q, %v", b.String(), err)
	}
}

func TestWriterMisuse(t *testing.T) {
	for _, c := range []struct {
		name string
		use  func(w *Writer) error
		want string
	}{
		{"wrong order", func(w *Writer) error { return w.WriteTensor("a", make([]byte, 6)) }, `tensor "a": it is the turn of "b"`},
		{"too short", func(w *Writer) error { return w.WriteTensor("b", make([]byte, 7)) }, `tensor "b": got 7 bytes, shape [2] of F32 needs 8`},
		{"reader too short", func(w *Writer) error { return w.WriteTensorFrom("b", strings.NewReader("1234567")) }, `tensor "b": the data ends after 7 bytes`},
		{"reader too long", func(w *Writer) error { return w.WriteTensorFrom("b", strings.NewReader("123456789")) }, `tensor "b": more data than the 8 bytes`},
		{"incomplete", func(w *Writer) error { return w.Close() }, `tensor "b": not written, nor the 1 tensors after it`},
		{"reader fails", func(w *Writer) error {
			return w.WriteTensorFrom("b", io.MultiReader(strings.NewReader("12"), failing{}))
		}, "the cable is out"},
		{"one too many", func(w *Writer) error {
			for _, info := range w.infos {
				if err := w.WriteTensor(info.Name, make([]byte, info.Bytes())); err != nil {
					return err
				}
			}
			return w.WriteTensor("a", make([]byte, 6))
		}, `tensor "a": all tensors have been written`},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "out.safetensors")
			w, err := Create(path, two, nil)
			if err != nil {
				t.Fatal(err)
			}
			err = c.use(w)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want %q and the file's name", err, c.want)
			}
			if again := w.WriteTensor("b", make([]byte, 8)); again == nil {
				t.Error("a write after the failure succeeds")
			}
			if again := w.Close(); again == nil || again.Error() != err.Error() {
				t.Errorf("Close gives %v, the failure was %v", again, err)
			}
			if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("half a file is left behind (%v)", err)
			}
		})
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the cable is out") }

// short takes at most n bytes in all, then takes less than it is given without
// an error, which breaks the contract of io.Writer but happens.
type short struct{ n int }

func (s *short) Write(p []byte) (int, error) {
	n := min(len(p), s.n)
	s.n -= n
	return n, nil
}

func (s *short) Name() string { return "tape0" }

func TestShortWrite(t *testing.T) {
	header, err := Header(two, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, room := range []int{0, 10, len(header), len(header) + 3} {
		w, err := NewWriter(&short{room}, two, nil)
		if err == nil {
			err = w.WriteTensor("b", make([]byte, 8))
		}
		if !errors.Is(err, io.ErrShortWrite) || !strings.Contains(err.Error(), "write tape0: short write") {
			t.Errorf("room for %d bytes: %v", room, err)
		}
	}
	w, err := NewWriter(&short{len(header) + 3}, two, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteTensorFrom("b", strings.NewReader("12345678")); !errors.Is(err, io.ErrShortWrite) || !strings.Contains(err.Error(), "tape0") {
		t.Errorf("from a reader: %v", err)
	}
}

func TestLayoutErrors(t *testing.T) {
	for _, c := range []struct {
		name  string
		infos []Info
		want  string
	}{
		{"twice", []Info{{Name: "a", DType: tensor.U8}, {Name: "a", DType: tensor.U8}}, `tensor "a": the name is taken`},
		{"reserved", []Info{{Name: "__metadata__", DType: tensor.U8}}, `tensor "__metadata__": the name is taken`},
		{"no dtype", []Info{{Name: "a", DType: tensor.DType(77)}}, `DType(77) is not a dtype`},
		{"block format", []Info{{Name: "a", DType: tensor.Q8_0, Shape: []int64{32}}}, `a safetensors header has no dtype Q8_0`},
		{"negative", []Info{{Name: "a", DType: tensor.U8, Shape: []int64{-1}}}, "negative"},
		{"rank", []Info{{Name: "a", DType: tensor.U8, Shape: make([]int64, 65)}}, "rank 65 is above 64"},
		{"sum overflows", []Info{{Name: "a", DType: tensor.U8, Shape: []int64{1 << 62}}, {Name: "b", DType: tensor.U8, Shape: []int64{1 << 62}}}, `tensor "b": the file's size overflows`},
		{"not UTF-8", []Info{{Name: "a\xff", DType: tensor.U8}}, `tensor "a\xff": the name is not valid UTF-8`},
	} {
		for what, err := range map[string]error{
			"NewWriter":  second(NewWriter(io.Discard, c.infos, nil)),
			"Header":     second(Header(c.infos, nil)),
			"Layout":     second(Layout(c.infos)),
			"PlanShards": second(PlanShards(c.infos, 0)),
		} {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %s: error %v, want %q", c.name, what, err, c.want)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestCreateKeepsAnExistingFile(t *testing.T) {
	path := put(t, t.TempDir(), "m.safetensors", []byte("precious"))
	if _, err := Create(path, two, nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v", err)
	}
	if data, _ := os.ReadFile(path); string(data) != "precious" {
		t.Error("the file was touched")
	}
}

// CopyTensor takes tensors from open files, to a file and to any other writer.
func TestCopyTensor(t *testing.T) {
	dir := t.TempDir()
	source, err := Open(file(t, dir, "src.safetensors", "x", "y", "z"))
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	section := func(name string) *io.SectionReader {
		t.Helper()
		r, err := source.Section(name)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	infos := []Info{{Name: "new.z", DType: tensor.F32, Shape: []int64{2}}, {Name: "own", DType: tensor.U8, Shape: []int64{3}}, {Name: "x", DType: tensor.F32, Shape: []int64{1, 2}}}
	fill := func(w *Writer, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []error{
			w.CopyTensor(context.Background(), "new.z", tensor.F32, section("z")),
			w.WriteTensor("own", []byte("own")),
			w.CopyTensor(context.Background(), "x", tensor.F32, section("x")),
			w.Close(),
		} {
			if step != nil {
				t.Fatal(step)
			}
		}
	}
	path := filepath.Join(dir, "out.safetensors")
	fill(Create(path, infos, nil))
	var b bytes.Buffer
	fill(NewWriter(&b, infos, nil))
	written, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(written, b.Bytes()) {
		t.Fatalf("file and buffer differ (%v)", err)
	}
	out, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	for name, from := range map[string]string{"new.z": "z", "x": "x"} {
		got, _ := out.Bytes(name)
		want, _ := source.Bytes(from)
		if !bytes.Equal(got, want) {
			t.Errorf("%s: % x, want % x", name, got, want)
		}
	}

	for _, c := range []struct {
		info Info
		want string
	}{
		{Info{Name: "x", DType: tensor.F32, Shape: []int64{3}}, "F32 of 8 bytes cannot be written as F32 of 12"},
		{Info{Name: "x", DType: tensor.I32, Shape: []int64{2}}, "cannot be written as I32"},
	} {
		w, err := NewWriter(io.Discard, []Info{c.info}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.CopyTensor(context.Background(), "x", tensor.F32, section("x")); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}
