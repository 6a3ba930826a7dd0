package family

import "fmt"

// originalLength is the key of the trained length, and of the unit of QueryScale.
const originalLength = "original_max_position_embeddings"

// Beside lists the keys among those of the rotation that the family reads for
// something else: they stay whatever the rotation becomes.
func (d RopeDefaults) Beside() []string {
	if d.QueryScale == "" {
		return nil
	}
	return []string{d.QueryScale, originalLength}
}

// queryScale reads the factor of queries that stands among the rope keys.
func queryScale(r *Reader, def RopeDefaults) *QueryScale {
	if def.QueryScale == "" || r.Err != nil {
		return nil
	}
	at, dict, err := ropeDict(r.C, def)
	r.Fail(err)
	if at == "" || r.Err != nil {
		r.Fail(Unsupported("rope_parameters is not there: loaders of this family then take a scaling of their own; write it"))
		return nil
	}
	var q QueryScale
	for _, n := range []struct {
		key string
		to  *float64
	}{{def.QueryScale, &q.Beta}, {originalLength, &q.Length}} {
		v, ok, err := dict.Float(n.key)
		r.Fail(err)
		if !ok && r.Err == nil {
			r.Fail(Unsupported("%s: key %q is missing, by which queries are scaled; write it", at, n.key))
		}
		*n.to = v
	}
	if outer, ok, _ := r.C.Float(originalLength); ok && outer != q.Length && r.Err == nil {
		r.Fail(Unsupported("%s is %v at the top level and %v in %s: loaders scale queries by the latter with some rope types and by the former with others; make them agree", originalLength, outer, q.Length, at))
	}
	if !(q.Length > 0) && r.Err == nil {
		r.Fail(fmt.Errorf("%s: %s is %v: expected a positive number", at, originalLength, q.Length))
	}
	if q.Beta == 0 || r.Err != nil {
		return nil
	}
	return &q
}
