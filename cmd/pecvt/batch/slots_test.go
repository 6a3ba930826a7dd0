package batch

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestSlots: who waits goes by rank, who stops waiting takes no slot along.
func TestSlots(t *testing.T) {
	s := &slots{free: 1, all: 1}
	if !s.take(t.Context(), 0) {
		t.Fatal("no slot")
	}
	var mu sync.Mutex
	var order []int
	var all sync.WaitGroup
	for _, rank := range []int{5, 3, first, 4, 3} {
		all.Go(func() {
			if !s.take(t.Context(), rank) {
				t.Error("stopped")
				return
			}
			mu.Lock()
			order = append(order, rank)
			mu.Unlock()
			s.give()
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	for range 20 {
		all.Go(func() {
			if s.take(ctx, 1) {
				t.Error("a slot after the end")
			}
		})
	}
	for waiting := 0; waiting < 25; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		waiting = len(s.waiting)
		s.mu.Unlock()
	}
	cancel()
	for waiting := 25; waiting > 5; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		waiting = len(s.waiting)
		s.mu.Unlock()
	}
	s.give()
	all.Wait()
	if !slices.Equal(order, []int{first, 3, 3, 4, 5}) {
		t.Errorf("order %v", order)
	}
	if s.free != 1 || len(s.waiting) > 0 {
		t.Errorf("%d free, %d wait", s.free, len(s.waiting))
	}
}
