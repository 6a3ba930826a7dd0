package retrofit

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// advances counts the layers that are walked through.
type advances struct {
	Walk
	layers []int
}

func (a *advances) Advance(layer int, x []float32) error {
	a.layers = append(a.layers, layer)
	return a.Walk.Advance(layer, x)
}

// TestSharedStreams: of two workers that take turns none walks through a layer that the
// other has walked through, a file that was changed is passed over, and the layers are
// those that one fits alone.
func TestSharedStreams(t *testing.T) {
	const path = "models/stories260K"
	alone := t.TempDir()
	if _, err := calibrateStories(t, t.Context(), path, func(o *CalibrateOptions, _ *Walk) { o.Steps, o.Folder = 2, alone }); err != nil {
		t.Fatal(err)
	}
	m, src, _, student := storiesCut(t, path)
	sequences := Sequences(text(t, m), 512, 2000)
	dir := t.TempDir()
	var walks [2]*advances
	var workers [2]*Layers
	for i := range workers {
		w, err := newTestWalk(m, src)
		if err != nil {
			t.Fatal(err)
		}
		walks[i] = &advances{Walk: w}
		workers[i], err = NewLayers(m, src, walks[i], student, sequences, CalibrateOptions{Steps: 2, Rows: 32, Rate: .03, Seed: 3, Folder: dir})
		if err != nil {
			t.Fatal(err)
		}
	}
	n := workers[0].Count()
	for i := range n {
		if i == 3 { // what the other left before layer 2 is broken
			path := filepath.Join(dir, "stream-00002")
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			raw[len(raw)/2] ^= 1
			if err := os.WriteFile(path, raw, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if err := workers[i%2].Fit(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	// one sequence of each length, so each layer is listed once for each of them
	want := [2][]int{{1, 3}, {0, 1, 2}}
	for i, w := range walks {
		if got := slices.Compact(slices.Clone(w.layers)); !slices.Equal(got, want[i]) {
			t.Errorf("worker %d walked through layers %v, want %v", i, got, want[i])
		}
	}
	for i := range n {
		for _, name := range []string{filepath.Base((&state{}).path(i)), filepath.Base((&state{}).tensorPath(i))} {
			a, aerr := os.ReadFile(filepath.Join(alone, name))
			b, berr := os.ReadFile(filepath.Join(dir, name))
			if aerr != nil || berr != nil || !bytes.Equal(a, b) {
				t.Errorf("%s differs (%v, %v)", name, aerr, berr)
			}
		}
	}
	workers[0].job.state.dropStreams()
	if left, _ := filepath.Glob(filepath.Join(dir, "stream*")); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}
