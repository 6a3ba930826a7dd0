package recode

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/quant/compensate"
	"github.com/pecvt/pecvt/convert/quant/nearest"
	"github.com/pecvt/pecvt/convert/quant/widths"
	"github.com/pecvt/pecvt/convert/store"
)

// Walk is a float32 forward pass of the source, layer by layer, over one sequence, that
// shows what linear maps read. verify/ref has one.
type Walk interface {
	// Embed returns the residual stream (S, hidden) of token ids.
	Embed(ids []int64) ([]float32, error)
	// Advance replaces x by the layer's output.
	Advance(layer int, x []float32) error
	// Observe shows the inputs of each map of the passes that follow, (n, in), in memory
	// that is used again.
	Observe(see func(l *family.Linear, x []float32) error)
	// HeadInputs shows those of the maps after the last layer.
	HeadInputs(x []float32, see func(l *family.Linear, x []float32) error) error
}

// Options say how.
type Options struct {
	Schemes widths.Schemes
	// Sequences are what the maps' inputs come from.
	Sequences [][]int64
	// Folder is where the spool goes, a temporary file; "" is the system's own.
	Folder string
	// Progress, where not nil, is told how many of the layers, the head among them, are
	// done.
	Progress func(done, layers int)
}

// Codes are those of a model's maps, in a temporary file.
type Codes struct {
	// Maps were compensated; Errors are sums over all of them.
	Maps   int
	Errors compensate.Errors

	m       *family.Model
	src     store.Store
	schemes widths.Schemes
	file    *os.File
	remove  func()
	end     int64
	at      map[string]int64
}

// Close removes the spool.
func (c *Codes) Close() error {
	c.remove()
	return nil
}

// Make walks the sequences through the model whose tensors src holds and rounds its maps.
// src must stay open while the codes are in use.
func Make(ctx context.Context, m *family.Model, src store.Store, walk Walk, o Options) (*Codes, error) {
	if len(o.Sequences) == 0 {
		return nil, fmt.Errorf("recode: no sequences: expected some tokens that the maps' inputs come from")
	}
	f, end, err := fsio.Scratch(o.Folder)
	if err != nil {
		return nil, fmt.Errorf("recode: %w", err)
	}
	c := &Codes{m: m, src: src, schemes: o.Schemes, file: f, remove: end, at: map[string]int64{}}
	if err := c.make(ctx, walk, o); err != nil {
		c.Close()
		return nil, fmt.Errorf("recode: %w", err)
	}
	return c, nil
}

func (c *Codes) make(ctx context.Context, walk Walk, o Options) error {
	var streams [][]float32
	for i, ids := range o.Sequences {
		x, err := walk.Embed(ids)
		if err != nil {
			return fmt.Errorf("sequence %d: %w", i, err)
		}
		streams = append(streams, x)
	}
	layers := len(c.m.Blocks)
	for i := range layers + 1 {
		in := newInputs()
		if i < layers {
			walk.Observe(in.see)
		}
		for _, x := range streams {
			if err := ctx.Err(); err != nil {
				return err
			}
			var err error
			if i < layers {
				err = walk.Advance(i, x)
			} else {
				err = walk.HeadInputs(x, in.see)
			}
			if err != nil {
				return err
			}
		}
		walk.Observe(nil)
		if err := c.solve(ctx, in); err != nil {
			return fmt.Errorf("layer %d: %w", i, err)
		}
		if o.Progress != nil {
			o.Progress(i+1, layers+1)
		}
	}
	return nil
}

// solve rounds the maps that were seen, those of the same inputs with one factor.
func (c *Codes) solve(ctx context.Context, in *inputs) error {
	for _, group := range in.groups {
		var r *compensate.Rounder
		for _, l := range group.maps {
			s, codes := c.schemes.Of(l.Weight)
			if _, done := c.at[keyOf(l.Weight)]; done || !codes || group.moments.Size() < s.Block {
				continue
			}
			if r == nil || r.Scheme != s {
				var err error
				if r, err = compensate.NewRounder(s, group.moments, c.damping(l.Weight)); err != nil {
					return store.Errorf(c.src, l.Weight.Tensor, "%w", err)
				}
			}
			if err := c.round(ctx, r, l.Weight); err != nil {
				return store.Errorf(c.src, l.Weight.Tensor, "%w", err)
			}
		}
	}
	return nil
}

func (c *Codes) round(ctx context.Context, r *compensate.Rounder, w family.Weight) error {
	rows, columns := int(w.Shape[0]), int(w.Shape[1])
	size := recordSize(r.Scheme, columns)
	at := c.end
	var all []float32
	if w.Columns != nil { // columns of rows are taken at once
		var err error
		if all, err = w.Float32(c.src); err != nil {
			return err
		}
	}
	read := func(dst []float32, begin, end int) error {
		if all != nil {
			copy(dst, all[begin*columns:end*columns])
			return nil
		}
		part, err := w.Between(int64(begin), int64(end)).Float32(c.src)
		copy(dst, part)
		return err
	}
	info, _ := c.src.Lookup(w.Tensor)
	digits := widths.Digits(info.DType)
	e, err := r.Each(rows, runtime.GOMAXPROCS(0), digits, read, func(begin int, lines []*nearest.Line) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		buf := make([]byte, 0, len(lines)*size)
		for _, l := range lines {
			buf = appendLine(buf, l)
		}
		_, err := c.file.WriteAt(buf, at+int64(begin*size))
		return err
	})
	c.src.Release(w.Tensor)
	if err != nil {
		return err
	}
	c.at[keyOf(w)], c.end = at, at+int64(rows*size)
	c.Maps++
	c.Errors.Add(e)
	return nil
}

// Row gives a row of a weight in codes. It may be called from several goroutines.
type Row = func(row int64) (*nearest.Line, error)

// Code gives the rows of a weight, nil where no map read it: it is rounded to the nearest.
func (c *Codes) Code(w family.Weight) Row {
	at, ok := c.at[keyOf(w)]
	if !ok {
		return nil
	}
	columns := int(w.Shape[1])
	s, _ := c.schemes.Of(w)
	size := recordSize(s, columns)
	return func(row int64) (*nearest.Line, error) {
		buf, l := make([]byte, size), s.NewLine(columns)
		if _, err := c.file.ReadAt(buf, at+row*int64(size)); err != nil {
			return nil, fmt.Errorf("the spool of codes: %w", err)
		}
		readLine(buf, l)
		return l, nil
	}
}

// tiedDamping is that of a head whose codes the embedding has too, where an error counts
// as such, whatever the head reads. Perplexity of stories260K, source 15.82, int4 in blocks
// of 32 without and with zero points as floats: with 0.01 242 and 181, 0.3 213 and 168, 3
// 229 and 162, 1000 (all columns alike) 235 and 169; rounding to nearest 299 and 187.
const tiedDamping = 1

func (c *Codes) damping(w family.Weight) float64 {
	if keyOf(w) == keyOf(c.m.Embed) {
		return tiedDamping
	}
	return compensate.Damping
}

// keyOf tells weights of the same tensor apart.
func keyOf(w family.Weight) string {
	key := fmt.Sprint(w.Tensor, w.Rows)
	if w.Columns != nil {
		key += fmt.Sprint(*w.Columns)
	}
	return key
}
