package onnxops

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/posenc"
)

func floats(raw []byte) []float32 {
	out := make([]float32, len(raw)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return out
}

// TestCosSin: columns are rounded once from float64, dropped planes give
// 1 and 0, removed ones 0 and 0, the gain multiplies all of them, padding does
// nothing.
func TestCosSin(t *testing.T) {
	const n, gain = 300, 1.5
	r := posenc.Rotary{
		Spectrum: posenc.Spectrum{InvFreq: []float64{1, 0.1, 0, 0.01}, Gain: gain, Removed: []bool{false, false, false, true}},
		HeadDim:  8, Dim: 8,
	}
	rawCos, rawSin := cosSin(r, n, 8)
	cos, sin := floats(rawCos), floats(rawSin)
	for pos := range n {
		x := float64(pos)
		wantCos := []float64{gain * math.Cos(x), gain * math.Cos(x*0.1), gain, 0, 1, 1, 1, 1}
		wantSin := []float64{gain * math.Sin(x), gain * math.Sin(x*0.1), 0, 0, 0, 0, 0, 0}
		for p := range wantCos {
			if c := cos[pos*8+p]; c != float32(wantCos[p]) {
				t.Fatalf("cos at %d of plane %d: %v, expected %v", pos, p, c, float32(wantCos[p]))
			}
			if s := sin[pos*8+p]; s != float32(wantSin[p]) {
				t.Fatalf("sin at %d of plane %d: %v, expected %v", pos, p, s, float32(wantSin[p]))
			}
		}
	}
}

func initializer(m *onnxpb.ModelProto, name string) *onnxpb.TensorProto {
	for _, t := range m.GetGraph().GetInitializer() {
		if t.GetName() == name {
			return t
		}
	}
	return nil
}

// TestTablePerRotation: layers that turn alike share a table, others get their
// own.
func TestTablePerRotation(t *testing.T) {
	m, ckpt := load(t, "golden/llama-gqa")
	for _, form := range []string{AttentionStandard, AttentionORT} {
		model := exportOne(t, m, ckpt, Options{Attention: form, MaxLength: 20})
		if initializer(model, "/rotary/cos_table") == nil || initializer(model, "/rotary.1/cos_table") != nil {
			t.Errorf("%s: one rotation has not one table", form)
		}
		other := m.Clone()
		spectrum := m.Blocks[1].Attn().Rotary.Spectrum.Clone()
		spectrum.InvFreq[0] /= 2
		other.Blocks[1].Attn().Rotary.Spectrum = spectrum
		model = exportOne(t, other, ckpt, Options{Attention: form, MaxLength: 20})
		checkStructure(t, model)
		second := initializer(model, "/rotary.1/cos_table")
		if second == nil {
			t.Fatalf("%s: the second rotation has no table", form)
		}
		planes := m.Blocks[1].Attn().Rotary.Planes()
		if got := floats(second.GetRawData())[planes]; got != float32(math.Cos(spectrum.InvFreq[0])) {
			t.Errorf("%s: cos of plane 0 at 1: %v", form, got)
		}
	}
}

// TestInterleavedForms: interleaved planes are an attribute, and their tables
// may be padded for GroupQueryAttention.
func TestInterleavedForms(t *testing.T) {
	m, ckpt := load(t, "golden/llama-gqa")
	for i := range m.Blocks {
		r := &m.Blocks[i].Attn().Rotary
		r.Pairing, r.Dim, r.InvFreq = posenc.Interleaved, 6, r.InvFreq[:3]
	}
	for form, op := range map[string]string{AttentionStandard: "Rotation", AttentionORT: "GroupQueryAttention"} {
		model := exportOne(t, m, ckpt, Options{Attention: form, MaxLength: 20})
		found := false
		for _, n := range model.GetGraph().GetNode() {
			for _, a := range n.GetAttribute() {
				found = found || n.GetOpType() == op && strings.HasSuffix(a.GetName(), "interleaved") && a.GetI() == 1
			}
		}
		if !found {
			t.Errorf("%s: no %s is interleaved", form, op)
		}
		want := map[string]int64{AttentionStandard: 3, AttentionORT: 8}[form]
		if got := initializer(model, "/rotary/cos_table").GetDims(); got[1] != want {
			t.Errorf("%s: tables of %v, expected %d columns", form, got, want)
		}
	}
}

// TestNoRotation: a layer without rotary planes has no Rotation, and does not
// fit GroupQueryAttention.
func TestNoRotation(t *testing.T) {
	m, ckpt := load(t, "golden/llama-gqa")
	m.Blocks[1].Attn().Rotary = posenc.Rotary{Spectrum: posenc.Spectrum{Gain: 1}, HeadDim: m.Blocks[1].Attn().QKDim}
	rotations := 0
	for _, n := range exportOne(t, m, ckpt, Options{}).GetGraph().GetNode() {
		if n.GetOpType() == "Rotation" {
			rotations++
		}
	}
	if rotations != 2 {
		t.Errorf("%d rotations, expected 2", rotations)
	}
	if _, err := Export(m, ckpt, Options{Attention: AttentionORT}); err == nil || !strings.Contains(err.Error(), "layer 1") {
		t.Errorf("error %v", err)
	}
}
