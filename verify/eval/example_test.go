package eval_test

import (
	"context"
	"fmt"
	"log"

	"github.com/pecvt/pecvt/verify/eval"
)

// Perplexity by the Go reference; leave Runner out where ONNX Runtime is there.
func ExampleRun() {
	const model = "../../testdata/models/stories260K"
	r, err := eval.Run(context.Background(), eval.Config{Models: []string{model}, IDs: model + "/sampled.safetensors",
		Lengths: []int{512}, Sequences: 6, Options: eval.Options{Runner: eval.RunnerRef}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("perplexity %.2f over %d tokens\n", r.Results[0].PPL, r.Results[0].Tokens)
	// Output: perplexity 13.96 over 3066 tokens
}
