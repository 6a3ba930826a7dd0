package family

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/pecvt/pecvt/convert/family/config"
)

// Experts is a mixture of experts (arXiv 1701.06538): y = Σ_e w_e Each_e(x) over the
// TopK experts that the router chooses for x, plus Shared(x) where there is one,
// which SharedGate, (1, hidden), multiplies by the sigmoid of its value; all of it
// times Scale, where that is not 0.
//
// With OnInput an expert's weight multiplies what it reads and not what it makes:
// Σ_e Each_e(w_e x).
type Experts struct {
	Router  Router
	OnInput bool
	Each    []MLP
	// Identity counts the experts behind Each that pass on their input.
	Identity   int
	Shared     *MLP
	SharedGate *Linear
	Scale      float64
}

// Router chooses experts: s = Score(Linear x), the TopK largest of s + Correction
// are chosen, and weigh s_e, divided by the sum over those chosen plus Eps, or by
// Floor where that is larger, where Normalise, times Scale. With ByLogits they are
// chosen by Linear x + Correction instead. With Groups, experts follow each other in
// groups of one size; those outside the KeptGroups groups whose GroupBest best sum to
// most are not chosen (two of them: arXiv 2412.19437; one: arXiv 2405.04434). Of
// equals the first one counts.
//
// Linear reads InScale·Norm(x), where there is a norm, and Each multiplies the weight of
// each expert, at last.
type Router struct {
	Linear  Linear // (experts, hidden)
	Norm    *Norm
	InScale float64 // 0 is none
	Each    *Weight // (experts); nil is none
	// Score is "softmax" (over all experts), "sigmoid" or "sparsemixer". A softmax
	// over those chosen alone is "softmax" with Normalise.
	//
	// The sparse mixer (arXiv 2409.12136) chooses two experts by z = Linear x. The
	// first one, a, weighs 1 / Σ exp(z_e − z_a) over the experts e with
	// (z_a − z_e) / max(|z_e|, z_a) ≤ 2·Jitter; the second one likewise, among the
	// experts without the first.
	Score              string
	Correction         *Weight // (experts); nil is none
	ByLogits           bool
	TopK               int
	Groups, KeptGroups int // 0 is no groups
	GroupBest          int
	Normalise          bool
	Eps, Floor, Scale  float64
	Jitter             float64
}

// Parts lists the mixture's parts: the router, each expert, what is shared.
func (x *Experts) Parts() []Part {
	r := &x.Router
	self := Part{Kind: KindExperts, Place: AtMLP, Of: x, Features: []Feature{MixedExperts},
		Numbers: []Number{{Name: "epsilon", One: &r.Eps}, {Name: "floor", One: &r.Floor}, {Name: "jitter", One: &r.Jitter},
			{Name: "scale", One: &r.Scale}, {Name: "input's scale", One: &r.InScale}, {Name: "factor", One: &x.Scale}}}
	if x.OnInput {
		self.Features = append(self.Features, ScaledInputs)
	}
	if x.Identity > 0 {
		self.Features = append(self.Features, IdentityExperts)
	}
	if r.Correction != nil {
		self.Weights = []Role{{"correction", r.Correction}}
	}
	if r.Each != nil {
		self.Weights, self.Features = append(self.Weights, Role{"each", r.Each}), append(self.Features, ScaledExperts)
	}
	for i := range x.Each {
		inner := x.Each[i].self() // one for all: its numbers and features are the mixture's
		self.Features, self.Numbers = append(self.Features, inner.Features...), append(self.Numbers, inner.Numbers...)
	}
	l := append(make(rawParts, 0, 8+3*len(x.Each)), self)
	l.norm(AtRouterNorm, r.Norm)
	l.linear(AtRouter, &r.Linear)
	for i := range x.Each {
		l.mlp(&x.Each[i], func(place string) string { return AtExpert(i, place) })
	}
	if x.Shared != nil {
		l.mlp(x.Shared, AtShared)
	}
	l.linear(AtSharedGate, x.SharedGate)
	return l
}

// Copy implements Branch.
func (x *Experts) Copy() Branch {
	c := *x
	c.Each, c.Router.Norm = slices.Clone(x.Each), x.Router.Norm.copied()
	for i := range c.Each {
		c.Each[i] = *c.Each[i].Copy().(*MLP)
	}
	return &c
}

// Alike tells whether the experts differ in their linears alone, so that what lies
// between those can be done for all at once.
func (x *Experts) Alike() bool {
	bare := func(m *MLP) MLP {
		c := *m
		c.Gate, c.Up, c.Down = Linear{}, Linear{}, Linear{}
		return c
	}
	for i := range x.Each {
		m := &x.Each[i]
		if m.DownNorm != nil || m.XIELU != nil || m.Up.Weight.Shape[0] != x.Each[0].Up.Weight.Shape[0] || !reflect.DeepEqual(bare(m), bare(&x.Each[0])) {
			return false
		}
	}
	return true
}

// Mixture returns the layer's mixture of experts, nil where another branch takes
// its place.
func (b *Block) Mixture() *Experts {
	x, _ := b.FeedForward.(*Experts)
	return x
}

// ExpertsRule says how a family declares its mixtures; keys as in [Keys].
type ExpertsRule struct {
	// Count, TopK and Inner are the number of experts, of those chosen, and the
	// inner size of one.
	Count, TopK, Inner []string
	Score              string
	// Normalise is a rule; Eps is added to the sum.
	Normalise Rule
	Eps       float64
	// Scale is the key of the factor of the experts' weights; empty is 1.
	Scale string
	// Groups and KeptGroups are keys; empty is no groups. GroupBest is Router's; 0 is 2.
	Groups, KeptGroups string
	GroupBest          int
	// Shared is the key of how many experts' sizes the shared expert has,
	// SharedInner that of its own size.
	Shared, SharedInner string
	// Of experts in one tensor: Across says that it is (experts, in, out), Turns that
	// rows of gate and up take turns, and Bare that the name is the tensor's whole one.
	Across, Turns, Bare bool
	// OnInput: weights multiply what experts read.
	OnInput bool
	// Beside: the mixture stands beside the MLP (Block.Side).
	Beside bool
	// Each: gate, up and down of all experts lie in one matrix each, (experts·inner,
	// hidden), down the other way round.
	Each bool
	// RouterBias: the router has a bias.
	RouterBias bool
	// ByLayer: TopK may list a number for every layer.
	ByLayer bool
	// Dense, where not nil, says which layers have no mixture, in the place of the keys
	// below.
	Dense func(r *Reader, layers int) []bool
	// Types is a key that lists "sparse" or "dense" for every layer; First, where
	// that is absent, one that counts the dense layers before the first mixture
	// (FirstDefault, where that is absent too).
	// Listed, where it is there, is a key that lists the layers with a mixture.
	// Step and Only: every so many layers there is a mixture, but in those listed.
	Types, First, Listed, Step, Only string
	FirstDefault                     int
	// Identity is the key of how many experts pass on their input, IdentityDefault
	// their number where it is absent.
	Identity        string
	IdentityDefault int
	// MayMiss: a checkpoint without the correction has none.
	MayMiss bool
}

// keys lists what the rule reads.
func (x *ExpertsRule) keys() []string {
	if x == nil {
		return nil
	}
	return slices.Concat(x.Count, x.TopK, x.Inner, []string{x.Normalise.Key, x.Normalise.Older, x.Scale, x.Groups, x.KeptGroups,
		x.Shared, x.SharedInner, x.Identity, x.Types, x.First, x.Listed, x.Step, x.Only})
}

// dense says which layers have an MLP in place of a mixture.
func (x *ExpertsRule) dense(r *Reader, layers int) []bool {
	if x.Dense != nil {
		return x.Dense(r, layers)
	}
	out := make([]bool, layers)
	if x.Types != "" && r.C.Has(x.Types) {
		kinds, err := r.C.Texts(x.Types)
		r.Fail(err)
		if err == nil && len(kinds) != layers {
			r.Fail(fmt.Errorf("key %q lists %d layers: expected %d", x.Types, len(kinds), layers))
		}
		for i := range min(len(kinds), layers) {
			if out[i] = kinds[i] == "dense"; !out[i] && kinds[i] != "sparse" {
				r.Fail(Unsupported("%s[%d] is %q: expected dense or sparse", x.Types, i, kinds[i]))
			}
		}
		return out
	}
	if x.First != "" {
		n, ok, err := r.C.Int(x.First)
		r.Fail(err)
		if !ok {
			n = x.FirstDefault
		}
		for i := range min(max(n, 0), layers) {
			out[i] = true
		}
	}
	if x.Listed != "" && r.C.Has(x.Listed) {
		for i := range out {
			out[i] = true
		}
		for _, i := range layerList(r, x.Listed) {
			if i >= 0 && i < layers {
				out[i] = false
			}
		}
		return out
	}
	if x.Step != "" && r.Present([]string{x.Step}) != "" {
		step := r.Size(x.Step)
		for i := range out {
			out[i] = out[i] || step > 0 && (i+1)%step != 0
		}
	}
	if x.Only != "" && r.C.Has(x.Only) {
		for _, i := range layerList(r, x.Only) {
			if i >= 0 && i < layers {
				out[i] = true
			}
		}
	}
	return out
}

// layerList reads a key that lists layers.
func layerList(r *Reader, key string) []int {
	var list []int
	if raw := r.C.Raw(key); json.Unmarshal(raw, &list) != nil {
		r.Fail(config.WrongType(key, raw, "a list of layers"))
	}
	return list
}
