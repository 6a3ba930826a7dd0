package convert

import (
	"context"

	"github.com/pecvt/pecvt/convert/torchfile"
)

// Imported is the result of an import, as `pecvt import` prints it.
type Imported struct {
	Schema  int      `json:"schema"`
	Source  string   `json:"source"`
	Output  string   `json:"output"`
	Files   []string `json:"files"`
	Tensors int      `json:"tensors"`
	Bytes   int64    `json:"bytes"`
}

// Import writes a PyTorch checkpoint (.pt, .bin, an index, or a folder) as
// safetensors into a folder, with config.json and the sidecars beside it; nothing
// in the checkpoint is run. See [torchfile.Import].
func Import(ctx context.Context, path, folder string, maxShard int64, progress func(done, total int64)) (*Imported, error) {
	r, err := torchfile.Import(ctx, path, folder, torchfile.Options{MaxShard: maxShard, Beside: isSidecar, Progress: progress})
	if err != nil {
		return nil, err
	}
	return &Imported{Schema: 1, Source: path, Output: folder, Files: r.Files, Tensors: r.Tensors, Bytes: r.Bytes}, nil
}
