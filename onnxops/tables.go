package onnxops

import (
	"encoding/binary"
	"math"
	"reflect"
	"sync"

	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/posenc"
)

// table is one rotation's cosines and sines in the graph.
type table struct {
	rotary   posenc.Rotary
	cos, sin *graph.Value
}

// tables returns the graph's cos and sin for a rotary layer, made once for each
// distinct spectrum: (MaxLength, width) tables, or with position_ids the rows
// gathered for this call, (batch, sequence, width).
func (e *emitter) tables(r posenc.Rotary) table { return e.tablesOf(&e.rotaries, names.Rotary, r) }

// tablesOf is tables for a list of its own, named by prefix.
func (e *emitter) tablesOf(list *[]table, prefix string, r posenc.Rotary) table {
	defer e.g.Wide()()
	for _, t := range *list {
		if reflect.DeepEqual(t.rotary, r) {
			return t
		}
	}
	prefix = names.Nth(prefix, len(*list))
	t := table{rotary: r}
	width := r.Planes()
	if e.opts.Attention == AttentionORT {
		width = paddedPlanes(r)
	}
	cos, sin := cosSin(r, e.opts.MaxLength, width)
	dims := []int64{int64(e.opts.MaxLength), int64(width)}
	t.cos = e.g.Tensor(prefix+names.CosTable, graph.Float, dims, cos)
	t.sin = e.g.Tensor(prefix+names.SinTable, graph.Float, dims, sin)
	if e.positions != nil {
		t.cos = e.g.Op("Gather", prefix+names.CosRows, []*graph.Value{t.cos, e.positions})
		t.sin = e.g.Op("Gather", prefix+names.SinRows, []*graph.Value{t.sin, e.positions})
	}
	*list = append(*list, t)
	return t
}

// tableChunk is the number of positions that one goroutine computes.
const tableChunk = 2048

// cosSin returns the little-endian float32 tables of n positions: the angle in
// float64 from the integer position, its cosine and sine times the gain in
// float64, rounded once. Columns past the planes hold cos 1, sin 0.
func cosSin(r posenc.Rotary, n, width int) (cos, sin []byte) {
	cos, sin = make([]byte, 4*n*width), make([]byte, 4*n*width)
	rows := func(from, to int) {
		for t := from; t < to; t++ {
			for p := range width {
				c, s := 1.0, 0.0
				if p < r.Planes() {
					c, s = r.CosSin(p, int64(t))
				}
				at := 4 * (t*width + p)
				binary.LittleEndian.PutUint32(cos[at:], math.Float32bits(float32(c)))
				binary.LittleEndian.PutUint32(sin[at:], math.Float32bits(float32(s)))
			}
		}
	}
	var wg sync.WaitGroup
	for from := 0; from < n; from += tableChunk {
		wg.Go(func() { rows(from, min(from+tableChunk, n)) })
	}
	wg.Wait()
	return cos, sin
}
