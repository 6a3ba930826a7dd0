package tensor

// Negate flips the sign of every element of src in place, exactly. The bytes are
// those of a longer run, of which at bytes went before, so that they need not
// begin or end with an element. Integer types have no sign to flip: false.
func Negate(src []byte, d DType, at int64) bool {
	_, size := d.Unit()
	sign := dtypes[d].sign
	if sign < 0 {
		return false
	}
	first := (int64(sign) - at) % int64(size)
	if first < 0 {
		first += int64(size)
	}
	for i := first; i < int64(len(src)); i += int64(size) {
		src[i] ^= 0x80
	}
	return true
}

// AllZero reports whether every element of src is 0 or -0. Bytes after the last
// whole element are ignored.
func AllZero(src []byte, d DType) bool {
	elements, size := d.Unit()
	if d == F8E8M0 { // has no zero
		return len(src) == 0
	}
	for ; len(src) >= size; src = src[size:] {
		if elements > 1 {
			values := make([]float64, elements)
			if Decode64(values, src[:size], d) != nil {
				return false
			}
			for _, v := range values {
				if v != 0 {
					return false
				}
			}
			continue
		}
		for i, b := range src[:size] {
			if b != 0 && (b != 0x80 || i != dtypes[d].sign) {
				return false
			}
		}
	}
	return true
}
