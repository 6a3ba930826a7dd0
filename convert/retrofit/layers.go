package retrofit

import (
	"context"
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
)

// Layers fits the layers of a calibration one by one, into the folder of its options:
// [Calibrate] with the same input finds them there, whoever fitted them, and in whatever
// order. Several processes may fit layers into one folder, each with Layers of its own; of
// two that fit the same one both write the same bytes. Each leaves the residual stream that
// it came to for the others, in the same folder, so that a layer is walked through once
// while all keep pace. It is not safe for concurrent use.
type Layers struct {
	job  *job
	list []int
}

// NewLayers takes what [Calibrate] takes.
func NewLayers(m *family.Model, src family.Source, walk Walk, student []Turn, sequences [][]int64, o CalibrateOptions) (*Layers, error) {
	j, err := newJob(m, src, walk, student, sequences, o.defaults())
	if err != nil {
		return nil, fmt.Errorf("calibrate: %w", err)
	}
	j.shared = true
	l := &Layers{job: j}
	for i := range m.Blocks {
		if !j.source[i].Same(&j.student[i]) {
			l.list = append(l.list, i)
		}
	}
	return l, nil
}

// Count is how many layers are to be fitted.
func (l *Layers) Count() int { return len(l.list) }

// Reached tells of which layer, of those that are counted, the source's residual stream
// is held: going on from there costs least, and what is before it costs all from the
// front. 0 is also where nothing is held.
func (l *Layers) Reached() int {
	n := 0
	for l.job.streams != nil && n+1 < len(l.list) && l.list[n+1] <= l.job.streams.layer {
		n++
	}
	return n
}

// Fit fits layer i of those that are counted, where the folder has it not. Errors: a
// folder with another calibration, a file in it that is not what was written, a disk that
// is full.
func (l *Layers) Fit(ctx context.Context, i int) error {
	report, err := l.job.state.load(l.list[i])
	if err == nil && report == nil {
		_, err = l.job.fit(ctx, l.list[i])
	}
	if err != nil {
		return fmt.Errorf("calibrate: %w", err)
	}
	return nil
}
