package config

import (
	"fmt"

	"github.com/pecvt/pecvt/posenc"
)

// Reader collects typed reads of C and keeps the first error in Err.
type Reader struct {
	C   *Config
	Err error
	// Warnings name what is inconsistent but not wrong.
	Warnings []string
}

// Warn adds to the warnings.
func (r *Reader) Warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

// Fail keeps an error, if it is the first, under the file's path.
func (r *Reader) Fail(err error) {
	if err != nil && r.Err == nil {
		r.Err = fmt.Errorf("%s: %w", r.C.Path, err)
	}
}

// Size reads a required positive integer under any of several spellings.
func (r *Reader) Size(keys ...string) int {
	for _, k := range keys {
		v, ok, err := r.C.Int(k)
		r.Fail(err)
		if !ok {
			continue
		}
		if v <= 0 || v > 1<<31 {
			r.Fail(fmt.Errorf("key %q is %d: expected a positive number", k, v))
		}
		return v
	}
	if len(keys) > 1 {
		r.Fail(fmt.Errorf("key %q is missing, and so is %q: one of them must be there", keys[0], keys[1]))
	}
	r.Fail(r.missing(keys[0]))
	return 0
}

// SizeOr reads an optional positive integer.
func (r *Reader) SizeOr(def int, keys ...string) int {
	for _, k := range keys {
		if r.C.Has(k) {
			return r.Size(k)
		}
	}
	return def
}

// Float reads a required number.
func (r *Reader) Float(key string) float64 {
	v, ok, err := r.C.Float(key)
	r.Fail(err)
	if !ok {
		r.Fail(r.missing(key))
	}
	return v
}

// missing is the error for a number that is needed.
func (r *Reader) missing(key string) error {
	if r.C.Raw(key) != nil {
		return fmt.Errorf("key %q is null: expected a number", key)
	}
	return fmt.Errorf("key %q is missing", key)
}

// LayerTypes reads layer_types, which names the type of each of n layers; nil where it
// is absent.
func (r *Reader) LayerTypes(n int) []string {
	kinds, err := r.C.Texts("layer_types")
	r.Fail(err)
	if kinds != nil && len(kinds) != n {
		r.Fail(fmt.Errorf("layer_types lists %d layers: expected %d", len(kinds), n))
		return nil
	}
	return kinds
}

// BoolOr reads an optional truth value. Null is false, as it is in Python; where an
// absent key is true, loaders disagree on it (transformers 5 stops), so it is an
// error there. [Reader.Truth] takes it.
func (r *Reader) BoolOr(def bool, key string) bool {
	if def && string(r.C.Raw(key)) == "null" {
		r.Fail(fmt.Errorf("key %q is null, which some loaders take for false and others stop at: %w; write true or false", key, posenc.ErrUnsupported))
	}
	return r.Truth(def, key)
}

// Truth reads an optional truth value of which stock loaders take null for false.
func (r *Reader) Truth(def bool, key string) bool {
	v, ok, err := r.C.Bool(key)
	r.Fail(err)
	if !ok {
		return def && r.C.Raw(key) == nil
	}
	return v
}

// SizeOrZero reads an optional non-negative integer.
func (r *Reader) SizeOrZero(key string, def int) int {
	v, ok, err := r.C.Int(key)
	r.Fail(err)
	if !ok || err != nil {
		return def
	}
	if v < 0 {
		r.Fail(WrongType(key, r.C.Raw(key), "zero or a positive number"))
	}
	return v
}

// FloatOr reads an optional number.
func (r *Reader) FloatOr(def float64, key string) float64 {
	v, ok, err := r.C.Float(key)
	r.Fail(err)
	if !ok {
		return def
	}
	return v
}

// TextOr reads an optional string.
func (r *Reader) TextOr(def, key string) string {
	v, ok, err := r.C.Text(key)
	r.Fail(err)
	if !ok {
		return def
	}
	return v
}

// Present returns the first of several spellings that the configuration has,
// or "".
func (r *Reader) Present(keys []string) string {
	for _, k := range keys {
		if r.C.Has(k) {
			return k
		}
	}
	return ""
}
