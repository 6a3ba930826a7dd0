package verify_test

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify"
)

// after puts nodes behind the one that makes what they read.
func (g *graphOf) after(t *testing.T, name string, nodes ...*onnxpb.NodeProto) {
	t.Helper()
	list := g.model.Graph.Node
	for i, n := range list {
		if n.GetName() == name {
			g.model.Graph.Node = append(append(append([]*onnxpb.NodeProto(nil), list[:i+1]...), nodes...), list[i+1:]...)
			return
		}
	}
	t.Fatalf("the graph has no node %q", name)
}

// int64s adds a constant vector.
func (g *graphOf) int64s(name string, v ...int64) string {
	var raw []byte
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(x))
	}
	g.model.Graph.Initializer = append(g.model.Graph.Initializer, &onnxpb.TensorProto{Name: name, DataType: int32(onnxpb.TensorProto_INT64), Dims: []int64{int64(len(v))}, RawData: raw})
	return name
}

// negate flips the sign of float32 constants.
func (g *graphOf) negate(t *testing.T, contains string) {
	t.Helper()
	n := 0
	for _, w := range g.model.Graph.Initializer {
		if strings.Contains(w.GetName(), contains) {
			n++
			for i := 3; i < len(w.RawData); i += 4 {
				w.RawData[i] ^= 0x80
			}
		}
	}
	if n == 0 {
		t.Fatalf("no constant with %q in its name", contains)
	}
}

// biased writes the graph of a golden model and plants a fault in it.
func biased(model, form string, plant func(t *testing.T, g *graphOf)) func(t *testing.T) string {
	return func(t *testing.T) string {
		dir, err := exportGolden(t, model, onnxops.Options{Bias: form, MaxLength: 600, Version: "test"})
		if err != nil {
			t.Fatal(err)
		}
		graphFault(plant)(t, dir)
		return dir
	}
}

func llama(plant func(t *testing.T, g *graphOf)) func(t *testing.T) string {
	return func(t *testing.T) string {
		dir := hopeLlama.write(t)
		graphFault(plant)(t, dir)
		return dir
	}
}

// planted are faults that the checks of shapes, positions and laws are for: each
// is found by those named, and not by the ones that hold.
var planted = []struct {
	name         string
	dir          func(t *testing.T) string
	fails, holds []string
	blame        string // of the first check in fails
}{
	{
		name: "the mask shows the next token",
		dir: llama(func(t *testing.T, g *graphOf) {
			one := g.int64s("/fault/one", 1)
			g.after(t, "/mask/query/Unsqueeze", &onnxpb.NodeProto{OpType: "Add", Name: "/fault/Add", Input: []string{g.node(t, "/mask/query/Unsqueeze").Output[0], one}, Output: []string{"/fault/query"}})
			g.node(t, "/mask/causal/LessOrEqual").Input[1] = "/fault/query"
		}),
		fails: []string{"law-causal/interp", "law-causal/ort-cpu", "prefill/interp"},
		holds: []string{"tables/interp", "law-distance/interp", "law-blind/interp"},
		blame: "a query sees what comes after it",
	},
	{
		name: "queries turn the other way",
		dir: llama(func(t *testing.T, g *graphOf) {
			n := g.node(t, "/layers.0/attn/q/Rotation")
			g.after(t, "/rotary/sin/Gather", &onnxpb.NodeProto{OpType: "Neg", Name: "/fault/Neg", Input: []string{n.Input[2]}, Output: []string{"/fault/sin"}})
			n.Input[2] = "/fault/sin"
		}),
		fails: []string{"law-shift/interp", "law-shift/ort-cpu", "law-distance/interp", "prefill/interp", "positions/interp"},
		holds: []string{"tables/interp", "law-causal/interp", "law-blind/interp", "law-distance/ort-cpu"}, // keys alone are right
		blame: "depend on absolute positions",
	},
	{
		name: "keys meet the queries' positions twice over",
		dir: llama(func(t *testing.T, g *graphOf) {
			n := g.node(t, "/layers.0/attn/k/Rotation")
			n.Input[1], n.Input[2] = n.Input[2], n.Input[1]
			q := g.node(t, "/layers.0/attn/q/Rotation")
			q.Input[1] = q.Input[2]
		}),
		fails: []string{"law-distance/interp", "law-shift/interp", "law-shift/ort-cpu"},
		blame: "depend on absolute positions",
	},
	{
		name: "a dropped plane turns",
		dir: llama(func(t *testing.T, g *graphOf) {
			g.table(t, "/rotary/cos_table", replacePlane(7, func(pos float64) float64 { return math.Cos(0.01 * pos) }))
			g.table(t, "/rotary/sin_table", replacePlane(7, func(pos float64) float64 { return math.Sin(0.01 * pos) }))
		}),
		fails: []string{"law-blind/interp", "law-blind/ort-cpu", "tables/interp"},
		holds: []string{"law-distance/interp", "law-shift/interp", "law-causal/interp"}, // it is a rotation still
		blame: "see the check tables",
	},
	{
		name: "a plane that turns in the last layer's queries alone",
		dir: llama(func(t *testing.T, g *graphOf) {
			n := g.node(t, "/layers.1/attn/q/Rotation")
			n.Attribute = append([]*onnxpb.AttributeProto(nil), n.Attribute...)
			attribute(t, n, "interleaved").I = 1
		}),
		fails: []string{"law-blind/interp", "prefill/interp"},
		holds: []string{"law-blind/ort-cpu", "tables/interp"}, // only the keys are to be seen there
		blame: "a plane that the encoding drops turns",
	},
	{
		name:  "slopes of the wrong sign, in the mask",
		dir:   biased("bloom", onnxops.BiasMask, func(t *testing.T, g *graphOf) { g.negate(t, "/bias/slopes") }),
		fails: []string{"law-gates/interp", "prefill/interp", "prefill/ort-cpu"},
		holds: []string{"law-shift/interp", "law-causal/interp"},
		blame: "a bias rewards distance",
	},
	{
		name:  "slopes of the wrong sign, before the heads",
		dir:   biased("bloom-6heads", onnxops.BiasLowered, func(t *testing.T, g *graphOf) { g.negate(t, "/bias/query") }),
		fails: []string{"law-gates/interp", "prefill/interp", "prefill/ort-cpu"},
		holds: []string{"law-causal/interp"},
		blame: "a bias rewards distance",
	},
	{
		name:  "a forget gate of the wrong sign",
		dir:   biased("grape-fox", onnxops.BiasMask, func(t *testing.T, g *graphOf) { g.negate(t, "/const/over-1") }),
		fails: []string{"law-gates/interp", "prefill/interp"},
		holds: []string{"law-causal/interp"},
		blame: "a bias rewards distance",
	},
	{
		name: "one row of the tables",
		dir: llama(func(t *testing.T, g *graphOf) {
			g.table(t, "/rotary/sin_table", func(row, _ int, x float64) float64 {
				if row == 256 {
					return -x
				}
				return x
			})
		}),
		fails: []string{"positions/interp", "positions/ort-cpu", "tables/interp"},
		holds: []string{"prefill/interp", "prefill/ort-cpu", "far-positions/interp", "law-shift/interp", "decode/ort-cpu"},
		blame: "see the check tables",
	},
	{
		name: "a frequency of phases",
		dir: biased("grape-m-ctx", "", func(t *testing.T, g *graphOf) {
			w := g.initializer(t, "/layers.0/attn/phase/turns_per_position")
			x := math.Float64frombits(binary.LittleEndian.Uint64(w.RawData[8:]))
			binary.LittleEndian.PutUint64(w.RawData[8:], math.Float64bits(x*(1+1e-12)))
		}),
		fails: []string{"tables/interp"},
		holds: []string{"prefill/interp", "prefill/ort-cpu"}, // too little to show
		blame: "emission is wrong",
	},
	{
		name: "the table of path vectors, far out",
		dir: biased("grape-ap-v1", onnxops.BiasMask, func(t *testing.T, g *graphOf) {
			g.table(t, "/rotary_path/cos_table", func(row, _ int, x float64) float64 {
				if row == 300 {
					return -x
				}
				return x
			})
		}),
		fails: []string{"tables/interp"},
		holds: []string{"prefill/interp", "prefill/ort-cpu", "far-positions/interp"},
		blame: "emission is wrong",
	},
	{
		// what a prompt of 48 tokens, and neighbours far out, do not show
		name: "a frequency that is slightly off",
		dir: llama(func(t *testing.T, g *graphOf) {
			theta := math.Pow(300, -2*1.0/16) * (1 + 1e-7)
			g.table(t, "/rotary/cos_table", replacePlane(1, func(pos float64) float64 { return math.Cos(theta * pos) }))
			g.table(t, "/rotary/sin_table", replacePlane(1, func(pos float64) float64 { return math.Sin(theta * pos) }))
		}),
		fails: []string{"positions/interp", "tables/interp"},
		holds: []string{"prefill/ort-cpu", "far-positions/interp", "far-positions/ort-cpu", "law-shift/interp", "law-distance/interp"},
		blame: "see the check tables",
	},
	{
		name: "every row of a batch reads the first one's keys",
		dir: llama(func(t *testing.T, g *graphOf) {
			n := g.node(t, "/layers.0/attn/Attention")
			key, zero := n.Input[1], g.int64s("/fault/row", 0)
			for i, m := range g.model.Graph.Node {
				if m == n {
					nodes := append([]*onnxpb.NodeProto(nil), g.model.Graph.Node[:i]...)
					nodes = append(nodes,
						&onnxpb.NodeProto{OpType: "Gather", Name: "/fault/Gather", Input: []string{key, zero}, Output: []string{"/fault/first"}, Attribute: []*onnxpb.AttributeProto{textAttribute("axis", 0)}},
						&onnxpb.NodeProto{OpType: "Sub", Name: "/fault/Sub", Input: []string{key, key}, Output: []string{"/fault/zeros"}},
						&onnxpb.NodeProto{OpType: "Add", Name: "/fault/Add", Input: []string{"/fault/zeros", "/fault/first"}, Output: []string{"/fault/keys"}})
					g.model.Graph.Node = append(nodes, g.model.Graph.Node[i:]...)
					break
				}
			}
			n.Input[1] = "/fault/keys"
		}),
		fails: []string{"batch/interp", "batch/ort-cpu", "left-padding/interp", "right-padding/ort-cpu"},
		holds: []string{"prefill/interp", "prefill/ort-cpu", "decode/interp", "law-causal/interp"},
		blame: "rows of a batch read each other",
	},
	{
		name: "padding in the past is seen",
		dir: llama(func(t *testing.T, g *graphOf) {
			key, past := g.node(t, "/mask/key/Range").Output[0], g.node(t, "/mask/past/Sub").Output[0]
			real := g.node(t, "/mask/real/Cast")
			var rest []*onnxpb.NodeProto
			for _, n := range g.model.Graph.Node { // the mask comes first
				if n == real {
					rest = append(rest,
						&onnxpb.NodeProto{OpType: "Less", Name: "/fault/Less", Input: []string{key, past}, Output: []string{"/fault/before"}},
						&onnxpb.NodeProto{OpType: "Cast", Name: "/fault/Cast", Input: []string{"/fault/before"}, Output: []string{"/fault/seen"}, Attribute: []*onnxpb.AttributeProto{textAttribute("to", int64(onnxpb.TensorProto_INT64))}},
						&onnxpb.NodeProto{OpType: "Max", Name: "/fault/Max", Input: []string{real.Input[0], "/fault/seen"}, Output: []string{"/fault/mask"}})
				}
				rest = append(rest, n)
			}
			g.model.Graph.Node = rest
			real.Input[0] = "/fault/mask"
		}),
		fails: []string{"left-padding-decode/interp", "left-padding-decode/ort-cpu", "right-padding-decode/interp", "right-padding-decode/ort-cpu"},
		holds: []string{"left-padding/interp", "right-padding/ort-cpu", "batch/interp", "decode/interp", "prefill/ort-cpu"},
		blame: "where tokens follow padding",
	},
}

// TestPlanted: every check finds the fault it is for, and is blamed right.
func TestPlanted(t *testing.T) {
	present := runtimePresent(t)
	for _, f := range planted {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			r := verified(t, f.dir(t), verify.Options{OptLevel: "all"})
			if r.Verdict != verify.Fail {
				t.Errorf("verdict %s", r.Verdict)
			}
			for i, want := range [][]string{f.fails, f.holds} {
				for _, id := range want {
					name, runner, _ := strings.Cut(id, "/")
					if runner == "ort-cpu" && !present {
						continue
					}
					c, made := find(r, name, runner)
					if verdict := []verify.Verdict{verify.Fail, verify.Pass}[i]; !made || c.Verdict != verdict {
						t.Errorf("%s: %q (max rel %v, limit %v), want %s: %s %s", id, c.Verdict, c.MaxRel, c.Limit, verdict, c.Detail, c.Blame)
					}
				}
			}
			name, runner, _ := strings.Cut(f.fails[0], "/")
			if c, _ := find(r, name, runner); !strings.Contains(c.Blame, f.blame) || c.Detail == "" {
				t.Errorf("%s: detail %q, blame %q: want %q in it", f.fails[0], c.Detail, c.Blame, f.blame)
			}
		})
	}
}

// TestLaws: which laws an encoding has, and that it keeps them.
func TestLaws(t *testing.T) {
	runtimePresent(t)
	const yes = verify.Pass
	const no = verify.Skipped
	for _, tt := range []struct {
		model, form                   string
		shift, distance, blind, gates verify.Verdict
	}{
		{"gpt-neox", "", yes, yes, yes, no}, // partial rotary: what does not turn is blind
		{"qwen3", "", yes, yes, no, no},
		{"bloom", onnxops.BiasMask, yes, yes, yes, yes},
		{"bloom-6heads", onnxops.BiasLowered, yes, yes, yes, yes},
		{"mpt", onnxops.BiasLowered, yes, yes, yes, yes},
		{"falcon-alibi", onnxops.BiasMask, no, no, yes, yes},
		{"falcon-alibi", onnxops.BiasLowered, no, no, yes, yes},
		{"grape-rope", "", no, no, no, no}, // norms weigh the coordinates after the rotation
		{"grape-fox", onnxops.BiasMask, yes, yes, yes, yes},
		{"grape-fox", onnxops.BiasLowered, yes, yes, yes, yes},
		{"grape-m-nonctx", "", no, no, no, no},
		{"grape-m-ctx", "", no, no, no, no},
		{"grape-a-querykeygated", onnxops.BiasMask, yes, yes, yes, yes},
		{"grape-a-querykeygated", onnxops.BiasLowered, yes, yes, yes, yes},
		{"grape-a-keygated", onnxops.BiasLowered, yes, yes, yes, yes},
		{"grape-ap-v1", onnxops.BiasMask, no, no, yes, yes},
		{"grape-ap-v1-kvshift", onnxops.BiasMask, no, no, yes, yes},
	} {
		t.Run(tt.model+"/"+tt.form, func(t *testing.T) {
			t.Parallel()
			dir, err := exportGolden(t, tt.model, onnxops.Options{Bias: tt.form, MaxLength: 600, Version: "test"})
			if err != nil {
				t.Fatal(err)
			}
			r := verified(t, dir, verify.Options{OptLevel: "all"})
			for name, want := range map[string]verify.Verdict{"law-causal": yes, "law-shift": tt.shift, "law-distance": tt.distance, "law-blind": tt.blind, "law-gates": tt.gates, "positions": yes} {
				c, made := find(r, name, "interp")
				if !made || c.Verdict != want || want == no && !strings.Contains(c.Detail, "no law of this encoding: ") {
					t.Errorf("%s: %q, want %s (max rel %v, limit %v): %s", name, c.Verdict, want, c.MaxRel, c.Limit, c.Detail)
				}
				if want == yes && (c.Positions == 0 || c.Limit == 0) {
					t.Errorf("%s passes over %d positions, limit %v", name, c.Positions, c.Limit)
				}
			}
			for _, c := range r.Checks {
				if c.Verdict == verify.Fail || c.Verdict == verify.Ambiguous {
					t.Errorf("%s of %s: %s %s", c.Name, c.Runner, c.Verdict, c.Detail)
				}
			}
		})
	}
}
