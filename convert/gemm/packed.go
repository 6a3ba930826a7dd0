package gemm

import "fmt"

// Packed is a matrix as products read it, for many of them: B of C = α A B + β C. Its
// memory is used again by the next Pack.
type Packed[T Float] struct {
	b View[T]
	k *kernels[T]
	// runs of depth rows, each of whole panels one after the other
	data []T
}

// Pack makes p hold b, whose memory must stay as it is while p is used.
func (p *Packed[T]) Pack(b View[T]) {
	p.b, p.k = b, kernelsOf[T]()
	if p.k == nil || b.cols == 0 {
		return
	}
	wide := p.wide()
	data := grown(&p.data, wide*b.rows)
	for at := 0; at < b.rows; at += depth {
		d := min(depth, b.rows-at)
		p.k.pack(data[at*wide:][:wide*d], b.part(at, 0, d, b.cols))
	}
}

// wide is how many columns the panels have together.
func (p *Packed[T]) wide() int { return (p.b.cols + p.k.cols - 1) / p.k.cols * p.k.cols }

// MulPacked is Mul, with its bits, for the first rows and columns of b that a and c
// have.
func MulPacked[T Float](alpha T, a View[T], b *Packed[T], beta T, c View[T]) {
	if a.cols > b.b.rows || c.cols > b.b.cols {
		panic(fmt.Sprintf("gemm: a product of %d × %d and a part of %d × %d into %d × %d", a.rows, a.cols, b.b.rows, b.b.cols, c.rows, c.cols))
	}
	part := b.b.part(0, 0, a.cols, c.cols)
	short := a.rows < few && !a.turned && part.turned
	if b.k == nil || b.k != kernelsOf[T]() || short || alpha == 0 || a.cols == 0 || c.rows == 0 || c.cols == 0 {
		Mul(alpha, a, part, beta, c)
		return
	}
	check(a, part, c)
	if beta != 0 {
		c.scale(beta)
	}
	k, wide := b.k, b.wide()
	r := k.room()
	defer k.rooms.Put(r)
	for j := 0; j < c.cols; j += width {
		w := min(width, c.cols-j)
		for p := 0; p < a.cols; p += depth {
			d, stored := min(depth, a.cols-p), min(depth, b.b.rows-p)
			for i := 0; i < c.rows; i += blockRows {
				h := min(blockRows, c.rows-i)
				k.block(r, alpha, a.part(i, p, h, d), b.data[p*wide+j*stored:], stored, c.part(i, j, h, w), beta != 0 || p > 0)
			}
		}
	}
}
