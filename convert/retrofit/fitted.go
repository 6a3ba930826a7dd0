package retrofit

import (
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/posenc"
)

// fitted lists the weights of a layer that a calibration fits.
func fitted(a *family.Attention) []*family.Weight {
	var list []*family.Weight
	for _, w := range []*family.Weight{&a.Q.Weight, &a.K.Weight, a.Q.Bias, a.K.Bias} {
		if w != nil {
			list = append(list, w)
		}
	}
	return list
}

// writable refuses weights that are stored in a type which the files of a
// calibration cannot have, before hours go into fitting them.
func writable(m *family.Model, src family.Source) error {
	for _, a := range m.Attentions() {
		for _, w := range fitted(a) {
			info, ok := src.Lookup(w.Tensor)
			if !ok {
				return store.Missing(src, w.Tensor)
			}
			if !info.DType.InHeader() {
				return store.Errorf(src, w.Tensor, "it is %s, a block format: what a calibration writes are safetensors files, which have none: %w; calibrate the unquantised checkpoint", info.DType, posenc.ErrUnsupported)
			}
		}
	}
	return nil
}
