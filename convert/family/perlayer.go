package family

import "math"

// ByLayer are embeddings of which every layer has its own: with x the (scaled)
// embedding of a token t and D = Size, layer i is given the rows [i·D, (i+1)·D) of
//
//	Scale · (Norm(ProjectScale · Project x) + EmbedScale · Embed[t])
//
// Norm being over D numbers at a time.
type ByLayer struct {
	Size                            int
	Embed                           Weight // (tokens, layers·D)
	Project                         Linear // (layers·D, hidden)
	Norm                            Norm
	EmbedScale, ProjectScale, Scale float64
}

// PerLayer adds to the stream x, after the MLP, what a layer makes of its own
// embedding p (ByLayer): x + Norm(Out(act(Gate x) · p)).
type PerLayer struct {
	Gate, Out Linear // (D, hidden), (hidden, D)
	Norm      Norm
	// Act is one of an MLP's.
	Act string
}

func (b *ByLayer) parts() []Part {
	embed := Part{Kind: KindEmbedding, Place: AtByLayer, Of: &b.Embed, Weights: []Role{{"weight", &b.Embed}},
		Numbers: []Number{{Name: "embedding scale", One: &b.EmbedScale}, {Name: "projection scale", One: &b.ProjectScale}, {Name: "scale", One: &b.Scale}}}
	return []Part{embed, b.Project.Part(AtByLayerProj), b.Norm.Part(AtByLayerNorm)}
}

func (p *PerLayer) parts() []Part {
	return []Part{p.Gate.Part(AtPerLayerGate), p.Out.Part(AtPerLayerOut), p.Norm.Part(AtPerLayerNorm)}
}

func (b *ByLayer) copied() *ByLayer {
	if b == nil {
		return nil
	}
	c := *b
	return &c
}

func (p *PerLayer) copied() *PerLayer {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

// ByLayerRule names the keys of embeddings by layer: the size of one, 0 for none, and
// the tokens they are of; the number is the size where the key is absent.
type ByLayerRule struct {
	Size, Vocab string
	Default     int
}

// byLayer makes the embeddings, with the factors of Gemma 3n and 4: √D, 1/√hidden
// and 1/√2.
func (b *builder) byLayer(m *Model) {
	rule := b.spec.ByLayer
	if rule == nil {
		return
	}
	b.own = int64(b.r.SizeOrZero(rule.Size, rule.Default))
	if b.own == 0 || b.r.Err != nil {
		return
	}
	vocab := int64(b.r.SizeOr(262144, rule.Vocab))
	if b.r.Err == nil && vocab < int64(m.Vocab) {
		b.r.Fail(Unsupported("%s is %d and %s %d: tokens beyond it have no embedding by layer", rule.Vocab, vocab, "vocab_size", m.Vocab))
	}
	width := int64(b.layers) * b.own
	m.ByLayer = &ByLayer{Size: int(b.own), Embed: whole(b.n.ByLayer+".weight", vocab, width), Project: b.linear(b.n.ByLayerProj, false, width, b.hidden),
		Norm: *b.norm(RMS, b.n.ByLayerNorm, b.own), EmbedScale: rounded(math.Sqrt(float64(b.own))), ProjectScale: 1 / math.Sqrt(float64(b.hidden)), Scale: rounded(math.Sqrt(0.5))}
}

// rounded is the number as loaders hold it that compute in float32.
func rounded(x float64) float64 { return float64(float32(x)) }

// perLayer makes what a layer does with its own embedding.
func (b *builder) perLayer(block *Block) {
	if b.own > 0 {
		block.PerLayer = &PerLayer{Gate: b.linear(b.n.PerLayerGate, false, b.own, b.hidden), Out: b.linear(b.n.PerLayerOut, false, b.hidden, b.own),
			Norm: *b.norm(RMS, b.n.PerLayerNorm, b.hidden), Act: b.act}
	}
}
