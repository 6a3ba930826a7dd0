package eval_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/verify/eval"
	"github.com/pecvt/pecvt/verify/eval/tokens"
)

// TestTexts: ids are one stream with the file's name; what cannot be meant, and
// a text without a tokenizer, are refused.
func TestTexts(t *testing.T) {
	const dir = "../../testdata/models/stories260K"
	ctx := context.Background()
	text, err := eval.Texts{IDs: dir + "/sampled.safetensors"}.Tokens(ctx, dir, 512)
	if err != nil {
		t.Fatal(err)
	}
	if len(text.Files) != 1 || text.Files[0].Name != "sampled.safetensors" || text.Files[0].Tokens != 3072 || len(text.IDs) != 3072 || text.BOS != nil {
		t.Errorf("read %+v, %d ids", text.Files, len(text.IDs))
	}
	if _, err := (eval.Texts{IDs: dir + "/sampled.safetensors"}).Tokens(ctx, dir, 100); err == nil {
		t.Error("ids beyond the vocabulary were taken")
	}
	for _, x := range []eval.Texts{{}, {Files: []string{"a"}, IDs: "b"}, {IDs: "b", BOS: true}} {
		if _, err := x.Tokens(ctx, dir, 512); err == nil || !strings.Contains(err.Error(), "expected either text files or ids") {
			t.Errorf("%+v: %v", x, err)
		}
	}
	if _, err := (eval.Texts{Files: []string{"texts_test.go"}}).Tokens(ctx, dir, 512); !errors.Is(err, tokens.ErrNone) {
		t.Errorf("without a tokenizer: %v", err)
	}
}
