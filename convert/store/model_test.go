package store_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/store/storetest"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify/ref"
)

// golden opens a model of testdata.
func golden(t testing.TB, name string) store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join("..", "..", "testdata", "golden", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// memory copies a store; tensors whose name holds one of quantised become Q8_0
// and then, with plain, float64 numbers of the same values. Nothing keeps its
// place in a file unless placed.
func memory(t testing.TB, s store.Store, quantised []string, plain, placed bool) *storetest.Memory {
	t.Helper()
	m, err := storetest.Copy(s, func(name string, v *storetest.Tensor) error {
		if !placed {
			v.Place = nil
		}
		if !slices.ContainsFunc(quantised, func(part string) bool { return strings.Contains(name, part) }) {
			return nil
		}
		if err := v.Encode(tensor.Q8_0); err != nil || !plain {
			return err
		}
		return v.Encode(tensor.F64)
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func load(t testing.TB, s store.Store) *family.Model {
	t.Helper()
	m, err := families.Load(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func logits(t testing.TB, s store.Store) []float64 {
	t.Helper()
	out, err := ref.New(load(t, s), s).Forward(context.Background(), ref.Input{IDs: [][]int64{{1, 5, 3, 60, 2, 9}}}, ref.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return out.Logits
}

// Every model of testdata gives from memory what it gives from its files.
func TestModelFromMemory(t *testing.T) {
	for _, name := range []string{"llama-gqa", "llama-sharded-f16", "phi3", "bloom", "grape-ap-v1"} {
		s := golden(t, name)
		m := memory(t, s, nil, false, false)
		if got, want := logits(t, m), logits(t, s); !slices.Equal(got, want) {
			t.Errorf("%s: other logits from memory than from files", name)
		}
		got, err := convert.InspectStore(name, m)
		if err != nil {
			t.Fatal(err)
		}
		want, err := convert.InspectStore(name, s)
		if err != nil {
			t.Fatal(err)
		}
		if got.Parameters != want.Parameters || got.Bytes != want.Bytes || got.Family != want.Family || len(got.Files) != 0 || len(want.Files) == 0 {
			t.Errorf("%s: inspected as %+v, want %+v", name, got, want)
		}
	}
}

// A model with block formats, some of them rows of a fused matrix, is the model
// of the numbers that they stand for, to the last bit.
func TestModelWithBlocks(t *testing.T) {
	for name, quantised := range map[string][]string{
		"llama-gqa": {"q_proj.weight", "down_proj.weight", "embed_tokens", "model.norm"},
		"phi3":      {"qkv_proj", "gate_up_proj"},
	} {
		s := golden(t, name)
		blocks, plain := memory(t, s, quantised, false, true), memory(t, s, quantised, true, false)
		got, want := logits(t, blocks), logits(t, plain)
		if !slices.Equal(got, want) {
			t.Errorf("%s: blocks give other logits than their numbers", name)
		}
		if slices.Equal(got, logits(t, s)) {
			t.Errorf("%s: the quantised weights were not read", name)
		}
		in, err := convert.InspectStore(name, blocks)
		if err != nil {
			t.Fatal(err)
		}
		full, err := convert.InspectStore(name, s)
		if err != nil {
			t.Fatal(err)
		}
		if in.Parameters != full.Parameters || in.Bytes >= full.Bytes {
			t.Errorf("%s: %d parameters in %d bytes, without blocks %d in %d", name, in.Parameters, in.Bytes, full.Parameters, full.Bytes)
		}
		m := load(t, blocks)
		if _, err := rewrite.Make(m, blocks, rewrite.Options{To: "hope"}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, mode := range []string{onnxops.PlaceEmbed, onnxops.PlaceExternal, onnxops.PlaceExternalCopy} {
			_, err := onnxops.Export(m, blocks, onnxops.Options{Placement: mode})
			if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), quantised[0]) && !strings.Contains(err.Error(), "embed_tokens") || !strings.Contains(err.Error(), "is Q8_0") {
				t.Errorf("%s, weights %s: error %v, want one that names the tensor and its type", name, mode, err)
			}
		}
	}
}

// Emission embeds and copies weights of a store without files, and points into
// the files of one that says where its tensors lie.
func TestEmitFromMemory(t *testing.T) {
	s := golden(t, "llama-sharded-f16")
	m := load(t, s)
	graph := func(from store.Store, mode string) (*onnxpb.ModelProto, error) {
		g, err := onnxops.Export(m, from, onnxops.Options{Placement: mode})
		if err == nil {
			g.MetadataProps = nil // the fingerprint is another
		}
		return g, err
	}
	lost, placed := memory(t, s, nil, false, false), memory(t, s, nil, false, true)
	for _, c := range []struct {
		from store.Store
		mode string
	}{{lost, onnxops.PlaceEmbed}, {lost, onnxops.PlaceExternalCopy}, {placed, onnxops.PlaceExternal}} {
		want, err := graph(s, c.mode)
		if err != nil {
			t.Fatal(err)
		}
		got, err := graph(c.from, c.mode)
		if err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(got, want) {
			t.Errorf("weights %s: another graph from memory than from files", c.mode)
		}
	}
	if _, err := graph(lost, onnxops.PlaceExternal); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), "lies in no file") {
		t.Errorf("external weights that lie in no file: %v", err)
	}
	var files [2][]byte
	for i, from := range []store.Store{s, lost} {
		dir := t.TempDir()
		if _, err := onnxops.Write(dir, m, from, onnxops.Options{Placement: onnxops.PlaceExternalCopy}); err != nil {
			t.Fatal(err)
		}
		var err error
		if files[i], err = os.ReadFile(filepath.Join(dir, onnxops.DataFile)); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Errorf("%s has other bytes from memory than from files", onnxops.DataFile)
	}
}
