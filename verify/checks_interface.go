package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// signature checks that the graph takes and gives what a loop of decoding needs:
// tokens, mask, positions and the past of every layer; logits and, for each past,
// the present that follows it; in their types and shapes. Without it no run means
// anything, so the other checks of the graph's answers are then not made, and
// recorded as skipped.
func (s *session) signature() error {
	c := report.Check{Name: report.CheckInterface, Runner: run.InterpName, Against: "config.json", Verdict: report.Pass}
	bad := s.wrongInputs()
	if len(bad) == 0 {
		bad = s.wrongOutputs()
	}
	if len(bad) == 0 {
		s.add(c)
		return nil
	}
	c.Verdict, c.Detail = report.Fail, strings.Join(bad, "; ")
	s.add(c)
	names := []string{run.InterpName}
	for _, p := range s.opts.providers() {
		names = append(names, s.ortName(p))
	}
	if s.opts.Runners != nil {
		names = nil
		for _, r := range s.opts.Runners {
			names = append(names, r.Name())
		}
	}
	for _, name := range names {
		s.add(report.Check{Name: report.CheckLoad, Runner: name, Verdict: report.Skipped, Detail: "not run: see the check " + report.CheckInterface})
	}
	return nil
}

// wrongInputs tells what is wrong with the graph's inputs. That the pasts are
// of as many layers as the checkpoint has was seen when it was opened.
func (s *session) wrongInputs() (bad []string) {
	inputs := map[string]*onnxpb.ValueInfoProto{}
	stored := map[string]bool{}
	for _, t := range s.info.Model.GetGraph().GetInitializer() {
		stored[t.GetName()] = true
	}
	for _, in := range s.info.Model.GetGraph().GetInput() {
		inputs[in.GetName()] = in
	}
	need := []string{"input_ids", "attention_mask"}
	if s.info.Attention != "ort" {
		need = append(need, names.PositionIDs)
	}
	states := map[string]int{} // their dimensions
	for i := range s.model.Blocks {
		b := &s.model.Blocks[i]
		if a := b.Attn(); a != nil && s.info.Cache == names.Latent && a.Latent != nil {
			need = append(need, names.Past(i, names.Latent))
		} else if a != nil && a.KVLayer == nil {
			need = append(need, names.Past(i, names.Key), names.Past(i, names.Value))
		}
		for _, state := range b.States() {
			need = append(need, names.PastState(i, state.Name))
			states[names.PastState(i, state.Name)] = 1 + len(state.Dims)
		}
	}
	known := map[string]bool{names.InputIDs: true, names.AttentionMask: true, names.PositionIDs: true}
	for _, c := range s.info.Caches {
		known[c.Past] = true
	}
	var others []string
	for name := range inputs {
		if !known[name] && !stored[name] {
			others = append(others, fmt.Sprintf("%q", name))
		}
	}
	slices.Sort(others)
	for _, name := range need {
		in := inputs[name]
		switch {
		case in == nil:
			bad = append(bad, fmt.Sprintf("input %q is missing", name))
		case states[name] > 0:
			bad = append(bad, unlike(in, "input", onnxpb.TensorProto_FLOAT, states[name])...)
		case strings.HasPrefix(name, "past"):
			bad = append(bad, unlike(in, "input", onnxpb.TensorProto_FLOAT, 4)...)
		default:
			bad = append(bad, unlike(in, "input", onnxpb.TensorProto_INT64, 2)...)
		}
	}
	if len(others) > 0 {
		bad = append(bad, "nothing gives the input "+strings.Join(others, ", "))
	}
	return bad
}

// wrongOutputs tells what is wrong with the graph's outputs.
func (s *session) wrongOutputs() (bad []string) {
	outputs := map[string]*onnxpb.ValueInfoProto{}
	for _, out := range s.info.Model.GetGraph().GetOutput() {
		outputs[out.GetName()] = out
	}
	known := map[string]bool{names.Logits: true}
	if out := outputs[names.Logits]; out == nil {
		bad = append(bad, `output "logits" is missing`)
	} else {
		bad = append(bad, unlike(out, "output", onnxpb.TensorProto_FLOAT, 3)...)
		d := out.GetType().GetTensorType().GetShape().GetDim()
		if len(d) == 3 && d[2].GetDimValue() > 0 && d[2].GetDimValue() != int64(s.model.Vocab) {
			bad = append(bad, fmt.Sprintf(`output "logits" has %d columns: the vocabulary is %d`, d[2].GetDimValue(), s.model.Vocab))
		}
		if len(d) == 3 && d[1].GetDimValue() > 0 {
			bad = append(bad, fmt.Sprintf(`output "logits" is of %d tokens of a row: expected those of all, or of the last one by a node %q and metadata that say so`, d[1].GetDimValue(), names.LastChosen))
		}
	}
	for _, c := range s.info.Caches {
		known[c.Present] = true
		out := outputs[c.Present]
		if out == nil {
			bad = append(bad, fmt.Sprintf("output %q is missing, which the next call takes as %q", c.Present, c.Past))
			continue
		}
		bad = append(bad, unlike(out, "output", onnxpb.TensorProto_FLOAT, len(c.Dims))...)
		for i, d := range out.GetType().GetTensorType().GetShape().GetDim() {
			if i < len(c.Dims) && c.Dims[i] > 0 && d.GetDimValue() > 0 && d.GetDimValue() != c.Dims[i] {
				bad = append(bad, fmt.Sprintf("output %q has %d in dimension %d, the input %q that takes it %d", c.Present, d.GetDimValue(), i, c.Past, c.Dims[i]))
			}
		}
	}
	if len(bad) == 0 {
		return nil
	}
	var others []string
	for name := range outputs {
		if !known[name] {
			others = append(others, fmt.Sprintf("%q", name))
		}
	}
	if slices.Sort(others); len(others) > 0 {
		bad = append(bad, "nothing reads the output "+strings.Join(others, ", "))
	}
	return bad
}

// unlike tells whether an input or output has another type or number of
// dimensions, as far as it is declared.
func unlike(v *onnxpb.ValueInfoProto, what string, want onnxpb.TensorProto_DataType, dims int) []string {
	t := v.GetType().GetTensorType()
	switch {
	case t == nil:
		return nil
	case t.GetElemType() != int32(want):
		return []string{fmt.Sprintf("%s %q is %s: expected %s", what, v.GetName(), onnxpb.TensorProto_DataType(t.GetElemType()), want)}
	case t.GetShape() != nil && len(t.GetShape().GetDim()) != dims:
		return []string{fmt.Sprintf("%s %q has %d dimensions: expected %d", what, v.GetName(), len(t.GetShape().GetDim()), dims)}
	}
	return nil
}
