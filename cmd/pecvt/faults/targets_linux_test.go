package faults

import (
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/convert/place/placetest"
)

// stored is the digest of the names and bytes below a folder of a bucket.
func stored(t *testing.T, s *placetest.Server, folder string) string {
	t.Helper()
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	names := s.Objects(t, folder)
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintln(sum, name)
		sum.Write(s.Get(t, folder+"/"+name))
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("%08x", sum.Sum32())
}

// TestBucketTargets: a conversion into a bucket that is killed, or asked to end, at any
// moment leaves a target that no reader takes for a model, or a whole one; the same
// command then makes the same bytes, and leaves no upload behind. A reader beside the run
// sees nothing, or all of it.
func TestBucketTargets(t *testing.T) {
	kills, _ := long()
	s := placetest.StartS3(t)
	b := newBench(t, 2)
	s.PutFolder(t, "sources/large", filepath.Join(b.sources, "large"))
	sources := stored(t, s, "sources")
	rng := rand.New(rand.NewPCG(29, uint64(kills)))
	jobs := []*job{
		{name: "inside the bucket", args: []string{"convert", s.URL("sources/large"), "--to", "hope"}},
		{name: "inside the bucket, partial", args: []string{"convert", s.URL("sources/large"), "--to", "hope-ab3", "--no-onnx"}},
		{name: "from the disk, over an older result", force: true, args: []string{"convert", filepath.Join(b.sources, "large"), "--to", "hope", "--force"}},
	}
	midway := 0
	for i, j := range jobs {
		j.target = fmt.Sprintf("target-%d", i)
		url := s.URL(j.target)
		j.args = append(j.args, "-o", url)
		must := func(args ...string) {
			t.Helper()
			if text, err := b.run(args...); err != nil {
				t.Fatalf("%s: %v\n%s", j.name, err, text)
			}
		}
		clear := func() {
			for _, name := range s.Objects(t, j.target) {
				s.Delete(t, j.target+"/"+name)
			}
			if j.force {
				must("convert", filepath.Join(b.sources, "small"), "--to", "nope", "--no-onnx", "-o", url)
			}
		}
		clear()
		j.older = stored(t, s, j.target)
		begin := time.Now()
		must(j.args...)
		j.took, j.want = time.Since(begin), stored(t, s, j.target)
		for n := range max(2, kills/5) {
			clear()
			stop := watch(t, s, url, j)
			signal := []syscall.Signal{syscall.SIGKILL, syscall.SIGINT, syscall.SIGKILL}[n%3]
			err := b.signalled(j, signal, time.Duration((0.1+0.9*rng.Float64())*float64(j.took)))
			stop()
			if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			got := stored(t, s, j.target)
			_, rerr := convert.Inspect(url)
			switch {
			case rerr == nil && got != j.want && got != j.older:
				t.Errorf("%s, %v: what is half there is read", j.name, signal)
			case rerr == nil:
			case errors.Is(rerr, place.ErrUnfinished):
				midway++
			case !strings.Contains(rerr.Error(), "nothing lies there"):
				t.Errorf("%s, %v: %v", j.name, signal, rerr)
			}
			if signal == syscall.SIGINT && s.Uploads(t) != 0 && !errors.Is(rerr, place.ErrUnfinished) {
				t.Errorf("%s: %d uploads are left of a run that was asked to end, and nothing says so", j.name, s.Uploads(t))
			}
			if got == j.want { // the kill came too late
				continue
			}
			text, err := b.run(j.args...)
			if got := stored(t, s, j.target); err != nil || got != j.want || s.Uploads(t) != 0 {
				t.Errorf("%s, after %v: %v, same bytes: %v, %d uploads\n%s", j.name, signal, err, got == j.want, s.Uploads(t), text)
			}
		}
	}
	if midway == 0 {
		t.Error("no fault met a run: the trials show nothing")
	}
	if stored(t, s, "sources") != sources {
		t.Error("a source changed")
	}
	if left := b.left(); len(left) > 1 { // of the last one that was killed, which the next run removes
		t.Errorf("left on the disk is %q", left)
	}
}

// watch reads the target until it is told to stop: whatever can be read is whole.
func watch(t *testing.T, s *placetest.Server, url string, j *job) (stop func()) {
	end := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		for {
			select {
			case <-end:
				return
			case <-time.After(5 * time.Millisecond):
			}
			m, err := convert.Inspect(url)
			if err != nil || j.force && m.Layers == 5 { // the older one
				continue
			}
			if got := stored(t, s, j.target); got != j.want {
				t.Errorf("%s: a reader saw a half", j.name)
				return
			}
		}
	})
	return func() { close(end); done.Wait() }
}
