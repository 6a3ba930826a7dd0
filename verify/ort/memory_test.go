package ort_test

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/ort/orttest"
)

// resident gives the process's resident memory in bytes, garbage taken away.
func resident(t *testing.T) int64 {
	t.Helper()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skipf("needs /proc/self/statm: %v", err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// Nothing of a run stays behind, whether it succeeds, fails inside the graph or
// gives an output that is refused; nor does anything of a closed session. Each
// of the tests would see 240 MB if the values were kept.
func TestRunsAndSessionsLeaveNoMemory(t *testing.T) {
	const (
		rounds = 100
		n      = 200_000 // positions of 3 float32: 2.4 MB
		limit  = 64 << 20
	)
	table := orttest.Open(t, "testdata/table.onnx", ort.Options{Threads: 1})
	stamp := orttest.Open(t, "testdata/wrong_stamp.onnx", ort.Options{Threads: 1})
	cache := orttest.Open(t, "testdata/cache.onnx", ort.Options{Threads: 1})
	ids, bad := make([]int64, n), make([]int64, n)
	bad[n-1] = 4
	half := make([]float32, 300_000)
	for i := range half {
		half[i] = float32(i % 2)
	}
	for _, c := range []struct {
		name string
		s    *ort.Session
		in   map[string]ort.Tensor
		fail bool
	}{
		{"run", table, map[string]ort.Tensor{"position_ids": ort.Int64(ids, 1, n)}, false},
		{"run that fails", table, map[string]ort.Tensor{"position_ids": ort.Int64(bad, 1, n)}, true},
		{"output refused", stamp, map[string]ort.Tensor{"x": ort.Float32(half, int64(len(half)))}, true},
		{"output of the runtime's", cache, map[string]ort.Tensor{
			"past": ort.Float32(make([]float32, 600_000), 1, 3, 50_000, 4), "new": ort.Float32(make([]float32, 12), 1, 3, 1, 4)}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			once := func() {
				if _, err := c.s.Run(c.in); (err != nil) != c.fail {
					t.Fatal(err)
				}
			}
			for range 10 {
				once() // the runtime's arena settles
			}
			before := resident(t)
			for range rounds {
				once()
			}
			if grown := resident(t) - before; grown > limit {
				t.Errorf("%d runs left %d MB", rounds, grown>>20)
			}
		})
	}
	t.Run("sessions", func(t *testing.T) {
		open := func() {
			s, err := ort.Open("testdata/table.onnx", ort.Options{Threads: 2})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Run(map[string]ort.Tensor{"position_ids": ort.Int64(ids, 1, n)}); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		for range 5 {
			open()
		}
		before := resident(t)
		for range rounds / 2 {
			open()
		}
		if grown := resident(t) - before; grown > limit {
			t.Errorf("%d sessions left %d MB", rounds/2, grown>>20)
		}
	})
}
