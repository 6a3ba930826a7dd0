package tokens_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pecvt/pecvt/verify/eval/tokens"
)

// TestGolden: the ids of the Python library tokenizers (testdata/make_goldens.py)
// for tokenizers of the kinds of GPT-2, Llama 3 and Llama 2.
func TestGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/text.txt")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("testdata/ids.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden map[string][]int64
	if err := json.Unmarshal(raw, &golden); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"gpt2", "llama3", "sentencepiece"} {
		t.Run(name, func(t *testing.T) {
			tk, err := tokens.Load(filepath.Join("testdata", name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			if len(golden[name]) < 2000 {
				t.Fatalf("%d ids: the golden file is not that of make_goldens.py", len(golden[name]))
			}
			for range 2 { // the second time from the words kept
				got, err := tk.Encode(string(text))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(golden[name], got); diff != "" {
					t.Fatal(diff)
				}
			}
		})
	}
}
