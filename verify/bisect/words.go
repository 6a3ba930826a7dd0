package bisect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// conclude puts what was found into words, and says what to do.
func (s *search) conclude(b *report.Bisection) {
	from := fmt.Sprintf("%s against %s, check %s", b.Runner, b.Against, b.Check)
	if b.Call > 1 {
		from += fmt.Sprintf(", call %d", b.Call)
	}
	switch {
	case b.Summary != "":
	case b.Stage == "":
		worst := report.StageError{}
		for _, row := range b.Stages {
			if row.MaxRel >= worst.MaxRel {
				worst = row
			}
		}
		b.Summary = fmt.Sprintf("nothing leaves the budget: the largest error is %.2g, after %s in %s", float64(worst.MaxRel), worst.Stage, worst.Runner)
		if s.failed {
			b.Summary += "; what failed is not in the values of a forward pass"
			b.Advice = "read what the failed checks say of the weights, the tables or the runners"
		}
		return
	case b.Node == nil:
		b.Summary = fmt.Sprintf("%s is the first to leave the budget (%s), but none of its nodes does when every value is shown", b.Stage, from)
		b.Advice = "a fusion of the runtime is at fault: the values that a fused node hides were right once they were asked for; run again with " + hint.OptLevel + " basic and disabled, and report it to ONNX Runtime with the smallest level that fails"
		return
	case b.Magnified:
		b.Summary = fmt.Sprintf("%s: no node is wrong by itself; %s (%s) is the first to magnify errors past the budget (%s)", b.Stage, b.Node.Name, b.Node.Op, from)
		b.Advice = "rounding, not a fault of one node: float32 is narrow for these weights here; compare with " + hint.OptLevel + " disabled, and see the check's own limit"
		return
	case len(b.Between) > 0:
		b.Summary = fmt.Sprintf("%s: the fault is in %s (%s) or in %s before it that nothing is known of (%s)", b.Stage, b.Node.Name, b.Node.Op, oneOf(len(b.Between)), from)
	default:
		b.Summary = fmt.Sprintf("%s: %s (%s) is the first node whose output leaves the budget (%s)", b.Stage, b.Node.Name, b.Node.Op, from)
	}
	b.Advice = s.advice(b)
}

func oneOf(n int) string {
	if n == 1 {
		return "the node"
	}
	return fmt.Sprintf("one of %d nodes", n)
}

func (s *search) advice(b *report.Bisection) string {
	if b.Node == nil {
		return ""
	}
	for _, t := range b.Tensors {
		switch {
		case t.State != report.StateBad:
		case strings.HasPrefix(t.Note, joinedAfter):
			return fmt.Sprintf("%s of the fused weight is joined in the wrong place: emit the graph again with pecvt export; if it comes out the same, the emission is at fault", t.Name)
		case t.File == run.GraphFile:
			return fmt.Sprintf("the constant %s in %s is wrong: emit the graph again with pecvt export; if it comes out the same, the emission is at fault", t.Name, run.GraphFile)
		default:
			return fmt.Sprintf("the graph reads bytes %d to %d of %s for %s: emit it again with pecvt export, and compare the file with the one that was converted", t.Begin, t.End, t.File, t.Name)
		}
	}
	for _, a := range b.Node.Attributes {
		if strings.Contains(a, "(the model's is") {
			return fmt.Sprintf("the attribute %s: emit the graph again with pecvt export; if it comes out the same, the emission is at fault", a)
		}
	}
	if len(b.Node.Wiring) > 0 {
		return fmt.Sprintf("%s: emit the graph again with pecvt export; if it comes out the same, the emission is at fault", strings.Join(b.Node.Wiring, "; "))
	}
	if b.Against != run.RefName {
		return "the interpreter computes the same node right: compare with " + hint.OptLevel + " disabled, and report it to ONNX Runtime with a repro (" + hint.Extract + " DIR)"
	}
	what := "its inputs are right and its output is not"
	if slices.ContainsFunc(b.Node.Inputs, func(in report.ValueFinding) bool { return in.State == report.StateNone }) {
		what = "what is known of its inputs is right and its output is not"
	}
	if i := slices.IndexFunc(b.Node.Inputs, func(in report.ValueFinding) bool { return in.State == report.StateBad }); i >= 0 {
		what = "the input " + b.Node.Inputs[i].Name + " is wrong already, and so is its output"
	}
	return what + ": the node, or how it is wired, is wrong; emit the graph again with pecvt export, and report a repro (" + hint.Extract + " DIR) if it comes out the same"
}
