package retrofit

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// each runs work(worker, i) for i in [0, n) on as many workers as there are
// processors. Who does what is left to chance: every i must write what no
// other one reads.
func each(n int, work func(worker, i int)) {
	workers := min(workerCount(), n)
	if workers <= 1 {
		for i := range n {
			work(0, i)
		}
		return
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				work(w, i)
			}
		})
	}
	wait.Wait()
}

// spread runs work over [0, n) in runs of 64.
func spread(n int, work func(begin, end int)) {
	const run = 64
	each((n+run-1)/run, func(_, i int) { work(i*run, min((i+1)*run, n)) })
}

func workerCount() int { return runtime.GOMAXPROCS(0) }

// room returns a slice of n numbers, of what buf holds where that is enough.
// Its values are left over.
func room[F Float](buf *[]F, n int) []F {
	if cap(*buf) < n {
		*buf = make([]F, n)
	}
	return (*buf)[:n]
}
