package quant

import (
	"slices"

	"github.com/pecvt/pecvt/convert/tensor"
)

// Source gives access to tensors as they are stored; every store is one.
type Source interface {
	Lookup(name string) (tensor.Info, bool)
	Read(name string, begin, end int64) ([]byte, error)
}

// Format is a way of storing quantised weights.
type Format struct {
	// Name is for texts, About for documents: what a number is.
	Name, About string
	// Methods are the values of quant_method that declare it; it is asked about a
	// checkpoint that declares one of them.
	Methods []string
	// Key ends the name of the tensor that shows the format; what is before it is the
	// base of the weight's names. Beside ends those of its other tensors, for
	// documents.
	Key    string
	Beside []string
	// Open describes the weight whose names have this base; nil where its tensors are
	// not of this format. What is of it and cannot be read is an error.
	Open func(d *Declaration, src Source, base string) (*Tensor, error)
}

// Tensor is a weight as a plain checkpoint would store it.
type Tensor struct {
	// Info has the name and the shape of a plain checkpoint; the type is float32,
	// which is what decoding rounds to.
	Info tensor.Info
	// Format is the name of its format.
	Format string
	// Parts are the stored tensors that it is made of, its codes first.
	Parts []string
	// Unit is how many rows are decoded at once, 0 for 1: with another number, dst
	// below begins and ends with whole ones.
	Unit int64
	// Decode decodes rows [begin, end) of the matrix that the tensor is
	// ([tensor.Matrix]). The rows are there.
	Decode func(src Source, dst []float32, begin, end int64) error
	// Grid, where not nil, says what Decode does for those who compute with codes. With
	// Across, its matrices are those of the tensor the other way round.
	Grid   *Grid
	Across bool
	// Warnings say what other programs compute otherwise.
	Warnings []string
}

// formats are the rows, in the order in which they are asked.
var formats = append([]Format{
	fp8Inverse, fp8Scaled, intScaled,
	mxfp4Stacked, nvfp4, fp4Packed, intPacked, gptqPacked, awqPacked, ternary, bnb4, bnb8,
}, ggufFormats()...)

// Formats lists those that are read.
func Formats() []Format { return slices.Clone(formats) }
