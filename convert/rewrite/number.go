package rewrite

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
)

// number spells a float so that Python reads a float, not an int: 4 is "4.0".
func number(x float64) json.RawMessage {
	s := strconv.FormatFloat(x, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return json.RawMessage(s)
}

func numbers(list []float64) []json.RawMessage {
	out := make([]json.RawMessage, len(list))
	for i, x := range list {
		out[i] = number(x)
	}
	return out
}

// setFloat stores a float under a key unless the key already holds that value,
// however it is spelled.
func setFloat(o *family.Object, key string, x float64) {
	if v, ok, err := o.Float(key); err != nil || !ok || v != x {
		o.Set(key, number(x))
	}
}

// setNumber is setFloat for a whole number, spelled as one.
func setNumber(o *family.Object, key string, x float64) {
	if v, ok, err := o.Float(key); err != nil || !ok || v != x {
		if x == math.Trunc(x) && math.Abs(x) < 1<<53 {
			o.Set(key, int64(x))
			return
		}
		o.Set(key, number(x))
	}
}
