package arch

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"encoding/json"

	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/posenc"
)

// Kind is what a key holds.
type Kind int

const (
	Size  Kind = iota // a natural number
	Real              // a float32, spelt with the digits that tell it from its neighbours
	Truth             // a truth value
)

// Key pairs a key of the metadata, behind the architecture's name and a dot, with
// config.json's.
type Key struct {
	GGUF, Config string
	Kind         Kind
	Optional     bool
}

// reader makes config.json of a header. It notes every key that it was asked for,
// so that what nobody reads is found.
type reader struct {
	h      *gguf.Header
	arch   Arch
	config map[string]any
	read   map[string]bool
	errs   []error
}

func (r *reader) failf(format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf(format, args...))
}

// find looks a key of the architecture up.
func (r *reader) find(key string) (gguf.KV, bool) {
	full := r.arch.Name + "." + key
	r.read[full] = true
	return r.h.Find(full)
}

// skip marks a key as read that changes nothing.
func (r *reader) skip(key string) { r.read[r.arch.Name+"."+key] = true }

func (r *reader) hasTensor(name string) bool {
	_, ok := r.h.Tensor(name)
	return ok
}

// size reads a natural number; an array must hold it for every layer alike.
func (r *reader) size(key string) (int64, bool) {
	kv, ok := r.find(key)
	if !ok {
		return 0, false
	}
	list, err := kv.Uints()
	if err != nil || len(list) == 0 {
		r.failf("%s: expected a natural number: %w", kv.Key, errors.Join(err, gguf.ErrFormat))
		return 0, false
	}
	for _, x := range list[1:] {
		if x != list[0] {
			r.failf("%s: %d in one layer and %d in another: %w", kv.Key, list[0], x, posenc.ErrUnsupported)
			return 0, false
		}
	}
	if list[0] > 1<<40 {
		r.failf("%s is %d: expected a size: %w", kv.Key, list[0], gguf.ErrFormat)
		return 0, false
	}
	return int64(list[0]), true
}

// real reads a number.
func (r *reader) real(key string) (float64, bool) {
	kv, ok := r.find(key)
	if !ok {
		return 0, false
	}
	x, err := kv.Float()
	if err != nil {
		r.failf("%s: %w", kv.Key, errors.Join(err, gguf.ErrFormat))
		return 0, false
	}
	return x, true
}

func (r *reader) truth(key string) (value, ok bool) {
	kv, ok := r.find(key)
	if !ok {
		return false, false
	}
	value, err := kv.Bool()
	if err != nil {
		r.failf("%s: %w", kv.Key, errors.Join(err, gguf.ErrFormat))
		return false, false
	}
	return value, true
}

func (r *reader) text(key string) (string, bool) {
	kv, ok := r.find(key)
	if !ok {
		return "", false
	}
	s, err := kv.Text()
	if err != nil {
		r.failf("%s: %w", kv.Key, errors.Join(err, gguf.ErrFormat))
		return "", false
	}
	return s, true
}

// keys reads what the table pairs.
func (r *reader) keys() {
	for _, k := range r.arch.Keys {
		var value any
		var ok bool
		switch k.Kind {
		case Size:
			value, ok = r.size(k.GGUF)
		case Real:
			var x float64
			x, ok = r.real(k.GGUF)
			value = short(x)
		case Truth:
			value, ok = r.truth(k.GGUF)
		}
		switch {
		case ok:
			r.config[k.Config] = value
		case !k.Optional && len(r.errs) == 0:
			r.failf("%s.%s is missing: %w", r.arch.Name, k.GGUF, gguf.ErrFormat)
		}
	}
}

// short spells a float32 with the fewest digits that tell it from every other: the
// decimal of the configuration that it was made from.
func short(x float64) json.Number { return json.Number(strconv.FormatFloat(x, 'g', -1, 32)) }

// exact spells a float32 so that reading it as float64 gives it to the last bit.
func exact(x float32) json.Number {
	return json.Number(strconv.FormatFloat(float64(x), 'g', -1, 64))
}

// unread refuses the keys of the architecture that nobody read.
func (r *reader) unread() {
	for _, kv := range r.h.KVs {
		if strings.HasPrefix(kv.Key, r.arch.Name+".") && !r.read[kv.Key] {
			r.failf("%s is not known of architecture %s, and may change what it computes: %w", kv.Key, r.arch.Name, posenc.ErrUnsupported)
		}
	}
}
