package verify

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// longestWindowedPrompt is the longest window that a longer generated prompt
// shows; past it a synthetic past does.
const longestWindowedPrompt = 512

// windows returns the sizes of the model's sliding windows, rising.
func (s *session) windows() []int {
	var list []int
	for _, a := range s.model.Attentions() {
		if a.Window > 0 {
			list = append(list, a.Window)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// spans returns the sizes of the model's sliding windows and chunks, rising: how many
// tokens a prompt needs to be longer than some layer sees.
func (s *session) spans() []int {
	list := s.windows()
	for _, a := range s.model.Attentions() {
		if a.Chunk > 0 {
			list = append(list, a.Chunk)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// window: a few tokens after a synthetic past longer than the sliding windows
// that the prompt does not fill. A window that the graph's positions cannot
// fill hides nothing, and needs no check.
func (s *session) window() error {
	ids := s.ids
	size, why := 0, ""
	n := min(4, len(ids[0]))
	for _, w := range s.spans() {
		if w < len(ids[0]) || w >= s.info.MaxLength {
			continue
		}
		if _, reason := s.syntheticPast(min(w+8, s.info.MaxLength-n)); reason != "" {
			why = reason
			s.warn("window %d not exercised: %s", w, reason)
			continue
		}
		size = w
	}
	if size == 0 {
		if why != "" {
			for _, r := range s.others {
				s.skip(report.CheckWindow, r, why)
			}
		}
		return nil
	}
	p, _ := s.syntheticPast(min(size+8, s.info.MaxLength-n))
	return s.afterPast(report.CheckWindow, p, ids[0][:n])
}

// afterPast makes a check of tokens that follow a synthetic past.
func (s *session) afterPast(check string, p *run.Past, ids []int64) error {
	ask := func(r run.Runner) (*report.Logits, error) { return p.Run(s.ctx, r, ids) }
	s.step("ref: %s of %d", check, p.Length())
	logits, err := ask(s.ref)
	if err != nil {
		return err
	}
	for _, r := range s.others {
		if !run.TakesPast(r) {
			s.skip(check, r, noPast(r))
			continue
		}
		if err := s.compare(check, r, want{logits: logits, from: run.RefName}, r.Arithmetic().Limit(), ask); err != nil {
			return err
		}
	}
	return nil
}

// longPast: a model without a window sees every key, however far back. A mask
// that hides keys beyond the prompt's length shows nowhere else: the prompt's
// keys are all near, and far positions are reached without keys between.
func (s *session) longPast() error {
	ids := s.ids
	n := min(4, len(ids[0]))
	perPosition := 0
	for _, a := range s.model.Attentions() {
		perPosition += 8 * a.CachedHeads() * (a.QKDim + a.VDim)
	}
	size := min(longPastLength, longPastBytes/perPosition, s.info.MaxLength-n)
	if size <= len(ids[0]) {
		return nil
	}
	p, why := s.syntheticPast(size)
	if p == nil {
		for _, r := range s.others {
			s.skip(report.CheckLongPast, r, why)
		}
		return nil
	}
	return s.afterPast(report.CheckLongPast, p, ids[0][:n])
}

const (
	// longPastLength is how far back longPast looks, longPastBytes the memory that
	// it spends on it.
	longPastLength = 4096
	longPastBytes  = 64 << 20
)

// windowSizes compares the window that the graph has in each layer with
// config.json's, however long they are. Nothing is recorded where neither has
// any.
func (s *session) windowSizes() {
	nodes := map[string]*onnxpb.NodeProto{}
	for _, n := range s.info.Written.Nodes {
		nodes[n.GetName()] = n
	}
	c := report.Check{Name: report.CheckWindowSize, Runner: run.InterpName, Against: "config.json", Verdict: report.Pass}
	any := false
	for i, a := range s.model.Attentions() {
		want := seen{a.Window, a.Chunk}
		got, found := s.graphWindow(nodes, i)
		any = any || want != seen{} || got != seen{}
		switch {
		case !found && c.Verdict == report.Pass:
			c.Verdict, c.Detail = report.Incomplete, unnamed(names.Layer(i, names.Attention)+", or its mask's")
		case found && got != want && c.Verdict != report.Fail:
			c.Verdict, c.Detail = report.Fail, fmt.Sprintf("layer %d: the graph has %s, config.json %s", i, got, want)
		}
	}
	if any {
		s.add(c)
	}
}

// seen is what bounds the keys that a layer sees, 0 for nothing.
type seen struct{ window, chunk int }

func (s seen) String() string {
	if s.chunk > 0 {
		return fmt.Sprintf("chunks of %d", s.chunk)
	}
	return run.WindowText(s.window)
}

// graphWindow finds what a layer sees in the graph.
func (s *session) graphWindow(nodes map[string]*onnxpb.NodeProto, layer int) (size seen, found bool) {
	if n := nodes[names.Layer(layer, names.GroupQueryAttention)]; n != nil {
		for _, a := range n.GetAttribute() {
			if a.GetName() == "local_window_size" {
				return seen{window: max(int(a.GetI()), 0)}, true
			}
		}
		return seen{}, true
	}
	n := nodes[names.Layer(layer, names.Attention)]
	if n.GetDomain() == pecvtDomain { // which takes the window's size
		size.window, found = s.number(n, 6)
		return size, found
	}
	if n == nil || len(n.GetInput()) < 4 {
		return seen{}, false
	}
	mask := n.GetInput()[3]
	if before, sinks := strings.CutSuffix(mask, names.BesideSinks+"_output_0"); sinks {
		mask = before
	}
	if sum := nodes[names.Layer(layer, names.BiasMasked)]; sum != nil && slices.Contains(sum.GetOutput(), mask) {
		mask = sum.GetInput()[0]
	}
	// the name says a number, the node has one
	if chunk, _, ok := names.ChunkOf(mask); ok {
		size.chunk, found = s.number(nodes[names.MaskOfChunk(chunk)+names.MaskKeyChunk], 1)
		return size, found
	}
	window, _, ok := names.WindowOf(mask)
	if !ok || window == 0 {
		return seen{}, ok
	}
	size.window, found = s.number(nodes[names.MaskOf(window)+names.MaskFirst], 1)
	return size, found
}

// number is the constant that a node takes at an input.
func (s *session) number(n *onnxpb.NodeProto, input int) (int, bool) {
	if n == nil || len(n.GetInput()) <= input {
		return 0, false
	}
	for _, t := range s.info.Model.GetGraph().GetInitializer() {
		if t.GetName() != n.GetInput()[input] {
			continue
		}
		if raw := t.GetRawData(); len(raw) == 8 {
			return int(binary.LittleEndian.Uint64(raw)), true
		}
		if v := t.GetInt64Data(); len(v) == 1 {
			return int(v[0]), true
		}
	}
	return 0, false
}

// syntheticPast is a past of n positions, or says why there is none.
func (s *session) syntheticPast(n int) (*run.Past, string) {
	if s.synthetic != nil && s.synthetic.Length() == n {
		return s.synthetic, ""
	}
	p, why := run.NewPast(s.model, s.info, s.opts.Seed, n)
	if p != nil {
		s.synthetic = p
	}
	return p, why
}

// pastFor is a past that a runner goes on from, or says why there is none.
func (s *session) pastFor(r run.Runner, n int) (*run.Past, string) {
	if n > 0 && !run.TakesPast(r) {
		return nil, noPast(r)
	}
	return s.syntheticPast(n)
}

func noPast(r run.Runner) string { return r.Name() + " takes no past that it did not compute" }
