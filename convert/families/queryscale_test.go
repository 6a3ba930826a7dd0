package families_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/posenc"
)

// The factor is a step of 1 + β ln(1 + n) at each multiple n of the length.
func TestQueryScale(t *testing.T) {
	m, err := golden(t, "ministral3", func(c *family.Object) {
		c.Set("rope_parameters", json.RawMessage(`{"rope_type":"yarn","type":"yarn","rope_theta":500,"factor":4,"original_max_position_embeddings":16,"llama_4_scaling_beta":0.25}`))
	})
	if err != nil {
		t.Fatal(err)
	}
	q := m.Blocks[1].Attn().QueryScale
	if q == nil {
		t.Fatal("queries are not scaled")
	}
	for _, c := range []struct {
		at   int64
		want float64
	}{{0, 1}, {15, 1}, {16, 1 + 0.25*math.Log(2)}, {31, 1 + 0.25*math.Log(2)}, {48, 1 + 0.25*math.Log(4)}} {
		if got := q.At(c.at); math.Abs(got-c.want) > 1e-15 {
			t.Errorf("position %d: %v: want %v", c.at, got, c.want)
		}
	}
	plain, err := golden(t, "ministral3", func(c *family.Object) {
		c.Set("rope_parameters", json.RawMessage(`{"rope_type":"default","rope_theta":500,"original_max_position_embeddings":16,"llama_4_scaling_beta":0}`))
	})
	if err != nil || plain.Blocks[0].Attn().QueryScale != nil {
		t.Errorf("a factor of 1: %v, %v", plain, err)
	}
}

func TestQueryScaleRefused(t *testing.T) {
	for name, c := range map[string]struct{ dict, want string }{
		"no factor":     {`{"rope_type":"default","rope_theta":500,"original_max_position_embeddings":16}`, "llama_4_scaling_beta"},
		"no length":     {`{"rope_type":"default","rope_theta":500,"llama_4_scaling_beta":0.1}`, "original_max_position_embeddings"},
		"no dictionary": {`null`, "rope_parameters is not there"},
	} {
		_, err := golden(t, "ministral3", func(o *family.Object) { o.Set("rope_parameters", json.RawMessage(c.dict)) })
		if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v: want a refusal that names %q", name, err, c.want)
		}
	}
	_, err := golden(t, "ministral3", func(o *family.Object) { o.Set("original_max_position_embeddings", 32) })
	if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), "make them agree") {
		t.Errorf("two lengths: %v", err)
	}
}

// Whatever the rotation becomes, the numbers of the factor stay in the dictionary; a
// rewrite that would change its length is refused.
func TestQueryScaleStays(t *testing.T) {
	m, err := golden(t, "ministral3", func(*family.Object) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"hope", "nope", "p-rope"} {
		r, err := rewrite.Make(m, nil, rewrite.Options{To: to})
		if err != nil {
			t.Fatal(err)
		}
		got, err := families.FromConfig(&family.Config{Object: r.Config, Path: "config.json"})
		if err != nil {
			t.Fatalf("%s: %v", to, err)
		}
		if a, b := got.Blocks[0].Attn().QueryScale, m.Blocks[0].Attn().QueryScale; a == nil || *a != *b {
			t.Errorf("%s: queries are scaled by %v: want %v", to, a, b)
		}
	}
	if _, err := rewrite.Make(m, nil, rewrite.Options{To: "hope", TrainLength: 20}); !errors.Is(err, posenc.ErrUnsupported) {
		t.Errorf("another trained length: error %v: want a refusal", err)
	}
}
