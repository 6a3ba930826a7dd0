package quant_test

import (
	"fmt"
	"maps"
	"math/rand"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/store/storetest"
	"github.com/pecvt/pecvt/convert/tensor"
)

// Nothing that a file may hold brings the program down: tensors that are gone, of
// another type, of another shape, of other bytes; another declaration.
func TestLowDamaged(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join(models, "*", "config.json"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("no models: %v", err)
	}
	rounds := 150
	if testing.Short() {
		rounds = 20
	}
	for _, path := range folders {
		name := filepath.Base(filepath.Dir(path))
		t.Run(name, func(t *testing.T) {
			whole := read(t, name)
			rng, good, bad := rand.New(rand.NewSource(1)), 0, 0
			for range rounds {
				m := &model{tensors: maps.Clone(whole.tensors), config: maps.Clone(whole.config)}
				what := damage(t, m, rng)
				func() {
					defer func() {
						if p := recover(); p != nil {
							t.Errorf("%s: panic: %v", what, p)
						}
					}()
					if _, err := m.decode(t); err != nil {
						bad++
					} else {
						good++
					}
				}()
			}
			if bad == 0 {
				t.Errorf("%d damaged checkpoints, none refused", good)
			}
		})
	}
}

// damage changes one thing, and says what.
func damage(t testing.TB, m *model, rng *rand.Rand) string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(m.tensors)) {
		if strings.Contains(name, "layers.0.") && strings.Contains(name, "proj") {
			names = append(names, name)
		}
	}
	name := names[rng.Intn(len(names))]
	what := name
	switch rng.Intn(5) {
	case 0:
		delete(m.tensors, name)
		what += " deleted"
	case 1:
		types := tensor.DTypes()
		d := types[rng.Intn(len(types))]
		m.edit(name, func(x *storetest.Tensor) {
			n, err := tensor.ByteSize(d, x.Shape)
			if err != nil {
				t.Fatal(err)
			}
			x.DType, x.Data = d, append(x.Data, make([]byte, n)...)[:n]
		})
		what += " as " + d.String()
	case 2:
		shape := slices.Clone(m.tensors[name].Shape)
		switch at := rng.Intn(len(shape) + 1); {
		case at == len(shape):
			shape = append(shape, int64(rng.Intn(3)))
		case rng.Intn(3) == 0:
			shape = slices.Delete(shape, at, at+1)
		default:
			shape[at] = max(shape[at]+int64(rng.Intn(5))-2, 0)
		}
		m.shape(t, name, shape...)
		what += fmt.Sprint(" of shape ", shape)
	case 3:
		m.edit(name, func(x *storetest.Tensor) { rng.Read(x.Data) })
		what += " of random bytes"
	default:
		d := maps.Clone(m.declared())
		keys := slices.Sorted(maps.Keys(d))
		key := keys[rng.Intn(len(keys))]
		values := []any{nil, -1, 0, 3, 7, 1 << 40, 1.5, "gptq", "x", true, []any{}, []any{0, 1}, map[string]any{}, map[string]any{"group_0": nil}, map[string]any{"group_0": map[string]any{"weights": map[string]any{"num_bits": 4, "group_size": -1}}}}
		d[key] = values[rng.Intn(len(values))]
		m.config["quantization_config"] = d
		what = fmt.Sprintf("%s: %v", key, d[key])
	}
	return what
}
