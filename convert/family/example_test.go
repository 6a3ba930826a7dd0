package family_test

import (
	"fmt"
	"log"
	"strings"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/safetensors"
)

// A checkpoint as a model: what turns, and which tensor each weight is.
func ExampleLoad() {
	ckpt, err := safetensors.OpenCheckpoint("../../testdata/models/stories260K")
	if err != nil {
		log.Fatal(err)
	}
	defer ckpt.Close()
	m, err := families.Load(ckpt)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Family, m.Encoding(), m.Rope.Theta, len(m.Blocks))
	fmt.Println(m.Head.Weight.Tensor)
	// Output:
	// llama rope 10000 5
	// model.embed_tokens.weight
}

// A model type that no family has is an error with suggestions.
func ExampleFind() {
	_, err := families.Find("qwen22")
	fmt.Println(strings.Contains(err.Error(), `did you mean "qwen2"?`))
	s, err := families.Find("qwen2")
	fmt.Println(s.Architecture, err)
	// Output:
	// true
	// Qwen2ForCausalLM <nil>
}
