package main

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
)

// What is listed is what is read: every family, and every model with a language model
// inside, with the kinds that it may be.
func TestFamiliesLists(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run(context.Background(), []string{"families", "--json"}, &out, &errs); code != exitOK {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	var list familyTable
	if err := json.Unmarshal(out.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Read) != len(families.Table()) || len(list.Wrappers) != len(families.Wrappers()) || len(list.Missing) != len(families.Missing()) {
		t.Errorf("%d families, %d wrappers, %d missing", len(list.Read), len(list.Wrappers), len(list.Missing))
	}
	i := slices.IndexFunc(list.Wrappers, func(r wrapperRow) bool { return r.ModelType == "mistral3" })
	if i < 0 || !slices.Equal(list.Wrappers[i].Texts, []string{"mistral", "ministral3"}) || list.Wrappers[i].Class != "Mistral3ForConditionalGeneration" {
		t.Errorf("mistral3 is not listed with mistral and ministral3: %+v", list.Wrappers)
	}
	out.Reset()
	if code := run(context.Background(), []string{"families"}, &out, &errs); code != exitOK || !strings.Contains(out.String(), "the language model inside: mistral, ministral3") {
		t.Errorf("exit code %d, wrappers are not in the list:\n%s", code, out.String())
	}
}
