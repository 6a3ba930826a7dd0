package convert_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/posenc"
)

const quantised = "../testdata/quantised"

// What leaves the weights alone keeps each stored tensor, in files divided anew and
// under a configuration of pecvt's own too; what would change one is refused by its
// name.
func TestQuantisedTensorsStay(t *testing.T) {
	for _, c := range []struct {
		model string
		o     convert.Options
	}{
		{"deepseek_v3-fp8", convert.Options{To: "hope", MaxShardSize: 20000}},
		{"seed_oss-int8", convert.Options{To: "grape-m"}},
		{"internlm3-int8-group", convert.Options{To: "p-rope", Link: true}},
	} {
		source := filepath.Join(quantised, c.model)
		c.o.Output = filepath.Join(t.TempDir(), "out")
		p, err := convert.NewPlan(source, c.o)
		if err != nil {
			t.Errorf("%s: %v", c.model, err)
			continue
		}
		if !slices.ContainsFunc(p.Notes, func(n string) bool { return strings.Contains(n, "weights stay quantised as they are stored") }) {
			t.Errorf("%s: notes %q", c.model, p.Notes)
		}
		if err := p.Skeleton(t.TempDir()); err != nil {
			t.Errorf("%s: skeleton: %v", c.model, err)
		}
		if _, err := convert.Run(context.Background(), p, convert.RunOptions{}); err != nil {
			t.Errorf("%s: %v", c.model, err)
			continue
		}
		if err := sameCodes(source, c.o.Output); err != nil {
			t.Errorf("%s: %v", c.model, err)
		}
	}
	for _, o := range []convert.Options{{To: "hope", Layout: "partial"}, {To: "hope-ab3"}} {
		o.Output = filepath.Join(t.TempDir(), "out")
		if _, err := convert.NewPlan(filepath.Join(quantised, "ministral-modelopt"), o); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), `_proj.weight" is stored quantised (fp8, weight_scale)`) {
			t.Errorf("%s %s: %v", o.To, o.Layout, err)
		}
		if _, err := os.Stat(o.Output); err == nil {
			t.Errorf("%s: something was written", o.To)
		}
	}
}

// sameCodes compares what a folder stores with what its source stores, and that it
// reads as many quantised weights.
func sameCodes(source, result string) error {
	var counts [2]int
	var stored [2]store.Store
	for i, dir := range []string{source, result} {
		s, err := store.Open(dir)
		if err != nil {
			return err
		}
		defer s.Close()
		m, err := families.Load(s)
		if err != nil {
			return err
		}
		if m.Quantised == nil {
			return errors.New(dir + " has no quantised weights")
		}
		counts[i], stored[i] = len(m.Quantised.Tensors), store.Stored(s)
	}
	if counts[0] != counts[1] {
		return errors.New("not all weights are read as quantised")
	}
	for _, name := range stored[0].Names() {
		a, err := store.Bytes(stored[0], name)
		if err != nil {
			return err
		}
		b, err := store.Bytes(stored[1], name)
		if err != nil {
			return err
		}
		if !bytes.Equal(a, b) {
			return errors.New(name + " is another tensor")
		}
	}
	return nil
}

// Sizes are those of the files, parameters those of the model.
func TestInspectQuantised(t *testing.T) {
	in, err := convert.Inspect(filepath.Join(quantised, "ministral3-fp8"))
	if err != nil {
		t.Fatal(err)
	}
	if len(in.Quantised) != 1 || in.Quantised[0].Weights != 14 || in.Quantised[0].Format != "fp8, weight_scale_inv" || in.Bytes >= 2*in.Parameters { // plain ones would take 4 bytes each
		t.Errorf("%+v, %d bytes of %d parameters", in.Quantised, in.Bytes, in.Parameters)
	}
}
