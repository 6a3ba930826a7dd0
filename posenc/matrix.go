package posenc

import (
	"fmt"
	"math"
)

// Matrix is a dense matrix in row-major order: element (i, j) is
// Data[i·Cols + j]. A weight of shape (out, in) is a Matrix of out rows.
type Matrix struct {
	Rows, Cols int
	Data       []float64
}

// NewMatrix returns a rows × cols matrix of zeros.
func NewMatrix(rows, cols int) Matrix {
	return Matrix{Rows: rows, Cols: cols, Data: make([]float64, rows*cols)}
}

// Identity returns the n × n unit matrix.
func Identity(n int) Matrix {
	m := NewMatrix(n, n)
	for i := range n {
		m.Data[i*n+i] = 1
	}
	return m
}

// At returns element (i, j).
func (m Matrix) At(i, j int) float64 { return m.Data[i*m.Cols+j] }

// Set changes element (i, j).
func (m Matrix) Set(i, j int, v float64) { m.Data[i*m.Cols+j] = v }

// Row returns row i without copying it.
func (m Matrix) Row(i int) []float64 { return m.Data[i*m.Cols : (i+1)*m.Cols] }

// Clone returns a deep copy.
func (m Matrix) Clone() Matrix {
	m.Data = append([]float64(nil), m.Data...)
	return m
}

// T returns the transpose.
func (m Matrix) T() Matrix {
	t := NewMatrix(m.Cols, m.Rows)
	for i := range m.Rows {
		for j, v := range m.Row(i) {
			t.Set(j, i, v)
		}
	}
	return t
}

// Mul returns m·b. It panics if the shapes do not fit.
func (m Matrix) Mul(b Matrix) Matrix {
	if m.Cols != b.Rows {
		panic(fmt.Sprintf("posenc: Mul: (%d, %d) times (%d, %d)", m.Rows, m.Cols, b.Rows, b.Cols))
	}
	out := NewMatrix(m.Rows, b.Cols)
	for i := range m.Rows {
		row := out.Row(i)
		for k, v := range m.Row(i) {
			for j, w := range b.Row(k) {
				row[j] += v * w
			}
		}
	}
	return out
}

// Add returns m + b. It panics if the shapes differ.
func (m Matrix) Add(b Matrix) Matrix {
	if m.Rows != b.Rows || m.Cols != b.Cols {
		panic(fmt.Sprintf("posenc: Add: (%d, %d) and (%d, %d)", m.Rows, m.Cols, b.Rows, b.Cols))
	}
	out := m.Clone()
	for i, v := range b.Data {
		out.Data[i] += v
	}
	return out
}

// Apply returns m·x. It panics if x has another length than m has columns.
func (m Matrix) Apply(x []float64) []float64 {
	out := make([]float64, m.Rows)
	for i := range out {
		out[i] = innerProduct(m.Row(i), x)
	}
	return out
}

// Orthogonality returns the largest element of |MᵀM − I|: 0 for orthonormal
// columns.
func (m Matrix) Orthogonality() float64 {
	worst := 0.0
	gram := m.T().Mul(m)
	for i := range gram.Rows {
		for j, v := range gram.Row(i) {
			if i == j {
				v--
			}
			if math.IsNaN(v) {
				return math.Inf(1)
			}
			worst = max(worst, math.Abs(v))
		}
	}
	return worst
}

// Orthonormal returns the nearest matrix with orthonormal columns (the polar factor)
// of one whose columns nearly are, as those of a basis stored in float32: without it
// exp(t·M L Mᵀ) and M exp(tL) Mᵀ part by t times what is off. Each step of
// M ← M (3I − MᵀM)/2 squares what is.
func (m Matrix) Orthonormal() Matrix {
	for range 3 {
		step := m.T().Mul(m)
		for i := range step.Rows {
			for j, v := range step.Row(i) {
				step.Set(i, j, -v/2)
			}
			step.Set(i, i, step.At(i, i)+1.5)
		}
		m = m.Mul(step)
	}
	return m
}

// check reports a matrix whose data does not fill its shape or is not finite.
func (m Matrix) check(rows, cols int) error {
	if m.Rows != rows || m.Cols != cols || len(m.Data) != rows*cols {
		return fmt.Errorf("shape (%d, %d) with %d numbers: expected (%d, %d)", m.Rows, m.Cols, len(m.Data), rows, cols)
	}
	for i, v := range m.Data {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("element (%d, %d) is %v: expected a finite number", i/cols, i%cols, v)
		}
	}
	return nil
}

func innerProduct(a, b []float64) float64 {
	if len(a) != len(b) {
		panic(fmt.Sprintf("posenc: product of %d and %d coordinates", len(a), len(b)))
	}
	s := 0.0
	for i, v := range a {
		s += v * b[i]
	}
	return s
}

// norm returns the Euclidean length without overflow.
func norm(a []float64) float64 {
	largest := 0.0
	for _, v := range a {
		largest = max(largest, math.Abs(v))
	}
	if largest == 0 || math.IsInf(largest, 0) || math.IsNaN(largest) {
		return largest
	}
	s := 0.0
	for _, v := range a {
		s += (v / largest) * (v / largest)
	}
	return largest * math.Sqrt(s)
}
