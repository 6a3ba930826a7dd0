// A program of another module that does what the command does: go run . MODEL DIR
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/eval"
)

var ctx = context.Background()

func main() {
	model, dir := os.Args[1], os.Args[2]
	if err := inspect(model); err != nil {
		log.Fatal("inspect: ", err)
	}
	if err := convertTo(model, dir); err != nil {
		log.Fatal("convert: ", err)
	}
	if err := emit(dir); err != nil {
		log.Fatal("emit: ", err)
	}
	if err := prove(dir, model); err != nil {
		log.Fatal("verify: ", err)
	}
	if err := measure(dir, model); err != nil {
		log.Fatal("eval: ", err)
	}
}

func inspect(model string) error {
	m, err := convert.Inspect(model)
	if err != nil {
		return err
	}
	fmt.Println("inspect:", m.Family, m.Encoding, m.TrainedLength)
	return nil
}

func convertTo(model, dir string) error {
	plan, err := convert.NewPlan(model, convert.Options{To: "hope", Output: dir})
	if err != nil {
		return err
	}
	_, err = convert.Run(ctx, plan, convert.RunOptions{})
	return err
}

func emit(dir string) error {
	e, err := onnxops.Emit(dir, onnxops.Options{})
	if err != nil {
		return err
	}
	fmt.Println("emit:", e.Files, e.MaxLength)
	return nil
}

func prove(dir, model string) error {
	r, err := verify.Verify(ctx, dir, verify.Options{Against: model})
	if err != nil {
		return err
	}
	fmt.Println("verify:", r.Verdict)
	return nil
}

func measure(dir, model string) error {
	r, err := eval.Run(ctx, eval.Config{Models: []string{dir}, Against: model, IDs: model + "/sampled.safetensors", Lengths: []int{64}})
	if err != nil {
		return err
	}
	fmt.Println("eval:", len(r.Results), "results")
	return nil
}
