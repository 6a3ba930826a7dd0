package family

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/pecvt/pecvt/posenc"
)

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

// MostQueryScale bounds β of a block's factor: with 1 scores at 64 times the length are
// five times what they were.
const MostQueryScale = 1

// Scalable reports a layer that the factor of a block is of: one that turns and sees
// every token before. One with a window or chunks meets as few keys at any position.
func (a *Attention) Scalable() bool { return a.Rotary.Dim > 0 && a.Window == 0 && a.Chunk == 0 }

// Scaling refuses to scale the queries of a model beside what scales them already, or
// where no layer is Scalable. The error wraps posenc.ErrUnsupported.
func (m *Model) Scaling() error {
	some := false
	for i, a := range m.Attentions() {
		if a.QueryScale != nil {
			return fmt.Errorf("layer %d: queries are multiplied by %v already: %w beside a second factor", i, *a.QueryScale, posenc.ErrUnsupported)
		}
		some = some || a.Scalable()
	}
	if !some {
		return fmt.Errorf("no layer turns and sees every token before, and one with a window or chunks meets as few keys at any position: queries scaled by position are %w", posenc.ErrUnsupported)
	}
	return nil
}

// String is the formula.
func (q QueryScale) String() string {
	t := "t"
	if q.Ahead != 0 {
		t = fmt.Sprintf("(t + %d)", q.Ahead)
	}
	if q.Power != 0 {
		return fmt.Sprintf("(1 + %s/%g)^%g at position t", t, q.Length, q.Power)
	}
	return fmt.Sprintf("1 + %g ln(1 + ⌊%s/%g⌋) at position t", q.Beta, t, q.Length)
}

// QueryScaleKey is the block's key of the factor.
const QueryScaleKey = "query_scale"

// Block is what stands there.
func (q QueryScale) Block() *Object {
	o := newObject()
	o.Set("beta", json.RawMessage(strconv.FormatFloat(q.Beta, 'g', -1, 64)))
	o.Set("length", int64(q.Length))
	return o
}

// blockQueryScale gives every layer that is Scalable the block's factor.
func (m *Model) blockQueryScale(q QueryScale) error {
	if err := m.Scaling(); err != nil {
		return err
	}
	for _, a := range m.Attentions() {
		if a.Scalable() {
			a.QueryScale = &q
		}
	}
	return nil
}

// parseQueryScale reads the block's factor of queries.
func parseQueryScale(block *Object) (*QueryScale, error) {
	o, err := block.Object(QueryScaleKey)
	if o == nil || err != nil {
		return nil, err
	}
	if err := onlyKeys(o, "it", "beta", "length"); err != nil {
		return nil, err
	}
	beta, _, err := o.Float("beta")
	if err != nil {
		return nil, err
	}
	if !(beta > 0 && beta <= MostQueryScale) {
		return nil, fmt.Errorf("key %q is %s: expected a number above 0 and at most %d", "beta", found(o, "beta"), MostQueryScale)
	}
	length, _, err := o.Int("length")
	if err != nil {
		return nil, err
	}
	if length <= 0 || length > math.MaxInt32 {
		return nil, fmt.Errorf("key %q is %s: expected a positive number of positions", "length", found(o, "length"))
	}
	return &QueryScale{Beta: beta, Length: float64(length)}, nil
}
