package retrofit

// blockRows is how many query rows share one product of scores. Rows are
// sorted, so a block of few reads few keys in vain.
const blockRows = 16

// Pair compares a student layer with its source, query row by query row. It
// holds buffers and serves one caller at a time.
type Pair[F Float] struct {
	source, student *Layer[F]
	sourceKeys      *heads[F] // of the sequence at hand, all positions
	weight          float64   // of the loss, in gradients

	rows                []F // of h
	aq, bq, bk          heads[F]
	blocks              []block
	kl                  []float64
	kt, g, gt, dq       []F
	dk, dqt, dkt        []F
	ht, rowsT, qt       []F
	scores, differences [][]F
	bends               [][]F // derivatives of capped scores in the scores
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
// scores of one head take.
func divide(rows []int, window int) (list []block, size int) {
	for begin := 0; begin < len(rows); begin += blockRows {
		b := block{begin: begin, end: min(begin+blockRows, len(rows)), at: size}
		if window > 0 {
			b.first = max(0, rows[begin]-window+1)
		}
		b.keys = rows[b.end-1] + 1 - b.first
		size += (b.end - b.begin) * b.keys
		list = append(list, b)
	}
	return list, size
}

// sees is the first key of block b that a query at pos sees, and how many
// follow.
func (b block) sees(pos, window int) (first, n int) {
	if window > 0 {
		first = max(0, pos-window+1-b.first)
	}
	return first, pos + 1 - b.first - first
}

// Sequence sets the sequence: keys of the source for h (n, Hidden).
func (p *Pair[F]) Sequence(h []F, n int) *heads[F] {
	k := &heads[F]{}
	p.source.keys(k, h, n)
	k.pre = nil
	return k
}

// KL returns KL(source ‖ student) in nats for each query head and row,
// (Heads, rows): rows are sorted positions of h (…, Hidden), keys what Sequence
// made of it. Where grad is not nil the gradient of the mean is written there.
func (p *Pair[F]) KL(h []F, keys *heads[F], rows []int, grad *Weights[F]) []float64 {
	s := p.student.Shape
	last := rows[len(rows)-1] + 1
	at := room(&p.rows, len(rows)*s.Hidden)
	gather(at, h, rows, s.Hidden)
	p.source.queries(&p.aq, at, rows)
	p.student.queries(&p.bq, at, rows)
	p.student.keys(&p.bk, h, last)
	p.sourceKeys = keys
	var size int
	p.blocks, size = divide(rows, s.Window)
	p.kl = make([]float64, s.Heads*len(rows))
	p.g = room(&p.g, s.Heads*size)
	d := s.HeadDim
	if grad != nil {
		p.gt, p.dq = room(&p.gt, s.Heads*size), room(&p.dq, s.Heads*len(rows)*d)
		p.kt = room(&p.kt, s.KVHeads*d*last)
		spread(last, func(begin, end int) {
			for g := range s.KVHeads {
				transpose(p.kt[g*d*last+begin:], last, p.bk.at(g, begin, d), d, end-begin, d)
			}
		})
	}
	for len(p.scores) < workerCount() {
		p.scores, p.differences, p.bends = append(p.scores, nil), append(p.differences, nil), append(p.bends, nil)
	}
	each(s.Heads*len(p.blocks), func(worker, i int) {
		p.task(worker, i/len(p.blocks), len(p.blocks)-1-i%len(p.blocks), size, rows, grad != nil)
	})
	if grad != nil {
		p.gradient(h, at, rows, size, grad)
	}
	return p.kl
}

// task does one head of one block: its KL, and derivatives in its scores and
// queries.
func (p *Pair[F]) task(worker, head, nth, size int, rows []int, grad bool) {
	s, b := p.student.Shape, p.blocks[nth]
	d, g, n := s.HeadDim, head/s.share(), b.end-b.begin
	ref := room(&p.scores[worker], n*b.keys)
	own := p.g[head*size+b.at:][:n*b.keys]
	scale := F(s.Scale)
	few(n, b.keys, d, scale, p.aq.at(head, b.begin, d), d, p.sourceKeys.at(g, b.first, d), d, ref, b.keys)
	few(n, b.keys, d, scale, p.bq.at(head, b.begin, d), d, p.bk.at(g, b.first, d), d, own, b.keys)
	c := F(p.weight * s.Scale / float64(s.Heads*len(rows)))
	for i := range n {
		pos := rows[b.begin+i]
		first, seen := b.sees(pos, s.Window)
		whole := own[i*b.keys : (i+1)*b.keys]
		x, y := ref[i*b.keys+first:][:seen], whole[first:first+seen]
		var bend []F
		if s.Cap > 0 {
			bend = room(&p.bends[worker], seen)
			for j := range bend {
				x[j], y[j] = F(s.capped(float64(x[j]))), F(s.capped(float64(y[j])))
				t := y[j] / F(s.Cap)
				bend[j] = 1 - t*t
			}
		}
		slope(x, p.source.Turn.slope(head))
		slope(y, p.student.Turn.slope(head))
		p.kl[head*len(rows)+b.begin+i] = divergence(x, y, room(&p.differences[worker], seen), s.sink(head))
		if !grad {
			continue
		}
		for j, v := range y {
			y[j] = c * (v - x[j])
			if bend != nil {
				y[j] *= bend[j]
			}
		}
		clear(whole[:first])
		clear(whole[first+seen:])
	}
	if !grad {
		return
	}
	last := p.bk.n
	few(n, d, b.keys, 1, own, b.keys, p.kt[g*d*last+b.first:], last, p.dq[(head*len(rows)+b.begin)*d:], d)
	width := s.share() * n
	transpose(p.gt[g*s.share()*size+s.share()*b.at+head%s.share()*n:], width, own, b.keys, n, b.keys)
}

// slope adds −β (t − j) to the scores of a query with the keys up to its own.
func slope[F Float](x []F, beta float64) {
	if beta == 0 {
		return
	}
	for j := range x {
		x[j] -= F(beta * float64(len(x)-1-j))
	}
}

// divergence replaces two rows of scores by their softmax a and b and returns
// KL(a ‖ b) = Σ a (s_a − s_b) − log Z_a + log Z_b. diff is room of as many
// numbers. A sink, −∞ for none, is one more score of both.
func divergence[F Float](x, y, diff []F, sink float64) float64 {
	// Σ a (s_a − s_b) needs a and the scores: b's stay in y until then
	for j, v := range x {
		diff[j] = v - y[j]
	}
	za, zb := softmax(x, sink), softmax(y, sink)
	var sum float64
	for j, a := range x {
		sum += float64(a) * float64(diff[j])
	}
	return max(sum-za+zb, 0)
}

// few is mulT with beta 0 for few rows, in runs that gonum does not divide
// among goroutines: the callers are on all cores already.
func few[F Float](m, n, k int, alpha F, a []F, lda int, b []F, ldb int, c []F, ldc int) {
	const columns, depth = 128, 1024
	for j := 0; j < n; j += columns {
		for l := 0; l < k; l += depth {
			beta := F(1)
			if l == 0 {
				beta = 0
			}
			mulT(m, min(columns, n-j), min(depth, k-l), alpha, a[l:], lda, b[j*ldb+l:], ldb, beta, c[j:], ldc)
		}
	}
}

// gradient takes the derivatives back to the weights.
func (p *Pair[F]) gradient(h, at []F, rows []int, size int, grad *Weights[F]) {
	s := p.student.Shape
	d, n, last, share := s.HeadDim, len(rows), p.bk.n, s.share()
	p.dk = room(&p.dk, s.KVHeads*last*d)
	clear(p.dk)
	p.qt = room(&p.qt, s.Heads*n*d)
	each(s.KVHeads, func(_, g int) {
		for _, b := range p.blocks {
			m := b.end - b.begin
			width := share * m
			qt := p.qt[g*share*n*d+share*b.begin*d:][:width*d]
			for k := range share {
				transpose(qt[k*m:], width, p.bq.at(g*share+k, b.begin, d), d, m, d)
			}
			gt := p.gt[g*share*size+share*b.at:]
			mulT(b.keys, d, width, 1, gt, width, qt, width, 1, p.dk[(g*last+b.first)*d:], d)
		}
	})
	p.dqt, p.dkt = room(&p.dqt, s.Heads*d*n), room(&p.dkt, s.KVHeads*d*last)
	p.student.backward(&p.bq, p.dq, p.dqt, s.QNorm, share, s.QueryScale, func(i int) int { return rows[i] })
	p.student.backward(&p.bk, p.dk, p.dkt, s.KNorm, 1, nil, func(i int) int { return i })
	p.rowsT, p.ht = room(&p.rowsT, s.Hidden*n), room(&p.ht, s.Hidden*last)
	transpose(p.rowsT, n, at, s.Hidden, n, s.Hidden)
	spread(last, func(begin, end int) {
		transpose(p.ht[begin:], last, h[begin*s.Hidden:], s.Hidden, end-begin, s.Hidden)
	})
	mulT(s.Heads*d, s.Hidden, n, 1, p.dqt, n, p.rowsT, n, 0, grad.Q, s.Hidden)
	mulT(s.KVHeads*d, s.Hidden, last, 1, p.dkt, last, p.ht, last, 0, grad.K, s.Hidden)
	sums(grad.QBias, p.dqt, n)
	sums(grad.KBias, p.dkt, last)
}

// sums writes the sum of each row of x (…, n).
func sums[F Float](dst, x []F, n int) {
	for i := range dst {
		var sum float64
		for _, v := range x[i*n : (i+1)*n] {
			sum += float64(v)
		}
		dst[i] = F(sum)
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
