package tensor

// Round64 gives in dst the number of type d nearest to each of src, ties to even, in
// one rounding, as [Encode64] and [Decode64] one after the other do: what is too large
// becomes what it becomes there. dst may be src. It returns an error if their lengths
// differ, and those of Encode64.
func Round64(dst, src []float64, d DType) error {
	if d == F32 && len(dst) == len(src) {
		for i, x := range src {
			dst[i] = float64(float32(x))
		}
		return nil
	}
	if err := lengths(len(dst), len(src)*8, F64); err != nil {
		return err
	}
	const chunk = 1 << 12
	var buf [8 * chunk]byte
	elements, size := d.Unit()
	for at := 0; at < len(src); at += chunk {
		n := min(chunk, len(src)-at)
		raw := buf[:n/elements*size]
		if err := Encode64(raw, src[at:at+n], d); err != nil {
			return err
		}
		if err := Decode64(dst[at:at+n], raw, d); err != nil {
			return err
		}
	}
	return nil
}
