package family

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/pecvt/pecvt/posenc"
)

// This file holds the form of a model whose encoding no stock configuration can
// say. Its folder keeps the source family's tensors under their names, adds
// tensors of its own beside them, and has a config.json of these keys and no
// others:
//
//	architectures  ["PecvtForCausalLM"]
//	model_type     "pecvt"
//	vocab_size     -1
//	pecvt          {"version": 1, "source": {…}, "rotation": {…}, "bias": {…}, "query_scale": {…}}
//
// source is the source's config.json, word for word but for a
// length, a scaling or a spectrum that the conversion gave it. rotation and bias replace
// what it declares; an absent one leaves it. Loaders that go by model_type or
// by the architecture stop at an unknown one. A loader told to take a class of
// its choice makes the embedding first, and finds no sizes but a vocabulary of
// −1, which no tensor has: it stops there, before it makes or reads anything,
// and does not compute the source's encoding without a word.
//
// rotation is {"type": "grape-m", "attention_factor": number}: in every layer
// that turns, pecvt.layers.{i}.rotation.inv_freq (key/value heads, planes)
// holds θ in radians per position: +θt as Hugging Face turns, planes paired and
// rotary dimension as the source has them. cos and sin are multiplied by
// attention_factor; "attention_factors" in its place has one for each layer. No plane
// turns by more than MaxRadians per position.
//
// With a "form" each key/value head turns by exp(tL), L skew (see Generators), and
// the tensors of pecvt.layers.{i}.rotation. are, for G key/value heads, P planes and D
// coordinates that the source turns, in its order:
//
//	basis                    inv_freq (G, P), basis (G, D, D): L = B L_θ Bᵀ
//	mixed, "rank": r         inv_freq, frame (G, D, r), generator (G, r(r−1)/2): L_θ + E L_r Eᵀ
//	rank2, "generators": m   inv_freq, a and b (G, m, D): L_θ + Σ_m (a bᵀ − b aᵀ)
//	dense                    generator (G, D(D−1)/2)
//
// L_θ turns planes as inv_freq alone does; generator holds the upper triangle of a skew
// matrix row by row. Columns of basis and frame are orthonormal.
//
// bias is {"type": …}, with in every layer, per query head h
//
//	alibi     pecvt.layers.{i}.bias.slope (heads): β, 0 or more
//	grape-a   bias.omega (heads): 0 or more, and by "gates" (of "query", "key")
//	          bias.v, bias.u (heads, head size): ω, v, u as they act, normalised
//	          by whoever wrote them
//	fox       bias.gate.weight (heads, hidden), bias.gate.bias (heads): w, c
//	grape-ap  bias.beta (heads): β, 0 or more, and bias.path.weight
//	          (heads · path_size, hidden): the projection to p, of "path_size"
//	          numbers per head
//	kerple    bias.r1 (heads): 0 or more, bias.r2 (heads): above 0, by "kernel"
//	          "power" (where r2 is at most 2) or "log"
//
// with the formulas of [Bias]: none is ever above 0, and none grows with the distance
// where its gates do not change. A β, ω or r1 below 0 would reward distance; it is refused.
// Every tensor may be of any floating-point type.
//
// query_scale is {"beta": number, "length": integer}, both above 0: in every layer that
// turns and whose attention has no window and no chunks, the query at position t, turned,
// is multiplied by 1 + beta·ln(1 + ⌊t/length⌋) (see [QueryScale]). No tensor belongs to it.

// BlockKey is the key of config.json, the model type and the prefix of the
// tensors; BlockVersion what this program reads and writes.
const (
	BlockKey     = "pecvt"
	BlockVersion = 1
)

// blockArchitecture is a class that no loader has, blockVocabulary a size that
// no embedding has.
const (
	blockArchitecture = "PecvtForCausalLM"
	blockVocabulary   = -1
)

// Extension is what the block of a configuration says beside its source.
type Extension struct {
	// Rotation and Bias are nil where the source's own remain.
	Rotation *RotationBlock
	Bias     *BiasBlock
	// QueryScale is the factor of queries in layers that are [Attention.Scalable], nil
	// without one.
	QueryScale *QueryScale
	// Source is the model that the source's own configuration describes. Nil
	// where an extension is about to be written.
	Source *Model
}

// RotationBlock replaces the rotation by GRAPE-M with frequencies in tensors.
type RotationBlock struct {
	// AttentionFactor multiplies cos and sin.
	AttentionFactor float64
	// AttentionFactors are those of each layer where they differ, else nil.
	AttentionFactors []float64
	// Form is "", Basis, Mixed, Rank2 or Dense; Rank is r of Mixed, Count m of Rank2.
	Form        string
	Rank, Count int
}

// factor is what multiplies the cosines and sines of a layer.
func (b *RotationBlock) factor(layer int) float64 {
	if b.AttentionFactors != nil {
		return b.AttentionFactors[layer]
	}
	return b.AttentionFactor
}

// BiasBlock replaces the bias.
type BiasBlock struct {
	Kind BiasKind
	// ByQuery and ByKey are the gates of Gated, PathSize the size of Path's
	// vectors.
	ByQuery, ByKey bool
	PathSize       int
	// Power is Kerple's kernel: a power, or else a logarithm.
	Power bool
}

// biasTypes are the spellings of a block's bias type.
var biasTypes = map[BiasKind]string{ALiBi: "alibi", Gated: "grape-a", Forget: "fox", Path: "grape-ap", Kerple: "kerple"}

// BlockTensor is the name of a tensor of the block, such as
// pecvt.layers.3.bias.slope for "bias.slope" of layer 3.
func BlockTensor(layer int, name string) string {
	return BlockKey + ".layers." + strconv.Itoa(layer) + "." + name
}

// Config returns the config.json of a model with this block, from its source's.
func (e Extension) Config(source *Object) *Object {
	block := newObject()
	block.Set("version", BlockVersion)
	block.Set("source", source)
	if e.Rotation != nil {
		o := newObject()
		o.Set("type", "grape-m")
		if f := e.Rotation.AttentionFactors; f != nil {
			o.Set("attention_factors", f)
		} else {
			o.Set("attention_factor", json.RawMessage(strconv.FormatFloat(e.Rotation.AttentionFactor, 'g', -1, 64)))
		}
		e.Rotation.setForm(o)
		block.Set("rotation", o)
	}
	if b := e.Bias; b != nil {
		o := newObject()
		o.Set("type", biasTypes[b.Kind])
		if b.Kind == Gated {
			o.Set("gates", b.gates())
		}
		if b.Kind == Path {
			o.Set("path_size", b.PathSize)
		}
		if b.Kind == Kerple {
			o.Set("kernel", b.kernel())
		}
		block.Set("bias", o)
	}
	if e.QueryScale != nil {
		block.Set(QueryScaleKey, e.QueryScale.Block())
	}
	c := newObject()
	c.Set("architectures", []string{blockArchitecture})
	c.Set("model_type", BlockKey)
	c.Set("vocab_size", blockVocabulary)
	c.Set(BlockKey, block)
	return c
}

func (b *BiasBlock) gates() []string {
	var list []string
	if b.ByQuery {
		list = append(list, "query")
	}
	if b.ByKey {
		list = append(list, "key")
	}
	return list
}

// kernels are the spellings of Kerple's forms.
var kernels = []string{"power", "log"}

func (b *BiasBlock) kernel() string {
	if b.Power {
		return kernels[0]
	}
	return kernels[1]
}

func newObject() *Object { return &Object{} }

// blockRotation has every layer that turns read its own frequencies.
func (m *Model) blockRotation(b *RotationBlock) error {
	turns := false
	if n := len(b.AttentionFactors); n > 0 && n != len(m.Blocks) {
		return fmt.Errorf("rotation: key %q has %d numbers: expected one for each of the %d layers", "attention_factors", n, len(m.Blocks))
	}
	spectra := map[int][][]float64{}
	for i, a := range m.Attentions() {
		if a.Phase != nil {
			return fmt.Errorf("rotation: the source's is contextual, which frequencies do not replace")
		}
		if a.Rotary.Dim == 0 {
			continue
		}
		turns = true
		if b.Form != "" {
			if err := m.generators(i, a, b); err != nil {
				return fmt.Errorf("rotation: form %s: layer %d: %w", b.Form, i, err)
			}
			continue
		}
		planes := a.Rotary.Planes()
		rows := grid(a.KVHeads, planes)
		a.Rotary.Spectrum.InvFreq, a.Rotary.Gain, a.Rotary.Removed = rows[0], b.factor(i), nil
		a.Spectra, spectra[i] = &HeadSpectra{InvFreq: rows}, rows
		m.read(whole(BlockTensor(i, "rotation.inv_freq"), int64(a.KVHeads), int64(planes)), func(v []float64) error {
			shared := true
			for j, x := range v {
				if err := CheckRadians(x); err != nil {
					return fmt.Errorf("key/value head %d, plane %d: %w", j/planes, j%planes, err)
				}
				rows[j/planes][j%planes] = x
				shared = shared && x == v[j%planes]
			}
			if shared { // what all heads share is a plain spectrum
				a.Spectra = nil
			}
			if a.KVLayer != nil {
				return turnAlike(rows, spectra[*a.KVLayer], *a.KVLayer)
			}
			return nil
		})
	}
	if !turns {
		return fmt.Errorf("rotation: no layer of the source turns")
	}
	m.Rope.Type, m.learned = "", true
	return nil
}

// turnAlike holds queries to the frequencies by which the keys that they meet were turned,
// those of another layer: else a score is no function of the distance.
func turnAlike(queries, keys [][]float64, layer int) error {
	for h, row := range queries {
		for p, theta := range row {
			if h >= len(keys) || p >= len(keys[h]) || theta != keys[h][p] {
				return fmt.Errorf("key/value head %d, plane %d: queries turn by %v per position, and the keys that they meet, those of layer %d, otherwise: expected what tensor %q has, so that scores depend on distances",
					h, p, theta, layer, BlockTensor(layer, "rotation.inv_freq"))
			}
		}
	}
	return nil
}

// Biasable refuses a model in which a layer has no keys of its own: a bias may read
// them, and the cache is another layer's. The error wraps posenc.ErrUnsupported.
func (m *Model) Biasable() error {
	for i, a := range m.Attentions() {
		if a.KVLayer != nil {
			return fmt.Errorf("layer %d reads the keys and values of layer %d, beside which no bias is computed: %w", i, *a.KVLayer, posenc.ErrUnsupported)
		}
	}
	return nil
}

// blockBias gives every layer the block's bias.
func (m *Model) blockBias(b *BiasBlock) {
	for i, a := range m.Attentions() {
		heads, d, hidden := int64(a.Heads), int64(a.QKDim), int64(m.Hidden)
		bias := &Bias{Kind: b.Kind}
		a.Bias = bias
		slopes := func(name string) {
			bias.Slopes = make([]float64, heads)
			m.perHead(i, "bias."+name, bias.Slopes, noReward, notNegative)
		}
		switch b.Kind {
		case ALiBi:
			slopes("slope")
		case Gated:
			slopes("omega")
			if b.ByQuery {
				bias.V = grid(int(heads), int(d))
				m.blockGates(i, "bias.v", bias.V)
			}
			if b.ByKey {
				bias.U = grid(int(heads), int(d))
				m.blockGates(i, "bias.u", bias.U)
			}
		case Forget:
			c := whole(BlockTensor(i, "bias.gate.bias"), heads)
			bias.Gate = &Linear{Weight: whole(BlockTensor(i, "bias.gate.weight"), heads, hidden), Bias: &c}
		case Path:
			slopes("beta")
			bias.PDim, bias.Eps = b.PathSize, math.Ldexp(1, -23)
			bias.P = &Linear{Weight: whole(BlockTensor(i, "bias.path.weight"), heads*int64(b.PathSize), hidden)}
		case Kerple:
			bias.Power, bias.Slopes, bias.R2 = b.Power, make([]float64, heads), make([]float64, heads)
			m.perHead(i, "bias.r1", bias.Slopes, noReward, notNegative)
			want := "a number above 0"
			if b.Power {
				want = "an exponent above 0 and at most 2"
			}
			m.perHead(i, "bias.r2", bias.R2, want, func(x float64) bool { return x > 0 && (x <= 2 || !b.Power) })
		}
	}
}

// noReward says what multiplies a distance.
const noReward = "0 or more: below it a bias would reward distance, which no law of these has; set it to 0, and keep it there in training"

func notNegative(x float64) bool { return x >= 0 }

// perHead has a number per head read that must be what is wanted.
func (m *Model) perHead(layer int, name string, into []float64, want string, ok func(float64) bool) {
	m.read(whole(BlockTensor(layer, name), int64(len(into))), func(v []float64) error {
		for h, x := range v {
			if !ok(x) {
				return fmt.Errorf("head %d has %v: expected %s", h, x, want)
			}
		}
		copy(into, v)
		return nil
	})
}

// blockGates has gate vectors read as they are.
func (m *Model) blockGates(layer int, name string, rows [][]float64) {
	width := len(rows[0])
	m.read(whole(BlockTensor(layer, name), int64(len(rows)), int64(width)), func(v []float64) error {
		for h, row := range rows {
			copy(row, v[h*width:])
		}
		return nil
	})
}

// OfBlock reports whether a stored tensor belongs to the block.
func OfBlock(tensor string) bool { return strings.HasPrefix(tensor, BlockKey+".layers.") }
