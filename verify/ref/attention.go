package ref

import (
	"context"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"github.com/pecvt/pecvt/convert/family"
)

// queryBlock is how many queries meet their keys in one product: the scores of
// a block are all that is held of the S × T matrix.
const queryBlock = 64

// attend writes softmax(scale · q kᵀ + extra) v to out; extra may be nil. q and out are
// (batch, S, heads, d), keys and values (batch, kv heads, T, d); query i of S
// has index T − S + i among the keys.
func attend(ctx context.Context, a *family.Attention, in *batch, q, keys, values []float64, extra *added, out []float64, work *scratch) error {
	blocks := (in.seq + queryBlock - 1) / queryBlock
	units := in.rows * a.Heads * blocks
	small := in.tokens()*a.Heads*in.total()*a.HeadDim < smallWork
	return parallel(ctx, units, small, func(worker, i int) error {
		// Late blocks see the most keys: starting with them keeps the workers even.
		block, h, b := blocks-1-i/(in.rows*a.Heads), i/in.rows%a.Heads, i%in.rows
		begin, end := block*queryBlock, min((block+1)*queryBlock, in.seq)
		attendBlock(a, in, b, h, begin, end, q, keys, values, extra, out, &work.scores, worker)
		return nil
	})
}

// attendBlock does queries [begin, end) of one row and one head.
func attendBlock(a *family.Attention, in *batch, b, h, begin, end int, q, keys, values []float64, extra *added, out []float64, bufs *buffers, worker int) {
	d, rows, total := a.HeadDim, end-begin, in.total()
	first, last := firstKey(a.Window, in.past+begin), in.past+end
	n := last - first
	head := b*a.KVHeads + h/(a.Heads/a.KVHeads)
	at := (head*total + first) * d
	width := a.Heads * d
	from := (b*in.seq+begin)*width + h*d
	scores := blas64.General{Rows: rows, Cols: n, Stride: n, Data: bufs.get(worker, rows*n)}
	blas64.Gemm(blas.NoTrans, blas.Trans, a.Scale,
		blas64.General{Rows: rows, Cols: d, Stride: width, Data: q[from:]},
		blas64.General{Rows: n, Cols: d, Stride: d, Data: keys[at : at+n*d]}, 0, scores)
	if extra != nil {
		extra.add(in, b, h, begin, end, first, n, scores.Data)
	}
	for i := range rows {
		row, query := scores.Data[i*n:(i+1)*n], in.past+begin+i
		for j := range row {
			key := first + j
			if key > query || key < firstKey(a.Window, query) || (in.hidden[b] != nil && in.hidden[b][key]) {
				row[j] = math.Inf(-1)
			}
		}
		softmax(row)
	}
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, scores,
		blas64.General{Rows: n, Cols: d, Stride: d, Data: values[at : at+n*d]}, 0,
		blas64.General{Rows: rows, Cols: d, Stride: width, Data: out[from:]})
}

// firstKey is the first key that a query sees through a window.
func firstKey(window, query int) int {
	if window == 0 {
		return 0
	}
	return max(query-window+1, 0)
}

// softmax replaces scores by exp(s − max) / Σ. A row without a visible key
// becomes zeros: the query is padding and reads nothing.
func softmax(row []float64) {
	largest := math.Inf(-1)
	for _, s := range row {
		largest = max(largest, s)
	}
	if math.IsInf(largest, -1) {
		clear(row)
		return
	}
	sum := 0.0
	for j, s := range row {
		row[j] = math.Exp(s - largest)
		sum += row[j]
	}
	for j := range row {
		row[j] /= sum
	}
}
