package rewrite

import (
	"fmt"
	"math"
	"strconv"

	"github.com/pecvt/pecvt/posenc"
)

const (
	// stepWidth is high_freq_factor/low_freq_factor − 1: the blend between the
	// two borders is this narrow and no plane lies in it.
	stepWidth = 1e-4
	// stepRoom is the least relative distance of a plane's wavelength from the
	// borders' middle: loaders compute wavelengths and borders in float32, which
	// is right to about 1e-6 of them.
	stepRoom = 5e-4
)

// step spells a step in wavelength by rope type llama3: with a factor of
// posenc.DroppedFactor, planes of a wavelength above L'/low_freq_factor stand
// still, and those under L'/high_freq_factor turn as plain RoPE's, untouched to
// the last bit in every loader, since each chooses by comparison. The borders lie
// at the geometric mean of the last kept and the first dropped wavelength.
//
// L' (original_max_position_embeddings) only scales the two factors, and is half
// of max_position_embeddings, unless it has to be something else: transformers warns of
// one that is not below it.
func (s speller) step(p posenc.RopeParams, reason *error) []posenc.RopeParams {
	if s.want.Gain != 1 {
		*reason = fmt.Errorf("it has no attention factor, %v is wanted", s.want.Gain)
		return nil
	}
	base := p.Base()
	if len(base) != len(s.want.InvFreq) {
		*reason = fmt.Errorf("it turns %d planes, %d are wanted", len(base), len(s.want.InvFreq))
		return nil
	}
	kept, dropped := 0.0, math.Inf(1) // the longest and the shortest wavelength
	for i, f := range s.want.InvFreq {
		wavelength := 2 * math.Pi / base[i]
		switch {
		case f == 0:
			dropped = min(dropped, wavelength)
		case math.Abs(f-base[i]) > spellTolerance*base[i]:
			*reason = fmt.Errorf("it says which planes of plain RoPE turn, and plane %d turns %.4g times as fast", i, f/base[i])
			return nil
		default:
			kept = max(kept, wavelength)
		}
	}
	var border float64
	switch {
	case kept == 0:
		border = dropped / 2
	case math.IsInf(dropped, 1):
		border = 2 * kept
	case dropped < kept:
		*reason = fmt.Errorf("it stops the longest wavelengths, and one of %.6g stands still where one of %.6g turns", dropped, kept)
		return nil
	default:
		if border = math.Sqrt(kept * dropped); border < kept*(1+stepRoom) {
			*reason = fmt.Errorf("the wavelengths %.9g, which turns, and %.9g, which does not, are too near for loaders that compute in float32", kept, dropped)
			return nil
		}
	}
	p.Factor = posenc.DroppedFactor
	if p.TrainedLength = max(1, s.maxPositions/2); s.original != 0 {
		p.TrainedLength = s.original
	}
	p.LowFreqFactor = seven(float64(p.TrainedLength) / border)
	p.HighFreqFactor = seven(p.LowFreqFactor * (1 + stepWidth))
	return []posenc.RopeParams{p}
}

// seven rounds to seven digits, which people can read and float32 holds.
func seven(x float64) float64 {
	y, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 7, 64), 64)
	if err != nil {
		panic(fmt.Sprintf("rewrite: %v: %v", x, err))
	}
	return y
}
