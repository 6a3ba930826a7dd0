package convert_test

import (
	"bytes"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
)

// A rewrite of a language model inside of a model of vision changes its rope keys alone:
// every other key stays word for word, every tensor byte for byte, also where the tensor
// files are written anew.
func TestWrapperStaysWhole(t *testing.T) {
	for _, name := range []string{"mistral3", "gemma3", "qwen2_vl", "paligemma"} {
		source := "../testdata/families/" + name
		for _, o := range []convert.Options{{To: "hope"}, {To: "p-rope"}, {To: "hope", MaxShardSize: 20000}, {To: "grape-m"}} {
			if name == "gemma3" && o.To == "grape-m" {
				continue // refused for two rotations
			}
			out, _, _ := produce(t, source, o)
			before, err := family.LoadConfig(source)
			if err != nil {
				t.Fatal(err)
			}
			after, err := family.LoadConfig(out)
			if err != nil {
				t.Fatal(err)
			}
			if o.To == "grape-m" {
				same(t, source, out)
				continue
			}
			for _, key := range before.Keys() {
				if key != "text_config" && !bytes.Equal(before.Raw(key), after.Raw(key)) {
					t.Errorf("%s to %s: key %s is %s: want %s", name, o.To, key, after.Raw(key), before.Raw(key))
				}
			}
			was, is := nested(t, before.Object), nested(t, after.Object)
			for _, key := range was.Keys() {
				if key != "rope_parameters" && !bytes.Equal(compact(was, key), compact(is, key)) {
					t.Errorf("%s to %s: key text_config.%s is %s: want %s", name, o.To, key, is.Raw(key), was.Raw(key))
				}
			}
			rope, err := is.Object("rope_parameters")
			if err != nil || name == "qwen2_vl" && !rope.Has("mrope_section") {
				t.Errorf("%s to %s: the sections by axis are gone: %v, %v", name, o.To, rope.Keys(), err)
			}
			same(t, source, out)
		}
	}
}

// What is told of such a checkpoint says whose language model it is, and nothing of
// loaders that the table does not have.
func TestInspectInsideOf(t *testing.T) {
	in, err := convert.Inspect("../testdata/families/gemma3")
	if err != nil {
		t.Fatal(err)
	}
	if in.Family != "gemma3_text" || in.InsideOf != "gemma3" || in.Readers != nil {
		t.Errorf("family %s inside of %q, readers %v", in.Family, in.InsideOf, in.Readers)
	}
}

func nested(t *testing.T, o *family.Object) *family.Object {
	t.Helper()
	text, err := o.Object("text_config")
	if err != nil || text == nil {
		t.Fatalf("no text_config: %v", err)
	}
	return text
}

// compact is a value without its layout.
func compact(o *family.Object, key string) []byte {
	return bytes.Join(bytes.Fields(o.Raw(key)), nil)
}

// same compares every tensor of the source with the result's.
func same(t *testing.T, source, out string) {
	t.Helper()
	a, err := store.Open(source)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := store.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, name := range a.Names() {
		x, err := store.Bytes(a, name)
		if err != nil {
			t.Fatal(err)
		}
		y, err := store.Bytes(b, name)
		if err != nil || !bytes.Equal(x, y) {
			t.Errorf("%s: tensor %s differs: %v", out, name, err)
		}
	}
}
