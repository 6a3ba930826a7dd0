package graph

import (
	"strings"
	"testing"
)

// attentionCase builds an Attention with its dimensions open to change.
func attentionCase(heads, kv int, past, mask Shape) *Graph {
	g := New("test", 23)
	g.DefineSum(Sym("total"), Sym("past"), Sym("sequence"))
	g.Add(Node{
		Op: "Attention", Name: "a",
		In: []*Value{
			g.Input("q", Float, Of("batch", heads, "sequence", 8)), g.Input("k", Float, Of("batch", kv, "sequence", 8)),
			g.Input("v", Float, Of("batch", kv, "sequence", 6)), g.Input("mask", Float, mask),
			g.Input("pk", Float, past), g.Input("pv", Float, Of("batch", kv, "past", 6)),
		},
		Out: []string{"y", "present_k", "present_v"},
	})
	return g
}

func TestAttention(t *testing.T) {
	past, mask := Of("batch", 2, "past", 8), Of("batch", 1, "sequence", "total")
	g := attentionCase(4, 2, past, mask)
	if g.Err() != nil {
		t.Fatal(g.Err())
	}
	for name, want := range map[string]string{
		"y": "[batch 4 sequence 6]", "present_k": "[batch 2 total 8]", "present_v": "[batch 2 total 6]",
	} {
		if got := g.Lookup(name).Shape().String(); got != want {
			t.Errorf("%s: %s, expected %s", name, got, want)
		}
	}
	tests := []struct {
		name string
		g    *Graph
		want string
	}{
		{"groups", attentionCase(5, 2, past, mask), "5 query heads and 2 key/value heads"},
		{"past", attentionCase(4, 2, Of("batch", 2, "past", 7), mask), "input 4 (pk) has shape [batch 2 past 7], expected [batch 2 past 8]"},
		{"mask", attentionCase(4, 2, past, Of("batch", 1, "sequence", "sequence")), "does not broadcast to [batch 4 sequence total]"},
	}
	for _, tt := range tests {
		if err := tt.g.Err(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, expected %q in it", tt.name, err, tt.want)
		}
	}
}

func TestRotaryErrors(t *testing.T) {
	tests := []struct {
		name string
		cos  Shape
		r    int
		want string
	}{
		{"width", Of("batch", "sequence", 3), 8, "expected [batch sequence 4]"},
		{"odd", Of("batch", "sequence", 4), 7, "rotary_embedding_dim is 7"},
		{"wider than the head", Of("batch", "sequence", 5), 10, "rotary_embedding_dim is 10"},
		{"positions", Of("batch", "total", 4), 8, "has shape [batch total 4], expected [batch sequence 4]"},
	}
	for _, tt := range tests {
		g := New("test", 23)
		x := g.Input("x", Float, Of("batch", 2, "sequence", 8))
		g.Op("RotaryEmbedding", "r", []*Value{x, g.Input("cos", Float, tt.cos), g.Input("sin", Float, tt.cos)}, IntAttr("rotary_embedding_dim", tt.r))
		if err := g.Err(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, expected %q in it", tt.name, err, tt.want)
		}
	}
}

func TestGroupQueryAttention(t *testing.T) {
	build := func(width, cache int) *Graph {
		g := New("test", 23)
		g.DefineSum(Sym("total"), Sym("past"), Sym("sequence"))
		kv := func(name string) *Value { return g.Input(name, Float, Of("batch", "sequence", 2*width)) }
		past := func(name string) *Value { return g.Input(name, Float, Of("batch", 2, "past", width)) }
		table := func(name string) *Value { return g.Input(name, Float, Of(10, cache)) }
		g.Add(Node{
			Domain: Microsoft, Op: "GroupQueryAttention", Name: "a",
			In: []*Value{
				g.Input("q", Float, Of("batch", "sequence", 4*width)), kv("k"), kv("v"), past("pk"), past("pv"),
				g.Input("last", Int32, Of("batch")), g.Input("total", Int32, Of()), table("cos"), table("sin"),
			},
			Out:   []string{"y", "present_k", "present_v"},
			Attrs: []Attr{IntAttr("num_heads", 4), IntAttr("kv_num_heads", 2)},
		})
		return g
	}
	if g := build(16, 8); g.Err() != nil || g.Lookup("present_k").Shape().String() != "[batch 2 total 16]" {
		t.Errorf("present_k: %v, %v", g.Err(), g.Lookup("present_k"))
	}
	for _, tt := range [][2]int{{16, 4}, {8, 8}} {
		if err := build(tt[0], tt[1]).Err(); err == nil || !strings.Contains(err.Error(), "a multiple of 8 up to half the head size") {
			t.Errorf("tables of %d in heads of %d: error %v", tt[1], tt[0], err)
		}
	}
}
