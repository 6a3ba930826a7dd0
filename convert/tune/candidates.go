package tune

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/convert/store"
)

// candidates measures what conversions of one model become. Each is written into
// a temporary folder, its tensor files links where they do not change, and is
// gone when it is measured.
type candidates struct {
	model    string
	options  convert.Options
	progress func(retrofit.Progress)

	own   *fsio.Temporary // holds the candidates and what the meter makes
	meter Meter
	done  int
}

// newCandidates makes the temporary folder in base, "" is the system's.
func newCandidates(ctx context.Context, e Engine, model string, o convert.Options, sequences [][]int64, longest int, series bool, base string, progress func(retrofit.Progress)) (*candidates, error) {
	own, err := fsio.NewTemporary(base, "measure")
	if err != nil {
		return nil, fmt.Errorf("measure: temporary folder: %w", err)
	}
	o.Hash, o.Copy, o.Link = false, false, true // none outlives its measurement
	c := &candidates{model: model, options: o, progress: progress, own: own}
	if c.meter, err = e.Meter(ctx, model, MeterOptions{Sequences: sequences, Longest: longest, Series: series, Folder: own.Dir}); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// close removes everything.
func (c *candidates) close() {
	if c.meter != nil {
		c.meter.Close()
	}
	c.own.Remove()
}

// with measures what the conversion becomes with r.
func (c *candidates) with(ctx context.Context, r *convert.Tuning) (retrofit.Measured, error) {
	o := c.options
	o.Tuning = r
	return c.measure(ctx, o)
}

func (c *candidates) measure(ctx context.Context, o convert.Options) (retrofit.Measured, error) {
	var m retrofit.Measured
	err := c.made(ctx, o, func(dir string, progress func(done, total int)) (err error) {
		m, err = c.meter.Measure(ctx, dir, progress)
		return err
	})
	return retrofit.Measured{PPL: sixDigits(m.PPL), SourcePPL: sixDigits(m.SourcePPL), KL: sixDigits(m.KL)}, err
}

// made makes a candidate for as long as it is measured.
func (c *candidates) made(ctx context.Context, o convert.Options, measure func(dir string, progress func(done, total int)) error) error {
	c.done++
	o.Output = filepath.Join(c.own.Dir, fmt.Sprintf("candidate-%d", c.done))
	plan, err := convert.NewPlan(c.model, o)
	if err != nil {
		return err
	}
	if _, err := convert.Run(ctx, plan, convert.RunOptions{}); err != nil {
		return err
	}
	defer os.RemoveAll(o.Output)
	begin := time.Now()
	return measure(o.Output, func(done, total int) {
		if c.progress != nil && done > 0 {
			left := time.Since(begin).Seconds() / float64(done) * float64(total-done)
			c.progress(retrofit.Progress{Stage: StageScore, Layer: c.done, Step: done, Steps: total, Seconds: left})
		}
	})
}

// reach measures what the conversion becomes with r on a text longer than the source
// was trained at.
func (c *candidates) reach(ctx context.Context, r *convert.Tuning, whole []int64, pieces [][]int64) (retrofit.Reached, error) {
	o := c.options
	o.Tuning = r
	var m retrofit.Reached
	err := c.made(ctx, o, func(dir string, progress func(done, total int)) (err error) {
		m, err = c.meter.Reach(ctx, dir, whole, pieces, progress)
		return err
	})
	m.PPL, m.SourcePPL = sixDigits(m.PPL), sixDigits(m.SourcePPL)
	for i := range m.Bands {
		b := &m.Bands[i]
		b.PPL, b.SourcePPL, b.OfSource = sixDigits(b.PPL), sixDigits(b.SourcePPL), sixDigits(b.OfSource)
	}
	return m, err
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
func besides(ckpt store.Store) string {
	files := ckpt.Files()
	if len(files) == 0 {
		return ""
	}
	return fsio.Beside(files[0].Path, "", filepath.Dir(fsio.Absolute(ckpt.Root())))
}

// folderAbove is the nearest folder above path that exists.
func folderAbove(path string) string {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if st, err := os.Stat(dir); err == nil && st.IsDir() || dir == filepath.Dir(dir) {
			return dir
		}
	}
}
