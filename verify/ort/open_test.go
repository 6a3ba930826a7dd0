package ort_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/ort/orttest"
)

func TestOpenErrorsNameTheModel(t *testing.T) {
	orttest.Require(t)
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	read := func(name string) []byte {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	external := read("external.onnx")
	short := filepath.Join(dir, "short")
	if err := os.Mkdir(short, 0o777); err != nil {
		t.Fatal(err)
	}
	write("short/external.bin", read("external.bin")[:70])

	for _, c := range []struct {
		name, path string
		want       []string
	}{
		{"no file", filepath.Join(dir, "no.onnx"), []string{"no such file"}},
		{"a folder", dir, []string{"folder"}},
		{"empty", write("empty.onnx", nil), []string{"not an ONNX model"}},
		{"garbage", write("garbage.onnx", []byte("PK\x03\x04 not a protobuf, a zip file perhaps")), []string{"not an ONNX model"}},
		{"zeros", write("zeros.onnx", make([]byte, 100)), []string{"not an ONNX model"}},
		{"truncated", write("truncated.onnx", read("cache.onnx")[:150]), []string{"truncated"}},
		{"external data missing", write("external.onnx", external), []string{"external.bin"}},
		{"external data truncated", write("short/external.onnx", external), []string{`tensor "w"`, "external.bin", "bytes 64 to 72", "has 70"}},
		{"unknown operator", "testdata/unknown_op.onnx", []string{"no.such.domain"}},
		{"sequence output", "testdata/sequence.onnx", []string{`output "s"`, "no tensor"}},
		{"nothing to run on", "testdata/constant.onnx", []string{"no inputs"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := ort.Open(c.path, ort.Options{})
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			for _, want := range append(c.want, "ort: ", c.path) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			if errors.Is(err, ort.ErrUnavailable) {
				t.Errorf("error %q matches ErrUnavailable: the model is at fault, not the runtime", err)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q has more than one line", err)
			}
		})
	}
}

func TestOpenRefusesUnknownOptions(t *testing.T) {
	for _, c := range []struct {
		options ort.Options
		want    string
	}{
		{ort.Options{Provider: "gpu"}, `unknown provider "gpu": known are cpu, cuda`},
		{ort.Options{OptLevel: "O3"}, `unknown optimization level "O3": known are disabled, basic, extended, all`},
		{ort.Options{Threads: -1}, "-1 threads"},
		{ort.Options{Provider: "cuda", Device: -1}, "device -1"},
	} {
		if _, err := ort.Open("testdata/cache.onnx", c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.options, err, c.want)
		}
	}
}
