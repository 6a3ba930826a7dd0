package mutants

import "math"

// guardMutants get the guard of positions wrong: within the tables no logit moves,
// but for those that refuse too much.
func guardMutants() []Mutant {
	const (
		nobody = "no logit within the tables moves"
		relies = nobody + "; past them the graph relies on attention, and OpenVINO's swallows a NaN"
		past   = nobody + "; past them the graph gives answers that could be believed"
		inside = "/guard/inside/Equal_output_0"
		now    = "/guard/now/Not_output_0"
	)
	return []Mutant{
		inGraph("guard-one-more", "llama-hope", "the guard lets one position more through than the tables hold", func(g *Graph) {
			g.number("/const/last_position", defaultMaxLength)
		}).still(nobody + "; on CPU the look-up still refuses it, on CUDA the key goes on unrotated"),
		inGraph("guard-one-less", "llama-hope", "the guard refuses the tables' last row", func(g *Graph) {
			g.number("/const/last_position", defaultMaxLength-2)
		}).still("the logits of the last position are NaN"),
		inGraph("guard-of-total-one-more", "llama-rope-ort", "the guard lets one position more through than the tables hold", func(g *Graph) {
			g.number("/const/max_length", defaultMaxLength+1)
		}).still(nobody + "; on CPU GroupQueryAttention still refuses it, on CUDA the key goes on unrotated"),
		inGraph("guard-forgets-negative", "llama-hope", "the guard looks for positions past the tables alone, so that −1 reads the last row", func(g *Graph) {
			g.node("/guard/position_ids/Clip").Input[1] = ""
		}).still(nobody + "; below them the graph gives answers that could be believed"),
		inGraph("guard-of-32-bits", "llama-hope", "the guard sees the lowest 32 bits of a position, so that 2^33 is 0", func(g *Graph) {
			const clip = "/guard/position_ids/Clip"
			over := g.before(clip, "Div", []string{"position_ids", g.ints(1 << 32)})
			over = g.before(clip, "Mul", []string{over, g.ints(1 << 32)})
			low := g.before(clip, "Sub", []string{"position_ids", over})
			g.node(clip).Input[0], g.node("/guard/inside/Equal").Input[0] = low, low
		}).still(past),
		inGraph("guard-of-first-row", "llama-hope", "the guard looks at the first row of a batch alone", func(g *Graph) { g.guards(0, 1, 0) }).
			still(nobody + "; a position past them in another row is not seen"),
		inGraph("guard-of-last-column", "llama-hope", "the guard looks at the last position of each row alone", func(g *Graph) { g.guards(-1, math.MaxInt64, 1) }).
			still(nobody + "; a position past them in another column is not seen"),
		inGraph("guard-left-out", "llama-hope", "the head reads the norm's output, not the guard's", func(g *Graph) { g.unguarded() }).
			still(relies),
		inGraph("guard-of-fused-node-left-out", "llama-rope-ort", "the head reads the norm's output, not the guard's", func(g *Graph) { g.unguarded() }).
			still(nobody + "; on CPU GroupQueryAttention still refuses it, on CUDA the key goes on unrotated"),
		inGraph("guard-of-tokens", "qwen3-hope", "the guard looks at each token by itself, not at those before it", func(g *Graph) {
			g.node("/guard/row/Reshape").Input[0] = inside
		}).still(relies),
		inGraph("guard-leaves-no-mark", "llama-hope", "the first layer caches values without a mark of positions outside the tables", func(g *Graph) {
			g.node("/layers.0/attn/Attention").Input[2] = g.node("/layers.0/attn/v/marked/Where").Input[1]
		}).still(nobody + "; past them the next call gives answers that could be believed"),
		inGraph("guard-forgets-past", "llama-hope", "the guard does not look for marks in the past", func(g *Graph) {
			g.node("/guard/outside/Concat").Input = []string{now}
		}).still(relies),
		inGraph("guard-of-first-call", "llama-hope", "the guard looks at positions where there is no past alone", func(g *Graph) { g.guardsFirstCall() }).
			still(nobody + "; who decodes past the end of the tables gets answers that could be believed"),
	}
}

// guards lets the guard of positions see a slice of them alone.
func (g *Graph) guards(from, to, axis int64) {
	const first, last = "/guard/inside/Unsqueeze", "/guard/row/And"
	in := g.node(first).Input[0]
	seen := g.before(first, "Slice", []string{in, g.ints(from), g.ints(to), g.ints(axis)})
	seen = g.before(first, "Expand", []string{seen, g.before(first, "Shape", []string{"position_ids"})})
	g.node(first).Input[0], g.node(last).Input[0] = seen, seen
}

// guardsFirstCall lets the guard of positions pass whatever has a past.
func (g *Graph) guardsFirstCall() {
	const first, last = "/guard/inside/Unsqueeze", "/guard/row/And"
	length := g.before(first, "Gather", []string{g.before(first, "Shape", []string{"past_key_values.0.value"}), g.ints(2)})
	passed := g.before(first, "Or", []string{g.node(first).Input[0], g.before(first, "Greater", []string{length, g.ints(0)})})
	g.node(first).Input[0], g.node(last).Input[0] = passed, passed
}

// unguarded gives the head what the guard is given.
func (g *Graph) unguarded() {
	g.node("/head/Gemm").Input[0] = g.node("/guard/nan_past_max_length/Where").Input[1]
}
