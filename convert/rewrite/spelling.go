package rewrite

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/pecvt/pecvt/convert/loaders"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// spellTolerance bounds, relatively, how far a spelled frequency may lie from
// the wanted one: a few roundings of float64.
const spellTolerance = 1e-12

// speller looks for a rope type and its parameters that say a spectrum.
type speller struct {
	source posenc.RopeParams
	scale  posenc.Scale
	// want holds up to trainLength and, where long is not nil, long beyond it.
	want                      posenc.Spectrum
	long                      *posenc.Spectrum
	trainLength, maxPositions int
	// original, where not 0, is what original_max_position_embeddings has to be, since the
	// family's loaders read it for something else too.
	original int
	// score is what the family's loaders multiply scores by; 0 where they read no
	// such factor from the rope keys.
	score float64
	// unchanged: the source's own configuration already says it.
	unchanged bool
	// family is the result's, whose loaders are counted.
	family string
	// allowed lists the rope types that can be used, nil is all, and why says
	// why only those.
	allowed []string
	why     string
}

// order decides between spellings that as many loaders compute.
var order = []string{"default", "linear", "llama3", "yarn", "proportional", "longrope"}

// solve returns the parameters of the asked spelling, or of the one that most
// loaders compute; of several, the one that fewest compute wrong in silence.
func (s speller) solve(spelling string) (posenc.RopeParams, error) {
	if s.unchanged && (spelling == Auto || spelling == s.source.Type) {
		return s.source, nil
	}
	if spelling != Auto {
		p, err := s.try(spelling)
		if err == nil {
			return p, nil
		}
		return p, fmt.Errorf("spelling %s: %w: %w%s", spelling, err, posenc.ErrUnsupported, s.others(spelling))
	}
	var best posenc.RopeParams
	var why []string
	right, wrong := -1, 0
	for _, name := range order {
		p, err := s.try(name)
		if err != nil {
			why = append(why, name+": "+err.Error())
			continue
		}
		r, w := readers(p, s.family)
		if r > right || r == right && w < wrong {
			best, right, wrong = p, r, w
		}
	}
	if right < 0 {
		return best, fmt.Errorf("no rope type can say it (%s): %w", strings.Join(why, "; "), posenc.ErrUnsupported)
	}
	return best, nil
}

// readers counts the loaders that compute a spelling, and those that compute
// something else in silence.
func readers(p posenc.RopeParams, family string) (right, wrong int) {
	for _, v := range loaders.Judge(loaders.FormOf(p, family), family) {
		switch v.Outcome {
		case loaders.Right:
			right++
		case loaders.Wrong:
			wrong++
		}
	}
	return right, wrong
}

// others names the spellings that can say it.
func (s speller) others(but string) string {
	var can []string
	for _, name := range order {
		if name == but {
			continue
		}
		if _, err := s.try(name); err == nil {
			can = append(can, hint.Spelling+" "+name)
		}
	}
	if can == nil {
		return ""
	}
	return "; " + strings.Join(can, " and ") + " can"
}

// try returns the parameters with which a rope type says the spectrum.
func (s speller) try(name string) (posenc.RopeParams, error) {
	if s.allowed != nil && !contains(s.allowed, name) {
		return posenc.RopeParams{}, errors.New(s.why)
	}
	reason := errors.New("other frequencies are wanted")
	for _, p := range s.candidates(name, &reason) {
		p, err := s.scored(p)
		switch {
		case err != nil:
			reason = err
		case s.original != 0 && readsOriginal(p.Type) && p.TrainedLength != s.original:
			reason = fmt.Errorf("its %s would be %d, and queries are scaled by %d there", original, p.TrainedLength, s.original)
		case s.says(p):
			return p, nil
		}
	}
	return posenc.RopeParams{}, reason
}

// says reports whether the parameters give the wanted spectra, up to the
// trained length and beyond.
func (s speller) says(p posenc.RopeParams) bool {
	got, err := p.Spectrum(s.trainLength)
	if err != nil || !near(got, s.want, spellTolerance) {
		return false
	}
	long := s.want
	if s.long != nil {
		long = *s.long
	}
	got, err = p.Spectrum(max(s.trainLength, p.TrainedLength, p.MaxPositions) + 1)
	return err == nil && near(got, long, spellTolerance) && (s.score == 0 || close(p.ScoreFactor(), s.score, spellTolerance))
}

// base is the source's plain spectrum, to be spelled by another type.
func (s speller) base(name string) posenc.RopeParams {
	p := posenc.RopeParams{Type: name, Theta: s.source.Theta, HeadDim: s.source.HeadDim, Partial: s.source.Partial,
		TrainedLength: s.trainLength, MaxPositions: s.maxPositions, BetaFast: 32, BetaSlow: 1, Truncate: true}
	if s.source.Type == "proportional" {
		p.Partial = 1
	}
	return p
}

// candidates lists parameter sets worth checking, and sets why there is none.
func (s speller) candidates(name string, reason *error) []posenc.RopeParams {
	p := s.base(name)
	switch name {
	case "default":
		return []posenc.RopeParams{p}
	case "linear":
		return s.withFactors(p)
	case "yarn":
		if s.scale.Kind != "yarn" {
			*reason = errors.New("the spectrum is not YaRN's")
			return nil
		}
		p.Factor = s.scale.Factor
		return []posenc.RopeParams{p}
	case "llama3":
		return s.step(p, reason)
	case "proportional":
		return s.proportional(p, reason)
	case "longrope":
		return s.longrope(p, reason)
	}
	*reason = fmt.Errorf("only a source that declares %s is spelled by it", name)
	return nil
}

// withFactors tries the factor asked for, the source's and the measured one.
func (s speller) withFactors(p posenc.RopeParams) []posenc.RopeParams {
	var list []posenc.RopeParams
	factors := []float64{s.scale.Factor, s.source.Factor}
	if len(s.want.InvFreq) > 0 && s.want.InvFreq[0] != 0 {
		factors = append(factors, p.Base()[0]/s.want.InvFreq[0])
	}
	for _, f := range factors {
		if f > 0 {
			p.Factor = f
			list = append(list, p)
		}
	}
	return list
}

// proportional spells a tail of planes that do not turn, with or without a
// factor common to the others.
func (s speller) proportional(p posenc.RopeParams, reason *error) []posenc.RopeParams {
	planes := len(s.want.InvFreq)
	if 2*planes != p.HeadDim {
		*reason = fmt.Errorf("it spans the whole head (%d coordinates), the source rotates %d", p.HeadDim, 2*planes)
		return nil
	}
	kept := planes
	for kept > 0 && s.want.InvFreq[kept-1] == 0 {
		kept--
	}
	for _, f := range s.want.InvFreq[:kept] {
		if f == 0 {
			*reason = errors.New("the planes that do not turn are not the last ones")
			return nil
		}
	}
	share, ok := share(kept, planes, func(x float64) int { return posenc.ProportionalPlanes(x, p.HeadDim) })
	if !ok {
		*reason = fmt.Errorf("no partial_rotary_factor survives rounding to %d of %d planes", kept, planes)
		return nil
	}
	if s.want.Gain != 1 {
		*reason = fmt.Errorf("it has no attention factor, %v is wanted", s.want.Gain)
		return nil
	}
	p.SetShare(share)
	return append([]posenc.RopeParams{p}, s.withFactors(p)...)
}

// longrope spells any spectrum, plane by plane.
func (s speller) longrope(p posenc.RopeParams, reason *error) []posenc.RopeParams {
	long := s.want
	if s.long != nil {
		long = *s.long
	}
	if long.Gain != s.want.Gain {
		*reason = errors.New("it has one attention factor for every length")
		return nil
	}
	var err error
	if p.ShortFactor, err = factors(p.Base(), s.want.InvFreq); err != nil {
		*reason = err
		return nil
	}
	if p.LongFactor, err = factors(p.Base(), long.InvFreq); err != nil {
		*reason = err
		return nil
	}
	gain := s.want.Gain
	p.AttentionFactor = &gain
	p.Factor = max(1, float64(s.maxPositions)/float64(s.trainLength))
	return []posenc.RopeParams{p}
}

// factors returns base/want per plane.
func factors(base, want []float64) ([]float64, error) {
	out := make([]float64, len(want))
	for i, f := range want {
		switch {
		case f == 0:
			out[i] = posenc.DroppedFactor
		case f < 0 || math.IsNaN(f):
			return nil, fmt.Errorf("plane %d turns by %v: factors are positive", i, f)
		default:
			out[i] = base[i] / f
		}
	}
	return out, nil
}

// share returns a factor near kept/planes for which the loader's own rounding
// gives kept, the exact quotient first.
func share(kept, planes int, rounded func(float64) int) (float64, bool) {
	x := float64(kept) / float64(planes)
	for range 4 {
		if rounded(x) == kept {
			return x, true
		}
		x = math.Nextafter(x, 2)
	}
	return 0, false
}
