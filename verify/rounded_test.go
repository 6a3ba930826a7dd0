package verify_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/quant/nearest"
	"github.com/pecvt/pecvt/convert/quant/widths"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/run"
)

// rounding is how the weights of a test's graph are rounded.
type rounding struct {
	weights, zeros, accuracy, head, attention string
	portable                                  bool
	opset                                     int
}

// rounded writes the graph of a bundled model with rounded weights.
func rounded(t *testing.T, model string, how rounding) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), filepath.Base(model))
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(fixtures, model))); err != nil {
		t.Fatal(err)
	}
	_, err := onnxops.Emit(dir, onnxops.Options{Weights: how.weights, Attention: how.attention, Portable: how.portable, Opset: how.opset, MaxLength: 64, Version: "test",
		Coding: onnxops.Coding{ZeroPoints: how.zeros, Head: how.head, Accuracy: how.accuracy}})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestRounded verifies graphs of rounded weights, of every family's golden with
// PECVT_LONG, else of some: against the reference of what their codes mean, and the
// reference of the checkpoint against the golden's answers.
func TestRounded(t *testing.T) {
	runtimePresent(t)
	dirs, err := filepath.Glob(filepath.Join(fixtures, "families", "*", "config.json"))
	if err != nil || len(dirs) < 100 {
		t.Fatalf("no models: %v, %v", dirs, err)
	}
	if os.Getenv("PECVT_LONG") == "" { // as many as there are ways: each is gone once
		share := []string{"bitnet", "cohere", "dbrx", "deepseek_v3", "falcon_h1", "gemma", "gemma2", "glm4", "gpt_oss", "granite", "lfm2", "olmo", "phi", "vaultgemma", "youtu"}
		dirs = slices.DeleteFunc(dirs, func(path string) bool { return !slices.Contains(share, filepath.Base(filepath.Dir(path))) })
		if len(dirs) != len(share) {
			t.Fatalf("%d models of %d: %v", len(dirs), len(share), dirs)
		}
	}
	ways := []rounding{
		{weights: onnxops.WeightsInt4, zeros: nearest.ZeroFloat}, {weights: onnxops.WeightsInt4, zeros: nearest.ZeroCode}, {weights: onnxops.WeightsInt4, zeros: nearest.ZeroNone},
		{weights: onnxops.WeightsInt8, zeros: nearest.ZeroNone}, {weights: onnxops.WeightsInt8, zeros: nearest.ZeroCode}, {weights: onnxops.WeightsInt4, zeros: nearest.ZeroCode, portable: true},
		{weights: onnxops.WeightsInt4, accuracy: onnxops.AccuracyInt8}, {weights: onnxops.WeightsInt8, accuracy: onnxops.AccuracyInt8},
		{weights: onnxops.WeightsInt4, head: widths.Int8}, {weights: onnxops.WeightsInt4, head: widths.Int8, accuracy: onnxops.AccuracyInt8},
		{weights: onnxops.WeightsInt4, head: widths.Stored}, {weights: onnxops.WeightsInt8, zeros: nearest.ZeroFloat, head: widths.Int4, portable: true},
		{weights: onnxops.WeightsInt4, zeros: nearest.ZeroFloat, portable: true}, {weights: onnxops.WeightsInt4, zeros: nearest.ZeroNone, head: widths.Int8, portable: true},
		{weights: onnxops.WeightsInt4, zeros: nearest.ZeroFloat, portable: true, opset: 20},
	}
	for i, config := range dirs {
		name, how := filepath.Base(filepath.Dir(config)), ways[i%len(ways)]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := rounded(t, filepath.Join("families", name), how)
			o := verify.Options{OptLevel: oneLevel()}
			if golden := filepath.Join(fixtures, "families", name, "golden.safetensors"); exists(golden) {
				o.Golden = golden
			}
			r := verified(t, dir, o)
			sound(t, r)
			graph, err := os.ReadFile(filepath.Join(dir, "model.onnx"))
			if err != nil {
				t.Fatal(err)
			}
			// Some of the models have no map as wide as a block.
			rounds := how.accuracy == onnxops.AccuracyInt8 && bytes.Contains(graph, []byte("MatMulNBits"))
			if _, made := find(r, "rounded-inputs", "ort-cpu"); made != rounds {
				t.Errorf("rounded-inputs was made: %v, and products round: %v", made, rounds)
			}
			if c, ok := find(r, "golden", "ref"); o.Golden != "" && (!ok || c.Verdict != verify.Pass) {
				t.Errorf("golden: %s: %s", c.Verdict, c.Detail)
			}
		})
	}
}

// suited has every weight of a small model rounded by a coder of the caller's, as
// codes that suit a text are, which here gives the nearest ones.
func suited(t *testing.T, placement string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "suited")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(fixtures, "families", "phi"))); err != nil {
		t.Fatal(err)
	}
	ckpt, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer ckpt.Close()
	scheme := nearest.Scheme{Bits: 4, Block: 32, Zeros: nearest.ZeroFloat}
	_, err = onnxops.Emit(dir, onnxops.Options{Weights: onnxops.WeightsInt4, Placement: placement, MaxLength: 64, Version: "test",
		Coding: onnxops.Coding{Code: func(w family.Weight) onnxops.RowCoder {
			all, err := w.Float32(ckpt)
			if err != nil {
				t.Fatal(err)
			}
			columns := int(w.Shape[1])
			return func(row int64) (*nearest.Line, error) {
				line := scheme.NewLine(columns)
				return line, scheme.Round(all[int(row)*columns:][:columns], 24, line)
			}
		}}})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestDamagedCodes changes a byte of a code, a scale and a least number of a graph whose
// codes suit a text. No number of the checkpoint says what they were, and the reference
// computes with what they mean now: the digest of what was written tells.
func TestDamagedCodes(t *testing.T) {
	runtimePresent(t)
	for _, placement := range []string{onnxops.PlaceExternal, onnxops.PlaceEmbed} {
		dir := suited(t, placement)
		o := verify.Options{OptLevel: oneLevel()}
		sound(t, verified(t, dir, o))
		for _, part := range []string{"~codes4", "~scales", "~lows"} {
			name := "model.layers.0.mlp.fc1.weight" + part
			whole := changed(t, dir, name, func(b []byte) { b[6] ^= 1 })
			c, _ := find(verified(t, dir, o), "weights", "ref")
			if c.Verdict != verify.Fail || !strings.Contains(c.Detail, strconv.Quote(name)) || !strings.Contains(c.Detail, "SHA-256") {
				t.Errorf("%s, %s: %s: %q: want a failure that names it", placement, part, c.Verdict, c.Detail)
			}
			whole()
		}
	}
}

// changed changes an initializer's bytes, wherever they lie, and returns what puts the
// folder's file back.
func changed(t *testing.T, dir, name string, change func([]byte)) (restore func()) {
	t.Helper()
	info, err := run.ReadGraph(dir)
	if err != nil {
		t.Fatal(err)
	}
	path, bytes := info.Path, info.Initializers()[name].GetRawData()
	if location, offset, length := run.External(info.Initializers()[name]); location != "" {
		path = filepath.Join(dir, location)
		all, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bytes = all[offset : offset+length]
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	after := slices.Clone(before)
	at := strings.Index(string(after), string(bytes))
	if at < 0 || len(bytes) == 0 {
		t.Fatalf("%s: no bytes of %q", path, name)
	}
	change(after[at:][:len(bytes)])
	if err := os.WriteFile(path, after, 0o666); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.WriteFile(path, before, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// TestKilledRunsLeftovers: what a run that was killed made beside a graph is gone after
// the next.
func TestKilledRunsLeftovers(t *testing.T) {
	runtimePresent(t)
	dir := rounded(t, filepath.Join("families", "phi"), rounding{weights: onnxops.WeightsInt4, accuracy: onnxops.AccuracyInt8})
	left := filepath.Join(dir, ".float32.pecvt-1-0") // killed before it wrote a word
	if err := os.Mkdir(left, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(left, "lock"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	sound(t, verified(t, dir, verify.Options{OptLevel: oneLevel()}))
	if found, err := filepath.Glob(filepath.Join(dir, ".*.pecvt-*")); err != nil || len(found) > 0 {
		t.Errorf("left behind: %v (%v)", found, err)
	}
}
