package retrofit

import "github.com/pecvt/pecvt/convert/gemm"

// blockRows is how many query rows of each head share one product of scores. Rows
// are sorted, so a block of few reads few keys in vain.
const blockRows = 24

// keyRun is how many keys' derivatives are summed at a time.
const keyRun = 512

// Pair compares a student layer with its source, query row by query row. It
// holds buffers and serves one caller at a time.
type Pair[F Float] struct {
	source, student *Layer[F]
	sourceKeys      *heads[F] // of the sequence at hand
	some            *some[F]  // the keys that count, nil for all
	weight          float64   // of the loss, in gradients
	away            *away[F]  // of the source; nil where no sequence is longer than it was trained
	// watch, where not nil, is shown the source's attention of each head and row, to the
	// keys from first on; each by one goroutine, at once with others
	watch func(head, row, first int, a []F)

	rows, at       []F // of h: at the queries and, where some count, at the keys
	aq, wq, bq, bk heads[F]
	picked         heads[F] // of the source's keys
	blocks         []block
	kl             []float64
	// of each key/value head and block, (query heads, rows, …): the student's scores,
	// in the end the derivatives in them, and its queries
	g, q        []F
	dq, dk      []F   // shaped as the turned heads
	groups      [][]F // of each worker
	scores      [][]F
	distant     [][]F
	differences [][]F
	bends       [][]F // derivatives of capped scores in the scores
}

// NewPair compares student with source; they share their shape.
func NewPair[F Float](source, student *Layer[F]) *Pair[F] {
	return &Pair[F]{source: source, student: student, weight: 1}
}

// block is a run of query rows and the keys that any of them sees.
type block struct {
	begin, end  int // of the rows
	first, keys int
	at          int // where the block's scores of head 0 begin
}

// divide cuts rows, sorted positions, into blocks; size is the room that the
// scores of one head take. upTo counts the keys at positions up to one.
func divide(rows []int, window int, upTo func(int) int) (list []block, size int) {
	for begin := 0; begin < len(rows); begin += blockRows {
		b := block{begin: begin, end: min(begin+blockRows, len(rows)), at: size}
		if window > 0 {
			b.first = upTo(rows[begin] - window)
		}
		b.keys = upTo(rows[b.end-1]) - b.first
		size += (b.end - b.begin) * b.keys
		list = append(list, b)
	}
	return list, size
}

// sees is the first key of block b that a query at pos sees, and how many
// follow.
func (b block) sees(pos, window int, upTo func(int) int) (first, n int) {
	if window > 0 {
		first = max(0, upTo(pos-window)-b.first)
	}
	return first, upTo(pos) - b.first - first
}

// Sequence sets the sequence: keys of the source for h (n, Hidden).
func (p *Pair[F]) Sequence(h []F, n int) *heads[F] {
	k := &heads[F]{}
	p.source.keys(k, h, n)
	if a := p.away; a != nil && n > a.span+1 {
		k.away = &heads[F]{pre: k.pre}
		a.keys.keys(k.away, h, n)
		k.away.pre = nil
	}
	k.pre = nil
	return k
}

// KL returns KL(source ‖ student) in nats for each query head and row,
// (Heads, rows): rows are sorted positions of h (…, Hidden), keys what Sequence
// made of it. Where grad is not nil the gradient of the mean is written there.
func (p *Pair[F]) KL(h []F, keys *heads[F], rows []int, grad *Weights[F]) []float64 {
	return p.estimate(h, keys, rows, nil, grad)
}

// estimate is KL by some of the keys, where those are not nil.
func (p *Pair[F]) estimate(h []F, keys *heads[F], rows []int, of *some[F], grad *Weights[F]) []float64 {
	s := p.student.Shape
	p.some = of
	last := of.upTo(rows[len(rows)-1])
	at := room(&p.rows, len(rows)*s.Hidden)
	gather(at, h, rows, s.Hidden)
	p.source.queries(&p.aq, at, rows)
	if keys.away != nil {
		p.away.queries.queries(&p.wq, at, rows)
	}
	p.student.queries(&p.bq, at, rows)
	if of != nil {
		p.at = room(&p.at, last*s.Hidden)
		gather(p.at, h, of.places[:last], s.Hidden)
		h = p.at
		keys = p.pick(keys, of.places[:last])
	}
	p.student.keysAt(&p.bk, h, last, of.place)
	p.sourceKeys = keys
	var size int
	p.blocks, size = divide(rows, s.Window, of.upTo)
	p.kl = make([]float64, s.Heads*len(rows))
	p.g, p.q = room(&p.g, s.Heads*size), room(&p.q, s.Heads*len(rows)*s.HeadDim)
	if grad != nil {
		p.dq = room(&p.dq, s.Heads*len(rows)*s.HeadDim)
	}
	for len(p.scores) < workerCount() {
		p.distant = append(p.distant, nil)
		p.groups, p.scores, p.differences, p.bends = append(p.groups, nil), append(p.scores, nil), append(p.differences, nil), append(p.bends, nil)
	}
	each(s.KVHeads*len(p.blocks), func(worker, i int) {
		p.task(worker, i/len(p.blocks), len(p.blocks)-1-i%len(p.blocks), size, rows, grad != nil)
	})
	if grad != nil {
		p.gradient(h, at, rows, size, grad)
	}
	return p.kl
}

// own are the student's scores of key/value head g in block b, (query heads · rows,
// keys), and its queries, (query heads · rows, HeadDim).
func (p *Pair[F]) own(g, size, rows int, b block) (scores, queries []F) {
	share, n, d := p.student.share(), b.end-b.begin, p.student.HeadDim
	scores = p.g[share*(g*size+b.at):][:share*n*b.keys]
	return scores, p.q[share*(g*rows+b.begin)*d:][:share*n*d]
}

// task does one key/value head of one block: KL of its query heads, and derivatives
// in their scores and queries.
func (p *Pair[F]) task(worker, g, nth, size int, rows []int, grad bool) {
	s, b := p.student.Shape, p.blocks[nth]
	d, share, n := s.HeadDim, s.share(), b.end-b.begin
	m := share * n
	ref := room(&p.scores[worker], m*b.keys)
	own, queries := p.own(g, size, len(rows), b)
	some := room(&p.groups[worker], m*d)
	p.group(some, &p.aq, g, b)
	p.group(queries, &p.bq, g, b)
	scale := F(s.Scale)
	gemm.Mul(scale, gemm.Of(m, d, d, some), p.sourceKeys.of(g, b.first, b.keys, d).T(), 0, gemm.Of(m, b.keys, b.keys, ref))
	if p.sourceKeys.away != nil {
		p.far(worker, g, b, rows, some, ref)
	}
	gemm.Mul(scale, gemm.Of(m, d, d, queries), p.bk.of(g, b.first, b.keys, d).T(), 0, gemm.Of(m, b.keys, b.keys, own))
	c := F(p.weight * s.Scale / float64(s.Heads*len(rows)))
	for k := range m {
		head, i := g*share+k/n, b.begin+k%n
		pos := rows[i]
		first, seen := b.sees(pos, s.Window, p.some.upTo)
		whole := own[k*b.keys : (k+1)*b.keys]
		x, y := ref[k*b.keys+first:][:seen], whole[first:first+seen]
		var bend []F
		if s.Cap > 0 {
			bend = room(&p.bends[worker], seen)
			for j := range bend {
				x[j], y[j] = F(s.capped(float64(x[j]))), F(s.capped(float64(y[j])))
				t := y[j] / F(s.Cap)
				bend[j] = 1 - t*t
			}
		}
		p.slope(x, p.source.Turn.slope(head), pos, b.first+first)
		p.slope(y, p.student.Turn.slope(head), pos, b.first+first)
		p.some.weigh(x, y, b.first+first)
		p.kl[head*len(rows)+i] = divergence(x, y, room(&p.differences[worker], seen), s.sink(head))
		if p.watch != nil {
			p.watch(head, i, b.first+first, x)
		}
		if !grad {
			continue
		}
		between(y, y, x, c)
		for j, v := range bend {
			y[j] *= v
		}
		clear(whole[:first])
		clear(whole[first+seen:])
	}
	if !grad {
		return
	}
	gemm.Mul(1, gemm.Of(m, b.keys, b.keys, own), p.bk.of(g, b.first, b.keys, d), 0, gemm.Of(m, d, d, some))
	for k := range m {
		copy(p.dq[((b.begin+k%n)*s.Heads+g*share+k/n)*d:][:d], some[k*d:])
	}
}

// far replaces the source's scores at distances that it was not trained at.
func (p *Pair[F]) far(worker, g int, b block, rows []int, some, ref []F) {
	s := p.student.Shape
	d, n := s.HeadDim, b.end-b.begin
	m, most := s.share()*n, min(p.away.beyond(rows[b.end-1], b.first, p.some.upTo), b.keys)
	if most == 0 {
		return
	}
	scores := room(&p.distant[worker], m*most)
	p.group(some, &p.wq, g, b)
	gemm.Mul(F(s.Scale), gemm.Of(m, d, d, some), p.sourceKeys.away.of(g, b.first, most, d).T(), 0, gemm.Of(m, most, most, scores))
	for k := range m {
		count := p.away.beyond(rows[b.begin+k%n], b.first, p.some.upTo)
		copy(ref[k*b.keys:][:count], scores[k*most:])
	}
}

// group copies the rows of block b of the query heads that read key/value head g.
func (p *Pair[F]) group(dst []F, v *heads[F], g int, b block) {
	d, share, n := p.student.HeadDim, p.student.share(), b.end-b.begin
	for k := range share * n {
		copy(dst[k*d:(k+1)*d], v.at(g*share+k/n, b.begin+k%n, d))
	}
}

// slope adds −β (t − j) to the scores of a query at pos with the keys from first on.
func (p *Pair[F]) slope(x []F, beta float64, pos, first int) {
	if beta == 0 {
		return
	}
	for j := range x {
		x[j] -= F(beta * float64(pos-p.some.place(first+j)))
	}
}

// divergence replaces two rows of scores by their softmax a and b and returns
// KL(a ‖ b) = Σ a (s_a − s_b) − log Z_a + log Z_b. diff is room of as many
// numbers. A sink, −∞ for none, is one more score of both.
func divergence[F Float](x, y, diff []F, sink float64) float64 {
	// Σ a (s_a − s_b) needs a and the scores: b's stay in y until then
	between(diff, x, y, 1)
	za, zb := softmax(x, sink), softmax(y, sink)
	return max(dot(x, diff)-za+zb, 0)
}

// gradient takes the derivatives back to the weights.
func (p *Pair[F]) gradient(h, at []F, rows []int, size int, grad *Weights[F]) {
	s := p.student.Shape
	d, n, last := s.HeadDim, len(rows), p.bk.n
	queries, keys := s.Heads*d, s.KVHeads*d
	p.dk = room(&p.dk, last*keys)
	runs := (last + keyRun - 1) / keyRun
	each(s.KVHeads*runs, func(_, i int) { p.keyDerivatives(i/runs, i%runs*keyRun, size, n) })
	p.student.backward(&p.bq, p.dq, s.QNorm, s.share(), p.student.Turn.factor(), func(i int) int { return rows[i] })
	p.student.backward(&p.bk, p.dk, s.KNorm, 1, nil, p.some.place)
	gemm.Share(1, gemm.Of(n, queries, queries, p.dq).T(), gemm.Of(n, s.Hidden, s.Hidden, at), 0, gemm.Of(queries, s.Hidden, s.Hidden, grad.Q))
	gemm.Share(1, gemm.Of(last, keys, keys, p.dk).T(), gemm.Of(last, s.Hidden, s.Hidden, h), 0, gemm.Of(keys, s.Hidden, s.Hidden, grad.K))
	sums(grad.QBias, p.dq)
	sums(grad.KBias, p.dk)
}

// keyDerivatives sums those of a run of keys of head g over the blocks.
func (p *Pair[F]) keyDerivatives(g, begin, size, rows int) {
	d, width := p.student.HeadDim, p.bk.count*p.student.HeadDim
	end := min(begin+keyRun, p.bk.n)
	for i := begin; i < end; i++ {
		clear(p.dk[i*width+g*d:][:d])
	}
	for _, b := range p.blocks {
		from, to := max(begin, b.first), min(end, b.first+b.keys)
		if from >= to {
			continue
		}
		own, queries := p.own(g, size, rows, b)
		m := len(queries) / d
		gemm.Mul(1, gemm.Of(m, to-from, b.keys, own[from-b.first:]).T(), gemm.Of(m, d, d, queries), 1,
			gemm.Of(to-from, d, width, p.dk[from*width+g*d:]))
	}
}

// sums writes the sum of each column of x (…, len(dst)).
func sums[F Float](dst, x []F) {
	if len(dst) == 0 {
		return
	}
	sum := make([]float64, len(dst))
	for at := 0; at < len(x); at += len(dst) {
		for i, v := range x[at : at+len(dst)] {
			sum[i] += float64(v)
		}
	}
	for i, v := range sum {
		dst[i] = F(v)
	}
}

// mean is the mean of a list.
func mean(list []float64) float64 {
	var sum float64
	for _, v := range list {
		sum += v
	}
	return sum / float64(len(list))
}
