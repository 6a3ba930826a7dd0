package figures

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify/ref"
	"github.com/pecvt/pecvt/verify/report"
)

// score is the mean score before softmax over layers and query heads as a
// function of the distance n between query and key:
//
//	s(n) = constant − slope·n + Σ_θ cosine_θ·cos(θn) + sine_θ·sin(θn) − Σ r1·k(n)
//
// which is what scale·<R_n q, k> + b(n) is for vectors q, k that do not depend
// on n.
type score struct {
	constant, slope float64
	terms           map[float64][2]float64 // θ to cosine, sine
	kernels         map[kernel]float64     // KERPLE's, to r1
}

// mean is the mean of s over the distances from … to, exactly: the sum of
// cos(θn) over them is sin(Nθ/2)/sin(θ/2)·cos(θ(from + to)/2), N their number.
func (s *score) mean(from, to int) float64 {
	n, middle := float64(to-from+1), float64(from+to)/2
	sum := s.constant - s.slope*middle
	for _, k := range slices.SortedFunc(maps.Keys(s.kernels), kernel.compare) {
		sum -= s.kernels[k] * k.mean(from, to)
	}
	for _, theta := range slices.Sorted(maps.Keys(s.terms)) {
		damp := 1.0
		if half := math.Sin(theta / 2); math.Abs(half) > 1e-15 {
			damp = math.Sin(n*theta/2) / (n * half)
		}
		sin, cos := math.Sincos(theta * middle)
		sum += damp * (s.terms[theta][0]*cos + s.terms[theta][1]*sin)
	}
	return sum
}

// content gives the q and the k of a layer's query head.
type content func(layer, head int) (q, k []float64)

// scoreOf sums a model's score up, layer by layer and head by head. Gates of a
// bias or a phase are those of an input of zeros: content moves them, distance
// does not.
func scoreOf(m *family.Model, src family.Source, of content) (*score, error) {
	s := &score{terms: map[float64][2]float64{}, kernels: map[kernel]float64{}}
	for i, a := range m.Attentions() {
		rates, err := biasRates(a, src)
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", i, err)
		}
		steps, err := phaseSteps(a, src)
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", i, err)
		}
		share := 1 / float64(len(m.Blocks)*a.Heads)
		for h := range a.Heads {
			group := h / (a.Heads / a.KVHeads)
			q, k := of(i, h)
			s.add(a, q, k, group, share, steps[group%len(steps)])
			s.slope += share * rates[h%len(rates)]
			if b := a.Bias; b != nil && b.Kind == family.Kerple {
				s.kernels[kernel{b.Power, b.R2[h]}] += share * b.Slopes[h]
			}
		}
	}
	return s, nil
}

// add adds one head's score of q and k, times share; step is how far one
// position turns (1, but for contextual phases).
func (s *score) add(a *family.Attention, q, k []float64, group int, share, step float64) {
	spectra := spectraOf(a)
	for c := range q {
		if len(spectra) == 0 || c >= a.Rotary.Dim {
			s.constant += share * a.Scale * q[c] * k[c]
		}
	}
	if len(spectra) == 0 {
		return
	}
	one := spectra[group%len(spectra)]
	for p, theta := range one.InvFreq {
		if one.Removed != nil && one.Removed[p] {
			continue
		}
		x, y := a.Rotary.Coordinates(p)
		weight := share * a.Scale * one.Gain * one.Gain
		same, cross := weight*(q[x]*k[x]+q[y]*k[y]), weight*(q[x]*k[y]-q[y]*k[x])
		if theta == 0 {
			s.constant += same
			continue
		}
		t := s.terms[theta*step]
		s.terms[theta*step] = [2]float64{t[0] + same, t[1] + cross}
	}
}

// biasRates are what a bias takes from the score per position and head, with
// gates at an input of zeros; zeros where there is no bias.
func biasRates(a *family.Attention, src family.Source) ([]float64, error) {
	b := a.Bias
	if b == nil {
		return []float64{0}, nil
	}
	factor := 1.0
	switch b.Kind {
	case family.Kerple: // no rate: see kernel
		return []float64{0}, nil
	case family.ALiBi:
		if b.BeforeScale {
			factor = a.Scale
		}
	case family.Gated:
		factor = 0
		if b.U != nil {
			factor += math.Ln2
		}
		if b.V != nil {
			factor += math.Ln2
		}
	case family.Path:
		factor = math.Ln2
	case family.Forget:
		if b.Gate.Bias == nil {
			return []float64{math.Ln2}, nil
		}
		c, err := b.Gate.Bias.Float64(src)
		if err != nil {
			return nil, err
		}
		for h, x := range c {
			c[h] = posenc.Softplus(-x)
		}
		return c, nil
	}
	rates := slices.Clone(b.Slopes)
	for h := range rates {
		rates[h] *= factor
	}
	return rates, nil
}

// phaseSteps are what a contextual phase adds per position and group, at an
// input of zeros; 1 where positions turn.
func phaseSteps(a *family.Attention, src family.Source) ([]float64, error) {
	if a.Phase == nil {
		return []float64{1}, nil
	}
	if a.Phase.Gate.Bias == nil {
		return []float64{0.5}, nil
	}
	b, err := a.Phase.Gate.Bias.Float64(src)
	if err != nil {
		return nil, err
	}
	for g, x := range b {
		b[g] = posenc.Sigmoid(x / a.Phase.C)
	}
	return b, nil
}

// decay fills Curves.Decay: the score of vectors of ones (every coordinate has
// the size that a normalised head gives it), which shows the encoding alone,
// and that of the prompt's mean query and mean key, which shows what the
// weights make of it.
func (s *maker) decay(c *report.Curves) error {
	var ones []float64
	none := func(m *family.Model) content {
		return func(layer, _ int) (q, k []float64) {
			for len(ones) < m.Blocks[layer].Attn().QKDim {
				ones = append(ones, 1)
			}
			v := ones[:m.Blocks[layer].Attn().QKDim]
			return v, v
		}
	}
	curves := make([]*score, 4)
	var err error
	if curves[0], err = scoreOf(s.model, s.ckpt, none(s.model)); err != nil {
		return err
	}
	if curves[2], err = s.promptScore(s.model, s.ckpt); err != nil {
		return err
	}
	if s.source != nil {
		if curves[1], err = scoreOf(s.source, s.sourceCkpt, none(s.source)); err != nil {
			return fmt.Errorf("source: %w", err)
		}
		if curves[3], err = s.promptScore(s.source, s.sourceCkpt); err != nil {
			return fmt.Errorf("source: %w", err)
		}
	}
	for from := 0; from < s.info.MaxLength; {
		to := min(max(from, int(float64(from)*1.05)), s.info.MaxLength-1)
		row := report.DecayRow{From: from, To: to}
		for i, into := range []*report.Number{&row.Score, &row.Source, &row.Prompt, &row.PromptSource} {
			*into = report.Number(math.NaN())
			if curves[i] != nil {
				*into = report.Number(curves[i].mean(from, to))
			}
		}
		c.Decay = append(c.Decay, row)
		from = to + 1
	}
	return nil
}

// promptScore is the score of the mean query and the mean key over the tokens
// of the prompt, before the rotation and after the norms; nil where norms come
// after it.
func (s *maker) promptScore(m *family.Model, ckpt store.Store) (*score, error) {
	in := s.sample()
	_, n := in.Batch()
	means := map[string][]float64{} // by layer and side, (heads, d)
	for _, a := range m.Attentions() {
		if a.NormAfter {
			return nil, nil
		}
	}
	tap := func(name string, values []float64, shape []int) {
		layer, place := names.Split(name)
		side := names.Q
		if place == names.K.Proj() || place == names.K.Shifted() || place == names.K.Norm() {
			side = names.K
		}
		if layer < 0 || len(shape) != 4 || place != side.Proj() && place != side.Shifted() && place != side.Norm() {
			return
		}
		width := shape[2] * shape[3]
		mean := make([]float64, width) // a later node replaces what it was made from
		for at, x := range values {
			mean[at%width] += x / float64(n)
		}
		means[names.Layer(layer, side.Heads())] = mean
	}
	_, err := ref.New(m, ckpt).Forward(s.ctx, ref.Input{IDs: in.IDs, Positions: in.Positions, Mask: in.Mask}, ref.Options{Tap: tap, LogitsFrom: n})
	if err != nil {
		return nil, err
	}
	return scoreOf(m, ckpt, func(layer, head int) (q, k []float64) {
		a := m.Blocks[layer].Attn()
		group := head / (a.Heads / a.KVHeads)
		return means[names.Layer(layer, names.Q.Heads())][head*a.QKDim:][:a.QKDim], means[names.Layer(layer, names.K.Heads())][group*a.QKDim:][:a.QKDim]
	})
}
