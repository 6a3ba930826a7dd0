package rewrite

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// rowList expands pieces into (tensor, row) pairs; zero rows are row -1.
func rowList(pieces []Piece) []row {
	var out []row
	for _, p := range pieces {
		for i := p.Rows.Begin; i < p.Rows.End; i++ {
			if p.Zero {
				out = append(out, row{p.Tensor, -1})
			} else {
				out = append(out, row{p.Tensor, i})
			}
		}
	}
	return out
}

type row struct {
	Tensor string
	Row    int64
}

func rows(tensor string, list ...int64) []row {
	var out []row
	for _, r := range list {
		out = append(out, row{tensor, r})
	}
	return out
}

// TestKeptFirst: d 8, r 6, planes 0 and 2 kept. Halves pairing pairs 0-3, 1-4,
// 2-5; interleaved 0-1, 2-3, 4-5; 6 and 7 are not rotary.
func TestKeptFirst(t *testing.T) {
	for _, c := range []struct {
		pairing posenc.Pairing
		want    []int
	}{
		{posenc.Halves, []int{0, 2, 3, 5, 1, 4, 6, 7}},
		{posenc.Interleaved, []int{0, 4, 1, 5, 2, 3, 6, 7}},
	} {
		var got []int
		for _, s := range keptFirst(posenc.Rotary{HeadDim: 8, Dim: 6, Pairing: c.pairing}, []int{0, 2}, posenc.Halves) {
			got = append(got, s.row)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.pairing, diff)
		}
	}
}

func TestPerHeadOfFusedRows(t *testing.T) {
	// two heads of width 3 stored as rows 4 to 9 of a fused tensor
	w := family.Weight{Tensor: "qkv", Shape: []int64{6, 2}, Rows: []family.Range{{Begin: 4, End: 10}}, Stored: []int64{12, 2}}
	order := []source{{row: 2}, {row: 0}, {row: 1, zero: true}}
	pieces := perHead(w, order)
	if diff := cmp.Diff(rows("qkv", 6, 4, -1, 9, 7, -1), rowList(pieces)); diff != "" {
		t.Errorf("perHead (-want +got):\n%s", diff)
	}
	e := edits{}
	e.perHead(w, order)
	list := e.list()
	if len(list) != 1 || list[0].Name != "qkv" || !cmp.Equal(list[0].Shape, []int64{12, 2}) {
		t.Fatalf("edits: %+v", list)
	}
	if diff := cmp.Diff(rows("qkv", 0, 1, 2, 3, 6, 4, -1, 9, 7, -1, 10, 11), rowList(list[0].Pieces)); diff != "" {
		t.Errorf("edit (-want +got):\n%s", diff)
	}
}

// TestPerHeadOfGroupedRows: queries and keys stored head by head, as GPT-NeoX
// does: q0 k0 v0 q1 k1 v1 of width 2.
func TestPerHeadOfGroupedRows(t *testing.T) {
	q := family.Weight{Tensor: "qkv", Shape: []int64{4, 1}, Rows: []family.Range{{Begin: 0, End: 2}, {Begin: 6, End: 8}}, Stored: []int64{12, 1}}
	k := family.Weight{Tensor: "qkv", Shape: []int64{4, 1}, Rows: []family.Range{{Begin: 2, End: 4}, {Begin: 8, End: 10}}, Stored: []int64{12, 1}}
	swap := []source{{row: 1}, {row: 0}}
	e := edits{}
	e.perHead(q, swap)
	e.perHead(k, swap)
	if diff := cmp.Diff(rows("qkv", 1, 0, 3, 2, 4, 5, 7, 6, 9, 8, 10, 11), rowList(e.list()[0].Pieces)); diff != "" {
		t.Errorf("edit (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(rows("qkv", 1, 0, 7, 6), rowList(perHead(q, swap))); diff != "" {
		t.Errorf("perHead (-want +got):\n%s", diff)
	}
}

func TestPiecesJoin(t *testing.T) {
	w := family.Weight{Tensor: "w", Shape: []int64{64, 4}, Stored: []int64{64, 4}}
	order := make([]source, 32)
	for i := range order {
		order[i].row = i
	}
	if got := perHead(w, order); len(got) != 1 || got[0].Rows != (family.Range{Begin: 0, End: 64}) {
		t.Errorf("an unchanged weight is %d pieces: %v", len(got), got)
	}
	if !identity(order) {
		t.Error("identity(0…31) is false")
	}
}

// TestZeroQueries: where queries are normalised per head the norm's weight is
// zeroed, else the rows of W_q and its bias.
func TestZeroQueries(t *testing.T) {
	for _, c := range []struct {
		family string
		want   []string
	}{
		{"llama", []string{"model.layers.0.self_attn.q_proj.weight"}},
		{"qwen2", []string{"model.layers.0.self_attn.q_proj.bias", "model.layers.0.self_attn.q_proj.weight"}},
		{"qwen3", []string{"model.layers.0.self_attn.q_norm.weight"}},
		{"phi3", []string{"model.layers.0.self_attn.qkv_proj.weight"}},
	} {
		o, err := family.ParseObject([]byte(`{"model_type":"` + c.family + `","vocab_size":8,"hidden_size":16,"intermediate_size":8,"num_hidden_layers":1,"num_attention_heads":2,
"num_key_value_heads":1,"head_dim":8,"hidden_act":"silu","rms_norm_eps":1e-06,"max_position_embeddings":8}`))
		if err != nil {
			t.Fatal(err)
		}
		m, err := families.FromConfig(&family.Config{Object: o, Path: "config.json"})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		edits, err := zeroQueries(m, []int{1, 3})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range edits {
			names = append(names, e.Name)
			zero := map[int]bool{1: true, 5: true, 3: true, 7: true}
			heads := 2
			if c.family == "qwen3" {
				heads = 1
			}
			for i, r := range rowList(e.Pieces) {
				want := int64(i)
				if i < heads*8 && zero[i%8] {
					want = -1
				}
				if r.Row != want {
					t.Errorf("%s: %s: row %d comes from %d, want %d", c.family, e.Name, i, r.Row, want)
				}
			}
		}
		if diff := cmp.Diff(c.want, names); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.family, diff)
		}
	}
}
