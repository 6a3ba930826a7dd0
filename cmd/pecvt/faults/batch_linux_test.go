package faults

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestBatchKilled: a batch of conversions, a calibration and an evaluation in parts that is
// killed at drawn moments leaves each target absent or whole, and the same command finishes
// with the same bytes and figures, and leaves nothing.
func TestBatchKilled(t *testing.T) {
	kills, _ := long()
	b := newBench(t, 1)
	text := "jobs:\n"
	add := func(name, verb, model, options string) {
		out := ""
		if verb == "convert" {
			b.targets = append(b.targets, name)
			out = ", out: " + filepath.Join(b.out, name)
		}
		text += fmt.Sprintf("  - {name: %s, verb: %s, model: %s%s, options: {%s}}\n", name, verb, filepath.Join(b.sources, model), out, options)
	}
	ids := "ids: " + filepath.Join(b.sources, "small", "sampled.safetensors")
	add("copy", "convert", "large", "to: hope, copy: true")
	add("partial", "convert", "large", "to: hope-ab3")
	add("calibrated", "convert", "small", "to: hope, calibrate: true, "+ids+", steps: 4, calib-length: 64, calib-tokens: 256, over-budget: true")
	add("figures", "eval", "small", ids+`, lengths: "256", sequences: 6`)
	home := t.TempDir()
	file, records := filepath.Join(home, "jobs.yaml"), filepath.Join(home, "records")
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	j := &job{name: "batch", args: []string{"batch", file, "--records", records, "--workers", "2", "--json", "-q"}}
	state := func() (made []string) {
		for _, name := range b.targets {
			made = append(made, b.digest(filepath.Join(b.out, name)))
		}
		return made
	}
	figures := func(out string) string {
		t.Helper()
		var r struct {
			Jobs []struct {
				Name, Status string
				Parts        int
				Result       map[string]any
			}
		}
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		last := r.Jobs[len(r.Jobs)-1]
		if last.Parts != 6 {
			t.Errorf("%s has %d parts", last.Name, last.Parts)
		}
		delete(last.Result, "seconds")
		raw, err := json.Marshal(last.Result)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	clear := func() {
		t.Helper()
		for _, dir := range append([]string{records}, glob(t, filepath.Join(b.out, "*"))...) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}
	}
	var want []string
	var wantFigures string
	for range 2 { // the first reads what the second finds in memory
		begin := time.Now()
		out, err := b.run(j.args...)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		j.took, want, wantFigures = time.Since(begin), state(), figures(out)
		clear()
	}
	sources := b.digest(b.sources)

	rng := rand.New(rand.NewPCG(18, uint64(kills)))
	midway, keptParts := 0, 0
	for i := range max(3, kills/5) {
		killed := b.signalled(j, syscall.SIGKILL, time.Duration((0.1+0.9*rng.Float64())*float64(j.took)))
		if killed != nil {
			midway++
		}
		for at, got := range state() {
			if got != "" && got != want[at] {
				t.Errorf("kill %d: %s is neither absent nor whole", i, b.targets[at])
			}
		}
		keptParts += len(glob(t, filepath.Join(records, ".parts", "*", "*")))
		out, err := b.run(j.args...)
		if err != nil {
			t.Fatalf("after kill %d: %v\n%s", i, err, out)
		}
		if got := state(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("after kill %d: other bytes: %v, want %v", i, got, want)
		}
		if got := figures(out); got != wantFigures {
			t.Errorf("after kill %d: figures %s, want %s", i, got, wantFigures)
		}
		if left := b.left(); len(left) > 0 {
			t.Errorf("after kill %d and the next run: %v is left", i, left)
		}
		if left := glob(t, filepath.Join(records, ".[!l]*")); len(left) > 0 {
			t.Errorf("after kill %d and the next run: %v is left", i, left)
		}
		if b.digest(b.sources) != sources {
			t.Fatalf("kill %d: a source changed", i)
		}
		clear()
	}
	t.Logf("%d of the kills met a run of %s, %d parts were kept", midway, j.took, keptParts)
	if midway == 0 {
		t.Error("no kill met a run: the trials show nothing")
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	list, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return list
}
