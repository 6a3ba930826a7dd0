package ref_test

import (
	"context"
	"fmt"
	"log"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/verify/ref"
)

// The likeliest next token in float64, straight from a checkpoint.
func ExampleNew() {
	ckpt, err := safetensors.OpenCheckpoint("../../testdata/models/stories260K")
	if err != nil {
		log.Fatal(err)
	}
	defer ckpt.Close()
	m, err := families.Load(ckpt)
	if err != nil {
		log.Fatal(err)
	}
	out, err := ref.New(m, ckpt).Forward(context.Background(), ref.Input{IDs: [][]int64{{1, 403, 407, 261, 378}}}, ref.Options{LogitsFrom: -1})
	if err != nil {
		log.Fatal(err)
	}
	best, logits := 0, out.LogitsAt(0, 4)
	for v, x := range logits {
		if x > logits[best] {
			best = v
		}
	}
	fmt.Println(best, "of", len(logits))
	// Output: 473 of 512
}
