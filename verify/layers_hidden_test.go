package verify

import (
	"context"
	"testing"

	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// No layer of a right graph is blamed where hidden states are the stream times a number
// (beam), or have passed a norm (roformer).
func TestLayersOfARightGraph(t *testing.T) {
	for _, name := range []string{"beam", "roformer", "minimax"} {
		dir, m, s := emitted(t, "families/"+name, 40)
		info, err := run.ReadGraph(dir)
		if err != nil {
			t.Fatal(err)
		}
		v := &session{ctx: context.Background(), dir: dir, opts: Options{Tokens: 20, Threads: 1, ORTLibrary: "none"}, info: info, model: m, ckpt: s, meant: s, ref: run.NewRef(m, s), report: &report.Report{}}
		if v.ids, err = v.promptIDs(); err != nil {
			t.Fatal(err)
		}
		if err := v.openRunners(); err != nil {
			t.Fatal(err)
		}
		v.in = run.Prompt(v.ids[:1], 0)
		if got := v.compareLayers(); got != "; it first shows in the head" {
			t.Errorf("%s: %q", name, got)
		}
		for _, r := range v.others {
			r.Close()
		}
	}
}
