package family

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
)

// Range is the half-open range of rows [Begin, End).
type Range struct{ Begin, End int64 }

// Weight is a logical weight: a stored tensor, or some of its rows.
type Weight struct {
	// Tensor is the stored tensor's name.
	Tensor string
	// Shape is the logical shape, (out, in) or (n).
	Shape []int64
	// Rows are the stored rows that make up the weight, in order; nil is all.
	Rows []Range
	// Stored is the stored tensor's shape.
	Stored []int64
}

// Source gives access to stored tensors; *safetensors.Checkpoint is one.
type Source interface {
	Lookup(name string) (safetensors.Info, *safetensors.File, bool)
	Bytes(name string) ([]byte, error)
}

// Bytes returns the weight's elements as stored, little-endian, row by row.
// A weight that is the whole tensor is not copied and must not be written to.
func (w Weight) Bytes(src Source) ([]byte, tensor.DType, error) {
	info, _, ok := src.Lookup(w.Tensor)
	if !ok {
		return nil, 0, fmt.Errorf("tensor %q is not in the checkpoint", w.Tensor)
	}
	raw, err := src.Bytes(w.Tensor)
	if err != nil || w.Rows == nil {
		return raw, info.DType, err
	}
	row := int64(len(raw)) / w.Stored[0]
	var out []byte
	for _, r := range w.Rows {
		if r.Begin < 0 || r.End < r.Begin || r.End > w.Stored[0] {
			return nil, 0, fmt.Errorf("tensor %q: rows %d to %d of %d", w.Tensor, r.Begin, r.End, w.Stored[0])
		}
		if len(w.Rows) == 1 {
			return raw[r.Begin*row : r.End*row], info.DType, nil
		}
		out = append(out, raw[r.Begin*row:r.End*row]...)
	}
	return out, info.DType, nil
}

// Float64 returns the weight's elements decoded into a fresh slice.
func (w Weight) Float64(src Source) ([]float64, error) {
	raw, dtype, err := w.Bytes(src)
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(raw)/dtype.Size())
	if err := tensor.Decode64(out, raw, dtype); err != nil {
		return nil, fmt.Errorf("tensor %q: %w", w.Tensor, err)
	}
	return out, nil
}

// Weights lists every weight the model reads, in the order of a forward pass,
// then the Parameters; a tensor that serves twice, such as a tied head, is
// listed twice.
func (m *Model) Weights() []Weight {
	l := &weightList{}
	l.list = append(l.list, m.Embed)
	l.norm(m.EmbedNorm)
	for i := range m.Blocks {
		b := &m.Blocks[i]
		l.norm(&b.AttnNorm)
		l.attention(&b.Attn)
		l.norm(&b.MLPNorm)
		l.linears(b.MLP.Gate, b.MLP.Up, b.MLP.Down)
	}
	l.norm(&m.FinalNorm)
	l.linears(m.Head)
	return append(l.list, m.Parameters...)
}

type weightList struct{ list []Weight }

func (l *weightList) linears(list ...Linear) {
	for _, v := range list {
		if v.Weight.Tensor != "" {
			l.list = append(l.list, v.Weight)
		}
		if v.Bias != nil {
			l.list = append(l.list, *v.Bias)
		}
	}
}

func (l *weightList) norm(n *Norm) {
	if n == nil {
		return
	}
	l.list = append(l.list, n.Weight)
	if n.Bias != nil {
		l.list = append(l.list, *n.Bias)
	}
}

func (l *weightList) attention(a *Attention) {
	if a.Phase != nil {
		l.linears(a.Phase.Gate)
	}
	l.linears(a.Q, a.K, a.V)
	for _, s := range []*Shift{a.KShift, a.VShift} {
		if s != nil {
			l.linears(s.Gate)
		}
	}
	l.norm(a.QNorm)
	l.norm(a.KNorm)
	if b := a.Bias; b != nil && b.Gate != nil {
		l.linears(*b.Gate)
	}
	if b := a.Bias; b != nil && b.P != nil {
		l.linears(*b.P)
	}
	l.norm(a.HeadNorm)
	l.linears(a.O)
}
