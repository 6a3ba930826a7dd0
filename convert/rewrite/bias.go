package rewrite

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// slopes returns β per head of a bias that amounts to −β(i − j).
func (j job) slopes(a *family.Attention) ([]float64, error) {
	b := a.Bias
	switch b.Kind {
	case family.ALiBi:
		alibi := posenc.ALiBi{Slope: b.Slopes, Factor: 1, BF16: b.RoundBF16}
		if b.BeforeScale {
			alibi.Factor = a.Scale
		}
		return alibi.Effective(), nil
	case family.Gated:
		if !zeroRows(b.U) || !zeroRows(b.V) {
			return nil, gates("GRAPE-A")
		}
		n := 0.0
		if b.U != nil {
			n++
		}
		if b.V != nil {
			n++
		}
		return times(b.Slopes, n*math.Ln2), nil
	case family.Path:
		if b.P == nil {
			return nil, gates("GRAPE-AP with p tied to " + b.Tie)
		}
		if zero, err := j.zeroWeight(b.P.Weight); err != nil || !zero || b.P.Bias != nil {
			return nil, orGates(err, "GRAPE-AP")
		}
		return times(b.Slopes, math.Ln2), nil
	case family.Kerple:
		for _, exponent := range b.R2 {
			if !b.Power || exponent != 1 {
				return nil, fmt.Errorf("KERPLE: only a power of 1 is a slope per head: %w; it stays what it is", posenc.ErrUnsupported)
			}
		}
		return b.Slopes, nil
	case family.Forget:
		if zero, err := j.zeroWeight(b.Gate.Weight); err != nil || !zero {
			return nil, orGates(err, "FoX")
		}
		c, err := b.Gate.Bias.Float64(j.src)
		if err != nil {
			return nil, err
		}
		for h, x := range c {
			c[h] = posenc.Softplus(-x)
		}
		return c, nil
	}
	return nil, fmt.Errorf("internal error: bias kind %d", b.Kind)
}

func orGates(err error, what string) error {
	if err != nil {
		return err
	}
	return gates(what)
}

func times(list []float64, by float64) []float64 {
	out := make([]float64, len(list))
	for i, v := range list {
		out[i] = by * v
	}
	return out
}

// alibi makes a bias ALiBi's slopes: the source's own where they are the same.
func (r *Rewrite) alibi(j job) error {
	slopes, err := r.fromConstant(j, "the same slopes")
	if err != nil {
		return err
	}
	if e := j.m.Extension; e != nil {
		own := job{m: e.Source}
		if from, err := sourceOf(e.Source, nil); err == nil && from == fromALiBi { // its slopes are no weights
			if theirs, err := own.constant(); err == nil && nearly(theirs, slopes) {
				r.note("the slopes are those of family %s: its own configuration says them", j.m.Family)
				if e.Source.FirstAttn().Bias.RoundBF16 {
					r.note("the family rounds slope × position to bfloat16 again, as the checkpoint it came from did")
				}
				r.extend(j.m, family.Extension{Rotation: e.Rotation}, nil, ofRotation)
				return nil
			}
		}
	}
	if j.from == fromALiBi {
		r.unchanged(j.m)
		return nil
	}
	bias, added := slopeTensors(j.m, slopes)
	return r.replaceBias(j, bias, added)
}

// grapeA makes a bias GRAPE-A with gates of 0.
func (r *Rewrite) grapeA(j job) error {
	query, key := j.enc.Variant != "key", j.enc.Variant != "query"
	if b := j.m.FirstAttn().Bias; j.from == fromGrapeA && (b.V != nil) == query && (b.U != nil) == key {
		return r.already(j)
	}
	slopes, err := r.fromConstant(j, "the gates are 0, so that each is ln 2")
	if err != nil {
		return err
	}
	bias, added, err := gatedTensors(j.m, slopes, query, key)
	if err != nil {
		return err
	}
	return r.replaceBias(j, bias, added)
}

// grapeAP makes a bias GRAPE-AP with a projection of 0.
func (r *Rewrite) grapeAP(j job) error {
	if j.from == fromGrapeAP {
		return r.already(j)
	}
	slopes, err := r.fromConstant(j, "p is 0, so that every log gate is −ln 2")
	if err != nil {
		return err
	}
	bias, added, err := pathTensors(j.m, slopes)
	if err != nil {
		return err
	}
	r.note("the projection starts at 0, where its gradient is 0 as well: draw pecvt.layers.*.bias.path.weight at random before training")
	return r.replaceBias(j, bias, added)
}

// fox makes a bias FoX with gates that do not read the token.
func (r *Rewrite) fox(j job) error {
	if j.from == fromFoX {
		return r.already(j)
	}
	slopes, err := r.fromConstant(j, "w is 0, so that a gate is its head's constant")
	if err != nil {
		return err
	}
	bias, added, err := gateTensors(j.m, slopes)
	if err != nil {
		return err
	}
	return r.replaceBias(j, bias, added)
}

// kerple makes a bias KERPLE: a power of 1, which is ALiBi, or a logarithm fitted to
// it.
func (r *Rewrite) kerple(j job) error {
	power := j.enc.Variant == "power"
	if j.from == fromKERPLE && j.m.FirstAttn().Bias.Power == power {
		return r.already(j)
	}
	if !power && j.from != fromALiBi && j.from != fromKERPLE {
		return hint.Errorf("the logarithm is fitted to ALiBi's slopes or to powers of 1: %w from %s; "+hint.To+" kerple:power keeps gates of 0 exactly", posenc.ErrUnsupported, j.from)
	}
	slopes, err := r.fromConstant(j, "r1 is β and r2 is 1")
	if err != nil {
		return err
	}
	fit := &posenc.KERPLEFit{}
	bias, added, err := kernelTensors(j.m, slopes, power, r.TrainLength, fit)
	if err != nil {
		return err
	}
	if !power {
		r.Kind, r.Untrained = Lossy, needsTraining
		r.Reason = fmt.Sprintf("a logarithm fitted to −β(i − j): the weight of a key beside the query's own is off by up to %.3g; far keys keep more of it, and the bias is up to %.4g score units off over the trained length %d", fit.Weight, fit.Bias, r.TrainLength)
	}
	return r.replaceBias(j, bias, added)
}

// already is for a model that is what was asked for.
func (r *Rewrite) already(j job) error {
	r.unchanged(j.m)
	r.Reason = "the model is that already"
	return nil
}

// roundedCost is what lies between a bias rounded to bf16 and the same without
// rounding: in float64, the Falcon of the tests, 4 heads with slopes that are
// powers of two.
const roundedCost = "; but the family rounds slope × position to bfloat16 (8 bits) and the result does not: measured on a model of 2 layers, no difference up to position 256, 0.9% of the largest logit at 300, 3.9% at 600, where neighbours share a rounded value in the source"

// fromConstant returns the slopes that the bias amounts to and says so.
func (r *Rewrite) fromConstant(j job, how string) ([][]float64, error) {
	slopes, err := j.constant()
	if err != nil {
		return nil, err
	}
	r.Kind, r.Reason = Exact, "the bias stays −β(i − j): "+how
	if b := j.m.FirstAttn().Bias; b.RoundBF16 && j.enc.Name != "alibi" {
		r.Kind = Lossy
		r.Reason += roundedCost
		r.note("family %s rounds slopes, and products of slope and position, to bfloat16; the slopes are kept as it rounds them, the products are not rounded", j.m.Family)
	}
	return slopes, nil
}

// replaceBias puts the block's bias in the place of what there is.
func (r *Rewrite) replaceBias(j job, b *family.BiasBlock, added []Tensor) error {
	e := extension(j.m)
	e.Bias = b
	r.extend(j.m, e, added, ofRotation)
	return nil
}

// nearly compares slopes to a few roundings.
func nearly(a, b [][]float64) bool {
	for i := range a {
		for h, v := range a[i] {
			if math.Abs(v-b[i][h]) > spellTolerance*math.Abs(v) {
				return false
			}
		}
	}
	return true
}

// slopeTensors are the slopes of each layer, none where its row is nil, as
// gatedTensors and pathTensors have them.
func slopeTensors(m *family.Model, slopes [][]float64) (*family.BiasBlock, []Tensor) {
	var added []Tensor
	for i, row := range slopes {
		if row == nil {
			continue
		}
		added = append(added, Tensor{Name: family.BlockTensor(i, "bias.slope"), DType: tensor.F64, Shape: []int64{int64(len(row))}, Values: row})
	}
	return &family.BiasBlock{Kind: family.ALiBi}, added
}

// gateTensors are FoX's, with gates that do not read the token.
func gateTensors(m *family.Model, slopes [][]float64) (*family.BiasBlock, []Tensor, error) {
	var added []Tensor
	for i, row := range slopes {
		if row == nil {
			continue
		}
		gates, err := posenc.FoXFromALiBi(row, 1)
		if err != nil {
			return nil, nil, err
		}
		heads := int64(len(row))
		added = append(added,
			Tensor{Name: family.BlockTensor(i, "bias.gate.bias"), DType: tensor.F64, Shape: []int64{heads}, Values: gates.C},
			Tensor{Name: family.BlockTensor(i, "bias.gate.weight"), DType: m.DType, Shape: []int64{heads, int64(m.Hidden)}})
	}
	return &family.BiasBlock{Kind: family.Forget}, added, nil
}

// kernelTensors are KERPLE's: the slopes to the power of 1, or a logarithm fitted to
// them, whose largest errors over length positions go to worst.
func kernelTensors(m *family.Model, slopes [][]float64, power bool, length int, worst *posenc.KERPLEFit) (*family.BiasBlock, []Tensor, error) {
	var added []Tensor
	for i, row := range slopes {
		if row == nil {
			continue
		}
		fit, err := posenc.KERPLEFit{}, error(nil)
		if power {
			fit.KERPLE, err = posenc.KERPLEFromALiBi(row)
		} else {
			fit, err = posenc.FitKERPLE(row, length)
		}
		if err != nil {
			return nil, nil, err
		}
		worst.Weight, worst.Bias = max(worst.Weight, fit.Weight), max(worst.Bias, fit.Bias)
		for name, v := range map[string][]float64{"bias.r1": fit.R1, "bias.r2": fit.R2} {
			added = append(added, Tensor{Name: family.BlockTensor(i, name), DType: tensor.F64, Shape: []int64{int64(len(row))}, Values: v})
		}
	}
	return &family.BiasBlock{Kind: family.Kerple, Power: power}, added, nil
}

func gatedTensors(m *family.Model, slopes [][]float64, query, key bool) (*family.BiasBlock, []Tensor, error) {
	var added []Tensor
	for i, row := range slopes {
		if row == nil {
			continue
		}
		g, err := posenc.GatedFromALiBi(row, m.Blocks[i].Attn().QKDim, query, key)
		if err != nil {
			return nil, nil, err
		}
		added = append(added, Tensor{Name: family.BlockTensor(i, "bias.omega"), DType: tensor.F64, Shape: []int64{int64(len(row))}, Values: g.Omega})
		for _, v := range []struct {
			has  bool
			name string
		}{{query, "bias.v"}, {key, "bias.u"}} {
			if v.has {
				added = append(added, Tensor{Name: family.BlockTensor(i, v.name), DType: tensor.F32, Shape: []int64{int64(len(row)), int64(m.Blocks[i].Attn().QKDim)}})
			}
		}
	}
	return &family.BiasBlock{Kind: family.Gated, ByQuery: query, ByKey: key}, added, nil
}

func pathTensors(m *family.Model, slopes [][]float64) (*family.BiasBlock, []Tensor, error) {
	size := m.FirstAttn().QKDim
	if size%2 != 0 {
		size++
	}
	var added []Tensor
	for i, row := range slopes {
		if row == nil {
			continue
		}
		// the projection is zeros, written as such: only β is taken from it
		p, err := posenc.PathIntegralFromALiBi(row, size, 1)
		if err != nil {
			return nil, nil, err
		}
		heads := int64(len(row))
		added = append(added,
			Tensor{Name: family.BlockTensor(i, "bias.beta"), DType: tensor.F64, Shape: []int64{heads}, Values: p.Beta},
			Tensor{Name: family.BlockTensor(i, "bias.path.weight"), DType: m.DType, Shape: []int64{heads * int64(size), int64(m.Hidden)}})
	}
	return &family.BiasBlock{Kind: family.Path, PathSize: size}, added, nil
}
