package ref

import (
	"context"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// smallWork is the number of multiplications below which starting goroutines
// costs more than it gains.
const smallWork = 1 << 17

// parallel runs work(worker, i) for i in [0, n), i rising within each worker,
// on as many workers as there are processors; small asks for one. It stops at
// the first error or when ctx ends.
func parallel(ctx context.Context, n int, small bool, work func(worker, i int) error) error {
	workers := min(workerCount(), n)
	if small {
		workers = min(workers, 1)
	}
	var next atomic.Int64
	loop := func(ctx context.Context, worker int) error {
		for {
			i := int(next.Add(1)) - 1
			if i >= n {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := work(worker, i); err != nil {
				return err
			}
		}
	}
	if workers <= 1 {
		return loop(ctx, 0)
	}
	g, ctx := errgroup.WithContext(ctx)
	for w := range workers {
		g.Go(func() error { return loop(ctx, w) })
	}
	return g.Wait()
}

func workerCount() int { return runtime.GOMAXPROCS(0) }

// buffers are one reusable slice per worker.
type buffers[T Float] [][]T

func (b *buffers[T]) get(worker, n int) []T {
	if len((*b)[worker]) < n {
		(*b)[worker] = make([]T, n)
	}
	return (*b)[worker][:n]
}
