package rewrite

import (
	"fmt"
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

// Fold replaces one head's rows of a projection by QᵀW (posenc.FoldBasis).
type Fold struct {
	// Rows are the head's rows of the stored tensor, in the order of its coordinates.
	Rows []int64
	// Q is (coordinates, coordinates) with orthonormal columns.
	Q posenc.Matrix
}

// foldable is where entries of a basis count as 0: a norm's weights that differ there
// move a score by less than a rounding in float32.
const foldable = 1e-9

// folded makes GRAPE-M of a form: each head's basis goes into its W_q and W_k, the
// frequencies of its planes remain.
func (r *Rewrite) folded(j job) error {
	e := extension(j.m)
	if err := r.withoutSilentBias(j.m, &e); err != nil {
		return err
	}
	m, folds, err := r.fold(j)
	if err != nil {
		return err
	}
	r.Kind, r.Reason = Exact, "every generator turns planes of coordinates: their frequencies remain, and no weight changes"
	if len(folds) > 0 {
		r.Reason = "each head's basis goes into its W_q and W_k, which are written in float32; its planes turn by frequencies of their own"
	}
	block, added, err := r.rotation(m)
	if err != nil {
		return err
	}
	e.Rotation = block
	r.extend(j.m, e, added, none)
	r.rewritten(folds)
	return nil
}

// stockOfForm makes the stock spelling of a form: folded, all heads and layers have one
// spectrum.
func (r *Rewrite) stockOfForm(j job) error {
	m, folds, err := r.fold(j)
	if err != nil {
		return err
	}
	own := j
	own.m = m
	if err := r.spelled(own); err != nil {
		return err
	}
	if r.Edits != nil {
		return fmt.Errorf("bases fold and rows move as well: %w in one step", posenc.ErrUnsupported)
	}
	if len(folds) > 0 {
		r.note("each head's basis went into its W_q and W_k, which are written in float32")
	}
	r.rewritten(folds)
	return nil
}

// rewritten puts folded tensors into the place of the stored ones.
func (r *Rewrite) rewritten(folds []Tensor) {
	for _, t := range folds {
		if !slices.Contains(r.Consumed, t.Name) {
			r.Consumed = append(r.Consumed, t.Name)
		}
	}
	r.Added = append(r.Added, folds...)
	slices.Sort(r.Consumed)
	slices.SortFunc(r.Added, func(a, b Tensor) int { return compareNames(a.Name, b.Name) })
}

// fold is the model without its bases, every plane turning by a frequency that is not
// negative, and the tensors that take them up.
func (r *Rewrite) fold(j job) (*family.Model, []Tensor, error) {
	if j.m.Quantised != nil {
		return nil, nil, fmt.Errorf("quantised weights, which a basis would go into: %w; write them as floats first", posenc.ErrUnsupported)
	}
	m := *j.m
	m.Blocks = slices.Clone(j.m.Blocks)
	made := map[string]*Tensor{}
	for i, a := range j.m.Attentions() {
		if a.Generators == nil {
			continue
		}
		own := *a
		own.Generators, own.Spectra = nil, &family.HeadSpectra{}
		for g, q := range a.Generators.Q {
			row := slices.Clone(headRow(a, g))
			q = wholeHead(q, a.QKDim)
			for p, f := range row {
				if f < 0 { // the second column the other way round turns by +|θ|
					row[p] = -f
					_, y := a.Rotary.Coordinates(p)
					for k := range q.Rows {
						q.Set(k, y, -q.At(k, y))
					}
				}
			}
			own.Spectra.InvFreq = append(own.Spectra.InvFreq, row)
			if err := foldHead(made, j.src, a, g, q); err != nil {
				return nil, nil, fmt.Errorf("layer %d, key/value head %d: %w", i, g, err)
			}
		}
		own.Rotary.Spectrum = own.Rotary.Spectrum.Clone()
		own.Rotary.InvFreq = own.Spectra.InvFreq[0]
		m.Blocks[i].Mixer = &own
	}
	var list []Tensor
	for _, t := range made {
		list = append(list, *t)
	}
	return &m, list, nil
}

// wholeHead is a basis of the coordinates that turn, those that do not left where they are.
func wholeHead(q posenc.Matrix, d int) posenc.Matrix {
	out := posenc.Identity(d)
	for i := range q.Rows {
		copy(out.Row(i), q.Row(i))
	}
	return out
}

// foldHead adds what becomes of the projections of a key/value head and of the query
// heads that read it.
func foldHead(made map[string]*Tensor, src family.Source, a *family.Attention, g int, q posenc.Matrix) error {
	if identityMatrix(q) {
		return nil
	}
	if a.K.Weight.Tensor == a.V.Weight.Tensor && a.K.Weight.Rows == nil {
		return fmt.Errorf("%s: %w", family.ValuesOfKeys, posenc.ErrUnsupported)
	}
	if a.Clip != 0 {
		return fmt.Errorf("%s: a bound on each coordinate does not pass a basis: %w; it stays %s", family.ClippedHeads, posenc.ErrUnsupported, posenc.FormPrefix+a.Generators.Form)
	}
	share := a.Heads / a.KVHeads
	for _, side := range []struct {
		what        string
		l           family.Linear
		norm        *family.Norm
		first, last int
	}{{"queries", a.Q, a.QNorm, g * share, (g + 1) * share}, {"keys", a.K, a.KNorm, g, g + 1}} {
		for h := side.first; h < side.last; h++ {
			if err := passes(side.norm, src, h, q); err != nil {
				return fmt.Errorf("%s: %w; it stays %s", side.what, err, posenc.FormPrefix+a.Generators.Form)
			}
			if err := foldRows(made, src, side.l.Weight, h, q); err != nil {
				return err
			}
			if b := side.l.Bias; b != nil {
				if err := foldRows(made, src, *b, h, q); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// foldRows adds a head of a weight.
func foldRows(made map[string]*Tensor, src family.Source, w family.Weight, h int, q posenc.Matrix) error {
	if w.Columns != nil {
		return fmt.Errorf("tensor %q: a weight of some of its columns: %w", w.Tensor, posenc.ErrUnsupported)
	}
	t := made[w.Tensor]
	if t == nil {
		dtype := tensor.F32
		if src != nil {
			if info, ok := src.Lookup(w.Tensor); ok && info.DType == tensor.F64 {
				dtype = tensor.F64
			}
		}
		t = &Tensor{Name: w.Tensor, DType: dtype, Shape: w.Stored}
		made[w.Tensor] = t
	}
	rows := rowsAt(w)[h*q.Rows : (h+1)*q.Rows]
	for _, f := range t.Folds {
		if slices.ContainsFunc(f.Rows, func(r int64) bool { return slices.Contains(rows, r) }) {
			return fmt.Errorf("tensor %q: rows that several heads or layers share: %w", w.Tensor, posenc.ErrUnsupported)
		}
	}
	t.Folds = append(t.Folds, Fold{Rows: rows, Q: q})
	return nil
}

// passes says why a basis does not pass through the norm between a projection and the
// rotation, or returns nil: diag(w) Qᵀ = Qᵀ diag(w) where Q mixes coordinates of equal
// weight alone, and the root of the mean of squares is that of any basis.
func passes(n *family.Norm, src family.Source, head int, q posenc.Matrix) error {
	if n == nil {
		return nil
	}
	if n.Kind != family.RMS || n.Bias != nil {
		return fmt.Errorf("a norm that subtracts the mean or adds a bias, which no basis passes: %w", posenc.ErrUnsupported)
	}
	w := n.Weight
	if n.PerHead != nil {
		w = n.PerHead[head]
	}
	if w.Tensor == "" {
		return nil
	}
	if src == nil {
		return fmt.Errorf("internal error: a norm's weights are needed")
	}
	v, err := w.Float64(src)
	if err != nil {
		return err
	}
	if len(v) > q.Rows {
		v = v[head*q.Rows:]
	}
	for i := range q.Rows {
		for k := range q.Cols {
			if v[i] != v[k] && math.Abs(q.At(i, k)) > foldable {
				return fmt.Errorf("the norm weights coordinate %d by %.6g and %d by %.6g, and the basis mixes them by %.3g: only coordinates of equal weight can be mixed before a norm: %w", i, v[i], k, v[k], q.At(i, k), posenc.ErrUnsupported)
			}
		}
	}
	return nil
}

func identityMatrix(q posenc.Matrix) bool {
	for i := range q.Rows {
		for k, v := range q.Row(i) {
			if i == k && v != 1 || i != k && v != 0 {
				return false
			}
		}
	}
	return true
}
