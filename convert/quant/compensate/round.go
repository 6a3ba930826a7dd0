package compensate

import (
	"fmt"
	"math"
	"sync"

	"github.com/pecvt/pecvt/convert/gemm"
	"github.com/pecvt/pecvt/convert/quant/nearest"
)

// Rounder rounds rows of one linear map, or of several that read the same inputs.
type Rounder struct {
	Scheme  nearest.Scheme
	moments *Moments
	u       []float32 // (n, n), the factor divided by its diagonal, row by row
	weight  []float64 // 1/U_jj²
}

// NewRounder factors the moments once for all rows.
func NewRounder(s nearest.Scheme, m *Moments, damping float64) (*Rounder, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	u, err := m.factor(damping)
	if err != nil {
		return nil, err
	}
	r := &Rounder{Scheme: s, moments: m, u: make([]float32, len(u)), weight: make([]float64, m.n)}
	for i := range m.n {
		d := u[i*m.n+i]
		r.weight[i] = 1 / (d * d)
		for j := i; j < m.n; j++ {
			r.u[i*m.n+j] = float32(u[i*m.n+j] / d)
		}
	}
	return r, nil
}

// Errors are Σ (w − ŵ) H (w − ŵ)ᵀ over rows: of rounding to nearest, and of what was
// chosen; Whole is Σ w H wᵀ.
type Errors struct{ Nearest, Chosen, Whole float64 }

// Add sums errors.
func (e *Errors) Add(f Errors) {
	e.Nearest, e.Chosen, e.Whole = e.Nearest+f.Nearest, e.Chosen+f.Chosen, e.Whole+f.Whole
}

// Round rounds rows, (len(lines), n), whose numbers are stored with so many binary digits
// (see [nearest.Scheme.Fit]), into lines. A row to which rounding to nearest does less
// harm is rounded so. It may be called from several goroutines.
func (r *Rounder) Round(w []float32, digits int, lines []*nearest.Line) (Errors, error) {
	n, rows := r.moments.n, len(lines)
	if len(w) != rows*n {
		return Errors{}, fmt.Errorf("%d numbers: expected %d rows of %d", len(w), rows, n)
	}
	near := make([]*nearest.Line, rows)
	for i := range near {
		near[i] = r.Scheme.NewLine(n)
		if err := r.Scheme.Round(w[i*n:(i+1)*n], digits, near[i]); err != nil {
			return Errors{}, fmt.Errorf("row %d: %w", i, err)
		}
	}
	if err := r.compensated(w, digits, lines); err != nil {
		return Errors{}, err
	}
	d := make([]float32, rows*n)
	hd := make([]float32, rows*n)
	harm := func(number func(i, j int) float64) []float64 {
		for i := range rows {
			for j := range n {
				d[i*n+j] = float32(float64(w[i*n+j]) - number(i, j))
			}
		}
		gemm.Mul(1, gemm.Of(rows, n, n, d), gemm.Of(n, n, n, r.moments.sum), 0, gemm.Of(rows, n, n, hd))
		out := make([]float64, rows)
		for i := range rows {
			for j := i * n; j < (i+1)*n; j++ {
				out[i] += float64(d[j]) * float64(hd[j])
			}
		}
		return out
	}
	of := func(list []*nearest.Line) []float64 {
		return harm(func(i, j int) float64 { return list[i].Steps[j/r.Scheme.Block].Number(int(list[i].Codes[j])) })
	}
	a, b, whole := of(near), of(lines), harm(func(int, int) float64 { return 0 })
	var sum Errors
	for i := range rows {
		if !(b[i] <= a[i]) {
			*lines[i], b[i] = *near[i], a[i]
		}
		sum.Add(Errors{a[i], b[i], whole[i]})
	}
	return sum, nil
}

// compensated is Round without the choice.
func (r *Rounder) compensated(given []float32, digits int, lines []*nearest.Line) error {
	n, rows, block, top := r.moments.n, len(lines), r.Scheme.Block, r.Scheme.Top()
	w := append([]float32(nil), given...)
	errs := make([]float32, rows*block)
	for b := 0; b*block < n; b++ {
		from, to := b*block, min(b*block+block, n)
		wide := to - from
		for i := range rows {
			row := w[i*n+from : i*n+to]
			g, err := fit(r.Scheme, row, r.weight[from:to], digits)
			if err != nil {
				return fmt.Errorf("row %d, columns %d to %d: %w", i, from, to-1, err)
			}
			lines[i].Steps[b] = g
			for j := range wide {
				q := g.Code(row[j], top)
				lines[i].Codes[from+j] = byte(q)
				e := float32(float64(row[j]) - g.Number(q))
				errs[i*block+j] = e
				u := r.u[(from+j)*n+from : (from+j)*n+to]
				for k := j + 1; k < wide; k++ {
					row[k] -= e * u[k]
				}
			}
		}
		if to < n {
			gemm.Mul(-1, gemm.Of(rows, wide, block, errs), gemm.Of(wide, n-to, n, r.u[from*n+to:]), 1, gemm.Of(rows, n-to, n, w[to:]))
		}
	}
	for _, x := range w {
		if math.IsNaN(float64(x)) {
			return fmt.Errorf("compensated weights are no numbers: the inputs' moments are damaged")
		}
	}
	return nil
}

// batch is how many rows are rounded together.
const batch = 128

// Each rounds rows [0, rows) in batches, shared by so many workers. read fills w with rows
// [begin, end); took is called once for each batch, by one goroutine at a time, in any order.
func (r *Rounder) Each(rows, workers, digits int, read func(w []float32, begin, end int) error, took func(begin int, lines []*nearest.Line) error) (Errors, error) {
	n := r.moments.n
	parts := make([]Errors, (rows+batch-1)/batch) // summed in order
	var first error
	var lock sync.Mutex
	var group sync.WaitGroup
	next := 0
	for range max(workers, 1) {
		group.Go(func() {
			lines := make([]*nearest.Line, batch)
			for i := range lines {
				lines[i] = r.Scheme.NewLine(n)
			}
			w := make([]float32, batch*n)
			for {
				lock.Lock()
				begin := next
				next += batch
				stop := first != nil || begin >= rows
				lock.Unlock()
				if stop {
					return
				}
				end := min(begin+batch, rows)
				part, list := w[:(end-begin)*n], lines[:end-begin]
				err := read(part, begin, end)
				var e Errors
				if err == nil {
					e, err = r.Round(part, digits, list)
				}
				lock.Lock()
				if err == nil {
					err = took(begin, list)
				}
				parts[begin/batch] = e
				if err != nil && first == nil {
					first = fmt.Errorf("rows %d to %d: %w", begin, end-1, err)
				}
				lock.Unlock()
			}
		})
	}
	group.Wait()
	var sum Errors
	for _, e := range parts {
		sum.Add(e)
	}
	return sum, first
}
