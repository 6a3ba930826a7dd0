package recode_test

import (
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/quant/nearest"
	"github.com/pecvt/pecvt/convert/quant/widths"
	"github.com/pecvt/pecvt/convert/recode"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/verify/ref"
)

func open(t *testing.T, path ...string) (*family.Model, store.Store) {
	src, err := store.Open(filepath.Join(append([]string{"..", "..", "testdata"}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	m, err := families.Load(src)
	if err != nil {
		t.Fatal(err)
	}
	return m, src
}

func draw(m *family.Model, sequences, length int) [][]int64 {
	rng := rand.New(rand.NewPCG(1, 2))
	list := make([][]int64, sequences)
	for i := range list {
		for range length {
			list[i] = append(list[i], rng.Int64N(int64(m.Vocab)))
		}
	}
	return list
}

// TestErrors holds the sums of errors, which go through moments that maps share, to the
// outputs themselves: Σ |x (w − ŵ)ᵀ|² over everything that every map reads in a walk of
// its own. Dense, fused, with experts, with a tied head.
func TestErrors(t *testing.T) {
	for _, path := range [][]string{{"models", "stories260K"}, {"golden", "phi3"}, {"golden", "gpt-neox"}, {"families", "mixtral"}} {
		m, src := open(t, path...)
		sequences := draw(m, 3, 48)
		s := nearest.Scheme{Bits: 4, Block: 32, Zeros: nearest.ZeroCode}
		layers := 0
		c, err := recode.Make(t.Context(), m, src, ref.NewWalk(m, src), recode.Options{Schemes: widths.Schemes{Maps: s}, Sequences: sequences, Folder: t.TempDir(), Progress: func(done, _ int) { layers = done }})
		if err != nil {
			t.Fatalf("%v: %v", path, err)
		}
		defer c.Close()
		if layers != len(m.Blocks)+1 {
			t.Errorf("%v: progress ends at %d of %d layers", path, layers, len(m.Blocks)+1)
		}
		var chosen, plain float64
		maps := map[*family.Linear]bool{}
		see := func(l *family.Linear, x []float32) error {
			n := int(l.Weight.Shape[1])
			if n < s.Block {
				return nil
			}
			maps[l] = true
			w, err := l.Weight.Float32(src)
			if err != nil {
				return err
			}
			line, codes := s.NewLine(n), c.Code(l.Weight)
			for row := range int(l.Weight.Shape[0]) {
				for i, code := range []func() error{
					func() (err error) { line, err = codes(int64(row)); return err },
					func() error { return s.Round(w[row*n:(row+1)*n], 24, line) },
				} {
					if err := code(); err != nil {
						return err
					}
					sum := 0.0
					for at := 0; at < len(x); at += n {
						y := 0.0
						for j := range n {
							y += float64(x[at+j]) * (float64(w[row*n+j]) - line.Steps[j/s.Block].Number(int(line.Codes[j])))
						}
						sum += y * y
					}
					if i == 0 {
						chosen += sum
					} else {
						plain += sum
					}
				}
			}
			return nil
		}
		walk := ref.NewWalk(m, src)
		for _, ids := range sequences {
			x, err := walk.Embed(ids)
			if err != nil {
				t.Fatal(err)
			}
			walk.Observe(see)
			for i := range m.Blocks {
				if err := walk.Advance(i, x); err != nil {
					t.Fatal(err)
				}
			}
			if err := walk.HeadInputs(x, see); err != nil {
				t.Fatal(err)
			}
			walk.Observe(nil)
		}
		t.Logf("%v: %d maps, error %.4g, of rounding to nearest %.4g (%.3f)", path, c.Maps, chosen, plain, chosen/plain)
		if c.Maps != len(maps) {
			t.Errorf("%v: %d maps, %d read something", path, c.Maps, len(maps))
		}
		if math.Abs(c.Errors.Chosen/chosen-1) > 2e-3 || math.Abs(c.Errors.Nearest/plain-1) > 2e-2 {
			t.Errorf("%v: errors %+v, by the outputs %v and %v", path, c.Errors, chosen, plain)
		}
		if chosen > 0.9*plain {
			t.Errorf("%v: error %v of nearest's %v", path, chosen, plain)
		}
	}
}

// TestNotSeen: an embedding has codes where it is the head's too, and none otherwise.
func TestNotSeen(t *testing.T) {
	s := nearest.Scheme{Bits: 4, Block: 32, Zeros: nearest.ZeroNone}
	for path, tied := range map[string]bool{"golden/gpt-neox": false, "models/stories260K": true} {
		m, src := open(t, path)
		c, err := recode.Make(t.Context(), m, src, ref.NewWalk(m, src), recode.Options{Schemes: widths.Schemes{Maps: s}, Sequences: draw(m, 1, 32)})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got := c.Code(m.Embed) != nil; got != tied {
			t.Errorf("%s: codes of the embedding: %v, tied: %v", path, got, tied)
		}
	}
	m, src := open(t, "golden/gpt-neox")
	if _, err := recode.Make(t.Context(), m, src, ref.NewWalk(m, src), recode.Options{Schemes: widths.Schemes{Maps: s}}); err == nil {
		t.Error("no sequences: no error")
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := recode.Make(ended, m, src, ref.NewWalk(m, src), recode.Options{Schemes: widths.Schemes{Maps: s}, Sequences: draw(m, 1, 32)}); err == nil {
		t.Error("an ended context: no error")
	}
}
