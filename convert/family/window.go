package family

import (
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/posenc"
)

// layers returns each layer's window, 0 for full attention.
func (w WindowRule) layers(r *Reader, n int) []int {
	out := make([]int, n)
	if w.Key == "" || w.off(r) {
		return out
	}
	size := w.Default
	if r.C.Raw(w.Key) != nil { // null is no window, an absent key the default
		if !r.C.Has(w.Key) {
			return out
		}
		size = r.Size(w.Key)
	}
	if w.Switch == "" && !w.ByType && string(r.C.Raw("use_sliding_window")) == "false" {
		r.Warn("use_sliding_window is false, and loaders of this family have the window of %s (%d) all the same, as does pecvt (vLLM has none): set %s to null if none is meant", w.Key, size, w.Key)
	}
	kinds := r.LayerTypes(n)
	from := 0
	if w.Switch != "" && w.From >= 0 {
		from = r.SizeOrZero("max_window_layers", w.From)
	}
	for i := range out {
		sliding := i >= from && (w.Full == nil || !w.Full(i))
		if kinds != nil {
			switch {
			case kinds[i] == SlidingLayers:
				sliding = true
			case kinds[i] == FullLayers, w.Other != "" && kinds[i] == w.Other:
				sliding = false
			default:
				r.Fail(fmt.Errorf("layer_types[%d] is %q: %w", i, kinds[i], posenc.ErrUnsupported))
			}
		}
		if !sliding && w.Switch == "" && !w.ByType && size != 0 {
			r.Fail(fmt.Errorf("layer_types[%d] is %q, yet loaders of this family give every layer the window of %s (%d): %w; drop one of the two", i, kinds[i], w.Key, size, posenc.ErrUnsupported))
		}
		if sliding {
			out[i] = size
		}
	}
	w.compare(r, kinds, from)
	return out
}

// off tells whether a switch leaves every layer without the window. layer_types that
// ask for it all the same count where the family reads the window by them alone (From
// below 0); stock loaders of the others have no size then, and stop.
func (w WindowRule) off(r *Reader) bool {
	if w.Switch == "" || r.BoolOr(false, w.Switch) {
		return false
	}
	kinds, err := r.C.Texts("layer_types")
	i := slices.Index(kinds, "sliding_attention")
	if err != nil || i < 0 {
		return true
	}
	if w.From >= 0 || !r.C.Has(w.Key) {
		r.Fail(fmt.Errorf("layer_types[%d] is %q, yet %s is not true or %s is none: loaders of this family stop at that; set %s to true if the window is meant, else write \"full_attention\"", i, kinds[i], w.Switch, w.Key, w.Switch))
		return true
	}
	r.Warn("%s is not true, yet layer_types[%d] is %q: loaders of this family take layer_types, and so does pecvt", w.Switch, i, kinds[i])
	return false
}

// compare warns where layer_types, which counts, and max_window_layers disagree on
// the layers that have the window.
func (w WindowRule) compare(r *Reader, kinds []string, from int) {
	if kinds == nil || w.Switch == "" || from <= 0 || from == w.From { // the default is always saved
		return
	}
	for i, kind := range kinds {
		if (kind == "sliding_attention") != (i >= from) {
			r.Warn("layer_types and max_window_layers (%d) disagree on layer %d: loaders of this family take layer_types (%s), and so does pecvt", from, i, kind)
			return
		}
	}
}
