package verify_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/ref"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// edit changes a float32 tensor of a checkpoint, row by row.
func edit(t *testing.T, dir, tensor string, change func(rows [][]float32)) {
	t.Helper()
	path := filepath.Join(dir, "model.safetensors")
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	info, ok := f.Lookup(tensor)
	start := int(f.DataStart() + info.Begin)
	f.Close()
	data, err := os.ReadFile(path)
	if err != nil || !ok {
		t.Fatal(tensor, ok, err)
	}
	rows := make([][]float32, info.Shape[0])
	at := func(r, i int) []byte { return data[start+4*(r*int(info.Shape[1])+i):] }
	for r := range rows {
		rows[r] = make([]float32, info.Shape[1])
		for i := range rows[r] {
			rows[r][i] = math.Float32frombits(binary.LittleEndian.Uint32(at(r, i)))
		}
	}
	change(rows)
	for r := range rows {
		for i, x := range rows[r] {
			binary.LittleEndian.PutUint32(at(r, i), math.Float32bits(x))
		}
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	unsummed(t, path)
}

const firstRouter = "model.layers.0.block_sparse_moe.gate.weight"

// refOf is the reference of a folder.
func refOf(t *testing.T, dir string) *run.Ref {
	t.Helper()
	ckpt, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ckpt.Close() })
	m, err := families.Load(ckpt)
	if err != nil {
		t.Fatal(err)
	}
	return run.NewRef(m, ckpt)
}

// tieAt turns a row of the first layer's router so that the last expert chosen and the
// first one left have the same score at one token of a prompt, but for rounding. It
// returns the choice that is left of it, and what the router reads there.
func tieAt(t *testing.T, dir string, ids [][]int64, column int) (ref.Choice, []float64) {
	t.Helper()
	look := func() (c ref.Choice, x []float64) {
		opts := ref.Options{
			Choices: func(got ref.Choice) {
				if got.Layer == 0 && got.Column == column {
					c = got
				}
			},
			Tap: func(name string, values []float64, shape []int) {
				if h := shape[len(shape)-1]; name == "/layers.0/mlp_norm" {
					x = append(x, values[column*h:(column+1)*h]...)
				}
			},
		}
		if _, err := refOf(t, dir).Forward(context.Background(), run.Prompt(ids, 0), nil, opts); err != nil {
			t.Fatal(err)
		}
		return c, x
	}
	c, x := look()
	edit(t, dir, firstRouter, func(rows [][]float32) {
		grow(rows[c.Left], x, dot(rows[c.Kept], x)-dot(rows[c.Left], x))
	})
	return look()
}

// grow changes a row so that its product with x is larger by so much.
func grow(row []float32, x []float64, by float64) {
	size := 0.0
	for _, v := range x {
		size += v * v
	}
	for i, v := range x {
		row[i] += float32(by * v / size)
	}
}

func dot(row []float32, x []float64) (sum float64) {
	for i, v := range x {
		sum += float64(row[i]) * v
	}
	return sum
}

// TestRareTie: a generated prompt in which float32 may choose either of two experts
// gives way to the next one, and the report says so. A prompt that is given is judged
// where the tie does not reach, and ambiguous where another expert was chosen.
func TestRareTie(t *testing.T) {
	const column = 20
	dir := conversion{model: "families/mixtral", to: "rope"}.write(t)
	ids := run.RandomIDs(48, vocabOf(t, dir), 1)
	c, x := tieAt(t, dir, ids, column)
	other := filepath.Join(t.TempDir(), "other")
	if err := os.CopyFS(other, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	edit(t, other, firstRouter, func(rows [][]float32) { grow(rows[c.Left], x, 3e-6) }) // which turns it
	turned := func(wrong float64) []run.Runner {
		return []run.Runner{&supplied{Runner: refOf(t, other), name: "turned", in: report.Float32, wrong: wrong}}
	}
	where := fmt.Sprintf("a near tie of experts %d and %d of layer 0 at ", c.Kept, c.Left)

	r := verified(t, dir, verify.Options{Runners: turned(0)})
	if r.Verdict != verify.Pass || r.Seed != 2 || len(r.Redrawn) != 1 {
		t.Fatalf("verdict %s, seed %d, redrawn %+v", r.Verdict, r.Seed, r.Redrawn)
	}
	if d := r.Redrawn[0]; d.Input != "prompt" || d.Seed != 1 || !strings.HasPrefix(d.Why, where+fmt.Sprintf("position %d: ", column)) {
		t.Errorf("redrawn: %+v", d)
	}

	given := filepath.Join(t.TempDir(), "ids.safetensors")
	writeGolden(t, given, ids, nil)
	r = verified(t, dir, verify.Options{Runners: turned(0), IDs: given})
	if r.Verdict != verify.Ambiguous || len(r.Redrawn) != 0 {
		t.Fatalf("given ids: verdict %s, redrawn %+v, %+v", r.Verdict, r.Redrawn, r.Checks)
	}
	p, _ := find(r, report.CheckPrefill, "turned")
	if want := where + fmt.Sprintf("row 0, position %d: ", column); p.Verdict != verify.Ambiguous || !strings.HasPrefix(p.Detail, want) ||
		!strings.HasSuffix(p.Detail, fmt.Sprintf("the %d positions that it does not reach are within the limit", column)) || p.Blame == "" || !(p.MaxRel > 1e-4) {
		t.Errorf("prefill: %+v", p)
	}
	for _, c := range r.Checks {
		if c.Verdict == verify.Fail {
			t.Errorf("%s of %s: %s", c.Name, c.Runner, c.Detail)
		}
	}

	// What is wrong before the tie is wrong.
	r = verified(t, dir, verify.Options{Runners: turned(0.1), IDs: given})
	if p, _ := find(r, report.CheckPrefill, "turned"); p.Verdict != verify.Fail {
		t.Errorf("a runner that is wrong everywhere: %+v", p)
	}
}

// TestTwins: with two rows of a router alike every prompt has its ties. As many are
// drawn as ever, the report says so, and what takes the first of equals passes.
func TestTwins(t *testing.T) {
	present := runtimePresent(t)
	dir := conversion{model: "families/mixtral", to: "rope"}.write(t)
	edit(t, dir, firstRouter, func(rows [][]float32) {
		for e := 1; e < len(rows); e += 2 {
			copy(rows[e], rows[e-1])
		}
		copy(rows[1], rows[2]) // 1 and 2 and 3 alike: of three, some are chosen and some are not
	})
	r := verified(t, dir, verify.Options{Provider: "cpu", OptLevel: "all"})
	want := verify.Pass
	if !present {
		want = verify.Incomplete
	}
	prompts := 0
	for i, d := range r.Redrawn {
		if d.Input == "prompt" {
			prompts++
			if d.Seed != int64(i+1) || !strings.Contains(d.Why, "0 apart in the router's score, which a relative error of 0 ") {
				t.Errorf("%+v", d)
			}
		}
	}
	if r.Verdict != want || prompts != 2 || r.Seed != 3 || !strings.Contains(strings.Join(r.Warnings, "\n"), "each of 3 generated prompts (prompt) has a near tie, the last one too: a near tie of experts ") {
		t.Errorf("verdict %s, want %s; redrawn %d, seed %d, warnings %q", r.Verdict, want, prompts, r.Seed, r.Warnings)
	}
	for _, c := range r.Checks {
		if c.Verdict == verify.Fail || c.Verdict == verify.Ambiguous {
			t.Errorf("%s of %s: %s", c.Name, c.Runner, c.Detail)
		}
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "\nredrawn    the prompt of seed 2 gave way to another: a near tie of experts ") {
		t.Errorf("%v\n%s", err, text.String())
	}
}

// TestGoldenTie: given answers that another choice of experts made are ambiguous from
// there on, not wrong; wrong ones are.
func TestGoldenTie(t *testing.T) {
	const column = 12
	dir := conversion{model: "families/mixtral", to: "rope"}.write(t)
	ids := run.RandomIDs(32, vocabOf(t, dir), 5)
	c, x := tieAt(t, dir, ids, column)
	other := filepath.Join(t.TempDir(), "other")
	if err := os.CopyFS(other, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	edit(t, other, firstRouter, func(rows [][]float32) { grow(rows[c.Left], x, 3e-6) })
	golden := filepath.Join(t.TempDir(), "golden.safetensors")
	l, _, err := refOf(t, other).Run(context.Background(), run.Prompt(ids, 0), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		off  float64
		want verify.Verdict
	}{{"another expert", 0, verify.Ambiguous}, {"wrong", 0.1, verify.Fail}} {
		l.Data[3] += tt.off
		writeGolden(t, golden, ids, l)
		r := verified(t, dir, verify.Options{Golden: golden, Runners: []run.Runner{&supplied{Runner: refOf(t, dir), name: "same", in: report.Float32}}})
		for _, runner := range []string{run.RefName, "same"} {
			if c, _ := find(r, report.CheckGolden, runner); c.Verdict != tt.want {
				t.Errorf("%s: %+v", tt.name, c)
			}
		}
		if r.Verdict != tt.want {
			t.Errorf("%s: verdict %s", tt.name, r.Verdict)
		}
	}
}

func vocabOf(t *testing.T, dir string) int {
	t.Helper()
	ckpt, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer ckpt.Close()
	m, err := families.Load(ckpt)
	if err != nil {
		t.Fatal(err)
	}
	return m.Vocab
}

// writeGolden writes tokens and, where they are given, answers.
func writeGolden(t *testing.T, path string, ids [][]int64, l *report.Logits) {
	t.Helper()
	var raw, values []byte
	for _, id := range ids[0] {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(id))
	}
	infos := []safetensors.Info{{Name: "input_ids", DType: tensor.I64, Shape: []int64{1, int64(len(ids[0]))}}}
	if l != nil {
		infos = append(infos, safetensors.Info{Name: "logits", DType: tensor.F32, Shape: []int64{1, int64(l.S), int64(l.V)}})
		for _, v := range l.Data {
			values = binary.LittleEndian.AppendUint32(values, math.Float32bits(float32(v)))
		}
	}
	os.Remove(path)
	w, err := safetensors.Create(path, infos, nil)
	if err == nil {
		for _, info := range infos { // in the writer's order
			data := raw
			if info.Name == "logits" {
				data = values
			}
			if err == nil {
				err = w.WriteTensor(info.Name, data)
			}
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}
