package ref

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
)

// Cache holds the keys and values of every position so far, per layer.
type Cache struct {
	// Batch is B, Length the number of cached positions T.
	Batch, Length int
	// Keys (after their rotation) and Values, one slice per layer of shape
	// (B, key/value heads, T, head size).
	Keys, Values [][]float64
}

func (c *Cache) check(m *family.Model, rows int) error {
	if c.Batch != rows {
		return fmt.Errorf("the cache has %d rows, the tokens %d", c.Batch, rows)
	}
	if len(c.Keys) != len(m.Blocks) || len(c.Values) != len(m.Blocks) {
		return fmt.Errorf("the cache has %d layers of keys and %d of values, the model %d layers", len(c.Keys), len(c.Values), len(m.Blocks))
	}
	for i := range m.Blocks {
		a := &m.Blocks[i].Attn
		if want := c.Batch * a.KVHeads * c.Length * a.HeadDim; len(c.Keys[i]) != want || len(c.Values[i]) != want {
			return fmt.Errorf("layer %d of the cache has %d numbers of keys and %d of values: expected %d (%d rows, %d heads, %d positions, head size %d)",
				i, len(c.Keys[i]), len(c.Values[i]), want, c.Batch, a.KVHeads, c.Length, a.HeadDim)
		}
	}
	return nil
}

// extend returns old, of shape (heads, past, d) with the batch folded into
// heads, in the room of (heads, past+seq, d).
func extend(old []float64, heads, past, seq, d int) []float64 {
	out := make([]float64, heads*(past+seq)*d)
	for h := range heads {
		copy(out[h*(past+seq)*d:], old[h*past*d:(h+1)*past*d])
	}
	return out
}

// store writes rows, of shape (batch, seq, heads, d), behind the past of room,
// of shape (batch, heads, past+seq, d).
func store(room, rows []float64, batch, heads, past, seq, d int) {
	total := past + seq
	for b := range batch {
		for s := range seq {
			for h := range heads {
				from := ((b*seq+s)*heads + h) * d
				copy(room[((b*heads+h)*total+past+s)*d:][:d], rows[from:from+d])
			}
		}
	}
}
