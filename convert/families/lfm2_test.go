package families_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// Keys of published checkpoints that transformers 5 no longer writes.
func TestShortConvOlder(t *testing.T) {
	newer, err := golden(t, "lfm2", func(*family.Object) {})
	if err != nil {
		t.Fatal(err)
	}
	older, err := golden(t, "lfm2", func(o *family.Object) {
		o.Delete("layer_types")
		o.Delete("rope_parameters")
		o.Set("rope_theta", 500)
		o.Delete("tie_word_embeddings")
		o.Set("tie_embedding", true)
		o.Set("block_ff_dim", newer.Blocks[0].MLP().Down.Weight.Shape[1])
		o.Set("intermediate_size", 7)
		for _, key := range []string{"block_dim", "conv_dim", "conv_dim_out"} {
			o.Set(key, newer.Hidden)
		}
		for _, key := range []string{"block_use_swiglu", "use_pos_enc", "block_use_xavier_init", "conv_use_xavier_init"} {
			o.Set(key, true)
		}
		o.Set("block_norm_eps", 1e-5)
		o.Set("num_heads", newer.FirstAttn().Heads)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, conv := older.Blocks[0].Mixer.(*family.ShortConv); !conv || older.Blocks[1].Attn() == nil || !older.Tied {
		t.Errorf("layers are %T and %T, tied %v", older.Blocks[0].Mixer, older.Blocks[1].Mixer, older.Tied)
	}
	if diff := cmp.Diff(newer.Blocks, older.Blocks); diff != "" {
		t.Error(diff)
	}
}

// The inner size of an MLP is 2/3 of the declared one, times a factor, up to a
// multiple, where the configuration says so or says nothing: for LFM2-1.2B's 12288,
// 1 and 256 it is 8192.
func TestShortConvInner(t *testing.T) {
	for name, c := range map[string]struct {
		declared int
		factor   float64
		want     int64
	}{"of two thirds": {12288, 1, 8192}, "rounded up": {6912, 1, 4608}, "to the next": {1000, 1.3, 1024}} {
		m, err := golden(t, "lfm2", func(o *family.Object) {
			o.Delete("block_auto_adjust_ff_dim")
			o.Set("intermediate_size", c.declared)
			o.Set("block_ffn_dim_multiplier", c.factor)
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Blocks[0].MLP().Down.Weight.Shape[1]; got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestShortConvRefused(t *testing.T) {
	for name, edit := range map[string]func(o *family.Object){
		"type":   func(o *family.Object) { o.Set("layer_types", []string{"conv", "sliding_attention"}) },
		"size":   func(o *family.Object) { o.Set("conv_dim", 7) },
		"eps":    func(o *family.Object) { o.Set("block_norm_eps", 1e-6) },
		"swiglu": func(o *family.Object) { o.Set("block_use_swiglu", false) },
		"tied":   func(o *family.Object) { o.Set("tie_embedding", false) },
	} {
		if _, err := golden(t, "lfm2", edit); !errors.Is(err, posenc.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
