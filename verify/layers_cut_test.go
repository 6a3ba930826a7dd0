package verify

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// TestWrongCuts plants faults into what leaves layers out. Each makes graph and
// reference models of different layers, or of another stream, and must show in the
// numbers of the first prompt.
func TestWrongCuts(t *testing.T) {
	dir, _, _ := emitted(t, "models/stories260K", 64)
	pick := func(t *testing.T, m *family.Model, layers ...int) *family.Model {
		t.Helper()
		picked, err := run.PickLayers(m, layers)
		if err != nil {
			t.Fatal(err)
		}
		return picked
	}
	input := func(g *run.GraphInfo, node string) *string {
		for _, n := range g.Model.GetGraph().GetNode() {
			if n.GetName() == node {
				return &n.GetInput()[0]
			}
		}
		panic("no node " + node)
	}
	const norm = "/attn_norm/RMSNormalization"
	for name, cut := range map[string]func(t *testing.T, g *run.GraphInfo, m, picked *family.Model) (*run.GraphInfo, error){
		"the graph is cut to other layers": func(t *testing.T, g *run.GraphInfo, m, _ *family.Model) (*run.GraphInfo, error) {
			return run.KeepLayers(g, m, pick(t, m, 0, 1, 4), []int{0, 1, 4})
		},
		"the reference is cut to other layers": func(t *testing.T, g *run.GraphInfo, m, picked *family.Model) (*run.GraphInfo, error) {
			own := *picked
			*picked = *pick(t, m, 0, 2, 3)
			return run.KeepLayers(g, m, &own, []int{0, 2, 4})
		},
		"the reference has a layer more": func(t *testing.T, g *run.GraphInfo, m, picked *family.Model) (*run.GraphInfo, error) {
			own := *picked
			*picked = *pick(t, m, 0, 2, 3, 4)
			return run.KeepLayers(g, m, &own, []int{0, 2, 4})
		},
		"the order of the layers": func(t *testing.T, g *run.GraphInfo, m, picked *family.Model) (*run.GraphInfo, error) {
			slices.Reverse(picked.Blocks)
			return run.KeepLayers(g, m, picked, []int{0, 2, 4})
		},
		"a layer reads the embedding": func(t *testing.T, g *run.GraphInfo, m, picked *family.Model) (*run.GraphInfo, error) {
			kept, err := run.KeepLayers(g, m, picked, []int{0, 2, 4})
			*input(kept, "/layers.1"+norm) = *input(kept, "/layers.0"+norm)
			return kept, err
		},
		"the head reads what the last layer does": func(t *testing.T, g *run.GraphInfo, m, picked *family.Model) (*run.GraphInfo, error) {
			kept, err := run.KeepLayers(g, m, picked, []int{0, 2, 4})
			*input(kept, "/final_norm/RMSNormalization") = *input(kept, "/layers.2"+norm)
			return kept, err
		},
		"two layers' caches": func(t *testing.T, g *run.GraphInfo, m, picked *family.Model) (*run.GraphInfo, error) {
			kept, err := run.KeepLayers(g, m, picked, []int{0, 2, 4})
			for _, n := range kept.Model.GetGraph().GetNode() {
				for i, in := range n.GetInput() {
					switch in {
					case "past_key_values.1.key":
						n.Input[i] = "past_key_values.2.key"
					case "past_key_values.2.key":
						n.Input[i] = "past_key_values.1.key"
					}
				}
			}
			return kept, err
		},
		"a residual that skips a layer": func(t *testing.T, g *run.GraphInfo, m, picked *family.Model) (*run.GraphInfo, error) {
			kept, err := run.KeepLayers(g, m, picked, []int{0, 2, 4})
			first := *input(kept, "/layers.0"+norm)
			for _, n := range kept.Model.GetGraph().GetNode() {
				if n.GetName() == "/layers.2/attn/o_proj/Gemm" {
					n.Input[2] = first
				}
			}
			return kept, err
		},
		"nothing": func(_ *testing.T, g *run.GraphInfo, m, picked *family.Model) (*run.GraphInfo, error) {
			return run.KeepLayers(g, m, picked, []int{0, 2, 4})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &session{ctx: t.Context(), dir: dir, opts: Options{Tokens: 24, Seed: 1, ORTLibrary: "none", Layers: []int{0, 2, 4}}, report: &report.Report{}}
			s.cut = func(g *run.GraphInfo, m, picked *family.Model, _ []int) (*run.GraphInfo, error) {
				kept, err := cut(t, g, m, picked)
				if kept != nil {
					checkUnchanged(t, g.Model, kept.Model)
				}
				return kept, err
			}
			defer s.close()
			if err := s.makeChecks(); err != nil {
				t.Fatal(err)
			}
			var failed []string
			for _, c := range s.report.Checks {
				if c.Verdict == report.Fail {
					failed = append(failed, c.Name)
				}
			}
			if found := slices.Contains(failed, report.CheckPrefill) || slices.Contains(failed, report.CheckDecode); found != (name != "nothing") {
				t.Errorf("failed: %v", failed)
			}
		})
	}
}

// checkUnchanged: to cut a graph does not change the whole one.
func checkUnchanged(t *testing.T, whole, kept *onnxpb.ModelProto) {
	t.Helper()
	if len(whole.GetGraph().GetNode()) <= len(kept.GetGraph().GetNode()) {
		t.Error("the whole graph lost nodes")
	}
}

// emitted copies a bundled checkpoint and writes its graph beside it.
func emitted(t *testing.T, name string, length int) (dir string, m *family.Model, st store.Store) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "testdata", filepath.FromSlash(name)))); err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	if m, err = families.Load(st); err != nil {
		t.Fatal(err)
	}
	if _, err := onnxops.Write(dir, m, st, onnxops.Options{MaxLength: length, Encoding: m.Encoding()}); err != nil {
		t.Fatal(err)
	}
	return dir, m, st
}

// TestJointsOfRightGraphs: in no right graph a layer reads another stream than its own,
// whatever the family.
func TestJointsOfRightGraphs(t *testing.T) {
	list, err := filepath.Glob(filepath.Join("..", "testdata", "families", "*", "config.json"))
	if err != nil || len(list) < 100 {
		t.Fatalf("%d models: %v", len(list), err)
	}
	for i, path := range list {
		if testing.Short() && i%8 != 0 {
			continue
		}
		name := filepath.Base(filepath.Dir(path))
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, m, _ := emitted(t, "families/"+name, 16)
			g, err := run.ReadGraph(dir)
			if err != nil {
				t.Fatal(err)
			}
			if wrong := run.Joints(g, m); wrong != "" {
				t.Error(wrong)
			}
		})
	}
}
