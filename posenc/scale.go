package posenc

import (
	"fmt"
	"strconv"
	"strings"
)

// Scale is a context extension asked for: "pi:4" or "yarn:4".
type Scale struct {
	// Kind is "pi", "yarn", or empty for none.
	Kind string
	// Factor is s >= 1.
	Factor float64
}

// ParseScale reads "pi:FACTOR" or "yarn:FACTOR"; empty is none.
func ParseScale(s string) (Scale, error) {
	if s == "" {
		return Scale{}, nil
	}
	kind, value, ok := strings.Cut(s, ":")
	factor, err := ParseDecimal(value)
	if !ok || err != nil || (kind != "pi" && kind != "yarn") || factor < 1 {
		return Scale{}, fmt.Errorf("scale %q: expected pi:FACTOR or yarn:FACTOR with a factor of at least 1, such as pi:4%s", s, Nearest(kind, []string{"pi", "yarn"}))
	}
	return Scale{Kind: kind, Factor: factor}, nil
}

// String spells the scale as ParseScale reads it.
func (s Scale) String() string {
	if s.Kind == "" {
		return ""
	}
	return s.Kind + ":" + strconv.FormatFloat(s.Factor, 'g', -1, 64)
}

// Apply scales the current spectrum of a source that declares no scaling of its own: by
// PI or YaRN; none leaves it as it is. It errors with ErrUnsupported for a source that
// declares one.
func (s Scale) Apply(src Source) (Spectrum, error) {
	if s.Kind == "" {
		return src.Current.Clone(), nil
	}
	if !src.Declared.Plain() {
		return Spectrum{}, fmt.Errorf("scale %s: the source already declares rope type %q, which scales its frequencies: scaling twice is %w; start from the unscaled checkpoint", s, src.Declared.Type, ErrUnsupported)
	}
	out := src.Current.Clone()
	if s.Kind == "pi" {
		out.InvFreq = PI(out.InvFreq, s.Factor)
		return out, nil
	}
	y := YaRN{Factor: s.Factor, TrainedLength: src.TrainedLength, Base: src.Declared.Theta,
		Dim: 2 * len(out.InvFreq), BetaFast: 32, BetaSlow: 1, Truncate: true}
	inv, err := y.Apply(out.InvFreq)
	if err != nil {
		return Spectrum{}, fmt.Errorf("scale %s: %w", s, err)
	}
	out.InvFreq, out.Gain = inv, out.Gain*YaRNGain(s.Factor, 1)
	return out, nil
}

// hopeTarget scales first and drops after: planes are chosen by the unscaled
// inverse frequencies either way.
func hopeTarget(v Variant) func(Source) (Spectrum, error) {
	return func(s Source) (Spectrum, error) {
		scaled, err := s.Scale.Apply(s)
		if err != nil {
			return Spectrum{}, err
		}
		return HoPE{Variant: v, Cut: s.Cut, TrainedLength: s.TrainedLength}.Apply(s.Unscaled, scaled)
	}
}

func scaledTarget(kind string) func(Source) (Spectrum, error) {
	return func(s Source) (Spectrum, error) {
		if s.Scale.Kind != kind {
			return Spectrum{}, fmt.Errorf("%s needs a scale of its own kind: %s:FACTOR", kind, kind)
		}
		return s.Scale.Apply(s)
	}
}
