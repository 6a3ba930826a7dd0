package tune

import (
	"context"
	"fmt"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/posenc/hint"
)

// Divide does what has to be done before the layers of a calibration can be fitted apart
// from one another, and counts them: it refuses what [Job.Run] refuses before the work,
// and chooses the planes (Select), which it keeps in the work folder. Layers of the same
// Job are then fitted by [Job.Layers], here or in other processes that see the folder;
// Run finds them there and does the rest.
func (j Job) Divide(ctx context.Context) (layers int, err error) {
	if j.Calibrate == nil {
		return 0, nil
	}
	w, err := j.begin()
	if err != nil {
		return 0, err
	}
	defer w.close()
	defer w.folder.free()
	if err := w.open(ctx); err != nil {
		return 0, err
	}
	if err := w.expect(); err != nil {
		return 0, err
	}
	if w.job.Select != nil {
		if err := w.choose(ctx); err != nil {
			return 0, w.folder.left(err)
		}
	}
	student, err := w.student()
	if err != nil {
		return 0, err
	}
	for i := range student {
		if !w.turns[i].Same(&student[i]) {
			layers++
		}
	}
	return layers, nil
}

// Layers are the layers of a job's calibration, to be fitted one by one.
type Layers struct {
	*retrofit.Layers
	work *work
}

// Layers opens the model and the text for the layers of a job that was divided. The work
// folder is not locked: it is shared with whoever fits other layers of the same job.
func (j Job) Layers(ctx context.Context) (*Layers, error) {
	j, err := j.complete()
	if err != nil {
		return nil, err
	}
	if j.Calibrate == nil {
		return nil, fmt.Errorf("tune: no Calibrate: there are no layers to fit")
	}
	w := &work{job: &j}
	l := &Layers{work: w}
	if err := w.decide(); err != nil {
		return nil, err
	}
	if err := w.read(ctx); err != nil {
		w.close()
		return nil, err
	}
	if j.Select != nil {
		key, _, err := w.selectionKey()
		if err == nil {
			w.result.Selection, err = w.folder.load(key, w.free)
		}
		if err == nil && w.result.Selection == nil {
			err = hint.Errorf("%s: no planes were chosen yet that the layers could be fitted to", w.folder.dir)
		}
		if err != nil {
			w.close()
			return nil, err
		}
	}
	student, err := w.student()
	if err == nil {
		l.Layers, err = retrofit.NewLayers(w.m, w.ckpt, j.Engine.Walk(w.m, w.ckpt), student, w.training, w.calibrateOptions())
	}
	if err != nil {
		w.close()
		return nil, err
	}
	return l, nil
}

// Close closes the model.
func (l *Layers) Close() error {
	l.work.close()
	return nil
}

// student is what the conversion turns by, with the planes that were chosen.
func (w *work) student() ([]retrofit.Turn, error) {
	o := w.job.Options
	o.Tuning = &convert.Tuning{Selection: w.result.Selection}
	plan, err := convert.NewPlan(w.job.Model, o)
	if err != nil {
		return nil, err
	}
	return convert.Students(w.m, plan.Rewrite())
}
