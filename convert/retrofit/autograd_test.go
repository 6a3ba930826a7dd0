package retrofit

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/pecvt/pecvt/posenc"
)

// TestAutograd: loss and gradients against torch's autograd in float64 on tiny
// layers (testdata/tools/make_retrofit_golden.py).
func TestAutograd(t *testing.T) {
	type parts struct {
		Q     []float64 `json:"q"`
		K     []float64 `json:"k"`
		QBias []float64 `json:"q_bias"`
		KBias []float64 `json:"k_bias"`
	}
	var file struct {
		Cases []struct {
			Name      string
			Heads     int
			KVHeads   int `json:"kv_heads"`
			HeadDim   int `json:"head_dim"`
			Hidden    int
			RotaryDim int `json:"rotary_dim"`
			Pairing   string
			Scale     float64
			Window    int
			H         []float64
			QNorm     *HeadNorm `json:"q_norm"`
			KNorm     *HeadNorm `json:"k_norm"`
			Rows      []int
			Source    parts
			Student   parts
			From      Turn `json:"source_turn"`
			To        Turn `json:"student_turn"`
			KL        float64
			Gradient  parts
		}
	}
	text, err := os.ReadFile("testdata/autograd.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) != 10 {
		t.Fatalf("%d cases", len(file.Cases))
	}
	for _, c := range file.Cases {
		s := &Shape{Hidden: c.Hidden, Heads: c.Heads, KVHeads: c.KVHeads, HeadDim: c.HeadDim, RotaryDim: c.RotaryDim,
			Scale: c.Scale, Window: c.Window, QNorm: c.QNorm, KNorm: c.KNorm}
		if c.Pairing == "interleaved" {
			s.Pairing = posenc.Interleaved
		}
		n := len(c.H) / c.Hidden
		source, student := Weights[float64](c.Source), Weights[float64](c.Student)
		p := NewPair(NewLayer(s, &source, &c.From, n), NewLayer(s, &student, &c.To, n))
		grad := student.NewWeights()
		if kl := mean(p.KL(c.H, p.Sequence(c.H, n), c.Rows, grad)); math.Abs(kl-c.KL) > 1e-12 || kl < 1e-3 {
			t.Errorf("%s: KL %v, torch has %v", c.Name, kl, c.KL)
		}
		want := Weights[float64](c.Gradient)
		for i, part := range want.parts() {
			if len(part) != len(grad.parts()[i]) {
				t.Errorf("%s: part %d has %d derivatives, want %d", c.Name, i, len(grad.parts()[i]), len(part))
				continue
			}
			for j, x := range part {
				if got := grad.parts()[i][j]; math.Abs(got-x) > 1e-12 {
					t.Errorf("%s: part %d, %d: %v, torch has %v", c.Name, i, j, got, x)
				}
			}
		}
	}
}
