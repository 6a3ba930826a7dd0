package safetensors_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
)

// A file written tensor by tensor, and read back.
func ExampleCreate() {
	dir, err := os.MkdirTemp("", "example-*")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	infos, err := safetensors.Layout([]safetensors.Info{{Name: "w", DType: tensor.BF16, Shape: []int64{2, 2}}})
	if err != nil {
		log.Fatal(err)
	}
	path := filepath.Join(dir, "model.safetensors")
	w, err := safetensors.Create(path, infos, map[string]string{"format": "pt"})
	if err != nil {
		log.Fatal(err)
	}
	data := make([]byte, infos[0].Bytes())
	if err := tensor.Encode32(data, []float32{1, -2, 0.5, 3}, tensor.BF16); err != nil {
		log.Fatal(err)
	}
	if err := w.WriteTensor("w", data); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	ckpt, err := safetensors.OpenCheckpoint(path)
	if err != nil {
		log.Fatal(err)
	}
	defer ckpt.Close()
	values, err := ckpt.Float64("w")
	fmt.Println(ckpt.Names(), values, err)
	// Output: [w] [1 -2 0.5 3] <nil>
}
