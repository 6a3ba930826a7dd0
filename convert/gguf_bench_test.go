package convert_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pecvt/pecvt/convert"
)

// BenchmarkGGUFAgainstCp sets a GGUF file's conversion beside cp of that file: the
// two take turns, and times-cp is the median ratio of their times.
//
//	PECVT_BENCH_LARGE=2 go test -run '^$' -bench GGUFAgainstCp -benchtime 7x ./convert
func BenchmarkGGUFAgainstCp(b *testing.B) {
	dir, _ := benchModel(b)
	work := b.TempDir()
	source, out, copied := filepath.Join(work, "model.gguf"), filepath.Join(work, "out.gguf"), filepath.Join(work, "copied")
	convertTo := func(model string, o convert.Options) *convert.Result {
		p, err := convert.NewPlan(model, o)
		if err != nil {
			b.Fatal(err)
		}
		r, err := convert.Run(context.Background(), p, convert.RunOptions{})
		if err != nil {
			b.Fatal(err)
		}
		return r
	}
	b.SetBytes(convertTo(dir, convert.Options{To: "rope", Output: source}).Files[0].Bytes)
	resetPeak()
	how := ""
	var ours, ratios []float64
	for b.Loop() {
		cp := alone(b, copied, func() error { return exec.Command("cp", source, copied).Run() })
		ours = append(ours, alone(b, out, func() error {
			how = convertTo(source, convert.Options{To: "hope", Output: out}).Files[0].How
			return nil
		}))
		ratios = append(ratios, ours[len(ours)-1]/cp)
	}
	slices.Sort(ours)
	slices.Sort(ratios)
	peak, anonymous := peakMemory(b)
	b.ReportMetric(ours[len(ours)/2], "convert-s")
	b.ReportMetric(ratios[len(ratios)/2], "times-cp")
	b.ReportMetric(peak, "peak-MB")
	b.ReportMetric(anonymous, "anon-MB")
	b.Logf("%s, ratios %.2f", how, ratios)
}

// alone is how many seconds write takes, of which path is the output, with no
// other's pages left to write: where a disk is slower than memory the second of two
// copies in a row waits for the first's, and takes two or three times as long.
func alone(b *testing.B, path string, write func() error) float64 {
	b.Helper()
	if err := exec.Command("sync").Run(); err != nil {
		b.Fatal(err)
	}
	begin := time.Now()
	if err := write(); err != nil {
		b.Fatal(err)
	}
	took := time.Since(begin).Seconds()
	if err := os.RemoveAll(path); err != nil {
		b.Fatal(err)
	}
	return took
}
