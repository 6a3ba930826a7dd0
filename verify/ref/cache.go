package ref

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// Cache is the cache of a float64 pass.
type Cache = CacheOf[float64]

// CacheOf holds what the next tokens need of every position so far, per layer.
type CacheOf[T Float] struct {
	// Batch is B, Length the number of cached positions T.
	Batch, Length int
	// Positions are the cached tokens' positions, (B, T).
	Positions []int64
	// Keys (after their rotation) and Values, one slice per layer of shape
	// (B, key/value heads, T, head size); nil in a layer without attention.
	Keys, Values [][]T
	// States hold the rest, one per layer.
	States []State
}

// State is what a layer carries beside keys and values; a slice is
// nil where the layer has none of it. Padding leaves no trace in it. Its numbers
// are those of the pass's type.
type State struct {
	// Features are what the bias reads of each key, (B, heads, T, width); those
	// of padding are zeros.
	Features []float64
	// Sums are the bias's running sums, (B, heads, sums).
	Sums []float64
	// Phase is Φ of the next token, (B, phases).
	Phase []float64
	// LastKey and LastValue are the projections of the last token before they
	// were mixed, (B, key/value heads, head size).
	LastKey, LastValue []float64
	// Window is what a short convolution saw of the last tokens, (B, taps − 1,
	// channels).
	Window []float64
	// Recurrent is what a mixer sums over all tokens before, (B, heads, ...).
	Recurrent []float64
}

// push adds the next layer.
func (c *CacheOf[T]) push(keys, values []T, s State) {
	c.Keys, c.Values, c.States = append(c.Keys, keys), append(c.Values, values), append(c.States, s)
}

func (c *CacheOf[T]) check(m *family.Model, rows int) error {
	if c.Batch != rows {
		return fmt.Errorf("the cache has %d rows, the tokens %d", c.Batch, rows)
	}
	if len(c.Positions) != c.Batch*c.Length {
		return fmt.Errorf("the cache has %d positions for %d rows of %d", len(c.Positions), c.Batch, c.Length)
	}
	if n := len(m.Blocks); len(c.Keys) != n || len(c.Values) != n || len(c.States) != n {
		return fmt.Errorf("the cache has %d layers of keys, %d of values and %d of states, the model %d layers", len(c.Keys), len(c.Values), len(c.States), n)
	}
	for i, a := range m.Attentions() {
		heads := c.Batch * a.CachedHeads() * c.Length
		if len(c.Keys[i]) != heads*a.QKDim || len(c.Values[i]) != heads*a.VDim {
			return fmt.Errorf("layer %d of the cache has %d numbers of keys and %d of values: expected %d and %d (%d rows, %d heads, %d positions, head sizes %d and %d)",
				i, len(c.Keys[i]), len(c.Values[i]), heads*a.QKDim, heads*a.VDim, c.Batch, a.CachedHeads(), c.Length, a.QKDim, a.VDim)
		}
	}
	return nil
}

// check reports a state of other sizes than the layer's encoding has.
func (s *State) check(a *family.Attention, b posenc.Bias, rows, length int) error {
	var features, sums, phases, key, value int
	if b != nil {
		_, width := b.Width()
		features, sums = rows*a.Heads*length*width, rows*a.Heads*len(b.Start())
	}
	if a.Phase != nil {
		phases = rows * int(a.Phase.Gate.Weight.Shape[0])
	}
	if a.KShift != nil {
		key = rows * a.KVHeads * a.QKDim
	}
	if a.VShift != nil {
		value = rows * a.KVHeads * a.VDim
	}
	for _, part := range []struct {
		what      string
		got, want int
	}{{"features of keys", len(s.Features), features}, {"running sums", len(s.Sums), sums}, {"phases", len(s.Phase), phases},
		{"last keys", len(s.LastKey), key}, {"last values", len(s.LastValue), value}} {
		if part.got != part.want {
			return fmt.Errorf("the cache has %d numbers of %s: expected %d", part.got, part.what, part.want)
		}
	}
	return nil
}

// extend returns old, of shape (heads, past, d) with the batch folded into
// heads, in the room of (heads, past+seq, d).
func extend[T Float](old []T, heads, past, seq, d int) []T {
	out := make([]T, heads*(past+seq)*d)
	for h := range heads {
		copy(out[h*(past+seq)*d:], old[h*past*d:(h+1)*past*d])
	}
	return out
}

// fill writes rows, of shape (batch, seq, heads, d), behind the past of room,
// of shape (batch, heads, past+seq, d).
func fill[T Float](room, rows []T, batch, heads, past, seq, d int) {
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
