package verify

import (
	"context"
	"fmt"

	"github.com/pecvt/pecvt/verify/bisect"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// Mixes tells whether the model of a folder has mixtures of experts.
func Mixes(dir string) (bool, error) {
	s := &session{ctx: context.Background(), dir: dir, report: &report.Report{}}
	defer s.close()
	if err := s.open(); err != nil {
		return false, err
	}
	return mixes(s.model), nil
}

// EveryNode compares every node of every stage, in two calls on a batch with
// padding on the left: how many nodes there are and how many have a counterpart,
// by runner, and those that are bad.
func EveryNode(dir string, opts Options) (nodes, compared map[string]int, bad, without []string, err error) {
	s := &session{ctx: context.Background(), dir: dir, opts: opts, report: &report.Report{}}
	defer s.close()
	for _, step := range []func() error{s.open, s.openInputs, s.openRunners} {
		if err := step(); err != nil {
			return nil, nil, nil, nil, err
		}
	}
	nodes, compared = map[string]int{}, map[string]int{}
	long := s.ids[0][:24]
	in := run.Prompt([][]int64{long, long}, 0)
	for i := range long {
		in.IDs[1] = append([]int64(nil), long...)
		in.Mask[1][i], in.Positions[1][i] = 1, int64(max(i-5, 0))
		if i < 5 {
			in.Mask[1][i] = 0
		}
	}
	for _, r := range s.others {
		if !r.Positions() {
			in = run.Prompt([][]int64{long}, 0)
		}
		t, ok := run.AsTapper(r)
		if !ok {
			return nil, nil, nil, nil, fmt.Errorf("%s shows no values", r.Name())
		}
		c, err := bisect.Cover(s.ctx, s.bisectCase(), t, in, []int{15, 24})
		if err != nil {
			return nil, nil, nil, nil, err
		}
		nodes[r.Name()], compared[r.Name()] = c.Nodes, c.Compared
		bad = append(bad, c.Bad...)
		if r.Name() == run.InterpName {
			without = c.Without
		}
	}
	return nodes, compared, bad, without, nil
}
