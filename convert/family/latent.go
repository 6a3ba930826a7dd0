package family

import "math"

// Latent makes attention multi-head latent attention (MLA, arXiv 2405.04434). With
// x the layer's input and T = Turned the first T coordinates of a head, which are
// those that turn,
//
//	c_q = QNorm(QDown x)   c = KVNorm(KVDown x)   s = KTurned x
//	q_h = Q_h c_q          k_h = [s; K_h c]       v_h = V_h c
//
// so that every key has the same first T numbers, and Attention.K has QKDim − T rows
// a head. QDown is nil where Q reads x. Stored rows hold the turned slice of a
// query last: the rows of Q put it first, which changes no score.
type Latent struct {
	QDown           *Linear // (query rank, hidden)
	QNorm           *Norm
	KVDown, KTurned Linear // (rank, hidden) and (Turned, hidden)
	KVNorm          *Norm
	Turned          int
	// KVScale multiplies the normalised latent of keys and values; 0 is none.
	KVScale float64
}

// LatentRule names the keys of latent attention's sizes by their usual spellings:
// q_lora_rank (null where queries have no latent), kv_lora_rank, qk_nope_head_dim,
// qk_rope_head_dim and v_head_dim. The numbers are the values of absent keys, 0 of a
// key that must be there; Value 0 is hidden_size over the heads.
type LatentRule struct {
	QRank, Rank, Still, Turned, Value int
	// Eps is ε of the norms of latents; 0 is that of the other norms.
	Eps float64
	// Scaled: normalised latents are multiplied by the root of the hidden size over
	// their rank. That of queries goes into the scale of scores.
	Scaled bool
	// Joined: head_dim may be the rank and the turned size together.
	Joined bool
	// OtherHeads: head_dim is of another mixer's heads.
	OtherHeads bool
	// Bias says whether QDown and KVDown have a bias.
	Bias Rule
}

// latentSizes are latent attention's numbers; qRank 0 is none.
type latentSizes struct {
	qRank, rank, still, turned, value int
}

func (l *LatentRule) keys() []string {
	return []string{"q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "head_dim", "qk_head_dim", l.Bias.Key}
}

// sizes reads the numbers; nil where the family has none of them.
func (l *LatentRule) sizes(r *Reader, hidden, heads, kv int) *latentSizes {
	if l == nil {
		return nil
	}
	s := &latentSizes{rank: r.SizeOr(l.Rank, "kv_lora_rank"), still: r.SizeOr(l.Still, "qk_nope_head_dim"), turned: r.SizeOr(l.Turned, "qk_rope_head_dim")}
	if string(r.C.Raw("q_lora_rank")) != "null" {
		s.qRank = r.SizeOr(l.QRank, "q_lora_rank")
	}
	value := l.Value
	if value == 0 {
		value = hidden / heads
	}
	s.value = r.SizeOr(value, "v_head_dim")
	if r.Err != nil {
		return s
	}
	if kv != heads {
		r.Fail(Unsupported("%d key/value heads for %d heads of latent attention: every head has a key and a value of its own; write num_key_value_heads %d", kv, heads, heads))
	}
	if s.turned%2 != 0 {
		r.Fail(Unsupported("key \"qk_rope_head_dim\" is %d: rotary planes pair coordinates; an even number is expected", s.turned))
	}
	for key, want := range map[string]int{"head_dim": s.turned, "qk_head_dim": s.still + s.turned} {
		if got := r.SizeOr(want, key); r.Err == nil && got != want && !(l.OtherHeads && key == "head_dim") && !(l.Joined && key == "head_dim" && got == s.rank+s.turned) {
			r.Fail(Unsupported("key %q is %d, where qk_nope_head_dim %d and qk_rope_head_dim %d ask for %d; remove the key", key, got, s.still, s.turned, want))
		}
	}
	return s
}

// turnableOf is how many coordinates of a head of that size the rope keys are of.
func (s sizes) turnableOf(size int) int {
	if s.latent != nil {
		return s.latent.turned
	}
	return size
}

// latents makes the projections of a layer with latent attention.
func (b *builder) latents(a *Attention) {
	s, bias, heads := b.latent, b.has(b.spec.Latent.Bias), int64(b.heads)
	still, turned, value, rank := int64(s.still), int64(s.turned), int64(s.value), int64(s.rank)
	norm := func(template string, n int64) *Norm {
		v := b.norm(RMS, template, n)
		if eps := b.spec.Latent.Eps; eps != 0 {
			v.Eps = eps
		}
		return v
	}
	l := &Latent{Turned: s.turned, KVNorm: norm(b.n.KVLatentNorm, rank)}
	l.KVDown = b.part(b.n.KVDown, bias, b.hidden, rank+turned, Range{0, rank})
	l.KTurned = b.part(b.n.KVDown, bias, b.hidden, rank+turned, Range{rank, rank + turned})
	queries, in := b.n.Q, b.hidden
	if s.qRank > 0 {
		down := b.linear(b.n.QDown, bias, int64(s.qRank), b.hidden)
		l.QDown, l.QNorm = &down, norm(b.n.QLatentNorm, int64(s.qRank))
		queries, in = b.n.QUp, int64(s.qRank)
	}
	d := still + turned
	var q, k, v []Range
	for h := range heads {
		q = append(q, Range{h*d + still, (h + 1) * d}, Range{h * d, h*d + still})
		at := h * (still + value)
		k, v = append(k, Range{at, at + still}), append(v, Range{at + still, at + still + value})
	}
	a.Q = b.part(queries, false, in, heads*d, q...)
	a.Q.Weight.Rows = q // all of them, in another order
	a.K, a.V = b.part(b.n.KVUp, false, rank, heads*(still+value), k...), b.part(b.n.KVUp, false, rank, heads*(still+value), v...)
	a.O = b.linear(b.n.O, b.has(b.spec.OBias), b.hidden, heads*value)
	a.Latent, a.VDim = l, s.value
	b.indexer(a)
	a.Scale *= b.scoreFactor
	if b.spec.Latent.Scaled {
		l.KVScale = math.Sqrt(float64(b.hidden) / float64(rank))
		if s.qRank > 0 {
			a.Scale *= math.Sqrt(float64(b.hidden) / float64(s.qRank))
		}
	}
}

// Absorbed is latent attention as a graph has it that caches latents: the product with
// a head's part of K goes to its query, that with its part of V behind the mix,
//
//	⟨[t; n], [s; K_h c]⟩ = ⟨[t; K_hᵀ n], [s; c]⟩      Σ_j p_j V_h c_j = V_h Σ_j p_j c_j
//
// (arXiv 2405.04434, §2.1.2), so that all heads meet one key [s; c] of QKDim = Turned +
// rank numbers, whose VDim = rank last ones are the value. The projections are those of
// a. It wants an encoding that turns the shared slice alike for all heads.
func (a *Attention) Absorbed() *Attention {
	c, rank := *a, int(a.Latent.KVDown.Weight.Shape[0])
	c.KVHeads, c.QKDim, c.VDim = 1, a.Latent.Turned+rank, rank
	c.Rotary.HeadDim = c.QKDim
	if a.Spectra != nil {
		one := *a.Spectra
		one.InvFreq = one.InvFreq[:1]
		c.Spectra = &one
	}
	return &c
}

func (l *Latent) parts(list *rawParts) {
	list.linear(AtQDown, l.QDown)
	list.norm(AtQLatent, l.QNorm)
	list.linear(AtKVDown, &l.KVDown)
	list.norm(AtKVLatent, l.KVNorm)
	list.linear(AtKTurned, &l.KTurned)
}

func (l *Latent) copied() *Latent {
	c := *l
	c.QNorm, c.KVNorm = l.QNorm.copied(), l.KVNorm.copied()
	return &c
}
