package convert

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/posenc/hint"
)

// Tuning is what a selection of planes and a calibration bring into a
// conversion, as the manifest keeps it.
type Tuning struct {
	// Texts are what was measured on.
	Texts []Text `json:"texts,omitempty"`
	// BOS is the token before every sequence of them, nil where there was none.
	BOS *int64 `json:"bos,omitempty"`
	// Copies is the share of strings that stand twice in what the calibration
	// read.
	Copies      float64               `json:"copies,omitempty"`
	Selection   *retrofit.Selection   `json:"selection,omitempty"`
	Calibration *retrofit.Calibration `json:"calibration,omitempty"`
	// Measured is the result against the source on tokens that neither costs nor
	// calibration read; nil where nobody measured.
	Measured *retrofit.Measured `json:"measured,omitempty"`
	// MeasuredLength is the positions of each sequence it was measured on.
	MeasuredLength int `json:"measured_length,omitempty"`
	// MeasuredBy is the runner that measured: "ort-cpu", "ort-cuda" or "ref".
	MeasuredBy string `json:"measured_by,omitempty"`
	// Reached is what the result makes of a text as long as Options.Extend asks for,
	// of tokens that no fit read; nil where nobody measured.
	Reached *retrofit.Reached `json:"reached,omitempty"`
	// Budget is what the result was held against, empty for nothing; OverBudget
	// marks one that is over it and was written all the same.
	Budget     string `json:"budget,omitempty"`
	OverBudget bool   `json:"over_budget,omitempty"`
}

// Text names a text and what it served for.
type Text struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	// Tokens from First on were read.
	First  int    `json:"first"`
	Tokens int    `json:"tokens"`
	Use    string `json:"use"` // "costs", "measure", "reach" or "calibrate"
}

// spectra are those of the selection, or the options' where there is none.
func (r *Tuning) spectra(m *family.Model, o Options) ([][][]float64, error) {
	if r == nil || r.Selection == nil {
		return o.Spectra, nil
	}
	if !r.Selection.Bound() {
		turns, err := ScaledTurns(m, o.Rewrite())
		if err != nil {
			return nil, err
		}
		if err := r.Selection.Bind(turns); err != nil {
			return nil, err
		}
	}
	return r.Selection.Spectra(), nil
}

// ScaledTurns returns how each layer of a model places positions before any plane is
// dropped: as in the model itself, or by o.Scale. It is what a selection chooses from.
func ScaledTurns(m *family.Model, o rewrite.Options) ([]retrofit.Turn, error) {
	turns, err := retrofit.Turns(m)
	if err != nil || o.Scale.Kind == "" {
		return turns, err
	}
	scaled, err := rewrite.Scaled(m, o)
	if err != nil {
		return nil, err
	}
	return retrofit.With(turns, scaled, nil)
}

// Students returns how each layer of the result places positions: what a
// calibration fits to.
func Students(m *family.Model, r *rewrite.Rewrite) ([]retrofit.Turn, error) {
	turns, err := students(m, r)
	if err != nil || r.QueryScale == nil {
		return turns, err
	}
	for l, a := range m.Attentions() {
		if a.Scalable() {
			turns[l].QueryScale = r.QueryScale
		}
	}
	return turns, nil
}

// students are those before queries are scaled.
func students(m *family.Model, r *rewrite.Rewrite) ([]retrofit.Turn, error) {
	if s := r.Options.Spectra; s != nil {
		turns, err := ScaledTurns(m, r.Options)
		if err != nil {
			return nil, err
		}
		for l, a := range m.Attentions() {
			if a.Rotary.Dim > 0 {
				turns[l].InvFreq = s[l]
			}
		}
		return turns, nil
	}
	turns, err := retrofit.Turns(m)
	if err != nil {
		return nil, err
	}
	if len(r.After.InvFreq) > 0 {
		return retrofit.With(turns, r.After, r.Slopes)
	}
	for l := range turns {
		if r.Slopes != nil {
			turns[l].Slopes = r.Slopes
		}
	}
	return turns, nil
}

// overlay holds tensors that replace the source's of the same name.
type overlay struct {
	files  []*safetensors.File
	tensor map[string]*safetensors.File
}

// openOverlay opens what a calibration wrote and checks that it fits the
// source, and the rewrite where that is given. Without a calibration it is
// empty.
func openOverlay(r *Tuning, src store.Store, m *family.Model, made *rewrite.Rewrite) (_ *overlay, err error) {
	o := &overlay{tensor: map[string]*safetensors.File{}}
	if r == nil || r.Calibration == nil {
		return o, nil
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("calibration: %w", err), o.Close())
		}
	}()
	if made != nil {
		students, err := Students(m, made)
		if err != nil {
			return o, err
		}
		if retrofit.Hash(students) != r.Calibration.Target {
			return o, hint.Errorf("it was made for another rotation than "+hint.To+" %s gives: calibrate for this one", made.To)
		}
	}
	for _, path := range r.Calibration.Files {
		f, err := safetensors.Open(path)
		if err != nil {
			return o, err
		}
		o.files = append(o.files, f)
		for _, info := range f.Tensors() {
			own, ok := src.Lookup(info.Name)
			if !ok || own.DType != info.DType || !slices.Equal(own.Shape, info.Shape) {
				return o, fmt.Errorf("%s: tensor %q is %s %v, the source has %s %v: it belongs to another model", path, info.Name, info.DType, info.Shape, own.DType, own.Shape)
			}
			o.tensor[info.Name] = f
		}
	}
	return o, nil
}

// Close closes the files.
func (o *overlay) Close() error {
	var list []error
	for _, f := range o.files {
		list = append(list, f.Close())
	}
	o.files = nil
	return errors.Join(list...)
}

// names lists the tensors.
func (o *overlay) names() map[string]bool {
	list := map[string]bool{}
	for name := range o.tensor {
		list[name] = true
	}
	return list
}

// section reads a tensor's bytes: the calibrated ones before the source's, whose
// type and shape they share.
func (w *run) section(name string) (store.Info, *io.SectionReader, error) {
	info, ok := w.src.Lookup(name)
	if !ok {
		return info, nil, store.Missing(w.src, name)
	}
	var r *io.SectionReader
	var err error
	if f := w.replaced.tensor[name]; f != nil {
		r, err = f.Section(name)
	} else {
		r, err = w.src.Section(name)
	}
	return info, r, err
}
