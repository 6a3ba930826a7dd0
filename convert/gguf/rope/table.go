package rope

import (
	"strings"

	"github.com/pecvt/pecvt/convert/gguf/arch"
)

// graph is what an architecture's graph takes of a rotation.
type graph struct{ arch.Arch }

// factored: it takes factors per plane at all.
func (g graph) factored() bool { return g.FreqFactors || g.LongFactors }

// partial: rope.dimension_count may be smaller than the head. The others stop
// (GGML_ASSERT(n_embd_head == n_rot), or "invalid n_rot").
func (g graph) partial() bool { return g.Partial != "" }

// longNeedsType: where both are taken, the factors by length are read under the
// scaling type longrope alone, and rope_freqs under the others alone.
func (g graph) longNeedsType() bool { return g.FreqFactors && g.LongFactors }

// with lists the architectures that a test holds for.
func with(holds func(graph) bool) string {
	var names []string
	for _, a := range arch.Table() {
		if holds(graph{a}) {
			names = append(names, a.Name)
		}
	}
	return strings.Join(names, " and ")
}
