package verify_test

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/verify"
)

// twins makes every second row of the head the row before it, times 1 + off: the
// logits of two tokens then lie that near to each other at every position.
func twins(t *testing.T, dir string, off float64) {
	t.Helper()
	path := filepath.Join(dir, "model.safetensors")
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	info, ok := f.Lookup("lm_head.weight")
	start := f.DataStart() + info.Begin
	f.Close()
	data, err := os.ReadFile(path)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	width := 4 * int(info.Shape[1])
	for row := 0; row+1 < int(info.Shape[0]); row += 2 {
		a, b := data[int(start)+row*width:][:width], data[int(start)+(row+1)*width:][:width]
		for i := 0; i < width; i += 4 {
			x := math.Float32frombits(binary.LittleEndian.Uint32(a[i:]))
			if i%8 == 0 { // half of the numbers, so that rounding differs between the two sums
				x = float32(float64(x) * (1 + off))
			}
			binary.LittleEndian.PutUint32(b[i:], math.Float32bits(x))
		}
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	unsummed(t, path)
}

// TestAmbiguous: tokens that float32 cannot tell apart leave a verification
// ambiguous, those that are exactly alike do not.
func TestAmbiguous(t *testing.T) {
	if !runtimePresent(t) {
		return // only float32 can be unsure
	}
	c := conversion{model: "golden/llama-gqa", to: "rope"}
	for _, tt := range []struct {
		name string
		off  float64
		want verify.Verdict
	}{{"near ties", 1.5e-7, verify.Ambiguous}, {"exact ties", 0, verify.Pass}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := c.write(t)
			twins(t, dir, tt.off)
			if err := c.emit(dir); err != nil {
				t.Fatal(err)
			}
			r := verified(t, dir, verify.Options{OptLevel: "all", Tokens: 64})
			if r.Verdict != tt.want {
				t.Errorf("verdict %s, want %s", r.Verdict, tt.want)
			}
			said := false
			for _, c := range r.Checks {
				if c.Verdict != verify.Ambiguous {
					if c.Verdict == verify.Fail {
						t.Errorf("%s of %s: %s", c.Name, c.Runner, c.Detail)
					}
					continue
				}
				said = true
				if c.Runner != "ort-cpu" || !(c.MaxRel <= c.Limit) || c.Top1 == 1 || !strings.Contains(c.Detail, "another first token at row 0, position ") || c.Blame == "" {
					t.Errorf("%s of %s: %+v", c.Name, c.Runner, c)
				}
			}
			if said != (tt.want == verify.Ambiguous) {
				t.Errorf("an ambiguous check: %v", said)
			}
		})
	}
}

// TestLevels: without a level every one runs, with one that alone; where nodes
// ran is told for each.
func TestLevels(t *testing.T) {
	if !runtimePresent(t) {
		return
	}
	dir := hopeLlama.write(t)
	for _, tt := range []struct {
		level string
		want  []string
	}{{"", []string{"all", "disabled", "basic", "extended"}}, {"basic", []string{"basic"}}} {
		r := verified(t, dir, verify.Options{OptLevel: tt.level, Provider: "cpu"})
		if r.Verdict != verify.Pass {
			t.Errorf("level %q: verdict %s", tt.level, r.Verdict)
		}
		prefills, nodes := map[string]int{}, map[string]int{}
		for _, c := range r.Checks {
			if c.Runner == "ort-cpu" && c.Level == "" || c.Runner != "ort-cpu" && c.Level != "" {
				t.Errorf("%s of %s has level %q", c.Name, c.Runner, c.Level)
			}
			if c.Name == "prefill" && c.Runner == "ort-cpu" {
				prefills[c.Level]++
			}
		}
		for _, p := range r.Placement {
			if p.Runner != "ort-cpu" || p.Provider != "CPUExecutionProvider" || p.Nodes < 20 {
				t.Errorf("placement %+v", p)
			}
			nodes[p.Level] += p.Nodes
		}
		for _, level := range tt.want {
			if prefills[level] != 1 || nodes[level] == 0 {
				t.Errorf("level %q of %q: %d prefills, %d nodes", level, tt.level, prefills[level], nodes[level])
			}
		}
		if len(prefills) != len(tt.want) || len(nodes) != len(tt.want) {
			t.Errorf("level %q: prefills %v, nodes %v", tt.level, prefills, nodes)
		}
	}
}
