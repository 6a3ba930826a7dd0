package families

import (
	"encoding/json"
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
)

// indexedLayers refuses layers of another kind than those whose keys an indexer
// chooses.
func indexedLayers(r *family.Reader) {
	kinds, err := r.C.Texts("layer_types")
	r.Fail(err)
	for i, kind := range kinds {
		if kind != "indexed_attention" {
			r.Fail(family.Unsupported("layer_types[%d] is %q: loaders of this family have indexed_attention in every layer whatever it says", i, kind))
		}
	}
}

// sharedChoices says which layers see the keys that the layer before them chose:
// indexer_types, else a pattern (F full, S shared), else every so many layers past an
// offset.
func sharedChoices(r *family.Reader, layers int) []bool {
	kinds := indexerTypes(r, layers)
	if r.Err == nil && len(kinds) < layers {
		r.Fail(fmt.Errorf("indexers of %d layers are declared: expected %d", len(kinds), layers))
	}
	if r.Err != nil {
		return nil
	}
	out := make([]bool, layers)
	for i := range out {
		switch kinds[i] {
		case "full":
		case "shared":
			out[i] = true
		default:
			r.Fail(family.Unsupported("layer %d has an indexer of type %q: expected full or shared", i, kinds[i]))
		}
	}
	if out[0] {
		r.Fail(family.Unsupported("layer 0 sees the keys of a layer before it, at which loaders stop"))
	}
	return out
}

func indexerTypes(r *family.Reader, layers int) []string {
	if r.C.Has("indexer_types") {
		kinds, err := r.C.Texts("indexer_types")
		r.Fail(err)
		return kinds
	}
	words := map[rune]string{'F': "full", 'S': "shared"}
	var list []string
	if r.C.Has("index_topk_pattern") {
		var pattern string
		if json.Unmarshal(r.C.Raw("index_topk_pattern"), &pattern) != nil {
			kinds, err := r.C.Texts("index_topk_pattern")
			r.Fail(err)
			return kinds
		}
		for _, c := range pattern {
			list = append(list, words[c])
		}
		return list
	}
	every, offset := max(r.SizeOrZero("index_topk_freq", 1), 1), r.SizeOrZero("index_skip_topk_offset", 2)
	for i := range layers {
		kind := "shared"
		if max(i-offset+1, 0)%every == 0 {
			kind = "full"
		}
		list = append(list, kind)
	}
	return list
}
