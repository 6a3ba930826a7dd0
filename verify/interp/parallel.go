package interp

import (
	"context"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// parallel runs do(0) … do(tasks-1) on all cores; each core gets its own from
// worker. It ends early with the first error, or ctx's.
func parallel(ctx context.Context, tasks int, worker func() func(task int) error) error {
	cores := min(runtime.GOMAXPROCS(0), tasks)
	if cores <= 1 {
		do := worker()
		for t := range tasks {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := do(t); err != nil {
				return err
			}
		}
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range cores {
		g.Go(func() error {
			do := worker()
			for {
				t := int(next.Add(1)) - 1
				if t >= tasks {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := do(t); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}
