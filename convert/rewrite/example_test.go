package rewrite_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/posenc"
)

// What a conversion would do to a model: exact, lossy, or refused with a reason.
func ExampleMake() {
	ckpt, err := safetensors.OpenCheckpoint("../../testdata/models/stories260K")
	if err != nil {
		log.Fatal(err)
	}
	defer ckpt.Close()
	m, err := families.Load(ckpt)
	if err != nil {
		log.Fatal(err)
	}
	r, err := rewrite.Make(m, ckpt, rewrite.Options{To: "grape-m"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.From, "to", r.To, "is", r.Kind)
	_, err = rewrite.Make(m, ckpt, rewrite.Options{To: "alibi"})
	fmt.Println("alibi refused:", errors.Is(err, posenc.ErrUnsupported))
	// Output:
	// default to grape-m is exact
	// alibi refused: true
}

// The table that rewrites are decided by.
func ExampleTable() {
	for _, cell := range rewrite.Table() {
		if cell.From == "alibi" && cell.To == "fox" {
			fmt.Println(cell.Kind)
		}
	}
	// Output: exact
}
