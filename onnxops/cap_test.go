package onnxops_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/posenc"
)

// A lowered bias is part of the product that a cap is taken of: a graph of both would
// cap the bias too.
func TestCapBesideBias(t *testing.T) {
	st, err := store.Open(filepath.Join("..", "testdata", "families", "gemma2"))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	m, err := families.Load(st)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := onnxops.Export(m, st, onnxops.Options{}); err != nil {
		t.Fatalf("without a bias: %v", err)
	}
	a := m.Blocks[1].Attn()
	a.Bias = &family.Bias{Kind: family.ALiBi, Slopes: make([]float64, a.Heads)}
	if _, err := onnxops.Export(m, st, onnxops.Options{}); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), "layer 1") || !strings.Contains(err.Error(), "cap on scores") {
		t.Errorf("%v: want a refusal of layer 1 that names the cap", err)
	}
}
