package family

// Indexer chooses which keys a query sees (DeepSeek Sparse Attention, DeepSeek-V3.2):
// with x the layer's input and c_q the queries' latent, key j counts
//
//	Σ_h (Weigh x_i)_h · relu(⟨R_i (Q c_q)_h, R_j KNorm(K x_j)⟩)
//
// for query i, and those Attention.Selects that count most are seen. Where a query has
// no more keys than that, it sees all of them, which is what is computed: the weights
// are claimed, and nothing reads them.
type Indexer struct {
	Q     Linear // (heads·size, query rank)
	K     Linear // (size, hidden)
	KNorm *Norm
	Weigh Linear // (heads, hidden)
}

// IndexerRule names the keys of indexers by their usual spellings, index_topk,
// index_head_dim and index_n_heads; the numbers are the values of absent keys.
type IndexerRule struct {
	TopK, Size, Heads int
	// Shared says which layers have no indexer and see what the one before them
	// sees; nil is none.
	Shared func(r *Reader, layers int) []bool
}

func (x *IndexerRule) keys() []string {
	if x == nil {
		return nil
	}
	return []string{"index_topk", "index_head_dim", "index_n_heads"}
}

// indexer makes a layer's choice of keys.
func (b *builder) indexer(a *Attention) {
	x := b.spec.Indexer
	if x == nil {
		return
	}
	a.Selects = b.r.SizeOr(x.TopK, "index_topk")
	if b.chosen != nil && b.chosen[b.layer] {
		return
	}
	size, heads := int64(b.r.SizeOr(x.Size, "index_head_dim")), int64(b.r.SizeOr(x.Heads, "index_n_heads"))
	if b.r.Err != nil || a.Latent.QDown == nil {
		b.r.Fail(Unsupported("an indexer of keys without a latent of queries, which it reads: loaders stop"))
		return
	}
	rank := a.Latent.QDown.Weight.Shape[0]
	norm := b.norm(LayerNorm, b.n.IndexKNorm, size)
	norm.Eps, norm.Offset = 1e-6, 0
	a.Indexer = &Indexer{Q: b.linear(b.n.IndexQ, false, heads*size, rank), K: b.linear(b.n.IndexK, false, size, b.hidden),
		KNorm: norm, Weigh: b.linear(b.n.IndexWeigh, false, heads, b.hidden)}
}

// Selects is how many keys a query sees at most where its layers choose them: up to as
// many tokens they choose all, and what is computed is that. 0 is no bound.
func (m *Model) Selects() int {
	n := 0
	for _, a := range m.Attentions() {
		if a.Selects > 0 && (n == 0 || a.Selects < n) {
			n = a.Selects
		}
	}
	return n
}

func (x *Indexer) parts(list *rawParts) {
	list.linear(AtIndexQ, &x.Q)
	list.linear(AtIndexK, &x.K)
	list.norm(AtIndexKNorm, x.KNorm)
	list.linear(AtIndexWeigh, &x.Weigh)
}

func (x *Indexer) copied() *Indexer {
	if x == nil {
		return nil
	}
	c := *x
	c.KNorm = x.KNorm.copied()
	return &c
}
