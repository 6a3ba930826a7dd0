package verify

import (
	"context"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/verify/ref"
	"github.com/pecvt/pecvt/verify/report"
)

// refRunner is the float64 forward pass of package ref as a Runner.
type refRunner struct {
	r      *ref.Runner
	hidden int
}

func newRef(m *family.Model, src family.Source) *refRunner {
	return &refRunner{r: ref.New(m, src), hidden: m.Hidden}
}

// rounded is ref with the constants of a graph (see ref.Runner.Rounded).
func (r *refRunner) rounded() *refRunner { return &refRunner{r: r.r.Rounded(), hidden: r.hidden} }

func (r *refRunner) Name() string    { return "ref" }
func (r *refRunner) Positions() bool { return true }
func (r *refRunner) Close() error    { return nil }

func (r *refRunner) Run(ctx context.Context, in Input, past State) (*report.Logits, State, error) {
	cache, _ := past.(*ref.Cache)
	out, err := r.r.Forward(ctx, ref.Input{IDs: in.IDs, Positions: in.Positions, Mask: in.Mask, Past: cache}, ref.Options{})
	if err != nil {
		return nil, nil, err
	}
	return &report.Logits{B: out.Batch, S: out.Seq, V: out.Vocab, Data: out.Logits}, out.Cache, nil
}

// Hidden returns the residual stream: 0 the embedding, i the output of layer
// i, the last one after the final norm.
func (r *refRunner) Hidden(ctx context.Context, in Input) ([]*report.Logits, error) {
	b, s := in.Batch()
	out, err := r.r.Forward(ctx, ref.Input{IDs: in.IDs, Positions: in.Positions, Mask: in.Mask}, ref.Options{KeepHidden: true, LogitsFrom: s})
	if err != nil {
		return nil, err
	}
	var list []*report.Logits
	for _, h := range out.Hidden {
		list = append(list, &report.Logits{B: b, S: s, V: r.hidden, Data: h})
	}
	return list, nil
}
