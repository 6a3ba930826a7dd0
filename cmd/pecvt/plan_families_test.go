package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
)

// TestPlanOfEveryFamily: plan ends as convert does for every family with a folder, with
// the same error where both refuse, and its files are then those that convert writes.
// What a reader looks at in tensors beside the weights (tables, slopes) is in its sketch.
func TestPlanOfEveryFamily(t *testing.T) {
	root := filepath.Join("..", "..", "testdata", "families")
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	planned := 0
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		planned++
		t.Run(e.Name(), func(t *testing.T) {
			t.Parallel()
			model := filepath.Join(root, e.Name())
			for _, to := range []string{"hope", "grape-m", "rope", "alibi", "grape-m:mixed"} {
				out := filepath.Join(t.TempDir(), "out")
				args := []string{model, "--to", to, "-o", out, "--json", "-q"}
				var stdout, problem, stderr bytes.Buffer
				code := run(context.Background(), append([]string{"plan"}, args...), &stdout, &problem)
				if code != exitOK && code != exitUnsupported {
					t.Fatalf("plan --to %s: exit %d: %s", to, code, problem.String())
				}
				if got := run(context.Background(), append([]string{"convert"}, args...), &bytes.Buffer{}, &stderr); got != code {
					t.Fatalf("--to %s: plan ends with %d: %s; convert with %d: %s", to, code, problem.String(), got, stderr.String())
				}
				if code == exitOK {
					var p convert.Plan
					if err := json.Unmarshal(stdout.Bytes(), &p); err != nil {
						t.Fatal(err)
					}
					sameFiles(t, p, out)
					continue
				}
				if why := lastLine(problem.String()); why == "" || why != lastLine(stderr.String()) {
					t.Errorf("--to %s: plan refuses with %q, convert with %q", to, why, lastLine(stderr.String()))
				}
			}
		})
	}
	if planned < 150 {
		t.Errorf("%d folders in %s", planned, root)
	}
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
