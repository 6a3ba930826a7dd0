package family

import (
	"fmt"
	"math"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/pecvt/pecvt/posenc"
)

// The forms of a block's rotation; see Generators.
const (
	Basis = "basis"
	Mixed = "mixed"
	Rank2 = "rank2"
	Dense = "dense"
)

// mostGenerators bounds m of Rank2, which every token would pay for.
const mostGenerators = 1 << 10

// MaxRadians is the most that a plane of a block, or of what a generator is brought to,
// turns by per position: 128. An angle is the float64 product of it and a position, and up
// to position 2^22 that is off by no more than 2^-24, the roundoff of the float32 that
// tables are in; past it their numbers would be noise. Positions are whole, so that θ and
// θ − 2πk turn alike: no plane needs more than π.
const MaxRadians = 128

// CheckRadians refuses a plane that turns by more than MaxRadians, and what is no number.
func CheckRadians(theta float64) error {
	if math.Abs(theta) <= MaxRadians {
		return nil
	}
	return fmt.Errorf("turns by %.6g radians per position: expected at most %d, so that its angles are numbers at far positions; a whole number of turns (2π) less is the same rotation", theta, MaxRadians)
}

// setForm writes the keys that parseForm reads.
func (b *RotationBlock) setForm(o *Object) {
	if b.Form == "" {
		return
	}
	o.Set("form", b.Form)
	switch b.Form {
	case Mixed:
		o.Set("rank", b.Rank)
	case Rank2:
		o.Set("generators", b.Count)
	}
}

// parseForm reads the form, and returns the keys that belong to it.
func (b *RotationBlock) parseForm(o *Object) (keys []string, err error) {
	if !o.Has("form") {
		return []string{"form"}, nil
	}
	if err := oneOf(o, "form", Basis, Dense, Mixed, Rank2); err != nil {
		return nil, err
	}
	if b.Form, _, err = o.Text("form"); err != nil {
		return nil, err
	}
	switch b.Form {
	case Mixed:
		if b.Rank, _, err = o.Int("rank"); err != nil {
			return nil, err
		}
		if b.Rank < 2 || b.Rank%2 != 0 {
			return nil, fmt.Errorf("key %q is %s: expected a positive even number", "rank", found(o, "rank"))
		}
		return []string{"form", "rank"}, nil
	case Rank2:
		if b.Count, _, err = o.Int("generators"); err != nil {
			return nil, err
		}
		if b.Count < 1 || b.Count > mostGenerators {
			return nil, fmt.Errorf("key %q is %s: expected a number from 1 to %d", "generators", found(o, "generators"), mostGenerators)
		}
		return []string{"form", "generators"}, nil
	}
	return []string{"form"}, nil
}

// Turnable says why queries and keys of a layer cannot be turned in a basis of their
// heads' own, or returns nil.
func (a *Attention) Turnable() error {
	for _, part := range []struct {
		has bool
		f   Feature
	}{{a.Latent != nil, LatentAttention}, {a.KVLayer != nil, SharedKV}, {a.Phase != nil, ContextualPhase},
		{a.NormAfter && (a.QNorm != nil || a.KNorm != nil), NormAfterRotation}} {
		if part.has {
			return fmt.Errorf("%s: %w; %sbasis and its like turn coordinates of one head into each other", part.f, posenc.ErrUnsupported, posenc.FormPrefix)
		}
	}
	return nil
}

// generators has a layer that turns read its generators from the block's tensors.
func (m *Model) generators(layer int, a *Attention, b *RotationBlock) error {
	if err := a.Turnable(); err != nil {
		return err
	}
	groups, d := a.KVHeads, a.Rotary.Dim
	if b.Form == Mixed && b.Rank > d {
		return fmt.Errorf("key %q is %d: expected at most the %d coordinates that turn", "rank", b.Rank, d)
	}
	p := &parameters{rotary: a.Rotary, form: b.Form, rank: b.Rank, count: b.Count, values: map[string][]float64{}}
	p.rotary.HeadDim, p.rotary.Spectrum = d, posenc.Spectrum{Gain: 1}
	rows := grid(groups, a.Rotary.Planes())
	a.Rotary.Spectrum.InvFreq, a.Rotary.Gain, a.Rotary.Removed = rows[0], b.factor(layer), nil
	a.Spectra, a.Generators = &HeadSpectra{InvFreq: rows}, &Generators{Form: b.Form}
	list := p.shapes()
	for i, t := range list {
		m.read(whole(BlockTensor(layer, "rotation."+t.name), append([]int64{int64(groups)}, t.shape...)...), func(v []float64) error {
			p.values[t.name] = slices.Clone(v)
			if i < len(list)-1 {
				return nil
			}
			return a.Generators.of(p, rows) // all have been read
		})
	}
	return nil
}

// parameters are the tensors of one layer's generators.
type parameters struct {
	rotary      posenc.Rotary // of the coordinates that turn
	form        string
	rank, count int
	values      map[string][]float64
}

type parameterShape struct {
	name  string
	shape []int64 // behind the key/value heads
}

// shapes lists the tensors of the form, the one that names it last.
func (p *parameters) shapes() []parameterShape {
	d, r, m := int64(p.rotary.Dim), int64(p.rank), int64(p.count)
	theta := parameterShape{"inv_freq", []int64{d / 2}}
	switch p.form {
	case Basis:
		return []parameterShape{theta, {"basis", []int64{d, d}}}
	case Mixed:
		return []parameterShape{theta, {"generator", []int64{r * (r - 1) / 2}}, {"frame", []int64{d, r}}}
	case Rank2:
		return []parameterShape{theta, {"a", []int64{m, d}}, {"b", []int64{m, d}}}
	}
	return []parameterShape{{"generator", []int64{d * (d - 1) / 2}}}
}

// of is one head's share of a tensor.
func (p *parameters) of(name string, g int) []float64 {
	for _, t := range p.shapes() {
		if t.name == name {
			n := 1
			for _, s := range t.shape {
				n *= int(s)
			}
			return p.values[name][g*n : (g+1)*n]
		}
	}
	return nil
}

// planes is L_θ of one head.
func (p *parameters) planes(g int) (posenc.Rotary, posenc.Matrix) {
	r := p.rotary
	r.InvFreq = p.of("inv_freq", g)
	l := posenc.NewMatrix(r.Dim, r.Dim)
	for i, theta := range r.InvFreq {
		x, y := r.Coordinates(i)
		l.Set(y, x, theta)
		l.Set(x, y, -theta)
	}
	return r, l
}

// rotation makes one head's rotation, and its generator.
func (p *parameters) rotation(g int) (posenc.Rotation, posenc.Matrix, error) {
	d := p.rotary.Dim
	if p.form == Dense {
		l, err := posenc.SkewFromUpper(p.of("generator", g), d)
		return dense(l, err)
	}
	r, l := p.planes(g)
	still := !slices.ContainsFunc(r.InvFreq, func(x float64) bool { return x != 0 })
	switch p.form {
	case Basis:
		b := posenc.Matrix{Rows: d, Cols: d, Data: p.of("basis", g)}
		turn, err := posenc.NewBased(b, r)
		if err != nil {
			return nil, l, err
		}
		return turn, turn.Basis.Mul(l).Mul(turn.Basis.T()), nil
	case Mixed:
		lr, err := posenc.SkewFromUpper(p.of("generator", g), p.rank)
		if err != nil {
			return nil, l, err
		}
		turn, err := posenc.NewSubspace(posenc.Matrix{Rows: d, Cols: p.rank, Data: p.of("frame", g)}, lr)
		if still || err != nil {
			return turn, turn.L, err
		}
		return dense(l.Add(turn.L), nil)
	}
	for i := range p.count {
		a, b := p.of("a", g)[i*d:(i+1)*d], p.of("b", g)[i*d:(i+1)*d]
		turn, err := posenc.NewRank2(a, b)
		if err != nil {
			return nil, l, fmt.Errorf("generator %d: %w", i, err)
		}
		if still && p.count == 1 {
			return turn, turn.Generator(), nil
		}
		l = l.Add(turn.Generator())
	}
	return dense(l, nil)
}

func dense(l posenc.Matrix, err error) (posenc.Rotation, posenc.Matrix, error) {
	if err != nil {
		return nil, l, err
	}
	turn, err := posenc.NewDense(l)
	return turn, l, err
}

// of makes the rotations of all heads, each by itself, and writes the frequencies of
// their planes.
func (n *Generators) of(p *parameters, rows [][]float64) error {
	n.L, n.Turn, n.Q = make([]posenc.Matrix, len(rows)), make(posenc.PerHead, len(rows)), make([]posenc.Matrix, len(rows))
	failed := make([]error, len(rows))
	var heads errgroup.Group
	heads.SetLimit(runtime.GOMAXPROCS(0))
	for g := range rows {
		heads.Go(func() error {
			failed[g] = n.head(p, g, rows[g])
			return nil
		})
	}
	if err := heads.Wait(); err != nil {
		return err
	}
	for g, err := range failed { // the first, whoever was faster
		if err != nil {
			return fmt.Errorf("key/value head %d: %w", g, err)
		}
	}
	return n.Turn.Check()
}

// head makes the rotation of head g and writes the frequencies of its planes.
func (n *Generators) head(p *parameters, g int, invFreq []float64) error {
	turn, l, err := p.rotation(g)
	if err != nil {
		return err
	}
	n.L[g], n.Turn[g], n.Q[g] = l, turn, posenc.Identity(p.rotary.Dim)
	if err := reduce(n.Q[g], invFreq, turn, l, p.rotary); err != nil {
		return err
	}
	for _, theta := range invFreq {
		if err := CheckRadians(theta); err != nil {
			return err
		}
	}
	return nil
}

// reduce brings a generator to planes in a basis, given as the identity: planes of r
// that l turns by themselves stay where they are, as all do at a start, so that nothing
// of them is rounded; the others are those of the rest.
func reduce(q posenc.Matrix, invFreq []float64, turn posenc.Rotation, l posenc.Matrix, r posenc.Rotary) error {
	var rest []int // coordinates of planes that are not l's, plane by plane
	for p := range invFreq {
		x, y := r.Coordinates(p)
		alone := true
		for k := range r.Dim {
			alone = alone && (k == x || k == y || l.At(x, k) == 0 && l.At(y, k) == 0)
		}
		if invFreq[p] = l.At(y, x); !alone {
			rest = append(rest, x, y)
		}
	}
	switch len(rest) {
	case 0:
		return nil
	case r.Dim:
		copy(q.Data, turn.Lower(0).In(r, invFreq).Data)
		return nil
	}
	sub, part := posenc.NewMatrix(len(rest), len(rest)), make([]float64, len(rest)/2)
	for i, x := range rest {
		for k, y := range rest {
			sub.Set(i, k, l.At(x, y))
		}
	}
	own := posenc.Rotary{HeadDim: len(rest), Dim: len(rest), Pairing: posenc.Interleaved}
	d, err := posenc.NewDense(sub)
	if err != nil {
		return err
	}
	basis := d.Lower(0).In(own, part)
	for i, x := range rest {
		for k, y := range rest {
			q.Set(x, y, basis.At(i, k))
		}
		if i%2 == 0 {
			for p := range invFreq {
				if first, _ := r.Coordinates(p); first == x {
					invFreq[p] = part[i/2]
				}
			}
		}
	}
	return nil
}
