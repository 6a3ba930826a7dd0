//go:build unix

package eval

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/gemm"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/convert/store"
)

// BenchmarkCalibrate fits the first layer of the checkpoint that PECVT_BENCH_MODEL
// names (stories260K) to a rotation whose slower half of planes stands still, at L, L/4 and L/16
// positions (PECVT_BENCH_LENGTH, of PECVT_BENCH_TEXT), and goes on to the next, as a calibration does with
// each: processor time by what it was spent on. A step is the mean of the lengths' with
// their shares; the walk is one layer, for each token.
func BenchmarkCalibrate(b *testing.B) {
	dir, length, steps := os.Getenv("PECVT_BENCH_MODEL"), 8192, 16
	if dir == "" {
		dir, length = "../../testdata/models/stories260K", 512
	}
	for name, to := range map[string]*int{"PECVT_BENCH_LENGTH": &length, "PECVT_BENCH_STEPS": &steps} {
		if v, err := strconv.Atoi(os.Getenv(name)); err == nil {
			*to = v
		}
	}
	src, err := store.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer src.Close()
	m, err := families.Load(src)
	if err != nil {
		b.Fatal(err)
	}
	student, err := retrofit.Turns(m)
	if err != nil {
		b.Fatal(err)
	}
	// the last layer is the next one to fit, which has no steps: the walk stops there
	for l := range student[:2] {
		student[l].InvFreq = halved(student[l].InvFreq)
	}
	var sequences [][]int64
	tokens := 0
	for _, n := range []int{length, length / 4, length / 16} {
		sequences = append(sequences, benchText(b, dir, m.Vocab, tokens, n))
		tokens += n
	}
	b.Log(gemm.Name())
	runtime.GC()
	var walk, all float64
	for b.Loop() {
		w := &timedWalk{Walk: Engine{}.Walk(m, src)}
		begin := processorTime()
		ctx, stop := context.WithCancel(b.Context())
		_, err := retrofit.Calibrate(ctx, m, src, w, student, sequences, retrofit.CalibrateOptions{Steps: steps, Folder: b.TempDir(),
			Progress: func(p retrofit.Progress) {
				if p.Layer == 2 { // the first is done, and the walk to the second
					stop()
				}
			}})
		stop()
		if err != nil && ctx.Err() == nil {
			b.Fatal(err)
		}
		all += processorTime() - begin
		walk += w.spent
	}
	b.ReportMetric(1e6*walk/float64(b.N)/float64(tokens), "walk-us/token")
	b.ReportMetric(1e3*(all-walk)/float64(b.N)/float64(steps), "fit-ms/step")
}

func halved(rows [][]float64) (out [][]float64) {
	for _, row := range rows {
		row = append([]float64(nil), row...)
		clear(row[len(row)/2:])
		out = append(out, row)
	}
	return out
}

// timedWalk adds up the processor time of Advance.
type timedWalk struct {
	retrofit.Walk
	spent float64
}

func (w *timedWalk) Advance(layer int, x []float32) error {
	begin := processorTime()
	defer func() { w.spent += processorTime() - begin }()
	return w.Walk.Advance(layer, x)
}

// benchText is n tokens of PECVT_BENCH_TEXT, or without it any ids.
func benchText(b *testing.B, dir string, vocab, at, n int) []int64 {
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = int64((at + i) * 7919 % vocab)
	}
	file := os.Getenv("PECVT_BENCH_TEXT")
	if file == "" {
		return ids
	}
	text, err := Texts{Files: []string{file}}.Tokens(b.Context(), dir, vocab)
	if err != nil {
		b.Fatal(err)
	}
	if len(text.IDs) < at+n {
		b.Fatalf("%s has %d tokens: %d are needed", file, len(text.IDs), at+n)
	}
	return text.IDs[at : at+n]
}

func processorTime() float64 {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)/1e6
}
