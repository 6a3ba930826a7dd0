package hint

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"
)

func TestErrorf(t *testing.T) {
	err := fmt.Errorf("model: %w", Errorf("%s %d: %w; %s native can", TrainLength, 7, fs.ErrInvalid, Layout))
	if got, want := err.Error(), "model: Options.TrainLength 7: invalid argument; Options.Layout native can"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := Of(err); !slices.Equal(got, []Field{TrainLength, Layout}) || !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("fields %q of %v", got, err)
	}
	if Of(fs.ErrInvalid) != nil {
		t.Error("an error without options names some")
	}
}

// TestNaming: every field is replaced by its own name, also where one ends like
// another.
func TestNaming(t *testing.T) {
	say := Naming(func(f Field) string { return "<" + fmt.Sprint(slices.Index(Fields(), f)) + ">" })
	for i, f := range Fields() {
		if got, want := say("set "+string(f)+" to 1"), fmt.Sprintf("set <%d> to 1", i); got != want {
			t.Errorf("%s: %q, want %q", f, got, want)
		}
		if got := In("set " + string(f)); !slices.Equal(got, []Field{f}) {
			t.Errorf("%s: found %q", f, got)
		}
	}
}

// Which options an error is about, without reading its text.
func ExampleOf() {
	err := fmt.Errorf("model: %w", Errorf("a table takes too much: give a smaller %s", MaxLength))
	fmt.Println(Of(err))
	// Output: [Options.MaxLength]
}
