// Package familytest makes models with parts that nothing knows, for tests of
// what reads models: whoever meets such a part must refuse it by its name, or
// leave it as it is and say so.
package familytest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// Case is a model with one invented part in layer 1, and what a refusal must
// name.
type Case struct {
	Name  string
	Model *family.Model
	Says  string
}

// branch is a mixer or a feed-forward that nobody computes.
type branch struct {
	kind  family.Kind
	place string
	gate  family.Linear
}

// Parts implements family.Branch.
func (b *branch) Parts() []family.Part {
	return []family.Part{{Kind: b.kind, Place: b.place, Of: b}, b.gate.Part(b.place + "/gate")}
}

// Copy implements family.Branch.
func (b *branch) Copy() family.Branch {
	c := *b
	return &c
}

// Invented lists copies of a model of two layers or more, whose attention reads
// q norms: each has one part that is not in the table of slots, or a known one of
// an unknown kind.
func Invented(m *family.Model) []Case {
	make := func(name, says string, edit func(b *family.Block)) Case {
		c := m.Clone()
		edit(&c.Blocks[1])
		return Case{name, c, says}
	}
	gate := m.Blocks[1].Attn().O // any linear that is stored
	return []Case{
		make("mixer", `a short convolution at "conv"`, func(b *family.Block) {
			b.Mixer = &branch{"short convolution", "conv", gate}
		}),
		make("feed-forward", `a mixture of experts at "moe"`, func(b *family.Block) {
			b.FeedForward = &branch{"mixture of experts", "moe", gate}
		}),
		make("norm at a new place", `a norm at "attn/score_norm"`, func(b *family.Block) {
			n := *b.AttnNorm
			b.Beside = append(b.Beside, n.Part("attn/score_norm"))
		}),
		make("norm of a new kind", "a norm of unknown kind 9", func(b *family.Block) {
			b.MLPNorm.Kind = 9
		}),
		make("bias of a new kind", "a bias of unknown kind 9", func(b *family.Block) {
			b.Attn().Bias = &family.Bias{Kind: 9}
		}),
	}
}

// Refused fails the test unless what a consumer said of a case names the part and
// wraps posenc.ErrUnsupported.
func (c Case) Refused(t *testing.T, consumer string, err error) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%s passes over %s in silence", consumer, c.Says)
	case !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), c.Says):
		t.Errorf("%s: %v: expected a refusal that names %s", consumer, err, c.Says)
	}
}

// Names fails the test unless a text names the part.
func (c Case) Names(t *testing.T, consumer string, text any) {
	t.Helper()
	if !strings.Contains(fmt.Sprint(text), c.Says) {
		t.Errorf("%s says %v: expected %s in it", consumer, text, c.Says)
	}
}
