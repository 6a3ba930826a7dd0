package gemm

import "sync"

const (
	// depth is how much of the inner dimension a tile runs over: a panel of B of so
	// many rows stays in the first-level cache.
	depth = 256
	// blockRows rows of A, whole tiles of any kernel, and width columns of B, each depth long, are what stays in
	// a second-level cache.
	blockRows = 96
	width     = 256
	// dotRows is how many rows of w one call of dots takes.
	dotRows = 4
)

// kernels are the inner loops for one type. Pointers are to what a caller made
// sure of.
type kernels[T Float] struct {
	// height and cols are how many rows and columns a tile has, and so a panel columns.
	height, cols int
	// tile adds alpha times the product of height rows of a, row apart and their
	// numbers step, and the panel b, (k, cols), to as many rows of c, ldc apart,
	// or with add 0 writes it there.
	tile func(k int, a *T, row, step int, b, c *T, ldc, add int, alpha T)
	// dots writes the products of x with four rows of w, ldw apart; k is a multiple
	// of dotStep.
	dots    func(k int, x, w *T, ldw int, y *[dotRows]T)
	dotStep int
	// rows copies k runs of cols numbers, ld apart, columns k runs of height. They and
	// turn may be nil.
	rows, columns func(k int, src *T, ld int, dst *T)
	// turn writes turnRows rows of src, ld apart, as columns of a panel; k is a
	// multiple of turnStep.
	turn               func(k int, src *T, ld int, dst *T)
	turnRows, turnStep int

	rooms sync.Pool
}

// room is what a product needs beside its matrices.
type room[T Float] struct {
	b    []T // packed panels, each (depth of the run, cols)
	a    []T // A where it is by columns: a tile's rows after another's, column by column
	edge []T // the last rows of A, and zeros up to height
	tile []T // a tile that C has only a part of
}

func (k *kernels[T]) room() *room[T] {
	if r, ok := k.rooms.Get().(*room[T]); ok {
		return r
	}
	return &room[T]{tile: make([]T, k.height*k.cols)}
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

// kind is what multiplies, our kernels of one kind of processor or, without any, what
// gonum has in use.
type kind struct {
	name    string
	float32 *kernels[float32]
	float64 *kernels[float64]
}

func (k kind) use() { kernels32, kernels64, library = k.float32, k.float64, k.name }

// Name says what multiplies matrices: our own kernels and the instructions they
// use, gonum, or OpenBLAS with its version.
func Name() string { return library }

func kernelsOf[T Float]() *kernels[T] {
	if k, ok := any(kernels32).(*kernels[T]); ok {
		return k
	}
	return any(kernels64).(*kernels[T])
}
