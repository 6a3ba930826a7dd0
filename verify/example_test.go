package verify_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/verify"
)

// Convert, emit and prove a model. Where ONNX Runtime is not installed the
// verdict of a right folder is Incomplete instead of Pass.
func ExampleVerify() {
	dir, err := os.MkdirTemp("", "example-*")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	plan, err := convert.NewPlan("../testdata/models/stories260K", convert.Options{To: "hope", Output: filepath.Join(dir, "hope")})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := convert.Run(context.Background(), plan, convert.RunOptions{Finish: onnxops.Finish(onnxops.Options{})}); err != nil {
		log.Fatal(err)
	}
	report, err := verify.Verify(context.Background(), plan.Output, verify.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("right:", report.Verdict == verify.Pass || report.Verdict == verify.Incomplete)
	// Output: right: true
}
