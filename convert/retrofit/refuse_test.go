package retrofit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/family/familytest"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/store/storetest"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

// TestBadInput: every error says what was found and what was expected.
func TestBadInput(t *testing.T) {
	m, src := open(t, "models/stories260K")
	w, err := newTestWalk(m, src)
	if err != nil {
		t.Fatal(err)
	}
	turns, err := Turns(m)
	if err != nil {
		t.Fatal(err)
	}
	student, err := With(turns, posenc.NoPE(4), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, some := context.Background(), [][]int64{make([]int64, 32)}
	calibrate := func(student []Turn, sequences [][]int64, o CalibrateOptions) error {
		_, err := Calibrate(ctx, m, src, w, student, sequences, o)
		return err
	}
	costs := func(sequences [][]int64, planes ...int) error {
		_, err := MeasureCosts(ctx, m, src, w, sequences, planes, CostOptions{})
		return err
	}
	damaged := t.TempDir()
	if err := os.WriteFile(filepath.Join(damaged, "layer-00002.json"), []byte("{"), 0o666); err != nil {
		t.Fatal(err)
	}
	narrow := append([]Turn(nil), turns...)
	narrow[1] = Turn{InvFreq: [][]float64{{1}}, Gain: 1}
	_, spectrum := With(turns, posenc.NoPE(3), nil)
	for _, c := range []struct {
		err   error
		fault string
	}{
		{calibrate(student[:3], some, CalibrateOptions{Folder: t.TempDir()}), "3 layers of the target, the source has 5"},
		{calibrate(student, nil, CalibrateOptions{Folder: t.TempDir()}), "gives no sequence"},
		{calibrate(student, [][]int64{{1, 2}}, CalibrateOptions{Folder: t.TempDir()}), "sequence 0 has 2 tokens"},
		{calibrate(student, some, CalibrateOptions{}), "no folder to work in"},
		{calibrate(student, some, CalibrateOptions{Steps: -1, Folder: t.TempDir()}), "-1 steps"},
		{calibrate(student, some, CalibrateOptions{Balance: 2, Together: true, Folder: t.TempDir()}), "balance 2"},
		{calibrate(student, some, CalibrateOptions{Balance: .5, Folder: t.TempDir()}), "without Together"},
		{calibrate(narrow, some, CalibrateOptions{Folder: t.TempDir()}), "layer 1: a target of 1 heads with 1 planes, the source has 4 with 4"},
		{calibrate(student, [][]int64{{1, 2, 3, 4, 5, 6, 7, 8, 512}}, CalibrateOptions{Folder: t.TempDir()}), "token 512 of 512"},
		{calibrate(student, some, CalibrateOptions{Folder: damaged}), "layer-00002.json: unexpected end"},
		{costs(nil, 3), "at least 8 tokens"},
		{costs([][]int64{make([]int64, 32), make([]int64, 16)}, 3), "sequence 1 has 16 tokens, the first 32"},
		{costs(some, 4), "plane 4 of 4"},
		{spectrum, "layer 0 has 4 planes, the spectrum 3"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.fault) {
			t.Errorf("%v, expected %q", c.err, c.fault)
		}
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := MeasureCosts(stopped, m, src, w, some, []int{3}, CostOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestFormsRefused: rotations in bases of the heads' own are refused by name, by both
// verbs, of every form.
func TestFormsRefused(t *testing.T) {
	for _, name := range []string{"llama-basis", "llama-mixed", "llama-rank2", "llama-dense"} {
		ckpt, err := safetensors.OpenCheckpoint(familytest.Learned(t, filepath.Join("..", "..", "testdata"), name))
		if err != nil {
			t.Fatal(err)
		}
		defer ckpt.Close()
		m, err := families.Load(ckpt)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Turns(m); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), "select and calibrate") || !strings.Contains(err.Error(), string(family.RotationsInBases)) {
			t.Errorf("%s: error %v, expected one of %q", name, err, family.RotationsInBases)
		}
	}
}

// TestBlockFormats: weights of a block format serve for costs, and are not fitted.
func TestBlockFormats(t *testing.T) {
	_, src := open(t, "models/stories260K")
	blocks, err := storetest.Copy(src, func(name string, v *storetest.Tensor) error {
		if strings.Contains(name, "k_proj") {
			return v.Encode(tensor.Q8_0)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := families.Load(blocks)
	if err != nil {
		t.Fatal(err)
	}
	turns, err := Turns(m)
	if err != nil {
		t.Fatal(err)
	}
	some := [][]int64{make([]int64, 32)}
	_, err = Calibrate(context.Background(), m, blocks, nil, turns, some, CalibrateOptions{Folder: t.TempDir()})
	if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), `k_proj.weight": it is Q8_0`) {
		t.Errorf("fitted to blocks: %v", err)
	}
	w, err := newTestWalk(m, blocks)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := MeasureCosts(context.Background(), m, blocks, w, some, []int{3}, CostOptions{}); err != nil {
		t.Error(err)
	}
}

// TestDefaults: what is given stays, and zeros become numbers.
func TestDefaults(t *testing.T) {
	if o := (CalibrateOptions{}).defaults(); o.Steps != 96 || o.Rows != 96 || o.Rate != .12 {
		t.Errorf("%+v", o)
	}
	if o := (CalibrateOptions{Steps: 12, Rows: 7, Rate: .5}).defaults(); o.Steps != 12 || o.Rows != 7 || o.Rate != .5 {
		t.Errorf("%+v", o)
	}
}

// TestNothingToDo: a target that is the source reads no text and fits nothing.
func TestNothingToDo(t *testing.T) {
	m, src := open(t, "models/stories260K")
	turns, err := Turns(m)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Calibrate(context.Background(), m, src, nil, turns, [][]int64{make([]int64, 32)}, CalibrateOptions{Folder: t.TempDir()})
	if err != nil || len(c.Layers) != 0 || len(c.Files) != 0 {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestSequences: mixed lengths follow each other and stay within the text.
func TestSequences(t *testing.T) {
	ids := make([]int64, 5000)
	for i := range ids {
		ids[i] = int64(i)
	}
	next, counts := int64(0), map[int]int{}
	for _, s := range Sequences(ids, 1024, 4096) {
		if s[0] != next {
			t.Errorf("begins at %d, expected %d", s[0], next)
		}
		next += int64(len(s))
		counts[len(s)]++
	}
	if counts[1024] != 2 || counts[256] != 4 || counts[64] != 16 || len(counts) != 3 {
		t.Errorf("lengths %v", counts)
	}
	if got := Sequences(ids[:1500], 1024, 1<<20); len(got) == 0 || len(got[0]) != 1024 {
		t.Errorf("a short text: %d sequences", len(got))
	}
	if got := Sequences(ids[:100], 1024, 4096); len(got) != 1 || len(got[0]) != 64 {
		t.Errorf("a very short text: %d sequences", len(got))
	}
}
