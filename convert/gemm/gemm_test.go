package gemm

import (
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
	"pgregory.net/rapid"
)

// matrix draws a view of rows × cols inside more memory than it needs, whole
// numbers up to size, so that sums are exact in any order.
func matrix[T Float](rng *rand.Rand, rows, cols, slack int, turned bool, size int) View[T] {
	if turned {
		return matrix[T](rng, cols, rows, slack, false, size).T()
	}
	stride := max(cols+slack, 1)
	data := make([]T, rows*stride+slack)
	for i := range data {
		data[i] = T(rng.IntN(2*size+1) - size)
	}
	return Of(rows, cols, stride, data)
}

func (v View[T]) at(i, j int) T {
	if v.turned {
		i, j = j, i
	}
	return v.data[i*v.stride+j]
}

// byKind runs a test with all that this machine can multiply with: each kind of our
// kernels, and what gonum has in use.
func byKind(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	before := kind{library, kernels32, kernels64}
	defer before.use()
	for _, k := range append(kinds(), general()) {
		k.use()
		if !t.Run(k.name, test) {
			return
		}
	}
}

// general is what gonum has in use.
func general() kind {
	if native {
		return kind{name: library}
	}
	return kind{name: "gonum"}
}

// shape is one product: m × n, k inside.
type shape struct {
	m, n, k, slack     int
	turnedA, turnedB   bool
	alpha, beta, bound int
}

// exact holds Mul and Share to sums of whole numbers.
func exact[T Float](t rapid.TB, rng *rand.Rand, s shape) {
	t.Helper()
	a := matrix[T](rng, s.m, s.k, s.slack, s.turnedA, s.bound)
	b := matrix[T](rng, s.k, s.n, s.slack, s.turnedB, s.bound)
	for name, mul := range map[string]func(T, View[T], View[T], T, View[T]){"Mul": Mul[T], "Share": Share[T], "MulPacked": byPacked[T]} {
		c := matrix[T](rng, s.m, s.n, s.slack, false, s.bound)
		before := append([]T(nil), c.data[:cap(c.data)]...)
		mul(T(s.alpha), a, b, T(s.beta), c)
		all := c.data[:cap(c.data)]
		for at, got := range all {
			i, j := 0, at
			if c.stride > 0 {
				i, j = at/c.stride, at%c.stride
			}
			want := before[at]
			if i < s.m && j < s.n {
				sum := 0.0
				for p := range s.k {
					sum += float64(a.at(i, p)) * float64(b.at(p, j))
				}
				want = T(float64(s.alpha)*sum + float64(s.beta)*float64(before[at]))
			}
			if got != want {
				t.Fatalf("%s %+v: element (%d, %d) is %v, expected %v", name, s, i, j, got, want)
			}
		}
	}
}

// byPacked is Mul by way of a Packed that has rows and columns beyond b's, not numbers.
func byPacked[T Float](alpha T, a, b View[T], beta T, c View[T]) {
	more := View[T]{rows: b.rows + 3, cols: b.cols + 2, turned: b.turned}
	lines := more.rows
	if more.stride = more.cols; more.turned {
		more.stride, lines = more.rows, more.cols
	}
	more.data = make([]T, lines*more.stride)
	for i := range more.data {
		more.data[i] = T(math.NaN())
	}
	for i := range b.rows {
		for j := range b.cols {
			set(more, i, j, b.at(i, j))
		}
	}
	var p Packed[T]
	p.Pack(Of(40, 30, 30, make([]T, 1200))) // whose room is used again
	p.Pack(more)
	MulPacked(alpha, a, &p, beta, c)
}

// TestExact goes through every size around the edges of tiles and of runs.
func TestExact(t *testing.T) { byKind(t, testExact) }

func testExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	rows := []int{0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 25}
	cols := []int{0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65}
	inner := []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33}
	if testing.Short() {
		rows = rows[:8]
	}
	for _, m := range rows {
		for _, n := range cols {
			for _, k := range inner {
				for form := range 4 {
					s := shape{m, n, k, (m + n + k) % 3, form&1 == 1, form&2 == 2, 1 + k%3, (m + n) % 3, 8}
					exact[float32](t, rng, s)
					exact[float64](t, rng, s)
				}
			}
		}
	}
	for _, s := range []shape{
		{m: 97, n: 300, k: 600, alpha: 1, bound: 8}, {m: 200, n: 257, k: 257, slack: 3, turnedA: true, alpha: -1, beta: 1, bound: 8},
		{m: 1, n: 700, k: 513, turnedB: true, alpha: 1, bound: 8}, {m: 3, n: 61, k: 1000, turnedB: true, alpha: 2, beta: -1, bound: 4},
		{m: 96, n: 256, k: 256, turnedA: true, turnedB: true, alpha: 1, beta: 1, bound: 8}, {m: 500, n: 7, k: 512, turnedB: true, alpha: 1, bound: 8},
		{m: 2, n: 40, k: 300, alpha: 1, bound: 8},
	} {
		exact[float32](t, rng, s)
		exact[float64](t, rng, s)
	}
}

func TestExactOfAnyShape(t *testing.T) { byKind(t, exactOfAnyShape) }

func exactOfAnyShape(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := shape{
			m: rapid.IntRange(0, 210).Draw(t, "m"), n: rapid.IntRange(0, 280).Draw(t, "n"), k: rapid.IntRange(0, 530).Draw(t, "k"),
			slack:   rapid.IntRange(0, 5).Draw(t, "slack"),
			turnedA: rapid.Bool().Draw(t, "A by columns"), turnedB: rapid.Bool().Draw(t, "B by columns"),
			alpha: rapid.IntRange(-2, 2).Draw(t, "alpha"), beta: rapid.IntRange(-2, 2).Draw(t, "beta"), bound: 8,
		}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		exact[float32](t, rng, s)
		exact[float64](t, rng, s)
	})
}

// reals draws normal numbers.
func reals[T Float](rng *rand.Rand, n int) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(rng.NormFloat64())
	}
	return x
}

// TestAgainstGonum holds products of real numbers to gonum's within the bound
// of a sum of k products in any order, k eps Σ|a||b|.
func TestAgainstGonum(t *testing.T) { byKind(t, againstGonum) }

func againstGonum(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const m, n, k = 50, 70, 700
	a, b := reals[float64](rng, m*k), reals[float64](rng, n*k)
	want := make([]float64, m*n)
	gonum.Implementation{}.Dgemm(blas.NoTrans, blas.Trans, m, n, k, .5, a, k, b, k, 0, want, n)
	c := make([]float64, m*n)
	Mul(.5, Of(m, k, k, a), Of(n, k, k, b).T(), 0, Of(m, n, n, c))
	a32, b32 := make([]float32, m*k), make([]float32, n*k)
	for i, v := range a {
		a32[i] = float32(v)
	}
	for i, v := range b {
		b32[i] = float32(v)
	}
	c32 := make([]float32, m*n)
	Mul(.5, Of(m, k, k, a32), Of(n, k, k, b32).T(), 0, Of(m, n, n, c32))
	for i := range m {
		for j := range n {
			size := 0.0
			for p := range k {
				size += math.Abs(a[i*k+p] * b[j*k+p])
			}
			if diff := math.Abs(c[i*n+j] - want[i*n+j]); diff > k*0x1p-53*size {
				t.Fatalf("float64 (%d, %d): %v, gonum %v", i, j, c[i*n+j], want[i*n+j])
			}
			// 3 for rounding a and b; a sum of 700 terms is far within its bound
			if diff := math.Abs(float64(c32[i*n+j]) - want[i*n+j]); diff > 24*0x1p-24*size {
				t.Fatalf("float32 (%d, %d): %v, gonum's float64 %v", i, j, c32[i*n+j], want[i*n+j])
			}
		}
	}
}

// TestSameBits: where an element lies, and how many share the work, does not
// change its bits.
func TestSameBits(t *testing.T) {
	if kernels32 == nil {
		t.Skipf("this machine or build has no kernels of ours (they take AVX2 and FMA): products are those of %s", Name())
	}
	want32, want64 := map[string][]float32{}, map[string][]float64{}
	for _, k := range kinds() {
		k.use()
		want32[k.name], want64[k.name] = sameBits[float32](t), sameBits[float64](t)
	}
	kinds()[0].use()
	// and neither does the processor
	for _, k := range kinds()[1:] {
		if !slices.Equal(want32[k.name], want32[library]) || !slices.Equal(want64[k.name], want64[library]) {
			t.Errorf("%s and %s give other bits", k.name, library)
		}
	}
}

// TestBitsEverywhere: each of our kernels, on any processor, gives the bits that were
// first computed by AVX2's. The factors are whole numbers
// over another, so they are the same everywhere.
func TestBitsEverywhere(t *testing.T) {
	before := kind{library, kernels32, kernels64}
	defer before.use()
	for _, k := range kinds() {
		k.use()
		if got, want := [2]uint32{bits[float32](), bits[float64]()}, [2]uint32{0xdfd02c71, 0x6b596e98}; got != want {
			t.Errorf("%s: checksums %#x, expected %#x", k.name, got, want)
		}
	}
}

// bits is a checksum of products of tiles and of vectors.
func bits[T Float]() uint32 {
	rng := rand.New(rand.NewPCG(9, 10))
	fractions := func(n int) []T {
		x := make([]T, n)
		for i := range x {
			x[i] = T(rng.IntN(1<<20)-1<<19) / 777216
		}
		return x
	}
	sum := crc32.NewIEEE()
	for _, m := range []int{3, 29} {
		const n, k = 70, 613
		c := Of(m, n, n, fractions(m*n))
		Mul(-.75, Of(m, k, k, fractions(m*k)), Of(n, k, k, fractions(n*k)).T(), 1, c)
		for _, v := range c.data {
			fmt.Fprintf(sum, "%x", v)
		}
	}
	return sum.Sum32()
}

func sameBits[T Float](t *testing.T) []T {
	rng := rand.New(rand.NewPCG(5, 6))
	const m, n, k = 131, 301, 613
	a, b := Of(m, k, k, reals[T](rng, m*k)), Of(n, k, k, reals[T](rng, n*k)).T()
	start := reals[T](rng, m*n)
	whole := Of(m, n, n, append([]T(nil), start...))
	Mul(1, a, b, 1, whole)
	shared := Of(m, n, n, append([]T(nil), start...))
	Share(1, a, b, 1, shared)
	packed := Of(m, n, n, append([]T(nil), start...))
	byPacked(1, a, b, 1, packed)
	parts := Of(m, n, n, append([]T(nil), start...))
	for i := 0; i < m; {
		h := min(few+rng.IntN(40), m-i)
		if m-i-h < few {
			h = m - i
		}
		for j := 0; j < n; {
			w := min(1+rng.IntN(90), n-j)
			Mul(1, a.part(i, 0, h, k), b.part(0, j, k, w), 1, parts.part(i, j, h, w))
			j += w
		}
		i += h
	}
	for i, v := range whole.data {
		if shared.data[i] != v || parts.data[i] != v || packed.data[i] != v {
			t.Fatalf("%T, element (%d, %d): %v as a whole, %v shared, %v in parts, %v packed", v, i/n, i%n, v, shared.data[i], parts.data[i], packed.data[i])
		}
	}
	return whole.data
}

// TestNothingSkipped: NaN and infinite numbers reach every element that they
// belong to and no other one, whatever they are multiplied with.
func TestNothingSkipped(t *testing.T) { byKind(t, testNothingSkipped) }

func testNothingSkipped(t *testing.T) {
	nothingSkipped[float32](t)
	nothingSkipped[float64](t)
}

func nothingSkipped[T Float](t *testing.T) {
	for _, m := range []int{1, 3, 5, 8} {
		for form := range 4 {
			const n, k = 21, 37
			a := matrix[T](rand.New(rand.NewPCG(1, 1)), m, k, 0, form&1 == 1, 0)
			b := matrix[T](rand.New(rand.NewPCG(1, 1)), k, n, 0, form&2 == 2, 0)
			row, col := m-1, n-2
			set(a, row, 36, T(math.NaN()))
			set(b, 20, col, T(math.Inf(1)))
			c := make([]T, m*n)
			c[0] = T(math.NaN()) // overwritten with beta 0
			Mul(1, a, b, 0, Of(m, n, n, c))
			for i := range m {
				for j := range n {
					if got, want := c[i*n+j] != c[i*n+j], i == row || j == col; got != want {
						t.Fatalf("%T, %d rows, form %d: element (%d, %d) is %v", c[0], m, form, i, j, c[i*n+j])
					}
				}
			}
		}
	}
}

func set[T Float](v View[T], i, j int, x T) {
	if v.turned {
		i, j = j, i
	}
	v.data[i*v.stride+j] = x
}

func TestRefused(t *testing.T) {
	x := make([]float32, 100)
	for name, f := range map[string]func(){
		"shapes":     func() { Mul(1, Of(2, 3, 3, x), Of(4, 5, 5, x), 0, Of(2, 5, 5, x)) },
		"rows":       func() { Mul(1, Of(2, 3, 3, x), Of(3, 5, 5, x), 0, Of(3, 5, 5, x)) },
		"by columns": func() { Mul(1, Of(2, 3, 3, x), Of(3, 5, 5, x), 0, Of(5, 2, 2, x).T()) },
		"overlap":    func() { Of(2, 3, 2, x) },
		"too short":  func() { Of(11, 10, 10, x[:100:100]) },
		"negative":   func() { Of(-1, 10, 10, x) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

func FuzzMul(f *testing.F) {
	f.Add(uint8(7), uint8(17), uint16(260), uint8(3), uint64(1))
	f.Fuzz(func(t *testing.T, m, n uint8, k uint16, form uint8, seed uint64) {
		s := shape{m: int(m % 120), n: int(n), k: int(k % 600), slack: int(form>>2) % 4, turnedA: form&1 == 1, turnedB: form&2 == 2, alpha: 1, beta: int(form>>4) % 3, bound: 8}
		rng := rand.New(rand.NewPCG(seed, 1))
		exact[float32](t, rng, s)
		exact[float64](t, rng, s)
	})
}

// BenchmarkMul is x Wᵀ, one processor.
func BenchmarkMul(b *testing.B) {
	before := kind{library, kernels32, kernels64}
	defer before.use()
	for _, s := range [][3]int{{256, 576, 576}, {16, 512, 64}, {72, 8192, 64}, {1, 576, 576}, {256, 1536, 576}} {
		for _, k := range append(kinds(), general()) {
			k.use()
			benchmark[float32](b, s[0], s[1], s[2])
			benchmark[float64](b, s[0], s[1], s[2])
		}
	}
}

func benchmark[T Float](b *testing.B, m, n, k int) {
	rng := rand.New(rand.NewPCG(1, 2))
	x, w, y := Of(m, k, k, reals[T](rng, m*k)), Of(n, k, k, reals[T](rng, n*k)), Of(m, n, n, make([]T, m*n))
	b.Run(fmt.Sprintf("%T/%dx%dx%d/%s", x.data[0], m, n, k, strings.TrimPrefix(Name(), "pecvt, ")), func(b *testing.B) {
		for b.Loop() {
			Mul(1, x, w.T(), 0, y)
		}
		b.ReportMetric(2*float64(m*n*k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GF/s")
	})
}
