package verify

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// checkLayers refuses what needs all layers.
func (o Options) checkLayers() error {
	for i := 1; i < len(o.Layers); i++ {
		if o.Layers[i-1] >= o.Layers[i] {
			return hint.Errorf(hint.Layers+": layers %d and %d: expected ascending numbers, each once", o.Layers[i-1], o.Layers[i])
		}
	}
	for _, other := range []struct {
		name string
		set  bool
	}{{hint.Against, o.Against != ""}, {hint.Golden, o.Golden != ""}, {hint.Extract, o.Extract != ""}} {
		if other.set {
			return hint.Errorf("%s and %s exclude each other: some layers are another model than all of them", hint.Layers, other.name)
		}
	}
	if o.Runners != nil {
		return errors.New("Options.Runners and Options.Layers exclude each other: the runners were opened on all layers")
	}
	return nil
}

// pickLayers finds the layers that are run, before anything is made.
func (s *session) pickLayers() error {
	if len(s.opts.Layers) == 0 {
		return nil
	}
	if mark := run.Marking(s.info); mark >= 0 && !slices.Contains(s.opts.Layers, mark) {
		with := []int{mark}
		s.warn("layer %d is run too: its cache says which positions were outside of the tables", mark)
		if s.model.Blocks[mark].Shortcut != nil {
			with = append(with, mark+1)
			s.warn("layer %d is run too: the mixture of layer %d joins the stream after it", mark+1, mark)
		}
		s.opts.Layers = slices.Compact(slices.Sorted(slices.Values(append(with, s.opts.Layers...))))
	}
	var err error
	if s.kept, err = run.PickLayers(s.model, s.opts.Layers); err != nil {
		return hint.Errorf("%s: "+hint.Layers+": %w", s.dir, err)
	}
	s.report.Layers, s.report.Of = s.opts.Layers, len(s.model.Blocks)
	return s.fetchWeights()
}

// read is the model whose numbers are looked at: the whole one, or that of the layers
// that are run.
func (s *session) read() *family.Model {
	if s.kept != nil {
		return s.kept
	}
	return s.loaded
}

// joints compares what goes from layer to layer in the whole graph, before most of it is
// left out.
func (s *session) joints() {
	c := report.Check{Name: report.CheckLayers, Runner: run.InterpName, Against: "config.json", Verdict: report.Incomplete,
		Detail: fmt.Sprintf("layers %s of %d are run, with the embedding and the head; of the others only what stands in the graph was looked at (nodes, attributes, tables, where weights lie), and no sums of files were compared", run.Numbers(s.opts.Layers), len(s.model.Blocks))}
	if wrong := run.Joints(s.info, s.model); wrong != "" {
		c.Verdict, c.Detail = report.Fail, wrong
	}
	s.add(c)
}

// keepLayers leaves out the layers that are not asked for, in graph and model.
func (s *session) keepLayers() error {
	if s.kept == nil || !s.has(NeedRunners) {
		return nil
	}
	cut := s.cut
	if cut == nil {
		cut = run.KeepLayers
	}
	info, err := cut(s.info, s.model, s.kept, s.opts.Layers)
	if err != nil {
		s.add(report.Check{Name: report.CheckLayers, Runner: run.InterpName, Against: "config.json", Verdict: report.Fail, Detail: err.Error()})
		s.unrunnable = true
		return nil
	}
	if s.picked, err = info.Copied("layers"); err != nil {
		return err
	}
	s.info, s.model = info, s.kept
	s.ref = run.NewRef(s.model, s.meant)
	return s.fetchInitializers()
}
