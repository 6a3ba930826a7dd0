package gemm

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// Mul computes c = alpha a b + beta c on the calling goroutine; with beta 0
// whatever c held. c must be by rows and share no memory with a and b. It panics
// where the shapes do not fit.
func Mul[T Float](alpha T, a, b View[T], beta T, c View[T]) {
	check(a, b, c)
	multiply(alpha, a, b, beta, c, a.rows < few)
}

// Share is Mul on as many processors as Go may use, and gives the same bits.
func Share[T Float](alpha T, a, b View[T], beta T, c View[T]) {
	check(a, b, c)
	long, run := c.cols, panelRun
	across := c.rows > c.cols
	if across {
		long, run = c.rows, rowRun
	}
	workers := runtime.GOMAXPROCS(0)
	if workers == 1 || long <= run || c.rows*c.cols*a.cols < smallWork {
		multiply(alpha, a, b, beta, c, a.rows < few)
		return
	}
	// two shares each, so that a late worker keeps none waiting for long; more would
	// pack too often
	share := max((long+2*workers*run-1)/(2*workers*run), 1) * run
	tasks := (long + share - 1) / share
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(workers, tasks) {
		wait.Go(func() {
			for {
				begin := (int(next.Add(1)) - 1) * share
				if begin >= long {
					return
				}
				n := min(share, long-begin)
				if across {
					multiply(alpha, a.part(begin, 0, n, a.cols), b, beta, c.part(begin, 0, n, c.cols), a.rows < few)
				} else {
					multiply(alpha, a, b.part(0, begin, b.rows, n), beta, c.part(0, begin, c.rows, n), a.rows < few)
				}
			}
		})
	}
	wait.Wait()
}

const (
	// few rows of A are not worth packing B for.
	few = 4
	// smallWork is the number of multiplications below which starting goroutines
	// costs more than it gains.
	smallWork = 1 << 17
	// panelRun and rowRun are what shares of columns and rows are multiples of, so
	// that shares are whole tiles.
	panelRun, rowRun = 32, 12
)

func check[T Float](a, b, c View[T]) {
	if a.cols != b.rows || a.rows != c.rows || b.cols != c.cols {
		panic(fmt.Sprintf("gemm: a product of %d × %d and %d × %d into %d × %d", a.rows, a.cols, b.rows, b.cols, c.rows, c.cols))
	}
	if c.turned {
		panic("gemm: a product into a matrix by columns")
	}
}

func multiply[T Float](alpha T, a, b View[T], beta T, c View[T], short bool) {
	if c.rows == 0 || c.cols == 0 {
		return
	}
	k := kernelsOf[T]()
	switch {
	case k == nil:
		byBLAS(alpha, a, b, beta, c)
		return
	case alpha == 0 || a.cols == 0:
		c.scale(beta)
		return
	}
	if short && !a.turned && b.turned {
		c.scale(beta)
		k.vectors(alpha, a, b, c)
		return
	}
	if beta != 0 {
		c.scale(beta)
	}
	k.tiles(alpha, a, b, c, beta != 0)
}
