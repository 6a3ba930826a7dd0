package retrofit

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/pecvt/pecvt/posenc"
)

// BudgetKind says what a budget bounds.
type BudgetKind string

const (
	// BudgetPPL bounds PPL/SourcePPL − 1, BudgetKL the mean KL in nats, and
	// BudgetPlanes fixes the share of candidates that is dropped: it needs no
	// measure.
	BudgetPPL    BudgetKind = "ppl"
	BudgetKL     BudgetKind = "kl"
	BudgetPlanes BudgetKind = "planes"
)

// Budget bounds a selection's loss.
type Budget struct {
	Kind BudgetKind `json:"kind"`
	// Value is a share (0.01 is 1%) for BudgetPPL and BudgetPlanes, nats for
	// BudgetKL.
	Value float64 `json:"value"`
}

// ParseBudget reads "ppl=1%", "kl=0.01" or "planes=75%".
func ParseBudget(s string) (Budget, error) {
	name, value, _ := strings.Cut(s, "=")
	b := Budget{Kind: BudgetKind(name)}
	names := []string{string(BudgetPPL), string(BudgetKL), string(BudgetPlanes)}
	switch b.Kind {
	case BudgetPPL, BudgetKL, BudgetPlanes:
	default:
		return b, fmt.Errorf("budget %q: %q%s; write ppl=1%%, kl=0.01 or planes=75%%", s, name, posenc.Suggest(name, names))
	}
	number, percent := strings.CutSuffix(value, "%")
	x, err := strconv.ParseFloat(number, 64)
	switch {
	case err != nil || math.IsNaN(x) || math.IsInf(x, 0) || x < 0:
		return b, fmt.Errorf("budget %q: %q: expected a number of at least 0", s, value)
	case b.Kind == BudgetKL && percent:
		return b, fmt.Errorf("budget %q: KL is in nats, not in percent: write kl=0.01", s)
	case b.Kind != BudgetKL && !percent:
		return b, fmt.Errorf("budget %q: expected percent: write %s=%s%%", s, name, value)
	case b.Kind == BudgetPlanes && x > 100:
		return b, fmt.Errorf("budget %q: at most 100%% of the planes", s)
	}
	b.Value = x
	if percent {
		b.Value = x / 100
	}
	return b, nil
}

// String spells the budget as ParseBudget reads it.
func (b Budget) String() string {
	if b.Kind == BudgetKL {
		return "kl=" + strconv.FormatFloat(b.Value, 'g', -1, 64)
	}
	return string(b.Kind) + "=" + strconv.FormatFloat(math.Round(b.Value*1e10)/1e8, 'g', -1, 64) + "%"
}

// Loss is the measured number that the budget bounds.
func (b Budget) Loss(m Measured) float64 {
	switch b.Kind {
	case BudgetPPL:
		return m.PPL/m.SourcePPL - 1
	case BudgetKL:
		return m.KL
	}
	return 0
}

// Holds reports whether a measured model is within the budget.
func (b Budget) Holds(m Measured) bool { return b.Kind == BudgetPlanes || b.Loss(m) <= b.Value }

// format prints a measured loss in the budget's unit.
func (b Budget) format(m Measured) string {
	if b.Kind == BudgetPPL {
		return fmt.Sprintf("perplexity %.5g against %.5g (%+.2f%%)", m.PPL, m.SourcePPL, 100*b.Loss(m))
	}
	return fmt.Sprintf("KL %.4g nats", m.KL)
}

// Granularity says what is dropped together.
type Granularity string

const (
	// ByGroup drops a plane in one layer and key/value head, ByLayer in all
	// heads of a layer, ByModel everywhere. A whole layer's costs are the sums.
	ByGroup Granularity = "group"
	ByLayer Granularity = "layer"
	ByModel Granularity = "model"
)

// ParseGranularity reads "group", "layer" or "model".
func ParseGranularity(s string) (Granularity, error) {
	names := []string{string(ByGroup), string(ByLayer), string(ByModel)}
	for _, n := range names {
		if s == n {
			return Granularity(n), nil
		}
	}
	return "", fmt.Errorf("granularity %q%s", s, posenc.Suggest(s, names))
}
