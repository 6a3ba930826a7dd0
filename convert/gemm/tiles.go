package gemm

// tiles adds alpha a b to c, or without add writes it there.
func (k *kernels[T]) tiles(alpha T, a, b, c View[T], add bool) {
	r := k.room()
	defer k.rooms.Put(r)
	for j := 0; j < c.cols; j += width {
		w := min(width, c.cols-j)
		for p := 0; p < a.cols; p += depth {
			d := min(depth, a.cols-p)
			panels := grown(&r.b, (w+k.cols-1)/k.cols*k.cols*d)
			k.pack(panels, b.part(p, j, d, w))
			for i := 0; i < c.rows; i += blockRows {
				h := min(blockRows, c.rows-i)
				k.block(r, alpha, a.part(i, p, h, d), panels, d, c.part(i, j, h, w), add || p > 0)
			}
		}
	}
}

// block adds the product of a, of at most blockRows rows, and the packed panels, each
// of stored rows, of which it takes a.cols, to c, or without add writes it there.
func (k *kernels[T]) block(r *room[T], alpha T, a View[T], panels []T, stored int, c View[T], add bool) {
	onto := 0
	if add {
		onto = 1
	}
	d, w := a.cols, c.cols
	height := k.height
	whole := a.rows - a.rows%height
	switch {
	case a.turned:
		k.packColumns(grown(&r.a, (a.rows+height-1)/height*height*d), a)
	case whole < a.rows:
		clear(grown(&r.edge, height*d))
		for i := whole; i < a.rows; i++ {
			copy(r.edge[(i-whole)*d:][:d], a.data[i*a.stride:])
		}
	}
	for j := 0; j < w; j += k.cols {
		n := min(k.cols, w-j)
		panel := &panels[j*stored]
		for i := 0; i < a.rows; i += height {
			var rows *T
			stride, step := a.stride, 1
			switch {
			case a.turned:
				rows, stride, step = &r.a[i*d], 1, height
			case i == whole:
				rows, stride = &r.edge[0], d
			default:
				rows = &a.data[i*a.stride]
			}
			if n == k.cols && i < whole {
				k.tile(d, rows, stride, step, panel, &c.data[i*c.stride+j], c.stride, onto, alpha)
				continue
			}
			// by way of a whole tile, which starts as the part of C is, so that an
			// element at an edge is rounded as any other
			m := min(height, a.rows-i)
			for l := 0; add && l < m; l++ {
				copy(r.tile[l*k.cols:][:n], c.data[(i+l)*c.stride+j:])
			}
			k.tile(d, rows, stride, step, panel, &r.tile[0], k.cols, onto, alpha)
			for l := range m {
				copy(c.data[(i+l)*c.stride+j:][:n], r.tile[l*k.cols:])
			}
		}
	}
}

// pack writes b as panels of k.cols columns, the last one filled with zeros.
func (k *kernels[T]) pack(dst []T, b View[T]) {
	for j := 0; j < b.cols; j += k.cols {
		n := min(k.cols, b.cols-j)
		panel := dst[j*b.rows:][:b.rows*k.cols]
		if n < k.cols {
			clear(panel)
		}
		if b.turned {
			k.packTurned(panel, b.data[j*b.stride:], b.stride, n, b.rows)
			continue
		}
		if n == k.cols && k.rows != nil {
			k.rows(b.rows, &b.data[j], b.stride, &panel[0])
			continue
		}
		for p := range b.rows {
			copy(panel[p*k.cols:][:n], b.data[p*b.stride+j:])
		}
	}
}

// packTurned writes n rows of src, depth long, as the columns of panel.
func (k *kernels[T]) packTurned(panel []T, src []T, ld, n, depth int) {
	j, done := 0, 0
	if k.turn != nil {
		done = depth - depth%k.turnStep
	}
	for ; done > 0 && j+k.turnRows <= n; j += k.turnRows {
		k.turn(done, &src[j*ld], ld, &panel[j])
		for l := j; l < j+k.turnRows; l++ {
			for p := done; p < depth; p++ {
				panel[p*k.cols+l] = src[l*ld+p]
			}
		}
	}
	for ; j < n; j++ {
		for p, v := range src[j*ld:][:depth] {
			panel[p*k.cols+j] = v
		}
	}
}

// packColumns writes a, by columns, as k.height rows after as many, the last ones
// filled with zeros, each column by column.
func (k *kernels[T]) packColumns(dst []T, a View[T]) {
	for i := 0; i < a.rows; i += k.height {
		n := min(k.height, a.rows-i)
		rows := dst[i*a.cols:][:k.height*a.cols]
		if n == k.height && k.columns != nil {
			k.columns(a.cols, &a.data[i], a.stride, &rows[0])
			continue
		}
		clear(rows)
		for p := range a.cols {
			copy(rows[p*k.height:][:n], a.data[p*a.stride+i:])
		}
	}
}

// turn writes a, by columns, row after row to dst.
func turn[T Float](dst []T, a View[T]) {
	const run = 16
	for i0 := 0; i0 < a.rows; i0 += run {
		rows := min(run, a.rows-i0)
		for p := range a.cols {
			for i, v := range a.data[p*a.stride+i0:][:rows] {
				dst[(i0+i)*a.cols+p] = v
			}
		}
	}
}

// vectors adds alpha a b to c, a by rows and b by columns, product by product.
func (k *kernels[T]) vectors(alpha T, a, b, c View[T]) {
	inner := a.cols
	done := inner - inner%k.dotStep
	r := k.room()
	defer k.rooms.Put(r)
	sums := (*[dotRows]T)(r.tile)
	for i := range a.rows {
		x, y := a.data[i*a.stride:][:inner], c.data[i*c.stride:][:c.cols]
		for j := 0; j < len(y); {
			// a row alone is taken four times
			n, stride := 1, 0
			if j+dotRows <= len(y) {
				n, stride = dotRows, b.stride
			}
			k.dots(done, &x[0], &b.data[j*b.stride], stride, sums)
			for l := range n {
				sum := sums[l]
				for p, v := range b.data[(j+l)*b.stride:][done:inner] {
					sum += T(x[done+p] * v) // rounded, on every processor
				}
				y[j+l] += T(alpha * sum)
			}
			j += n
		}
	}
}
