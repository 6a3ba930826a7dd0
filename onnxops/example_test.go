package onnxops_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/onnxops"
)

// The graph of a checkpoint as it stands, written beside it.
func ExampleEmit() {
	dir, err := os.MkdirTemp("", "example-*")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "testdata", "golden", "mistral"))); err != nil {
		log.Fatal(err)
	}
	os.Remove(filepath.Join(dir, "golden.safetensors")) // it is no part of the checkpoint
	e, err := onnxops.Emit(dir, onnxops.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.Files, e.Attention, e.Encoding, e.MaxLength)
	// Output: [genai_config.json model.onnx] standard rope 4096
}

// A graph in memory, and what its metadata say.
func ExampleExport() {
	ckpt, err := safetensors.OpenCheckpoint("../testdata/models/stories260K/model.safetensors")
	if err != nil {
		log.Fatal(err)
	}
	defer ckpt.Close()
	m, err := families.Load(ckpt)
	if err != nil {
		log.Fatal(err)
	}
	graph, err := onnxops.Export(m, ckpt, onnxops.Options{MaxLength: 512})
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range graph.GetMetadataProps() {
		if p.GetKey() == "pecvt.max_length" {
			fmt.Println(p.GetValue(), "positions,", len(graph.GetFunctions()), "function")
		}
	}
	// Output: 512 positions, 1 function
}
