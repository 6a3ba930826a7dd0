package mutants

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify"
)

var validSeed = flag.Uint64("valid-seed", seed(), "seed of the random valid models")

// seed is PECVT_SEED, by which `make test-long` draws other models each time.
func seed() uint64 {
	text, ok := os.LookupEnv("PECVT_SEED")
	if !ok {
		return 20261122
	}
	n, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		panic(fmt.Sprintf("PECVT_SEED: %v", err))
	}
	return n
}

// TestNoFalseAlarm converts, emits and verifies random valid models: a family,
// sizes, a number type, an encoding, a form of the graph. Nothing is wrong with
// any of them, so every verdict must be a pass. PECVT_LONG=1 takes 200 of them.
func TestNoFalseAlarm(t *testing.T) {
	present := runtimePresent(t)
	n := 10
	switch {
	case os.Getenv("PECVT_LONG") != "":
		n = 200
	case testing.Short():
		n = 3
	}
	t.Logf("seed %d, %d models (-valid-seed)", *validSeed, n)
	var mu sync.Mutex
	count := map[string]int{}
	var worst nearest
	t.Cleanup(func() { t.Logf("%v; nearest to its limit: %s", count, worst) })
	for i := range n {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(*validSeed, uint64(i)))
			dir := t.TempDir()
			source := filepath.Join(dir, "source")
			text := randomModel(t, rng, source)
			out := filepath.Join(dir, "out")
			text += " " + randomConversion(t, rng, source, out)
			text += " " + randomGraph(t, rng, out)
			r, err := verify.Verify(t.Context(), out, verify.Options{Against: source, Seed: int64(i), Threads: 1})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				count["error"]++
				t.Fatalf("%s: %v", text, err)
			}
			count[string(r.Verdict)]++
			near := nearestOf(r)
			if near.share > worst.share {
				worst = near
			}
			t.Logf("%s: %s; nearest to its limit: %s", text, r.Verdict, near)
			if r.Verdict != verify.Pass && (present || r.Verdict != verify.Incomplete) {
				t.Errorf("%s: %s", text, r.Verdict)
				for _, b := range r.Tolerances {
					t.Logf("limit of %s %s: %.3g, baseline %.3g", b.DType, b.Input, float64(b.Limit), float64(b.Baseline))
				}
				for _, c := range r.Checks {
					if c.Verdict == r.Verdict || c.Verdict == verify.Fail {
						t.Errorf("%s of %s %s: off by %.3g (limit %.3g): %s %s", c.Name, c.Runner, c.Verdict, float64(c.MaxRel), float64(c.Limit), c.Detail, c.Blame)
					}
				}
			}
		})
	}
}

// nearest is the check that is nearest to its limit.
type nearest struct {
	share float64
	check string
}

func (n nearest) String() string { return fmt.Sprintf("%.2g of it, %s", n.share, n.check) }

func nearestOf(r *verify.Report) (n nearest) {
	for _, c := range r.Checks {
		if share := float64(c.MaxRel) / float64(c.Limit); c.Limit > 0 && share > n.share {
			n = nearest{share, c.Name + " of " + c.Runner}
		}
	}
	return n
}

// pick chooses one of a list.
func pick[T any](rng *rand.Rand, list ...T) T { return list[rng.IntN(len(list))] }

// randomConversion converts with options drawn from those that the model takes.
func randomConversion(t *testing.T, rng *rand.Rand, source, out string) string {
	t.Helper()
	for try := range 40 {
		var o rewrite.Options
		o.To = pick(rng, rewrite.AsIs, "rope", "hope", "hope", "hope-ab1", "hope-ab2", "hope-ab3", "p-rope", "nope", "pi", "yarn", "grape-m", "hybrid", "hybrid:alibi",
			"alibi", "grape-a", "grape-a:query", "grape-a:querykey", "grape-ap", "fox")
		switch o.To {
		case "hope":
			if rng.IntN(3) == 0 {
				o.Cut = posenc.Cut{Kind: posenc.CutKeep, Keep: rng.IntN(4)}
			}
			if rng.IntN(3) == 0 {
				o.Scale = posenc.Scale{Kind: pick(rng, "pi", "yarn"), Factor: float64(1 + rng.IntN(8))}
			}
		case "pi", "yarn":
			o.Scale = posenc.Scale{Kind: o.To, Factor: 1 + 7*rng.Float64()}
		case "hybrid", "hybrid:alibi":
			o.Slope = pick(rng, "0", "alibi", "0.3")
		}
		if rng.IntN(4) == 0 {
			o.Layout = rewrite.Partial
		}
		if rng.IntN(4) == 0 {
			o.Spelling = pick(rng, "longrope", "proportional", "llama3")
		}
		if try == 39 { // always possible
			o = rewrite.Options{To: rewrite.AsIs}
		}
		p, err := convert.NewPlan(source, convert.Options{Output: out, MaxShardSize: pick[int64](rng, 0, 0, 200_000)}.With(o))
		if errors.Is(err, posenc.ErrUnsupported) || errors.Is(err, rewrite.ErrOptions) {
			continue
		}
		if err != nil && o.Cut.Kind == posenc.CutKeep { // more planes than there are
			continue
		}
		if err == nil {
			_, err = convert.Run(t.Context(), p, convert.RunOptions{})
		}
		if err != nil {
			t.Fatalf("convert %+v: %v", o, err)
		}
		return fmt.Sprintf("--to %s --cut %s --scale %s --slope %s --layout %s --spelling %s (%s)", o.To, o.Cut, o.Scale, o.Slope, o.Layout, o.Spelling, p.Rewrite().Kind)
	}
	return ""
}

// randomGraph emits a graph in a form that the model takes.
func randomGraph(t *testing.T, rng *rand.Rand, dir string) string {
	t.Helper()
	ckpt, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer ckpt.Close()
	loaded, err := families.Load(ckpt)
	if err != nil {
		t.Fatal(err)
	}
	for {
		o := onnxops.Options{MaxLength: pick(rng, 50, 64, 100, 257, 600, 1500), Encoding: loaded.Encoding(),
			Attention: pick(rng, onnxops.AttentionStandard, onnxops.AttentionStandard, onnxops.AttentionORT),
			Bias:      pick(rng, onnxops.BiasAuto, onnxops.BiasMask, onnxops.BiasLowered),
			Placement: pick(rng, onnxops.PlaceExternal, onnxops.PlaceExternal, onnxops.PlaceExternalCopy, onnxops.PlaceEmbed)}
		m, err := loaded.AtLength(o.MaxLength)
		if err != nil {
			t.Fatal(err)
		}
		_, err = onnxops.Write(dir, m, ckpt, o)
		if errors.Is(err, posenc.ErrUnsupported) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("attention %s, bias %s, weights %s, %d positions", o.Attention, o.Bias, o.Placement, o.MaxLength)
	}
}
