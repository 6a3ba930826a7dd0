package family_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
)

// near64 reports whether two lists agree: within a few roundings of float64, or
// of float32 where that is how the oracle computed.
func near64(t *testing.T, what string, got, want []float64, limit float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d values, want %d", what, len(got), len(want))
		return
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= limit*math.Abs(want[i])) {
			t.Errorf("%s: value %d is %.17g, want %.17g", what, i, got[i], want[i])
			return
		}
	}
}

// TestValues compares slopes, spectra and gate vectors with testdata/values.json,
// which torch and transformers computed from the same tensors (make_values.py).
func TestValues(t *testing.T) {
	const exact, single = 4e-15, 3e-7
	text, err := os.ReadFile("testdata/values.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Slopes  map[string][][]float64
		Spectra map[string][][][]float64 // layer, head or all, plane
		U, V    map[string][][][]float64 // layer, head, coordinate
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	layer := func(t *testing.T, m *family.Model, i int) *family.Attention {
		if i >= len(m.Blocks) {
			t.Fatalf("%d layers, want more", len(m.Blocks))
		}
		return m.Blocks[i].Attn()
	}
	for name, layers := range want.Slopes {
		m, _ := open(t, name)
		for i, w := range layers {
			near64(t, name+": slopes", layer(t, m, i).Bias.Slopes, w, single)
		}
	}
	for name, layers := range want.Spectra {
		m, _ := open(t, name)
		for i, heads := range layers {
			a := layer(t, m, i)
			got := [][]float64{a.Rotary.InvFreq}
			if len(heads) > 1 {
				got = a.Spectra.InvFreq
			} else if a.Spectra != nil {
				t.Errorf("%s: layer %d has spectra per head, the tensor is shared", name, i)
			}
			if len(got) != len(heads) {
				t.Fatalf("%s: %d spectra, want %d", name, len(got), len(heads))
			}
			for h, w := range heads {
				turned := make([]float64, len(got[h]))
				for p, f := range got[h] {
					turned[p] = -f // GRAPE turns by −θ
				}
				near64(t, name+": spectrum", turned, w, exact)
			}
		}
	}
	for gate, cases := range map[string]map[string][][][]float64{"u": want.U, "v": want.V} {
		for name, layers := range cases {
			m, _ := open(t, name)
			for i, heads := range layers {
				got := layer(t, m, i).Bias.U
				if gate == "v" {
					got = layer(t, m, i).Bias.V
				}
				if len(got) != len(heads) {
					t.Fatalf("%s: %d gates %s, want %d", name, len(got), gate, len(heads))
				}
				for h, w := range heads {
					near64(t, name+": "+gate, got[h], w, exact)
				}
			}
		}
	}
	if m, _ := open(t, "grape-a-keygated"); m.Blocks[0].Attn().Bias.V != nil {
		t.Error("grape-a-keygated has a query gate")
	}
}

// TestEncodings: what each golden's layers are, by name and by feature.
func TestEncodings(t *testing.T) {
	type fact struct {
		encoding string
		check    func(m *family.Model) bool
	}
	first := func(m *family.Model) *family.Attention { return m.Blocks[0].Attn() }
	for name, c := range map[string]fact{
		"bloom": {"alibi", func(m *family.Model) bool {
			return m.EmbedNorm != nil && m.EmbedNorm.Bias != nil && first(m).Rotary.Dim == 0
		}},
		"mpt": {"alibi", func(m *family.Model) bool {
			return m.EmbedNorm == nil && m.FinalNorm.Bias == nil && m.FinalNorm.Kind == family.LayerNorm
		}},
		"falcon-alibi": {"alibi", func(m *family.Model) bool {
			b := first(m).Bias
			return b.RoundBF16 && b.BeforeScale && !m.Blocks[0].Parallel
		}},
		"falcon-multiquery": {"rope", func(m *family.Model) bool {
			return first(m).KVHeads == 1 && m.Blocks[0].Parallel && m.Blocks[0].MLPNorm.Weight.Tensor == m.Blocks[0].AttnNorm.Weight.Tensor
		}},
		"falcon-grouped": {"rope", func(m *family.Model) bool {
			return first(m).KVHeads == 2 && m.Blocks[0].Parallel && m.Blocks[0].MLPNorm.Weight.Tensor == "transformer.h.0.ln_mlp.weight"
		}},
		"gpt-neox": {"rope", func(m *family.Model) bool {
			r := first(m).K.Weight.Rows
			return m.Blocks[0].Parallel && len(r) == 4 && r[1] == family.Range{Begin: 64, End: 80} && first(m).Rotary.Dim == 4
		}},
		"gpt-neox-serial": {"rope", func(m *family.Model) bool {
			return !m.Blocks[0].Parallel && first(m).Q.Bias == nil && m.Blocks[0].MLP().Up.Bias != nil
		}},
		"smollm3": {"rope + nope", func(m *family.Model) bool {
			return first(m).Rotary.Dim == 8 && m.Blocks[1].Attn().Rotary.Dim == 0 && m.Blocks[1].Attn().Window == 8 && m.Blocks[3].Attn().Window == 0
		}},
		"stablelm": {"rope", func(m *family.Model) bool {
			return first(m).Rotary.Dim == 4 && first(m).Q.Bias != nil && first(m).O.Bias == nil
		}},
		"grape-rope": {"rope", func(m *family.Model) bool {
			return first(m).NormAfter && first(m).QNorm.Eps == 1e-5 && m.Rope.Type == ""
		}},
		"grape-rope-subln": {"rope", func(m *family.Model) bool {
			return first(m).HeadNorm != nil && first(m).KShift != nil && first(m).VShift == nil
		}},
		"grape-fox": {"fox", func(m *family.Model) bool {
			return !first(m).NormAfter && first(m).Bias.Gate.Bias != nil && first(m).Bias.Slopes == nil
		}},
		"grape-fox-rope":        {"rope + fox", func(m *family.Model) bool { return first(m).Rotary.Dim == 8 && first(m).HeadNorm != nil }},
		"grape-m-nonctx":        {"grape-m", func(m *family.Model) bool { return len(m.Parameters) == 2 && first(m).Spectra != nil }},
		"grape-m-nonctx-shared": {"grape-m", func(m *family.Model) bool { return first(m).Spectra == nil && first(m).QNorm == nil }},
		"grape-m-ctx":           {"grape-m-ctx", func(m *family.Model) bool { return first(m).Phase.C == 16 && first(m).Phase.Gate.Weight.Shape[0] == 1 }},
		"grape-m-ctx-heads":     {"grape-m-ctx", func(m *family.Model) bool { return first(m).Phase.C == 2 && first(m).Phase.Gate.Weight.Shape[0] == 4 }},
		"grape-a-querygated":    {"grape-a", func(m *family.Model) bool { return len(m.Parameters) == 4 }},
		"grape-ap-v1": {"grape-ap", func(m *family.Model) bool {
			b := first(m).Bias
			return b.PDim == 8 && b.P != nil && b.Tie == "" && b.Eps == 0x1p-23
		}},
		"grape-ap-v1-pktie": {"grape-ap", func(m *family.Model) bool { b := first(m).Bias; return b.PDim == 16 && b.P == nil && b.Tie == "k" }},
		"grape-ap-v1-pqtie": {"grape-ap", func(m *family.Model) bool { return first(m).Bias.Tie == "q" }},
		"grape-ap-v1-kvshift": {"grape-ap", func(m *family.Model) bool {
			return first(m).K.Weight.Tensor == "transformer.h.0.attn.c_k.linear.weight"
		}},
	} {
		m, _ := open(t, name)
		if got := m.Encoding(); got != c.encoding {
			t.Errorf("%s: encoding %s, want %s", name, got, c.encoding)
		}
		if !c.check(m) {
			t.Errorf("%s: not read as its code computes it: %+v", name, m.Blocks[0])
		}
		again, err := m.AtLength(m.MaxPositions * 4)
		if err != nil {
			t.Fatal(err)
		}
		if got := again.Encoding(); got != c.encoding {
			t.Errorf("%s: at another length it is %s", name, got)
		}
	}
}
