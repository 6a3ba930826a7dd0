package family_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/family/familytest"
)

const qwen3 = "../../testdata/golden/qwen3"

// TestParts: the list is in the order of a forward pass, every part has a path of
// its own, and words for it.
func TestParts(t *testing.T) {
	m, err := load(t, qwen3)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, p := range m.Parts() {
		if p.Layer > 0 {
			continue
		}
		paths = append(paths, p.Path())
		if text := p.Text(); strings.Contains(text, " at ") {
			t.Errorf("%s has no words: %q", p.Path(), text)
		}
	}
	want := []string{"/embed", "/layers.0", "/layers.0/attn_norm", "/layers.0/attn", "/layers.0/attn/q_proj", "/layers.0/attn/k_proj", "/layers.0/attn/v_proj",
		"/layers.0/attn/q_norm", "/layers.0/attn/k_norm", "/layers.0/attn/o_proj", "/layers.0/mlp_norm", "/layers.0/mlp",
		"/layers.0/mlp/gate_proj", "/layers.0/mlp/up_proj", "/layers.0/mlp/down_proj", "/final_norm", "/head"}
	if !slices.Equal(paths, want) {
		t.Errorf("parts %v, expected %v", paths, want)
	}
}

// TestInventedParts: an unknown part is claimed by its weights, and is a feature
// that nobody knows.
func TestInventedParts(t *testing.T) {
	m, err := load(t, qwen3)
	if err != nil {
		t.Fatal(err)
	}
	known := m.Features()
	for _, c := range familytest.Invented(m) {
		t.Run(c.Name, func(t *testing.T) {
			c.Refused(t, "Beyond", c.Model.Beyond(append(known, family.BiasALiBi)...))
			var weights int
			for _, p := range c.Model.Parts() {
				weights += len(p.Weights)
			}
			if weights != len(c.Model.Weights()) {
				t.Errorf("%d weights in the parts, %d listed", weights, len(c.Model.Weights()))
			}
			if _, err := c.Model.AtLength(64); err != nil {
				t.Errorf("at another length: %v", err)
			}
			if c.Model.Encoding() == "" {
				t.Error("the encoding has no name")
			}
		})
	}
	if err := m.Beyond(known...); err != nil {
		t.Errorf("the model itself: %v", err)
	}
}

// TestCloneKeepsNumbers: what is edited in a copy leaves the model alone.
func TestCloneKeepsNumbers(t *testing.T) {
	for _, dir := range []string{qwen3, "../../testdata/golden/grape-a-querykeygated", "../../testdata/golden/bloom"} {
		m, err := load(t, dir)
		if err != nil {
			t.Fatal(err)
		}
		sum := func() (sum float64) {
			for _, p := range m.Parts() {
				for _, n := range p.Numbers {
					n.Edit(func(x float64) float64 { sum += x; return x })
				}
			}
			return sum
		}
		before, edited := sum(), 0
		for _, p := range m.Clone().Parts() {
			for _, n := range p.Numbers {
				n.Edit(func(x float64) float64 { edited++; return x + 1 })
			}
		}
		if after := sum(); after != before || edited == 0 {
			t.Errorf("%s: %d numbers of a copy were edited, and the model's sum went from %v to %v", dir, edited, before, after)
		}
	}
}

// TestGoldensHaveNamedParts: nothing of the models at hand is unknown.
func TestGoldensHaveNamedParts(t *testing.T) {
	dirs, err := filepath.Glob("../../testdata/golden/*/config.json")
	if err != nil || len(dirs) < 30 {
		t.Fatalf("%d models: %v", len(dirs), err)
	}
	for _, c := range dirs {
		m, err := load(t, filepath.Dir(c))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Beyond(family.Named()...); err != nil {
			t.Errorf("%s: %v", filepath.Dir(c), err)
		}
	}
}
