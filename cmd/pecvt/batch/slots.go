package batch

import (
	"cmp"
	"context"
	"slices"
	"sync"
)

// first is the rank of what others wait for: it goes before all tasks.
const first = -1

// slots lets so many run at a time, those of low rank first, so that tasks are done in
// their order however a runner hands them out: what a part has loaded is what the next
// one needs.
type slots struct {
	all     int
	mu      sync.Mutex
	free    int
	waiting []*waiter // by rank
}

type waiter struct {
	rank int
	turn chan struct{} // closed with a slot
}

// take waits for a slot; false where ctx ends before.
func (s *slots) take(ctx context.Context, rank int) bool {
	s.mu.Lock()
	w := &waiter{rank, make(chan struct{})}
	at, _ := slices.BinarySearchFunc(s.waiting, rank+1, func(w *waiter, rank int) int { return cmp.Compare(w.rank, rank) })
	s.waiting = slices.Insert(s.waiting, at, w)
	s.serve()
	s.mu.Unlock()
	select {
	case <-w.turn:
		if ctx.Err() == nil {
			return true
		}
		s.give()
	case <-ctx.Done():
		s.mu.Lock()
		i := slices.Index(s.waiting, w)
		if i >= 0 {
			s.waiting = slices.Delete(s.waiting, i, i+1)
		}
		s.mu.Unlock()
		if i < 0 { // the slot came at the same time
			s.give()
		}
	}
	return false
}

// give gives a slot back.
func (s *slots) give() {
	s.mu.Lock()
	s.free++
	s.serve()
	s.mu.Unlock()
}

func (s *slots) serve() {
	for s.free > 0 && len(s.waiting) > 0 {
		s.free--
		close(s.waiting[0].turn)
		s.waiting = slices.Delete(s.waiting, 0, 1)
	}
}
