package retrofit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// Shape is what does not change in one layer's scores.
type Shape struct {
	// Hidden is the width of h; Heads, KVHeads and HeadDim as in the family's
	// attention, query head n reads key/value head n / (Heads/KVHeads).
	Hidden, Heads, KVHeads, HeadDim int
	// RotaryDim coordinates of each head turn, paired as Pairing says.
	RotaryDim int
	Pairing   posenc.Pairing
	// Scale multiplies scores; Window, where not 0, hides keys with t − j >=
	// Window.
	Scale  float64
	Window int
	// QNorm and KNorm are RMS norms before the rotation, of each head by itself or
	// of all heads together, as their weights are long; nil is none.
	QNorm, KNorm *HeadNorm
	// Cap c > 0 makes a scaled score s, before slopes, c·tanh(s/c); 0 is none.
	Cap float64
	// Clip bounds queries and keys to [−Clip, Clip] right after their projections; 0 is
	// none.
	Clip float64
	// Sinks is a further score for each query head, which takes its share of the
	// softmax; nil is none.
	Sinks []float64
}

// sink is a head's further score, −∞ for none.
func (s *Shape) sink(head int) float64 {
	if s.Sinks == nil {
		return math.Inf(-1)
	}
	return s.Sinks[head]
}

// capped is a scaled score behind the cap.
func (s *Shape) capped(x float64) float64 {
	if s.Cap == 0 {
		return x
	}
	return s.Cap * math.Tanh(x/s.Cap)
}

// HeadNorm is x / √(mean(x²) + Eps) · Weight over as many coordinates as Weight has:
// those of a head, or of all heads.
type HeadNorm struct {
	Weight []float64
	Eps    float64
}

// together tells a norm over all heads.
func (s *Shape) together(n *HeadNorm) bool { return n != nil && len(n.Weight) != s.HeadDim }

func (s *Shape) share() int  { return s.Heads / s.KVHeads }
func (s *Shape) planes() int { return s.RotaryDim / 2 }

// check panics where the sizes disagree: they come from a model that was read.
func (s *Shape) check() {
	if s.KVHeads < 1 || s.Heads%s.KVHeads != 0 || s.RotaryDim%2 != 0 || s.RotaryDim > s.HeadDim || s.Hidden < 1 {
		panic(fmt.Sprintf("retrofit: bad shape %+v", *s))
	}
	for n, heads := range map[*HeadNorm]int{s.QNorm: s.Heads, s.KNorm: s.KVHeads} {
		if s.together(n) && len(n.Weight) != heads*s.HeadDim {
			panic(fmt.Sprintf("retrofit: a norm of %d numbers over %d heads of %d", len(n.Weight), heads, s.HeadDim))
		}
	}
}

// Weights are the trained part of a layer's scores, or gradients of it: Q
// (Heads·HeadDim, Hidden), K (KVHeads·HeadDim, Hidden), biases of as many
// numbers as rows, or nil.
type Weights[F Float] struct{ Q, K, QBias, KBias []F }

// NewWeights returns zeros shaped like w.
func (w *Weights[F]) NewWeights() *Weights[F] {
	out := &Weights[F]{Q: make([]F, len(w.Q)), K: make([]F, len(w.K))}
	if w.QBias != nil {
		out.QBias = make([]F, len(w.QBias))
	}
	if w.KBias != nil {
		out.KBias = make([]F, len(w.KBias))
	}
	return out
}

// Clone returns a deep copy.
func (w *Weights[F]) Clone() *Weights[F] {
	out := w.NewWeights()
	for i, p := range w.parts() {
		copy(out.parts()[i], p)
	}
	return out
}

// add adds v to w.
func (w *Weights[F]) add(v *Weights[F]) {
	for n, part := range v.parts() {
		for i, x := range part {
			w.parts()[n][i] += x
		}
	}
}

// parts lists the parameters; the biases may be nil.
func (w *Weights[F]) parts() [4][]F { return [4][]F{w.Q, w.K, w.QBias, w.KBias} }

// Turn is how a layer places positions in its scores.
type Turn struct {
	// InvFreq holds θ in radians per position for each key/value head and
	// plane.
	InvFreq [][]float64 `json:"inv_freq"`
	// Gain is the attention factor; Removed marks planes that leave the score.
	Gain    float64 `json:"gain"`
	Removed []bool  `json:"removed,omitempty"`
	// Slopes is β per query head; nil is no bias.
	Slopes []float64 `json:"slopes,omitempty"`
	// QueryScale multiplies queries after the rotation, by their position; nil is 1.
	QueryScale *family.QueryScale `json:"query_scale,omitempty"`
}

// Same reports whether two turns place positions alike.
func (t *Turn) Same(u *Turn) bool {
	if len(t.InvFreq) != len(u.InvFreq) || t.Gain != u.Gain {
		return false
	}
	for g, row := range t.InvFreq {
		for p, f := range row {
			if f != u.InvFreq[g][p] || t.removed(p) != u.removed(p) {
				return false
			}
		}
	}
	for n := range max(len(t.Slopes), len(u.Slopes)) {
		if t.slope(n) != u.slope(n) {
			return false
		}
	}
	a, b := t.QueryScale, u.QueryScale
	return a == b || a != nil && b != nil && *a == *b
}

// Hash names the turns of a model's layers.
func Hash(turns []Turn) string {
	text, err := json.Marshal(turns)
	if err != nil {
		panic(fmt.Sprintf("retrofit: turns have no text: %v", err)) // frequencies are finite
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func (t *Turn) removed(p int) bool { return t.Removed != nil && t.Removed[p] }

// factor of queries by position, nil for 1.
func (t *Turn) factor() func(position int64) float64 {
	if t.QueryScale == nil {
		return nil
	}
	return t.QueryScale.At
}

func (t *Turn) slope(n int) float64 {
	if t.Slopes == nil {
		return 0
	}
	return t.Slopes[n]
}

// table holds cos and sin, (groups, positions, planes): one group serves all
// heads where they share a spectrum.
type table[F Float] struct {
	groups, length, planes int
	cos, sin               []F
}

func newTable[F Float](t *Turn, length int) *table[F] {
	rows := t.InvFreq
	shared := true
	for _, row := range rows[1:] {
		for p := range row {
			shared = shared && row[p] == rows[0][p]
		}
	}
	if shared {
		rows = rows[:1]
	}
	return newTableOf[F](t, rows, length)
}

// newTableOf is the table of these rows of frequencies.
func newTableOf[F Float](t *Turn, rows [][]float64, length int) *table[F] {
	out := &table[F]{groups: len(rows), length: length, planes: len(rows[0])}
	out.cos, out.sin = make([]F, len(rows)*length*out.planes), make([]F, len(rows)*length*out.planes)
	for g, row := range rows {
		for i := range length {
			at := (g*length + i) * out.planes
			for p, f := range row {
				if t.removed(p) {
					continue
				}
				s, c := math.Sincos(f * float64(i))
				out.cos[at+p], out.sin[at+p] = F(t.Gain*c), F(t.Gain*s)
			}
		}
	}
	return out
}

func (t *table[F]) row(group, pos int) (cos, sin []F) {
	if t.groups == 1 {
		group = 0
	}
	at := (group*t.length + pos) * t.planes
	return t.cos[at : at+t.planes], t.sin[at : at+t.planes]
}

// coordinates says where planes are: plane p is coordinates p·step and p·step
// + offset.
func (s *Shape) coordinates() (step, offset int) {
	if s.Pairing == posenc.Interleaved {
		return 2, 1
	}
	return 1, s.RotaryDim / 2
}

// rotate turns one head in place.
func rotate[F Float](s *Shape, x, cos, sin []F) {
	step, offset := s.coordinates()
	for p, c := range cos {
		a := p * step
		x1, x2 := x[a], x[a+offset]
		x[a], x[a+offset] = x1*c-x2*sin[p], x2*c+x1*sin[p]
	}
}

// rotateBack applies the transposed rotation.
func rotateBack[F Float](s *Shape, x, cos, sin []F) {
	step, offset := s.coordinates()
	for p, c := range cos {
		a := p * step
		x1, x2 := x[a], x[a+offset]
		x[a], x[a+offset] = x1*c+x2*sin[p], x2*c-x1*sin[p]
	}
}

// apply normalises x to y, which may be the same.
func apply[F Float](n *HeadNorm, y, x []F) {
	r := F(1 / rms(n, x))
	for i, v := range x {
		y[i] = v * r * F(n.Weight[i])
	}
}

func rms[F Float](n *HeadNorm, x []F) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum/float64(len(x)) + n.Eps)
}

// back replaces dy by the derivative in x, the norm's input.
func back[F Float](n *HeadNorm, dy, x []F) {
	r := rms(n, x)
	var dot float64
	for i, v := range x {
		dot += float64(dy[i]) * n.Weight[i] * float64(v)
	}
	c := dot / (float64(len(x)) * r * r * r)
	for i, v := range x {
		dy[i] = F(float64(dy[i])*n.Weight[i]/r - float64(v)*c)
	}
}
