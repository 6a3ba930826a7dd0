package convert_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/onnxops"
)

// A plan says everything that a conversion will do, and writes nothing.
func ExampleNewPlan() {
	plan, err := convert.NewPlan("../testdata/models/stories260K", convert.Options{To: "hope"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(plan.Output, plan.Encoding.Kind, plan.Encoding.Dropped, "of", len(plan.Encoding.Planes), "planes stop turning")
	for _, f := range plan.Files {
		fmt.Println(f.Name, f.Tensors, "tensors,", f.Edited, "of them change")
	}
	// Output:
	// stories260K-hope lossy 2 of 4 planes stop turning
	// model.safetensors 47 tensors, 0 of them change
	// config.json 0 tensors, 0 of them change
	// pecvt.json 0 tensors, 0 of them change
}

// A conversion with its graph: verify.Verify proves the folder.
func ExampleRun() {
	dir, err := os.MkdirTemp("", "example-*")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	plan, err := convert.NewPlan("../testdata/models/stories260K", convert.Options{To: "hope", Output: filepath.Join(dir, "hope")})
	if err != nil {
		log.Fatal(err)
	}
	result, err := convert.Run(context.Background(), plan, convert.RunOptions{Finish: onnxops.Finish(onnxops.Options{})})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(filepath.Base(result.Output))
	_, err = os.Stat(filepath.Join(result.Output, onnxops.ModelFile))
	fmt.Println("graph:", err == nil)
	// Output:
	// hope
	// graph: true
}

func ExampleInspect() {
	m, err := convert.Inspect("../testdata/models/stories260K")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, %s, %d layers, trained on %d positions, %d parameters\n", m.Family, m.Encoding, m.Layers, m.TrainedLength, m.Parameters)
	// Output: llama, rope, 5 layers, trained on 512 positions, 260032 parameters
}
