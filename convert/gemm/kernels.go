package gemm

import "sync"

const (
	// tileRows is how many rows a tile has.
	tileRows = 6
	// depth is how much of the inner dimension a tile runs over: a panel of B of so
	// many rows stays in the first-level cache.
	depth = 256
	// blockRows rows of A and width columns of B, each depth long, are what stays in
	// a second-level cache.
	blockRows = 16 * tileRows
	width     = 256
	// dotRows is how many rows of w one call of dots takes.
	dotRows = 4
)

// kernels are the inner loops for one type. Pointers are to what a caller made
// sure of.
type kernels[T Float] struct {
	// cols is how many columns a tile, and so a panel, has.
	cols int
	// tile adds alpha times the product of six rows of a, row apart and their numbers
	// step, and the panel b, (k, cols), to six rows of c, ldc apart.
	tile func(k int, a *T, row, step int, b, c *T, ldc int, alpha T)
	// dots writes the products of x with four rows of w, ldw apart; k is a multiple
	// of dotStep.
	dots    func(k int, x, w *T, ldw int, y *[dotRows]T)
	dotStep int
	// rows copies k runs of cols numbers, ld apart, sixes k runs of tileRows.
	rows, sixes func(k int, src *T, ld int, dst *T)
	// turn writes turnRows rows of src, ld apart, as columns of a panel; k is a
	// multiple of turnStep.
	turn               func(k int, src *T, ld int, dst *T)
	turnRows, turnStep int

	rooms sync.Pool
}

// room is what a product needs beside its matrices.
type room[T Float] struct {
	b    []T // packed panels, each (depth of the run, cols)
	a    []T // A where it is by columns: six rows after six, column by column
	edge []T // the last rows of A, and zeros up to tileRows
	tile []T // a tile that C has only a part of
}

func (k *kernels[T]) room() *room[T] {
	if r, ok := k.rooms.Get().(*room[T]); ok {
		return r
	}
	return &room[T]{tile: make([]T, tileRows*k.cols)}
}

// grown is buf with room for n numbers, of any value.
func grown[T Float](buf *[]T, n int) []T {
	if len(*buf) < n {
		*buf = make([]T, n)
	}
	return (*buf)[:n]
}

var (
	// kernels32 and kernels64 are nil where there is no kernel.
	kernels32 *kernels[float32]
	kernels64 *kernels[float64]
	// library names what multiplies.
	library = "gonum"
)

// Name says what multiplies matrices: our own kernels and the instructions they
// use, gonum, or OpenBLAS with its version.
func Name() string { return library }

func kernelsOf[T Float]() *kernels[T] {
	if k, ok := any(kernels32).(*kernels[T]); ok {
		return k
	}
	return any(kernels64).(*kernels[T])
}
