package verify

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/report"
)

// TestRotationOfForms: whatever turns, every head of every layer turns by the
// graph as by the encoding; with one head of each, and each position in every
// second layer, likewise.
func TestRotationOfForms(t *testing.T) {
	for name, set := range hybrids {
		t.Run(name, func(t *testing.T) {
			s := newHybrid(t, set, onnxops.BiasAuto)
			for stride := 1; stride <= 2; stride++ {
				w := s.turner()
				if len(w.parts) == 0 {
					return // phases
				}
				w.heads, w.stride = stride == 1, stride
				c := report.Check{Verdict: report.Pass}
				if err := w.run(&c); err != nil {
					t.Fatal(err)
				}
				limit := 1e-15
				if w.parts[0].attn.Spectra != nil { // the angle of a position is the sum of two, each rounded to float64
					limit = 1e-12
				}
				if c.Verdict != report.Pass || c.Positions != s.info.MaxLength || !(float64(c.MaxAbs) <= limit) {
					t.Errorf("stride %d: %s, %d positions, off by %.3g: %s", stride, c.Verdict, c.Positions, float64(c.MaxAbs), c.Detail)
				}
			}
		})
	}
}

// TestRotationStride: a position that every layer turns wrong is seen although
// not every layer is looked at there.
func TestRotationStride(t *testing.T) {
	s := newHybrid(t, func(*family.Attention) {}, onnxops.BiasAuto)
	g := s.info.Model.Graph
	ints := func(name string, v byte) string {
		g.Initializer = append(g.Initializer, &onnxpb.TensorProto{Name: name, DataType: int32(onnxpb.TensorProto_INT64), Dims: []int64{1}, RawData: []byte{v, 1, 0, 0, 0, 0, 0, 0}})
		return name
	}
	g.Node = append([]*onnxpb.NodeProto{
		{Name: "/here", OpType: "Equal", Input: []string{"position_ids", ints("/here/at", 81)}, Output: []string{"/here"}},
		{Name: "/moved", OpType: "Where", Input: []string{"/here", ints("/moved/to", 80), "position_ids"}, Output: []string{"/moved"}},
	}, g.Node...)
	for _, n := range g.Node {
		if strings.HasPrefix(n.GetName(), "/rotary/") && n.GetOpType() == "Gather" {
			n.Input[1] = "/moved"
		}
	}
	for stride := 1; stride <= 2; stride++ {
		w := s.turner()
		w.stride = stride
		c := report.Check{Verdict: report.Pass}
		if err := w.run(&c); err != nil {
			t.Fatal(err)
		}
		if c.Verdict != report.Fail || !strings.Contains(c.Detail, "of position 337 do not turn") || !strings.Contains(c.Detail, "1 of 1500 positions") {
			t.Errorf("stride %d: %s %s", stride, c.Verdict, c.Detail)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.ctx = ctx
	if err := s.rotation(); err == nil {
		t.Error("goes on when it is cancelled")
	}
}

// TestTurnedNumber: what is turned has no coordinate that hides a rotation.
func TestTurnedNumber(t *testing.T) {
	for i := range 256 {
		if x := math.Abs(turnedNumber(i)); !(x >= 0.5 && x <= 1) {
			t.Errorf("coordinate %d is %v", i, x)
		}
	}
}
