package store

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/tensor"
)

// NotFiniteError tells of a NaN or an infinity among stored numbers.
type NotFiniteError struct {
	Where, Tensor string
	Shape         []int64
	// Element is its index in the stored order, Value what stands there.
	Element int64
	Value   float64
}

// Error names file, tensor, element and value.
func (e *NotFiniteError) Error() string {
	return fmt.Sprintf("%s: tensor %q: element %d of shape %v is %v: the weights are damaged or the training diverged", e.Where, e.Tensor, e.Element, e.Shape, e.Value)
}

// CheckFinite looks for a NaN or an infinity in a tensor, in the memory of
// [Store.Walk]; the error is a [NotFiniteError]. Integer tensors pass.
func CheckFinite(s Store, name string) error {
	info, ok := s.Lookup(name)
	if !ok {
		return Missing(s, name)
	}
	if !info.DType.IsFloat() {
		return nil
	}
	return s.Walk(name, func(offset int64, piece []byte) error {
		i, found := tensor.NonFinite(piece, info.DType)
		if !found {
			return nil
		}
		value, err := tensor.At(piece, info.DType, i)
		if err != nil {
			return Errorf(s, name, "%w", err)
		}
		before, err := tensor.Count(info.DType, offset)
		if err != nil {
			return Errorf(s, name, "%w", err)
		}
		return &NotFiniteError{Where: Where(s, name), Tensor: name, Shape: info.Shape, Element: before + i, Value: value}
	})
}
