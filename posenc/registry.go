package posenc

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// RopeType is one row of the table of rope types that a configuration may
// declare.
type RopeType struct {
	// Name is the value of rope_type.
	Name string
	// Paper is an arXiv id, or empty.
	Paper string
	// Required and Optional are the keys that the type reads from the rope
	// dictionary beside rope_type, rope_theta and partial_rotary_factor.
	Required, Optional []string
	// ByLength reports whether the spectrum depends on the sequence length.
	ByLength bool
	// Spectrum computes the planes; use RopeParams.Spectrum, which checks.
	Spectrum func(p RopeParams, length int) (Spectrum, error)
}

// RopeTypes returns the table of rope types, in the order documents list them.
func RopeTypes() []RopeType {
	return []RopeType{
		{Name: "default", Paper: "2104.09864", Spectrum: defaultSpectrum},
		{Name: "linear", Paper: "2306.15595", Required: []string{"factor"}, Optional: []string{"original_max_position_embeddings"}, Spectrum: linearSpectrum},
		{Name: "dynamic", Required: []string{"factor"}, Optional: []string{"original_max_position_embeddings"}, ByLength: true, Spectrum: dynamicSpectrum},
		{Name: "yarn", Paper: "2309.00071", Optional: []string{"factor", "original_max_position_embeddings", "attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate"}, Spectrum: yarnSpectrum},
		{Name: "llama3", Required: []string{"factor", "low_freq_factor", "high_freq_factor"}, Optional: []string{"original_max_position_embeddings"}, Spectrum: llama3Spectrum},
		{Name: "longrope", Paper: "2402.13753", Required: []string{"short_factor", "long_factor"}, Optional: []string{"factor", "original_max_position_embeddings", "attention_factor"}, ByLength: true, Spectrum: longropeSpectrum},
		{Name: "proportional", Paper: "2410.06205", Optional: []string{"factor"}, Spectrum: proportionalSpectrum},
	}
}

// FindRopeType looks a rope type up by name. An unknown name is an error that
// lists the valid ones; it wraps ErrUnsupported.
func FindRopeType(name string) (RopeType, error) {
	var names []string
	for _, t := range RopeTypes() {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	return RopeType{}, fmt.Errorf("rope type %q%s: %w", name, Suggest(name, names), ErrUnsupported)
}

// Encoding is one row of the table of encodings that --to takes.
type Encoding struct {
	// Name is the value of --to.
	Name string
	// Title says in a few words what it is.
	Title string
	// Paper is an arXiv id, or empty.
	Paper string
	// Angle is the formula of plane p's angle at position t, or of the bias
	// b_ij of key j for query i, or of both.
	Angle string
	// Variants are what may follow the name and a colon, the first one where
	// nothing does; nil is none. Variant is the one chosen (FindEncoding).
	Variants []string
	Variant  string
	// Count says what the number behind NAME= counts; empty where there is none.
	// N is the one that counts where none is given (0 is as many as there are),
	// and once chosen, the one given.
	Count string
	N     int
	// Slope reports whether --slope applies.
	Slope bool
	// Scale reports whether a scaling (--scale) belongs to it: "no", "may" or
	// "must".
	Scale string
	// Cut reports whether --cut applies.
	Cut bool
	// Target turns a source's spectrum into this encoding's. It is nil where one
	// spectrum for all heads does not say it.
	Target func(Source) (Spectrum, error)

	chosen bool // N was given
}

// Source is what an encoding's Target starts from.
type Source struct {
	// Declared is the source's encoding as its configuration spells it.
	Declared RopeParams
	// Unscaled holds the plain inverse frequencies planes are chosen by.
	Unscaled []float64
	// Current is the source's spectrum, its own scaling included.
	Current Spectrum
	// TrainedLength is L, in positions.
	TrainedLength int
	// Cut is HoPE's choice of planes.
	Cut Cut
	// Scale is the scaling asked for; the zero value is none.
	Scale Scale
}

// Encodings returns the table of encodings, in the order documents list them.
func Encodings() []Encoding {
	return []Encoding{
		{Name: "rope", Title: "rotary (re-spelling; the spectrum stays)", Paper: "2104.09864", Angle: "t θ_p", Scale: "no", Target: func(s Source) (Spectrum, error) { return s.Current.Clone(), nil }},
		{Name: "hope", Title: "high-frequency rotary: planes at or under 2π/L stop turning", Paper: "2410.21216", Angle: "t θ_p if θ_p > 2π/L, else 0", Scale: "may", Cut: true, Target: hopeTarget(Full)},
		{Name: "hope-ab1", Title: "ablation: only the activated band stops turning", Paper: "2410.21216", Angle: "0 if π/L < θ_p <= 2π/L, else t θ_p", Scale: "may", Target: hopeTarget(AB1)},
		{Name: "hope-ab2", Title: "ablation: only the top-low band stops turning", Paper: "2410.21216", Angle: "0 if θ_p <= π/L, else t θ_p", Scale: "may", Target: hopeTarget(AB2)},
		{Name: "hope-ab3", Title: "ablation: both bands leave the score", Paper: "2410.21216", Angle: "t θ_p if θ_p > 2π/L, else no score", Scale: "may", Target: hopeTarget(AB3)},
		{Name: "p-rope", Title: "p-RoPE: the fastest 75 % of planes turn", Paper: "2410.06205", Angle: "t θ_p for the fastest 75 % of planes, else 0", Scale: "no", Target: pRoPETarget},
		{Name: "nope", Title: "no positional encoding", Paper: "2305.19466", Angle: "0", Scale: "no", Target: func(s Source) (Spectrum, error) { return NoPE(len(s.Unscaled)), nil }},
		{Name: "pi", Title: "position interpolation", Paper: "2306.15595", Angle: "t θ_p / s", Scale: "must", Target: scaledTarget("pi")},
		{Name: "yarn", Title: "YaRN", Paper: "2309.00071", Angle: "t θ_p (1 − γ_p)/s + t θ_p γ_p, attention factor 0.1 ln s + 1", Scale: "must", Target: scaledTarget("yarn")},
		grapeMEncoding, basisEncoding, mixedEncoding, rank2Encoding, denseEncoding, gatedEncoding, pathEncoding, foxEncoding, alibiEncoding, kerpleEncoding, hybridEncoding,
	}
}

// String is the encoding's name, with the variant or the number that was chosen:
// what FindEncoding takes.
func (e Encoding) String() string {
	switch {
	case e.Variant != "":
		return e.Name + ":" + e.Variant
	case e.chosen:
		return e.Name + "=" + strconv.Itoa(e.N)
	}
	return e.Name
}

// FindEncoding looks an encoding up by its name, NAME, NAME:VARIANT or NAME=N. An
// unknown one is an error that lists the valid ones and the nearest.
func FindEncoding(name string) (Encoding, error) {
	whole, count, counted := strings.Cut(name, "=")
	name, variant, chosen := strings.Cut(name, ":")
	var names, forms []string
	for _, e := range Encodings() {
		if e.Name == whole && (counted || chosen) {
			return e.counted(count, counted)
		}
		if form, ok := strings.CutPrefix(e.Name, name+":"); ok {
			forms = append(forms, form)
		}
	}
	if chosen && forms != nil {
		form, _, _ := strings.Cut(variant, "=")
		return Encoding{}, fmt.Errorf("encoding %s: form %q%s", name, form, Suggest(form, forms))
	}
	for _, e := range Encodings() {
		if e.Name == name {
			return e.with(variant, chosen)
		}
		names = append(names, e.Name)
	}
	return Encoding{}, fmt.Errorf("encoding %q%s", name, Suggest(name, names))
}

// counted takes the number behind NAME=.
func (e Encoding) counted(text string, given bool) (Encoding, error) {
	if !given {
		return e, nil
	}
	if e.Count == "" {
		return Encoding{}, fmt.Errorf("encoding %s takes no number, so no %q", e.Name, text)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || strconv.Itoa(n) != text {
		return Encoding{}, fmt.Errorf("encoding %s=%s: expected %s, a positive number", e.Name, text, e.Count)
	}
	e.N, e.chosen = n, true
	return e, nil
}

func (e Encoding) with(variant string, chosen bool) (Encoding, error) {
	for _, both := range []string{"query,key", "key,query"} { // two gates, in either order
		if before, ok := strings.CutSuffix(variant, both); ok {
			variant = before + "querykey"
		}
	}
	for _, v := range e.Variants {
		if strings.HasPrefix(v, variant+":") { // the first of a variant's own variants
			variant = v
			break
		}
	}
	switch {
	case chosen && e.Variants == nil:
		return Encoding{}, fmt.Errorf("encoding %s has no variants, so no %q", e.Name, variant)
	case chosen && !slices.Contains(e.Variants, variant):
		return Encoding{}, fmt.Errorf("encoding %s: variant %q%s", e.Name, variant, Suggest(variant, e.Variants))
	case chosen:
		e.Variant = variant
	case e.Variants != nil:
		e.Variant = e.Variants[0]
	}
	return e, nil
}

// Suggest lists the valid names for an unknown one, the nearest first if it
// is near: `: did you mean "hope"? valid: hope, nope`.
func Suggest(name string, valid []string) string {
	sorted := append([]string(nil), valid...)
	sort.Strings(sorted)
	return " is unknown" + Nearest(name, valid) + " (valid: " + strings.Join(sorted, ", ") + ")"
}

// Nearest asks whether the nearest valid name was meant: `; did you mean
// "hope"?`, or nothing where none is near, the name is valid, or there is none.
func Nearest(name string, valid []string) string {
	best, distance := "", 3
	for _, v := range valid {
		if d := editDistance(strings.ToLower(name), v); d < distance {
			best, distance = v, d
		}
	}
	if best == "" || best == name || name == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// editDistance is Levenshtein's distance in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
