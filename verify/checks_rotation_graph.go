package verify

import (
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/interp"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// turnedPart are the queries or keys of a layer on their way through the rotation.
type turnedPart struct {
	layer, heads int
	what         string // "queries" or "keys"
	from, to     string // values of the graph
	attn         *family.Attention
	scale        *family.QueryScale // of queries; nil is none
}

// turner is the part of a graph that turns queries and keys.
type turner struct {
	s        *session
	plan     *run.Plan
	parts    []turnedPart
	unturned string // why there are no parts
	missing  string // the node of a part that is not found by its name
	heads    bool   // all of them
	stride   int    // each position is seen in every stride-th layer
}

// turner finds it.
func (s *session) turner() *turner {
	w := &turner{s: s, plan: run.NewPlan(s.info.Model), heads: true, stride: 1, unturned: "no layer turns by tables of the graph"}
	nodes := map[string]*onnxpb.NodeProto{}
	for _, n := range s.info.Written.Nodes {
		nodes[n.GetName()] = n
	}
	all, one := 0, 0
	for i, a := range s.model.Attentions() {
		attention := nodes[names.Layer(i, names.Attention)]
		if a.Phase != nil {
			w.unturned = "the phase depends on the tokens, not on positions alone"
			continue
		}
		if attention == nil || len(attention.GetInput()) < 2 {
			w.missing = names.Layer(i, names.Attention)
			continue
		}
		for input, side := range []names.Side{names.Q, names.K} {
			if side == names.K && a.KVLayer != nil {
				continue // turned in another layer
			}
			last := names.Layer(i, side.Heads()) + names.Transposed
			if s.info.Cache == names.Latent && a.Latent != nil && side == names.K {
				last = names.Layer(i, family.AtKTurned) + names.Transposed
			} else if a.Latent != nil && side == names.K {
				last = names.Node(names.Layer(i, names.KJoined), "Concat")
			}
			split := nodes[last]
			if split == nil || len(split.GetOutput()) != 1 {
				w.missing = last
				continue
			}
			p := turnedPart{i, a.Heads, "queries", split.GetOutput()[0], w.before(attention.GetInput()[input], i, side, a), a, a.QueryScale}
			if side == names.K {
				p.heads, p.what = a.KVHeads, "keys"
			}
			if side == names.K || weightedAfter(a) {
				p.scale = nil // what comes after a norm is left out with it
			}
			if s.info.Cache == names.Latent && a.Latent != nil {
				p = p.absorbed(nodes[names.Layer(i, names.QSplit)])
			}
			w.parts = append(w.parts, p)
			all += p.heads * a.QKDim
			one += a.QKDim
			if a.Spectra != nil {
				one += (p.heads - 1) * a.QKDim
			}
		}
	}
	if n := s.info.MaxLength; n*all > rotationNumbers {
		w.heads = false
		w.stride = min(len(s.model.Blocks), (n*one+rotationNumbers-1)/rotationNumbers)
	}
	return w
}

// absorbed is the part where the graph caches latents: products with the weights of
// keys stand between the turned queries, which split takes apart, and the scores, and
// keys are their slice.
func (p turnedPart) absorbed(split *onnxpb.NodeProto) turnedPart {
	side := names.Q
	if p.what == "keys" {
		side = names.K
		alone := *p.attn
		alone.QKDim, alone.Rotary.HeadDim, alone.KVHeads = alone.Latent.Turned, alone.Latent.Turned, 1
		if alone.Spectra != nil {
			alone.Spectra = p.attn.Absorbed().Spectra
		}
		p.attn, p.heads = &alone, 1
	}
	p.to = p.from
	if p.attn.Rotary.Dim > 0 {
		p.to = names.Layer(p.layer, side.Heads()) + names.Rotation + "_output_0"
	}
	if side == names.Q && split != nil && len(split.GetInput()) > 0 {
		p.to = split.GetInput()[0]
	}
	return p
}

// before walks from what attention takes back past what comes after the rotation:
// coordinates of a bias, and a norm.
func (w *turner) before(value string, layer int, side names.Side, a *family.Attention) string {
	for {
		i, ok := w.plan.Maker[value]
		if !ok {
			return value
		}
		n := w.plan.Nodes[i]
		if one := w.s.info.Written.Groups[n.GetName()]; one != nil {
			n = one
		}
		in := n.GetInput()
		switch name := n.GetName(); {
		case name == names.Layer(layer, side.Heads())+names.Widened && len(in) > 0:
			value = in[len(in)-1]
		case weightedAfter(a) && name == names.Node(names.Layer(layer, side.Scaled()), "Mul") && len(in) > 0:
			value = in[0]
		case name == names.Layer(layer, names.QueriesWithSinks), name == names.Layer(layer, names.QueriesPadded), name == names.Layer(layer, names.KeysPadded):
			value = in[0]
		case name == names.Layer(layer, names.KeysBesideSinks) && len(in) > 2:
			value = in[2]
		case name == names.Layer(layer, names.KeysGrown) && len(in) > 1:
			value = in[1]
		case a.NormAfter && name == names.Node(names.Layer(layer, side.Norm()), n.GetOpType()) && len(in) > 0:
			value = in[0]
		default:
			return value
		}
	}
}

// size is how many heads of a part are turned.
func (w *turner) size(p turnedPart) int {
	if w.heads || p.attn.Spectra != nil {
		return p.heads
	}
	return 1
}

// run turns and compares.
func (w *turner) run(c *report.Check) error {
	length := w.s.info.MaxLength
	programs := make([]*interp.Program, w.stride)
	for i := range programs {
		p, err := w.program(i)
		if err != nil {
			return err
		}
		if p != nil {
			defer p.Close()
		}
		programs[i] = p
	}
	worst, off := turnedEntry{}, map[int]bool{}
	var want turnedRows
	for k, from := 0, 0; from < length; k, from = k+1, from+rotationChunk {
		group := k % w.stride
		n := min(rotationChunk, length-from)
		feeds := w.feeds(group, from, n)
		out, err := w.turn(programs[group], feeds)
		if err != nil {
			return fmt.Errorf("positions %d to %d: %w", from, from+n-1, err)
		}
		for _, p := range w.parts {
			if p.layer%w.stride != group {
				continue
			}
			got := out[p.to]
			if p.from == p.to { // nothing is between
				got = feeds[p.from]
			}
			if got == nil || got.Kind != interp.Float || len(got.F) != w.size(p)*n*p.attn.QKDim {
				return fmt.Errorf("layer %d: the turned %s are %v: expected %d heads of %d positions", p.layer, p.what, got, w.size(p), n)
			}
			limit := 2*tableLimit(p.attn.Rotary) + report.RoundedLimit
			c.Limit = max(c.Limit, report.Number(limit))
			want.compare(p, w.size(p), got.F, from, n, limit, &worst, off)
		}
	}
	c.Positions = length
	c.MaxAbs, c.MaxRel = report.Number(worst.off), report.Number(worst.off)
	if len(off) > 0 {
		c.Verdict = report.Fail
		c.Detail = fmt.Sprintf("layer %d: %s of position %d do not turn as config.json's encoding does: coordinate %d is %.9g, expected %.9g; %d of %d positions are off",
			worst.part.layer, worst.part.what, worst.position, worst.coordinate, worst.got, worst.want, len(off), length)
	} else if w.stride > 1 {
		c.Detail = fmt.Sprintf("each position in every %dth layer", w.stride)
	}
	return nil
}

// turn runs a group's program with what it takes of the inputs.
func (w *turner) turn(p *interp.Program, inputs map[string]*interp.Array) (map[string]*interp.Array, error) {
	if p == nil {
		return nil, nil
	}
	feeds := map[string]*interp.Array{}
	for _, name := range p.Inputs() {
		if inputs[name] != nil {
			feeds[name] = inputs[name]
		}
	}
	return p.RunWith(w.s.ctx, feeds, interp.Options{})
}

// program is the part of the graph that turns, for the layers of a group: what
// projections hand on becomes an input. It is nil where no layer of them turns.
func (w *turner) program(group int) (*interp.Program, error) {
	from := w.s.info.Model
	g := &onnxpb.GraphProto{Name: report.CheckRotation}
	entry, need, read := map[string]bool{}, map[int]bool{}, map[string]bool{}
	var visit func(value string)
	visit = func(value string) {
		i, ok := w.plan.Maker[value]
		if entry[value] || !ok {
			read[value] = true
			return
		}
		if need[i] {
			return
		}
		need[i] = true
		for _, in := range w.plan.Nodes[i].GetInput() {
			visit(in)
		}
	}
	for _, p := range w.parts {
		entry[p.from] = entry[p.from] || p.layer%w.stride == group
	}
	out := map[string]bool{}
	for _, p := range w.parts {
		if p.layer%w.stride != group || p.from == p.to || out[p.to] {
			continue
		}
		visit(p.to)
		out[p.to] = true
		g.Output = append(g.Output, &onnxpb.ValueInfoProto{Name: p.to})
	}
	if len(g.Output) == 0 {
		return nil, nil
	}
	for i, n := range w.plan.Nodes {
		if need[i] {
			g.Node = append(g.Node, n)
		}
	}
	for _, p := range w.parts {
		if read[p.from] && entry[p.from] {
			g.Input = append(g.Input, &onnxpb.ValueInfoProto{Name: p.from})
			entry[p.from] = false // once
		}
	}
	for _, in := range from.GetGraph().GetInput() {
		if read[in.GetName()] {
			g.Input = append(g.Input, in)
		}
	}
	for _, t := range from.GetGraph().GetInitializer() {
		if read[t.GetName()] {
			g.Initializer = append(g.Initializer, t)
		}
	}
	return interp.Load(&onnxpb.ModelProto{IrVersion: from.IrVersion, OpsetImport: from.OpsetImport, Functions: from.Functions, Graph: g}, w.s.info.Dir())
}

// feeds are the inputs for n positions.
func (w *turner) feeds(group, from, n int) map[string]*interp.Array {
	made := map[string]*interp.Array{}
	shared := map[[2]int]*interp.Array{}
	for _, p := range w.parts {
		if p.layer%w.stride != group {
			continue
		}
		key := [2]int{w.size(p), p.attn.QKDim}
		if shared[key] == nil {
			vector := make([]float64, key[1])
			for i := range vector {
				vector[i] = turnedNumber(i)
			}
			x := slices.Repeat(vector, key[0]*n)
			shared[key] = interp.Floats(x, 1, key[0], n, key[1])
		}
		made[p.from] = shared[key]
	}
	positions, zeros, ones := make([]int64, n), make([]int64, n), make([]int64, n)
	for i := range positions {
		positions[i], ones[i] = int64(from+i), 1
	}
	made[names.PositionIDs] = interp.Ints(positions, 1, n)
	made["input_ids"] = interp.Ints(zeros, 1, n)
	made["attention_mask"] = interp.Ints(ones, 1, n)
	for _, c := range w.s.info.Caches {
		shape := run.Dims(c.Dims)
		shape[0] = 1
		count := int(run.Elements(c.Dims[1:]))
		made[c.Past] = interp.Floats(make([]float64, count), shape...)
	}
	return made
}
