package rewrite_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// TestExtend: max_position_embeddings, in each layout, beside a scaling and where spectra
// become tensors; and what cannot be extended.
func TestExtend(t *testing.T) {
	for _, c := range []struct {
		model   string
		options rewrite.Options
		want    int
		err     error
		says    string
	}{
		{"models/stories260K", rewrite.Options{To: "hope", Extend: 4}, 2048, nil, ""},
		{"models/stories260K", rewrite.Options{To: "hope", Extend: 4, Layout: rewrite.Partial}, 2048, nil, ""},
		{"models/stories260K", rewrite.Options{To: "hope", Extend: 4, Scale: posenc.Scale{Kind: "yarn", Factor: 2}}, 2048, nil, ""},
		{"models/stories260K", rewrite.Options{To: "hope", Extend: 2, TrainLength: 300}, 600, nil, ""},
		{"models/stories260K", rewrite.Options{To: "nope", Extend: 3}, 1536, nil, ""},
		{"models/stories260K", rewrite.Options{To: "hope", Extend: 1}, 0, rewrite.ErrOptions, "2 to 64"},
		{"models/stories260K", rewrite.Options{To: "hope", Extend: -2}, 0, rewrite.ErrOptions, "2 to 64"},
		{"models/stories260K", rewrite.Options{To: "hope", Extend: 65}, 0, rewrite.ErrOptions, "2 to 64"},
		{"models/stories260K", rewrite.Options{To: "hope", Extend: 64, TrainLength: 1 << 26}, 0, rewrite.ErrOptions, "over"},
		{"models/stories260K", rewrite.Options{To: "hybrid:alibi", Extend: 2}, 0, rewrite.ErrOptions, "trained length"},
		{"golden/llama3-scaled", rewrite.Options{To: "hope", Extend: 2}, 0, posenc.ErrUnsupported, "where it stops"},
	} {
		ckpt, err := safetensors.OpenCheckpoint(filepath.Join("../../testdata", c.model))
		if err != nil {
			t.Fatal(err)
		}
		m, err := families.Load(ckpt)
		if err != nil {
			t.Fatal(err)
		}
		r, err := rewrite.Make(m, ckpt, c.options)
		ckpt.Close()
		switch {
		case c.err != nil:
			if !errors.Is(err, c.err) || !slices.Contains(hint.Of(err), hint.Extend) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s %+v: %v", c.model, c.options, err)
			}
		case err != nil || r.MaxPositions != c.want:
			t.Errorf("%s %+v: %v, %v", c.model, c.options, r, err)
		default:
			if n, ok, err := r.Config.Int("max_position_embeddings"); err != nil || !ok || int(n) != c.want {
				t.Errorf("%s %+v: config.json says %v, %v", c.model, c.options, n, err)
			}
		}
	}
}

// TestExtendYarn: a length that YaRN's factor does not say is noted; one that it says, or
// that another rope type declares by itself, is not.
func TestExtendYarn(t *testing.T) {
	for _, c := range []struct {
		to     string
		factor float64
		extend int
		noted  bool
	}{
		{"yarn", 2, 4, true},
		{"yarn", 4, 2, true},
		{"yarn", 4, 4, false},
		{"yarn", 4, 0, false},
		{"hope", 2, 4, false},
	} {
		ckpt, err := safetensors.OpenCheckpoint("../../testdata/models/stories260K")
		if err != nil {
			t.Fatal(err)
		}
		m, err := families.Load(ckpt)
		if err != nil {
			t.Fatal(err)
		}
		r, err := rewrite.Make(m, ckpt, rewrite.Options{To: c.to, Scale: posenc.Scale{Kind: "yarn", Factor: c.factor}, Extend: c.extend})
		ckpt.Close()
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("the factor %v of rope type yarn says %v positions, max_position_embeddings %d", c.factor, c.factor*512, c.extend*512)
		if noted := slices.ContainsFunc(r.Notes, func(n string) bool { return strings.HasPrefix(n, want) }); noted != c.noted {
			t.Errorf("%+v: notes %q", c, r.Notes)
		}
	}
}
