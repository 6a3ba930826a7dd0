package verify

import (
	"fmt"
	"time"

	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

const (
	// rotationChunk is how many positions are turned at a time.
	rotationChunk = 512
	// rotationNumbers bounds the numbers that the check turns with all heads of
	// every layer; past it one head of each is turned, and past it again not every
	// layer at every position.
	rotationNumbers = 1 << 27
)

// rotation turns made-up queries and keys by the graph itself, from what its
// projections hand on to what its attention takes, at every position that the
// tables hold, in every layer, and compares each number with the encoding of
// config.json. The tables may be right and a position read another row all the
// same, and prompts stand at few positions.
func (s *session) rotation() error {
	begin := time.Now()
	c := report.Check{Name: report.CheckRotation, Runner: run.InterpName, Against: "config.json", Verdict: report.Pass}
	if fused, found := s.fusedTables(); fused > 0 {
		c.Positions = s.info.MaxLength
		if found != "" {
			c.Verdict, c.Detail = report.Fail, found
			c.Blame = "the emission is wrong, or the graph was changed after it: emit it again with pecvt export"
		}
		s.add(c)
		return nil
	}
	w := s.turner()
	if w.missing != "" {
		c.Verdict, c.Detail = report.Incomplete, unnamed(w.missing)
		s.add(c)
		return nil
	}
	if why := w.unturned; len(w.parts) == 0 {
		c.Verdict, c.Detail = report.Skipped, why
		s.add(c)
		return nil
	}
	s.step("interp: the rotation at every position")
	err := w.run(&c)
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	if err != nil {
		c.Verdict, c.Detail = report.Fail, run.Reason(run.InterpName, err)
	}
	if c.Verdict == report.Fail {
		c.Blame = "the tables may be right, and what looks up in them is not: emit the graph again with pecvt export"
	}
	c.Seconds = report.Number(time.Since(begin).Seconds())
	s.add(c)
	return nil
}

// fusedTables counts the nodes GroupQueryAttention, and tells of the first whose
// tables are not the encoding's in every row, "" where all are: such a node turns
// by itself, and looks its positions up in what it is given.
func (s *session) fusedTables() (nodes int, wrong string) {
	stored := map[string]*onnxpb.TensorProto{}
	for _, t := range s.info.Model.GetGraph().GetInitializer() {
		stored[t.GetName()] = t
	}
	for _, n := range s.info.Model.GetGraph().GetNode() {
		if n.GetOpType() != "GroupQueryAttention" {
			continue
		}
		nodes++
		layer, place := names.Split(n.GetName())
		if place != names.GroupQueryAttention || layer < 0 || layer >= len(s.model.Blocks) || s.model.Blocks[layer].Attn() == nil {
			return nodes, fmt.Sprintf("%s: expected the name of a layer of the model", n.GetName())
		}
		in := n.GetInput()
		if len(in) < 9 || stored[in[7]] == nil || stored[in[8]] == nil {
			return nodes, fmt.Sprintf("layer %d: %s does not read cos and sin from tables of the graph", layer, n.GetName())
		}
		r := s.model.Blocks[layer].Attn().Rotary
		worst, err := compareTables(r, s.info.MaxLength, stored[in[7]], stored[in[8]])
		switch {
		case err != nil:
			return nodes, fmt.Sprintf("layer %d: %v", layer, err)
		case worst.off > 0 && !(worst.off <= tableLimit(r)):
			return nodes, fmt.Sprintf("layer %d: the %s of position %d, plane %d is %.9g: expected %.9g", layer, worst.table, worst.row, worst.plane, worst.got, worst.want)
		}
	}
	return nodes, ""
}
