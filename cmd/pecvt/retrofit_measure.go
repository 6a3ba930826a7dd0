package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/verify/eval"
)

// rememberBytes is how much of the source's logits a series of measurements
// keeps on disk.
const rememberBytes = 4 << 30

// measurer runs candidates against the source on one set of sequences. A
// candidate is converted into a temporary folder, whose tensor files are links
// where they do not change, and is gone when it is measured.
type measurer struct {
	model     string
	options   convert.Options
	sequences [][]int64
	eval      eval.Options
	progress  func(text string)

	dir    string // temporary; holds the candidates and their graphs
	source *eval.Model
	done   int
}

// newMeasurer makes the temporary folder in base, "" is the system's. A series
// is more than one measurement, for which the source's logits are kept there.
func newMeasurer(ctx context.Context, model string, o convert.Options, f *textFlags, sequences [][]int64, base string, series bool, progress func(string)) (*measurer, error) {
	dir, err := os.MkdirTemp(base, ".pecvt-measure-*")
	if err != nil {
		return nil, fmt.Errorf("measure: temporary folder: %w", err)
	}
	o.Hash, o.Copy = false, false
	m := &measurer{model: model, options: o, sequences: sequences, progress: progress, dir: dir,
		eval: eval.Options{Runner: f.runner, ORTLibrary: f.ortLibrary, Provider: f.provider, Length: len(sequences[0]), TempDir: dir, Version: toolVersion()}}
	own := m.eval
	if series {
		own.Remember = rememberBytes
	}
	// Opened at once: a runtime that is missing is known before any work.
	if m.source, err = eval.Open(ctx, model, own); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// notes say what measures where that is not what could be expected.
func (m *measurer) notes() []string {
	if m.source.Note == "" {
		return nil
	}
	return []string{"measured with the reference: " + m.source.Note}
}

// close removes everything.
func (m *measurer) close() {
	if m.source != nil {
		m.source.Close()
	}
	os.RemoveAll(m.dir)
}

// of measures what the conversion becomes with r.
func (m *measurer) of(ctx context.Context, r *convert.Retrofit) (retrofit.Measured, error) {
	o := m.options
	o.Retrofit = r
	return m.convert(ctx, o)
}

func (m *measurer) convert(ctx context.Context, o convert.Options) (_ retrofit.Measured, err error) {
	m.done++
	o.Output = filepath.Join(m.dir, fmt.Sprintf("candidate-%d", m.done))
	plan, err := convert.NewPlan(m.model, o)
	if err != nil {
		return retrofit.Measured{}, err
	}
	if _, err := convert.Run(ctx, plan, convert.RunOptions{}); err != nil {
		return retrofit.Measured{}, err
	}
	defer os.RemoveAll(o.Output)
	candidate, err := eval.Open(ctx, o.Output, m.eval)
	if err != nil {
		return retrofit.Measured{}, err
	}
	defer candidate.Close()
	begin := time.Now()
	r, err := candidate.Score(ctx, m.sequences, eval.ScoreOptions{Source: m.source, Progress: func(done, total int) {
		left := time.Duration(float64(time.Since(begin)) / float64(done) * float64(total-done))
		m.progress(fmt.Sprintf("measurement %d, %d%%, about %s left of it", m.done, 100*done/total, left.Round(time.Second)))
	}})
	if err != nil {
		return retrofit.Measured{}, err
	}
	return retrofit.Measured{PPL: sixDigits(float64(r.PPL)), SourcePPL: sixDigits(float64(r.PPL) / float64(r.Ratio)), KL: sixDigits(float64(r.KL))}, nil
}

// sixDigits rounds a figure that goes into a manifest to what float32
// arithmetic can tell.
func sixDigits(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return x
	}
	y, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 6, 64), 64)
	if err != nil {
		return x
	}
	return y
}

// besides is a folder for temporary files that can hold links to a checkpoint's
// files: the system's where that shares their file system, else the one that the
// model's folder is in where that can be written to.
func besides(ckpt *safetensors.Checkpoint) string {
	beside := filepath.Dir(absolute(ckpt.Dir))
	for _, base := range []string{"", beside} {
		dir, err := os.MkdirTemp(base, ".pecvt-measure-*")
		if err != nil {
			continue
		}
		err = os.Link(ckpt.Files[0].Path, filepath.Join(dir, "link"))
		os.RemoveAll(dir)
		if err == nil {
			return base
		}
	}
	return ""
}

func absolute(path string) string {
	if a, err := filepath.Abs(path); err == nil {
		return a
	}
	return path
}

// folderFor is the nearest folder above path that exists.
func folderFor(path string) string {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if st, err := os.Stat(dir); err == nil && st.IsDir() || dir == filepath.Dir(dir) {
			return dir
		}
	}
}
