package posenc

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// Variant is HoPE itself or one of its paper's ablations
// (arXiv 2410.21216, section 4).
type Variant uint8

const (
	// Full makes every plane that is not high position independent.
	Full Variant = iota
	// AB1 makes the activated planes position independent, and only those.
	AB1
	// AB2 makes the top-low planes position independent, and only those.
	AB2
	// AB3 removes the coordinates of both bands from the score; nothing takes
	// their place and the scale stays 1/√d.
	AB3
)

// CutKind says how the planes to drop are chosen.
type CutKind uint8

const (
	// CutPaper drops θ <= 2π/L.
	CutPaper CutKind = iota
	// CutKeep keeps a number of planes, the fastest ones.
	CutKeep
	// CutMaxPhase drops planes that turn less than a number of radians over L.
	CutMaxPhase
)

// Cut chooses which planes HoPE drops.
type Cut struct {
	Kind    CutKind
	Keep    int
	Radians float64
}

// ParseCut reads "paper", "k=N" or "max-phase=RADIANS".
func ParseCut(s string) (Cut, error) {
	name, value, _ := strings.Cut(s, "=")
	switch name {
	case "paper":
		if value == "" {
			return Cut{}, nil
		}
	case "k":
		if n, err := strconv.Atoi(value); err == nil && n >= 0 {
			return Cut{Kind: CutKeep, Keep: n}, nil
		}
	case "max-phase":
		if x, err := ParseDecimal(value); err == nil && x >= 0 {
			return Cut{Kind: CutMaxPhase, Radians: x}, nil
		}
	}
	return Cut{}, fmt.Errorf("cut %q: expected paper, k=N (planes to keep) or max-phase=RADIANS%s", s, Nearest(name, []string{"paper", "k", "max-phase"}))
}

// String spells the cut as ParseCut reads it.
func (c Cut) String() string {
	switch c.Kind {
	case CutKeep:
		return "k=" + strconv.Itoa(c.Keep)
	case CutMaxPhase:
		return "max-phase=" + strconv.FormatFloat(c.Radians, 'g', -1, 64)
	default:
		return "paper"
	}
}

// HoPE is high-frequency rotary position encoding (arXiv 2410.21216): planes
// too slow for the trained length become position independent.
type HoPE struct {
	Variant Variant
	Cut     Cut
	// TrainedLength is L, in positions.
	TrainedLength int
}

// Dropped marks the planes that stop turning (AB3: that leave the score),
// judged by the unscaled inverse frequencies.
func (h HoPE) Dropped(unscaled []float64) ([]bool, error) {
	if h.TrainedLength <= 0 {
		return nil, fmt.Errorf("hope: trained length %d: expected a positive number", h.TrainedLength)
	}
	if h.Variant != Full && h.Cut.Kind != CutPaper {
		return nil, fmt.Errorf("hope: cut %s: the ablations are defined by the paper's bands alone", h.Cut)
	}
	drop := make([]bool, len(unscaled))
	if h.Cut.Kind == CutKeep {
		if h.Cut.Keep > len(unscaled) {
			return nil, fmt.Errorf("hope: cut %s: the spectrum has %d planes", h.Cut, len(unscaled))
		}
		return slowest(unscaled, len(unscaled)-h.Cut.Keep), nil
	}
	for p, f := range unscaled {
		if h.Cut.Kind == CutMaxPhase {
			drop[p] = f*float64(h.TrainedLength) < h.Cut.Radians
			continue
		}
		switch band := BandOf(f, h.TrainedLength); h.Variant {
		case AB1:
			drop[p] = band == Activated
		case AB2:
			drop[p] = band == TopLow
		default:
			drop[p] = band != High
		}
	}
	return drop, nil
}

// slowest marks the n planes with the smallest inverse frequencies; of equal
// ones the last.
func slowest(unscaled []float64, n int) []bool {
	order := make([]int, len(unscaled))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return unscaled[order[a]] > unscaled[order[b]] })
	drop := make([]bool, len(unscaled))
	for _, p := range order[len(order)-n:] {
		drop[p] = true
	}
	return drop
}

// Apply drops planes of the source's spectrum: which ones is judged by the
// unscaled inverse frequencies, the kept ones keep the scaling that source
// carries. A plane that already was position independent stays so.
func (h HoPE) Apply(unscaled []float64, source Spectrum) (Spectrum, error) {
	if len(unscaled) != len(source.InvFreq) {
		return Spectrum{}, fmt.Errorf("hope: %d unscaled inverse frequencies for %d planes", len(unscaled), len(source.InvFreq))
	}
	drop, err := h.Dropped(unscaled)
	if err != nil {
		return Spectrum{}, err
	}
	out := source.Clone()
	if h.Variant == AB3 && out.Removed == nil {
		out.Removed = make([]bool, len(drop))
	}
	for p, d := range drop {
		if !d {
			continue
		}
		out.InvFreq[p] = 0
		if h.Variant == AB3 {
			out.Removed[p] = true
		}
	}
	return out, nil
}
