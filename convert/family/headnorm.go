package family

import (
	"strconv"
	"strings"
)

// headNorm is the norm of queries or keys, of n numbers at a time.
func (b *builder) headNorm(template string, n int64, heads int) *Norm {
	kind, per := b.spec.QKNormKind, b.spec.QKPerHead
	norm := b.norm(kind, template, n)
	if norm == nil || per == SharedWeights {
		return norm
	}
	norm.Weight, norm.Bias = Weight{}, nil
	for h := range heads {
		w := Weight{Tensor: b.name(template) + ".weight", Shape: []int64{1, n}, Rows: []Range{{int64(h), int64(h) + 1}}, Stored: []int64{int64(heads), n}}
		if per == TensorPerHead {
			w = whole(strings.ReplaceAll(b.name(template), "{h}", strconv.Itoa(h))+".weight", n)
		}
		norm.PerHead = append(norm.PerHead, w)
	}
	return norm
}
