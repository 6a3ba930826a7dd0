package ref

import (
	"context"
	"math"
	"sort"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/gemm"
	"github.com/pecvt/pecvt/convert/tensor"
)

// queryBlock is how many queries meet their keys in one product: the scores of
// a block are all that is held of the S × T matrix.
const queryBlock = 48

// attend writes softmax(cap(scale · q kᵀ) + extra) v to out; extra may be nil, and sinks, the
// logits of a.Sinks, too. q and out are
// (batch, S, heads, d), keys and values (batch, kv heads, T, d), d being VDim for
// values and out; query i of S has index T − S + i among the keys.
func attend[T Float](ctx context.Context, a *family.Attention, in *batch, q, keys, values, sinks []T, extra *added, out []T, work *scratch[T]) error {
	blocks := (in.seq + queryBlock - 1) / queryBlock
	units := in.rows * a.Heads * blocks
	small := in.tokens()*a.Heads*in.total()*a.QKDim < smallWork
	if err := pack(ctx, a, in, keys, values, small, work); err != nil {
		return err
	}
	return parallel(ctx, units, small, func(worker, i int) error {
		// Late blocks see the most keys: starting with them keeps the workers even.
		block, h, b := blocks-1-i/(in.rows*a.Heads), i/in.rows%a.Heads, i%in.rows
		begin, end := block*queryBlock, min((block+1)*queryBlock, in.seq)
		attendBlock(a, in, b, h, begin, end, q, keys, values, sinks, extra, out, work, worker)
		return nil
	})
}

// attendBlock does queries [begin, end) of one row and one head.
func attendBlock[T Float](a *family.Attention, in *batch, b, h, begin, end int, q, keys, values, sinks []T, extra *added, out []T, work *scratch[T], worker int) {
	d, rows, total := a.QKDim, end-begin, in.total()
	first, last := in.firstKey(a, b, in.past+begin), in.past+end
	n := last - first
	head := b*a.KVHeads + h/(a.Heads/a.KVHeads)
	at := (head*total + first) * d
	width := a.Heads * d
	from := (b*in.seq+begin)*width + h*d
	scores := work.scores.get(worker, rows*n)
	queries, into := gemm.Of(rows, d, width, q[from:]), gemm.Of(rows, n, n, scores)
	packed := first == 0 && manyQueries(a, in)
	if packed {
		gemm.MulPacked(T(a.Scale), queries, &work.packed[head].keys, 0, into)
	} else {
		gemm.Mul(T(a.Scale), queries, gemm.Of(n, d, d, keys[at:]).T(), 0, into)
	}
	if c := T(a.Cap); c > 0 {
		for i, s := range scores {
			scores[i] = c * T(math.Tanh(float64(s/c)))
		}
	}
	if extra != nil {
		sum := wide(scores)
		extra.add(in, b, h, begin, end, first, n, sum)
		narrow(scores, sum)
	}
	for i := range rows {
		row, query := scores[i*n:(i+1)*n], in.past+begin+i
		from, to := max(in.firstKey(a, b, query)-first, 0), query-first+1
		clear(row[:from])
		clear(row[to:])
		if hidden := in.hidden[b]; hidden != nil {
			for j := from; j < to; j++ {
				if hidden[first+j] {
					row[j] = T(math.Inf(-1))
				}
			}
		}
		if sinks != nil {
			softmaxBeside(row[from:to], sinks[h])
			continue
		}
		softmax(row[from:to])
	}
	v := a.VDim
	at = (head*total + first) * v
	mixed := gemm.Of(rows, v, a.Heads*v, out[(b*in.seq+begin)*a.Heads*v+h*v:])
	if packed {
		gemm.MulPacked(1, into, &work.packed[head].values, 0, mixed)
	} else {
		gemm.Mul(1, into, gemm.Of(n, v, v, values[at:]), 0, mixed)
	}
}

// packedHead is a key/value head as the products of all its queries read it.
type packedHead[T Float] struct{ keys, values gemm.Packed[T] }

// manyQueries reports whether so many read a key/value head that it is worth packing.
func manyQueries(a *family.Attention, in *batch) bool {
	return in.seq*(a.Heads/a.KVHeads) >= 2*queryBlock
}

// pack fills work.packed for every row and key/value head.
func pack[T Float](ctx context.Context, a *family.Attention, in *batch, keys, values []T, small bool, work *scratch[T]) error {
	heads := in.rows * a.KVHeads
	if !manyQueries(a, in) {
		return nil
	}
	for len(work.packed) < heads {
		work.packed = append(work.packed, packedHead[T]{})
	}
	return parallel(ctx, heads, small, func(_, head int) error {
		d, v, total := a.QKDim, a.VDim, in.total()
		work.packed[head].keys.Pack(gemm.Of(total, d, d, keys[head*total*d:]).T())
		work.packed[head].values.Pack(gemm.Of(total, v, v, values[head*total*v:]))
		return nil
	})
}

// firstKey is the first key that a query of row b sees: that of its window, or of its
// chunk.
func (b *batch) firstKey(a *family.Attention, row, query int) int {
	first := 0
	if a.Window > 0 {
		first = max(query-a.Window+1, 0)
	}
	if a.Chunk > 0 {
		place := b.place(row, query)
		first = max(first, sort.Search(query, func(j int) bool { return b.place(row, j)/a.Chunk >= place/a.Chunk }))
	}
	return first
}

// softmax replaces scores by exp(s − max) / Σ. A row without a visible key
// becomes zeros: the query is padding and reads nothing.
func softmax[T Float](row []T) {
	if row, ok := any(row).([]float32); ok {
		softmax32(row)
		return
	}
	largest := T(math.Inf(-1))
	for _, s := range row {
		if s > largest || s != s {
			largest = s
		}
	}
	if math.IsInf(float64(largest), -1) {
		clear(row)
		return
	}
	sum := T(0)
	for j, s := range row {
		row[j] = exp(s - largest)
		sum += row[j]
	}
	for j := range row {
		row[j] /= sum
	}
}

// softmaxBeside replaces scores by exp(s − max) / (Σ + exp(sink − max)), the largest
// of all taken as max: a softmax of which the sink's share is left out.
func softmaxBeside[T Float](row []T, sink T) {
	largest := sink
	for _, s := range row {
		if s > largest || s != s {
			largest = s
		}
	}
	sum := exp(sink - largest)
	for j, s := range row {
		row[j] = exp(s - largest)
		sum += row[j]
	}
	for j := range row {
		row[j] /= sum
	}
}

// softmax32 is softmax by vectors: half of a float32 pass over a long text goes
// through here, and math.Exp takes ten times what float32 needs.
func softmax32(row []float32) {
	if len(row) == 0 {
		return
	}
	largest := tensor.Max32(row)
	if math.IsInf(float64(largest), -1) {
		clear(row)
		return
	}
	tensor.Scale32(row, float32(1/tensor.Exps32(row, largest)))
}
