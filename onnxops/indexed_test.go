package onnxops_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/posenc"
)

// A graph of layers that choose 64 keys holds 64 positions, and not one more.
func TestIndexedLength(t *testing.T) {
	st, err := store.Open(filepath.Join("..", "testdata", "families", "deepseek_v32"))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	m, err := families.Load(st)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := onnxops.Export(m, st, onnxops.Options{MaxLength: 65}); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), "64 or less") {
		t.Errorf("65 positions: %v: want a refusal", err)
	}
	for asked, want := range map[int]string{0: "64", 64: "64", 40: "40"} {
		graph, err := onnxops.Export(m, st, onnxops.Options{MaxLength: asked})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range graph.GetMetadataProps() {
			if p.GetKey() == "pecvt.max_length" && p.GetValue() != want {
				t.Errorf("asked for %d positions: the graph holds %s: want %s", asked, p.GetValue(), want)
			}
		}
	}
}
