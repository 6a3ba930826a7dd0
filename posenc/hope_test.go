package posenc

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

// gqa is the spectrum of golden llama-gqa: base 300, d 16, L 32. θ·L is 32,
// 15.69, 7.69 (high), 3.77 (activated), then 1.85, 0.91, 0.44, 0.22 (top-low).
func gqa() Source {
	p := RopeParams{Type: "default", Theta: 300, HeadDim: 16, Partial: 1, MaxPositions: 32, TrainedLength: 32}
	return Source{Declared: p, Unscaled: p.Base(), Current: Spectrum{InvFreq: p.Base(), Gain: 1}, TrainedLength: 32}
}

func target(t *testing.T, name string, s Source) Spectrum {
	t.Helper()
	e, err := FindEncoding(name)
	if err != nil {
		t.Fatal(err)
	}
	out, err := e.Target(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestBands(t *testing.T) {
	want := []Band{High, High, High, Activated, TopLow, TopLow, TopLow, TopLow}
	for p, f := range gqa().Unscaled {
		if got := BandOf(f, 32); got != want[p] {
			t.Errorf("plane %d (θ·L = %.2f) is %v, want %v", p, 32*f, got, want[p])
		}
	}
	// SmolLM2-135M: base 1e5, d 64, L 8192: 12 of 32 planes are at or under 2π/L
	high := 0
	for _, f := range InvFreq(1e5, 64) {
		if BandOf(f, 8192) == High {
			high++
		}
	}
	if high != 20 {
		t.Errorf("%d high planes of 32, want 20", high)
	}
	// the borders belong to the slower band
	if got := BandOf(2*math.Pi/64, 64); got != Activated {
		t.Errorf("θ = 2π/L is %v, want activated", got)
	}
	if got := BandOf(math.Pi/64, 64); got != TopLow {
		t.Errorf("θ = π/L is %v, want top-low", got)
	}
	for band, name := range map[Band]string{High: "high", Activated: "activated", TopLow: "top-low"} {
		if band.String() != name {
			t.Errorf("band %d is called %v, want %s", band, band, name)
		}
	}
}

func zeros(s Spectrum) (dropped []int) {
	for p, f := range s.InvFreq {
		if f == 0 {
			dropped = append(dropped, p)
		}
	}
	return dropped
}

func TestHoPEVariants(t *testing.T) {
	for name, want := range map[string][]int{
		"rope": nil, "hope": {3, 4, 5, 6, 7}, "hope-ab1": {3}, "hope-ab2": {4, 5, 6, 7}, "hope-ab3": {3, 4, 5, 6, 7}, "p-rope": {6, 7}, "nope": {0, 1, 2, 3, 4, 5, 6, 7},
	} {
		src := gqa()
		s := target(t, name, src)
		if got := zeros(s); !slices.Equal(got, want) {
			t.Errorf("%s drops planes %v, want %v", name, got, want)
		}
		for p, f := range s.InvFreq {
			if f != 0 && f != src.Unscaled[p] {
				t.Errorf("%s changes the kept plane %d from %v to %v", name, p, src.Unscaled[p], f)
			}
			if removed := s.Removed != nil && s.Removed[p]; removed != (name == "hope-ab3" && f == 0) {
				t.Errorf("%s: plane %d removed: %v", name, p, removed)
			}
		}
		if s.Gain != 1 {
			t.Errorf("%s has attention factor %v", name, s.Gain)
		}
		if !slices.Equal(src.Current.InvFreq, src.Unscaled) {
			t.Errorf("%s changed its source", name)
		}
	}
}

func TestCuts(t *testing.T) {
	for text, want := range map[string][]int{
		"paper": {3, 4, 5, 6, 7}, "k=8": nil, "k=6": {6, 7}, "k=0": {0, 1, 2, 3, 4, 5, 6, 7},
		"max-phase=1": {5, 6, 7}, "max-phase=0": nil, "max-phase=6.283185307179586": {3, 4, 5, 6, 7}, "max-phase=100": {0, 1, 2, 3, 4, 5, 6, 7},
	} {
		cut, err := ParseCut(text)
		if err != nil {
			t.Fatal(err)
		}
		if cut.String() != text {
			t.Errorf("cut %q spells itself %q", text, cut)
		}
		src := gqa()
		src.Cut = cut
		if got := zeros(target(t, "hope", src)); !slices.Equal(got, want) {
			t.Errorf("%s drops planes %v, want %v", text, got, want)
		}
	}
	for _, bad := range []string{"", "k", "k=", "k=-1", "k=2.5", "papers", "paper=1", "max-phase", "max-phase=-1", "max-phase=NaN", "max-phase=Inf", "max-phase=0x1p2", "max-phase=1e400", "K=1"} {
		if _, err := ParseCut(bad); err == nil {
			t.Errorf("cut %q was accepted", bad)
		}
	}
}

// k=N keeps the fastest planes, whatever their order.
func TestKeepFollowsSpeedNotOrder(t *testing.T) {
	drop, err := HoPE{Cut: Cut{Kind: CutKeep, Keep: 2}, TrainedLength: 10}.Dropped([]float64{0.1, 3, 0.5, 2})
	if err != nil {
		t.Fatal(err)
	}
	if want := []bool{true, false, true, false}; !slices.Equal(drop, want) {
		t.Errorf("dropped %v, want %v", drop, want)
	}
}

func TestHoPEErrors(t *testing.T) {
	f := []float64{1, 0.1}
	for name, h := range map[string]HoPE{
		"no length":        {},
		"too many":         {Cut: Cut{Kind: CutKeep, Keep: 3}, TrainedLength: 8},
		"ablation and cut": {Variant: AB1, Cut: Cut{Kind: CutKeep, Keep: 1}, TrainedLength: 8},
	} {
		if _, err := h.Apply(f, Spectrum{InvFreq: f, Gain: 1}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := (HoPE{TrainedLength: 8}).Apply(f, Spectrum{InvFreq: f[:1], Gain: 1}); err == nil {
		t.Error("spectra of two lengths: accepted")
	}
}

// Scaling first, dropping by the unscaled frequencies: the planes that PI moves
// under the border stay.
func TestHoPEWithScaling(t *testing.T) {
	for _, text := range []string{"pi:4", "yarn:4"} {
		scale, err := ParseScale(text)
		if err != nil {
			t.Fatal(err)
		}
		src := gqa()
		src.Scale = scale
		s := target(t, "hope", src)
		if got := zeros(s); !slices.Equal(got, []int{3, 4, 5, 6, 7}) {
			t.Errorf("%s: drops planes %v", text, got)
		}
		alone := target(t, scale.Kind, src)
		if s.Gain != alone.Gain {
			t.Errorf("%s: attention factor %v, want %v", text, s.Gain, alone.Gain)
		}
		for p := range 3 {
			if s.InvFreq[p] != alone.InvFreq[p] {
				t.Errorf("%s: plane %d is %v, want %v", text, p, s.InvFreq[p], alone.InvFreq[p])
			}
		}
	}
}

func TestScaling(t *testing.T) {
	src := gqa()
	src.Scale = Scale{Kind: "pi", Factor: 4}
	pi := target(t, "pi", src)
	for p, f := range pi.InvFreq {
		if f != src.Unscaled[p]/4 {
			t.Errorf("pi: plane %d is %v, want %v", p, f, src.Unscaled[p]/4)
		}
	}
	if pi.Gain != 1 {
		t.Errorf("pi: attention factor %v", pi.Gain)
	}
	src.Scale = Scale{Kind: "yarn", Factor: 4}
	yarn := target(t, "yarn", src)
	declared := src.Declared
	declared.Type, declared.Factor, declared.BetaFast, declared.BetaSlow, declared.Truncate = "yarn", 4, 32, 1, true
	want, err := declared.Spectrum(32)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(yarn.InvFreq, want.InvFreq) || yarn.Gain != want.Gain {
		t.Errorf("yarn asked for %v × %v, declared %v × %v", yarn.InvFreq, yarn.Gain, want.InvFreq, want.Gain)
	}
	if e := apart(yarn.Gain, 0.1*math.Log(4)+1); e > 1e-15 {
		t.Errorf("yarn: attention factor %v", yarn.Gain)
	}
	// scaling what is scaled already is refused
	src.Declared.Type = "llama3"
	e, _ := FindEncoding("yarn")
	if _, err := e.Target(src); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), `"llama3"`) {
		t.Errorf("scaling twice: %v", err)
	}
	// and a scale of another kind, or none, is no pi
	e, _ = FindEncoding("pi")
	for _, s := range []Scale{{}, {Kind: "yarn", Factor: 4}} {
		src := gqa()
		src.Scale = s
		if _, err := e.Target(src); err == nil {
			t.Errorf("pi with scale %q was accepted", s)
		}
	}
}

func TestParseScale(t *testing.T) {
	for _, text := range []string{"", "pi:4", "yarn:4", "pi:1", "yarn:2.5"} {
		s, err := ParseScale(text)
		if err != nil || s.String() != text {
			t.Errorf("scale %q reads as %q, %v", text, s, err)
		}
	}
	for _, bad := range []string{"pi", "pi:", "pi:0.5", "pi:NaN", "pi:Inf", "pi:0x4p0", "yarn:0x10", "pi:1e400", "ntk:4", "4", "pi:4x", ":4"} {
		if _, err := ParseScale(bad); err == nil {
			t.Errorf("scale %q was accepted", bad)
		}
	}
}

func TestSuggestions(t *testing.T) {
	var valid []string
	for _, e := range Encodings() {
		valid = append(valid, e.Name)
	}
	slices.Sort(valid)
	for name, nearest := range map[string]string{
		"hop": `"hope"`, "HOPE": `"hope"`, "hope-ab4": `"hope-ab1"`, "yarm": `"yarn"`, "rop": `"rope"`, "no-pe": `"nope"`,
	} {
		_, err := FindEncoding(name)
		if err == nil || !strings.Contains(err.Error(), "did you mean "+nearest) {
			t.Errorf("%q: %v, want %s suggested", name, err, nearest)
		}
		if err != nil && !strings.Contains(err.Error(), "(valid: "+strings.Join(valid, ", ")+")") {
			t.Errorf("%q: %v does not list what is valid", name, err)
		}
	}
	for _, far := range []string{"sinusoidal", ""} {
		if _, err := FindEncoding(far); err == nil || strings.Contains(err.Error(), "did you mean") {
			t.Errorf("nothing is near %q, yet: %v", far, err)
		}
	}
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"", "ab", 2}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"same", "same", 0}} {
		if got := editDistance(c.a, c.b); got != c.want {
			t.Errorf("distance of %q and %q is %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestTablesHaveNoDuplicates(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range Encodings() {
		if seen[e.Name] || e.Title == "" || e.Angle == "" {
			t.Errorf("encoding %q: twice, or incomplete", e.Name)
		}
		seen[e.Name] = true
	}
	seen = map[string]bool{}
	for _, r := range RopeTypes() {
		if seen[r.Name] || r.Spectrum == nil {
			t.Errorf("rope type %q: twice, or incomplete", r.Name)
		}
		seen[r.Name] = true
	}
}

func TestInvFreq(t *testing.T) {
	want := []float64{1, 0.1, 0.01, 0.001}
	for p, f := range InvFreq(10000, 8) {
		if e := apart(f, want[p]); e > 1e-14 {
			t.Errorf("plane %d: %v, want %v", p, f, want[p])
		}
	}
}
