package convert

import (
	"context"
	"fmt"

	"github.com/pecvt/pecvt/convert/gguf/unpack"
	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/convert/torchfile"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// Imported is the result of an import, as `pecvt import` prints it.
type Imported struct {
	Schema  int      `json:"schema"`
	Source  string   `json:"source"`
	Output  string   `json:"output"`
	Files   []string `json:"files"`
	Tensors int      `json:"tensors"`
	Bytes   int64    `json:"bytes"`
	// Wrote is what was done to a folder that is not on the local disk.
	Wrote *place.Written `json:"wrote,omitempty"`
}

// ImportOptions are of an import; the zero value writes one file.
type ImportOptions struct {
	// MaxShardSize bounds a file's tensor data in bytes; 0 is no bound.
	MaxShardSize int64
	// DType is the type of the tensors of a GGUF file: see [unpack.Options].
	DType string
	// NoTokenizer leaves a GGUF file's tokenizer out.
	NoTokenizer bool
	// ToolVersion is pecvt's: of imports to a bucket one goes on with what another of the
	// same version left.
	ToolVersion string
	// Progress, where set, is called after each tensor with the bytes written.
	Progress func(done, total int64)
}

// ImportDTypes lists the values of [ImportOptions.DType].
func ImportDTypes() []string { return unpack.DTypes() }

// Import writes a PyTorch checkpoint (.pt, .bin, an index, or a folder) or a GGUF
// file as safetensors into a folder, with config.json and the sidecars beside it;
// nothing in the checkpoint is run. See [torchfile.Import] and [unpack.Import].
//
// A folder elsewhere, by its URL, is one where nothing lies. All is made on the local disk
// first; what is sent can be read when all of it is there, and the same import goes on
// with what an ended one left ([place.Target]).
func Import(ctx context.Context, path, folder string, opts ImportOptions) (*Imported, error) {
	from, err := place.Parse(path)
	if err != nil {
		return nil, err
	}
	local, ok := from.Local()
	if !ok {
		return nil, fmt.Errorf("import %s: from another place than the local disk: %w: place.StageImport fetches it", from, posenc.ErrUnsupported)
	}
	t, to, err := importTarget(ctx, local, folder)
	if err != nil {
		return nil, err
	}
	if t != nil {
		return importAway(ctx, t, local, to.String(), opts)
	}
	return importLocal(ctx, local, to.Path, opts)
}

// importLocal is Import on the local disk.
func importLocal(ctx context.Context, path, folder string, opts ImportOptions) (*Imported, error) {
	if unpack.Opens(path) {
		r, err := unpack.Import(ctx, path, folder, unpack.Options{DType: opts.DType, MaxShard: opts.MaxShardSize, NoTokenizer: opts.NoTokenizer, Progress: opts.Progress})
		if err != nil {
			return nil, err
		}
		return &Imported{Schema: 1, Source: path, Output: folder, Files: r.Files, Tensors: r.Tensors, Bytes: r.Bytes}, nil
	}
	if opts.NoTokenizer || opts.DType != "" && opts.DType != "auto" {
		return nil, hint.Errorf("%s: %s and %s are for GGUF files: a PyTorch checkpoint is written bit by bit", path, hint.ImportDType, hint.NoTokenizer)
	}
	r, err := torchfile.Import(ctx, path, folder, torchfile.Options{MaxShard: opts.MaxShardSize, Beside: isSidecar, Progress: opts.Progress})
	if err != nil {
		return nil, err
	}
	return &Imported{Schema: 1, Source: path, Output: folder, Files: r.Files, Tensors: r.Tensors, Bytes: r.Bytes}, nil
}
