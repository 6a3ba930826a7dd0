package onnxops

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/quant/nearest"
	"github.com/pecvt/pecvt/convert/quant/widths"
	"github.com/pecvt/pecvt/convert/store"
)

// pieceNumbers bounds the numbers that are rounded at a time: their codes stay in a
// second-level cache until they are written.
const pieceNumbers = 1 << 19

// piece is the codes of some rows of a weight.
type piece struct {
	of         *rounded
	begin, end int64     // rows
	all        []float32 // the whole weight's numbers, where rows are not read alone
	out        []byte
	err        error
	done       chan struct{} // closed when the codes, or the error, are there
	free       func()        // lets another piece take its place
}

// roundAhead begins to make the codes of weights, piece by piece in their order, on all
// processors, while they are written: each weight's pieces come from its channel. Few are
// held at a time. What it returns ends it, whether or not all was taken.
func roundAhead(src store.Store, list []*rounded) (end func()) {
	workers := runtime.GOMAXPROCS(0)
	pieces, tasks := make(chan *piece, 2*workers+1), make(chan *piece)
	room, stop := make(chan []byte, 2*workers+1), make(chan struct{})
	for range cap(room) {
		room <- nil
	}
	for _, r := range list {
		r.pieces = pieces
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		defer close(tasks)
		for _, r := range list {
			if !r.cut(src, room, stop, func(p *piece) {
				pieces <- p // there is room for as many as there are buffers
				tasks <- p
			}) {
				return
			}
		}
	})
	for range workers {
		wait.Go(func() {
			var b bench
			for p := range tasks {
				p.err = b.round(p, src)
				close(p.done)
			}
		})
	}
	return func() {
		close(stop)
		wait.Wait()
		for _, r := range list {
			r.pieces = nil
		}
	}
}

// cut makes room for a weight's scales, lows and zero points and gives its pieces; false
// where it was stopped.
func (r *rounded) cut(src store.Store, room chan []byte, stop chan struct{}, give func(*piece)) bool {
	n := r.rows * r.across
	r.scales = make([]uint16, n)
	switch r.scheme.Zeros {
	case nearest.ZeroFloat:
		r.lows = make([]uint16, n)
	case nearest.ZeroCode:
		r.zeros = make([]byte, r.rows*r.zeroBytes())
	}
	var all []float32
	var err error
	if r.w.Columns != nil && r.code == nil { // columns of rows are taken at once
		all, err = r.w.Float32(src)
	}
	many := max(pieceNumbers/r.columns, 1)
	for begin := int64(0); begin < r.rows; begin += many {
		var buf []byte
		select {
		case buf = <-room:
		case <-stop:
			return false
		}
		p := &piece{of: r, begin: begin, end: min(begin+many, r.rows), all: all, err: err, done: make(chan struct{})}
		size := int((p.end - p.begin) * r.across * r.size)
		if cap(buf) < size {
			buf = make([]byte, size)
		}
		p.out = buf[:size]
		p.free = func() { room <- buf }
		give(p)
	}
	return true
}

// bench is what one goroutine rounds with.
type bench struct {
	line    *nearest.Line
	scheme  nearest.Scheme
	numbers []float32
}

// round makes the codes of a piece.
func (b *bench) round(p *piece, src store.Store) error {
	r := p.of
	if p.err != nil {
		return p.err
	}
	if b.line == nil || b.scheme != r.scheme || int64(len(b.line.Codes)) != r.columns {
		b.line, b.scheme = r.scheme.NewLine(int(r.columns)), r.scheme
	}
	read, digits, err := b.reader(p, src)
	if err != nil {
		return err
	}
	line := b.line
	for row := p.begin; row < p.end; row++ {
		if r.code != nil {
			line, err = r.code(row)
		} else {
			var numbers []float32
			if numbers, err = read(row); err == nil {
				err = r.scheme.Round(numbers, digits, line)
			}
		}
		if err != nil {
			return store.Errorf(src, r.w.Tensor, "row %d: %w", row, err)
		}
		r.put(row, line, p.out[(row-p.begin)*r.across*r.size:][:r.across*r.size])
	}
	return nil
}

// reader gives a piece's rows, with the binary digits that their numbers are stored with.
func (b *bench) reader(p *piece, src store.Store) (read func(row int64) ([]float32, error), digits int, err error) {
	r := p.of
	if r.code != nil {
		return nil, 0, nil
	}
	info, _ := src.Lookup(r.w.Tensor)
	digits = widths.Digits(info.DType)
	if p.all != nil {
		return func(row int64) ([]float32, error) { return p.all[row*r.columns : (row+1)*r.columns], nil }, digits, nil
	}
	raw, dtype, err := r.w.Between(p.begin, p.end).Bytes(src)
	if err != nil {
		return nil, 0, err
	}
	size := int64(len(raw)) / (p.end - p.begin)
	if int64(len(b.numbers)) != r.columns {
		b.numbers = make([]float32, r.columns)
	}
	return func(row int64) ([]float32, error) {
		at := (row - p.begin) * size
		if err := family.Decode(r.w, src, b.numbers, raw[at:at+size], dtype); err != nil {
			return nil, fmt.Errorf("its numbers: %w", err)
		}
		return b.numbers, nil
	}, digits, nil
}
