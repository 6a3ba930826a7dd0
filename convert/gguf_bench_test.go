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
//	PECVT_BENCH_LARGE=1 go test -run '^$' -bench GGUFAgainstCp -benchtime 5x ./convert
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
		begin := time.Now()
		if err := exec.Command("cp", source, copied).Run(); err != nil {
			b.Fatal(err)
		}
		cp := time.Since(begin).Seconds()
		begin = time.Now()
		how = convertTo(source, convert.Options{To: "hope", Output: out}).Files[0].How
		ours = append(ours, time.Since(begin).Seconds())
		ratios = append(ratios, ours[len(ours)-1]/cp)
		for _, path := range []string{out, copied} {
			if err := os.Remove(path); err != nil {
				b.Fatal(err)
			}
		}
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
