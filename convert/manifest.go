package convert

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/posenc/hint"
)

// manifestName is the file that describes how a folder was made.
const manifestName = "pecvt.json"

// ManifestSchema is the version of pecvt.json's layout.
const ManifestSchema = 1

// maxManifest bounds a source's own manifest before it is read.
const maxManifest = 16 << 20

// Manifest is pecvt.json: how a result was made, and from what. It holds no
// date and no path of the machine, so the same input gives the same bytes.
type Manifest struct {
	Schema   int            `json:"schema"`
	Tool     string         `json:"tool"`
	Source   sourceIdentity `json:"source"`
	Flags    Flags          `json:"flags"`
	Encoding Encoding       `json:"encoding"`
	// Files are the converted checkpoint's, without pecvt.json itself.
	Files []ManifestFile `json:"files"`
	Notes []string       `json:"notes"`
	// Tuning records a selection or a calibration.
	Tuning *Tuning `json:"retrofit,omitempty"`
	// Graph repeats what the graph beside the checkpoint says of its numbers.
	Graph *GraphRecord `json:"graph,omitempty"`
}

// Flags are the options that decide the result.
type Flags struct {
	To           string  `json:"to"`
	TrainLength  int     `json:"train_length,omitempty"`
	Cut          string  `json:"cut"`
	Scale        string  `json:"scale,omitempty"`
	Extend       int     `json:"extend,omitempty"`
	QueryScale   float64 `json:"query_scale,omitempty"`
	Slope        string  `json:"slope,omitempty"`
	Layers       string  `json:"layers,omitempty"`
	Layout       string  `json:"layout"`
	Spelling     string  `json:"spelling"`
	GGUFType     string  `json:"gguf_type,omitempty"`
	MaxShardSize int64   `json:"max_shard_size,omitempty"`
}

// ManifestFile is one file of the result. Its SHA-256 is that of every file that
// holds no tensors, and of tensor files that are written anew by a retrofit or
// where hashes are asked for.
type ManifestFile struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256,omitempty"`
	// CRC32C is of a tensor file that was copied or written anew: the sum of its
	// header and of each tensor, in the order of the file (safetensors.Sums). A file
	// that is a link or a reflink of the source's was not read, and has none, or
	// where it became one against the plan, dashes.
	CRC32C string `json:"crc32c,omitempty"`
}

// sumDigits is how many digits of sums a file's entry in the manifest has.
func (p *Plan) sumDigits(f FilePlan) int {
	if f.Tensors == 0 || p.oneFile() || f.Action != Copy && f.Action != Rewrite {
		return 0
	}
	return safetensors.SumDigits * (1 + f.Tensors)
}

// partsOf sums the parts of a tensor file of the source that is copied; nil where the
// manifest is to have no sums of it.
func (p *Plan) partsOf(src store.Store, f FilePlan) *safetensors.Sums {
	if p.sumDigits(f) == 0 {
		return nil
	}
	for _, from := range src.Files() {
		if filepath.Base(from.Path) != f.Source {
			continue
		}
		ends := []int64{from.DataStart}
		for _, name := range from.Tensors {
			if at, ok := src.Place(name); ok {
				ends = append(ends, at.Offset+at.Length)
			}
		}
		return safetensors.NewSums(ends)
	}
	return nil
}

// noHash is as long as what replaces it when the plan is run.
var noHash = strings.Repeat("0", 2*sha256.Size)

// hashed tells whether the manifest has the SHA-256 of a file of the result.
// Linked and copied tensor files have the source's.
func (p *Plan) hashed(f FilePlan) bool {
	if f.Tensors == 0 {
		return true
	}
	return f.Action == Rewrite && (p.options.Hash || p.options.Tuning != nil)
}

// sourceIdentity says which checkpoint a result comes from.
type sourceIdentity struct {
	Name         string       `json:"name"`
	Files        []sourceFile `json:"files"`
	ConfigSHA256 string       `json:"config_sha256"`
	// Manifest is the source's own pecvt.json, where it was converted before.
	Manifest json.RawMessage `json:"manifest,omitempty"`

	index string // the index's file name, or ""
}

// sourceFile identifies a tensor file by its header and, where asked for, its
// content.
type sourceFile struct {
	Name         string `json:"name"`
	Bytes        int64  `json:"bytes"`
	HeaderSHA256 string `json:"header_sha256"`
	SHA256       string `json:"sha256,omitempty"`

	path string
}

// identify reads who the source is; content hashes come when the plan is run.
func (p *Plan) identify(src store.Store, m *family.Model) error {
	name, err := modelName(p.Model)
	if err != nil {
		return err
	}
	id := sourceIdentity{Name: name}
	if index := src.IndexPath(); index != "" {
		id.index = filepath.Base(index)
	}
	for _, f := range src.Files() {
		file := sourceFile{Name: filepath.Base(f.Path), Bytes: f.Size, HeaderSHA256: f.HeaderSHA256, path: f.Path}
		if p.options.Hash {
			file.SHA256 = noHash
		}
		id.Files = append(id.Files, file)
	}
	config, err := fs.ReadFile(src.FS(), "config.json")
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	sum := sha256.Sum256(config)
	id.ConfigSHA256 = hex.EncodeToString(sum[:])
	if id.Manifest, err = p.sourceManifest(); err != nil {
		return err
	}
	p.source = id
	return nil
}

// sourceManifest reads the manifest of a source that was itself converted.
func (p *Plan) sourceManifest() (json.RawMessage, error) {
	st, err := p.folder.Stat(manifestName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var data []byte
	if err == nil && st.Size() <= maxManifest {
		data, err = p.folder.ReadFile(manifestName)
	}
	if err != nil {
		return nil, fmt.Errorf("source manifest: %w", err)
	}
	var compact bytes.Buffer
	if json.Compact(&compact, data) != nil { // or too long to be one
		p.Warnings = append(p.Warnings, fmt.Sprintf("%s beside the source is not a manifest; it is left out of the new one", manifestName))
		return nil, nil
	}
	p.checkTrainLength(compact.Bytes())
	return compact.Bytes(), nil
}

// recorded is the change as the manifest keeps it: what loaders make of it is a
// matter of their versions.
func recorded(e Encoding) Encoding {
	e.Readers = nil
	return e
}

// checkTrainLength warns where the source's manifest knows another trained
// length than its config.json can say.
func (p *Plan) checkTrainLength(manifest []byte) {
	var known struct {
		Encoding struct {
			TrainLength int `json:"train_length"`
		} `json:"encoding"`
	}
	if json.Unmarshal(manifest, &known) != nil || known.Encoding.TrainLength <= 0 {
		return
	}
	if l := known.Encoding.TrainLength; l != p.rewrite.TrainLength {
		p.Warnings = append(p.Warnings, fmt.Sprintf("the source's %s says it was trained on %d positions, %d (%s) are used: set "+hint.TrainLength+" if that is wrong",
			manifestName, l, p.rewrite.TrainLength, p.rewrite.TrainLengthFrom))
	}
}

// manifest is the manifest without the result's files.
func (p *Plan) manifest() Manifest {
	o := p.options
	version := o.ToolVersion
	if version == "" {
		version = "devel"
	}
	return Manifest{Schema: ManifestSchema, Tool: "pecvt " + version, Source: p.source, Encoding: recorded(p.Encoding), Notes: p.Notes, Tuning: o.Tuning, Graph: p.graph,
		Flags: Flags{To: o.To, TrainLength: o.TrainLength, Cut: o.Cut.String(), Scale: o.Scale.String(), Extend: o.Extend, QueryScale: o.QueryScale, Slope: o.Slope, Layers: o.Layers, Layout: o.Layout, Spelling: o.Spelling, GGUFType: o.GGUFType, MaxShardSize: o.MaxShardSize}}
}

// renderManifest gives pecvt.json's text, with the hashes of the result's files.
func (p *Plan) renderManifest(hash func(name string) (string, error), sums map[string]string) ([]byte, error) {
	man := p.manifest()
	for _, f := range p.Files {
		if f.Name == manifestName {
			continue
		}
		file := ManifestFile{Name: f.Name, Bytes: f.Bytes}
		if p.hashed(f) {
			var err error
			if file.SHA256, err = hash(f.Name); err != nil {
				return nil, err
			}
		}
		if n := p.sumDigits(f); n > 0 {
			if file.CRC32C = sums[f.Name]; file.CRC32C == "" {
				file.CRC32C = strings.Repeat("-", n)
			}
			if len(file.CRC32C) != n {
				return nil, fmt.Errorf("%s: sums of %d parts, planned with %d: the source changed while it was read; run again", f.Name, len(file.CRC32C)/safetensors.SumDigits, n/safetensors.SumDigits)
			}
		}
		man.Files = append(man.Files, file)
	}
	return man.text()
}

func (p *Plan) planManifest() error {
	text, err := p.renderManifest(func(string) (string, error) { return noHash, nil }, nil)
	if err != nil {
		return err
	}
	p.Files = append(p.Files, FilePlan{Name: manifestName, Action: Write, Bytes: int64(len(text))})
	return nil
}

// ExpectGraph plans for what [RecordGraph] will write, in which the sizes differ.
func (p *Plan) ExpectGraph(g *GraphRecord) error {
	if g.Empty() {
		g = nil
	}
	p.graph = g
	text, err := p.renderManifest(func(string) (string, error) { return noHash, nil }, nil)
	if err != nil {
		return err
	}
	p.resizeManifest(int64(len(text)))
	return nil
}

func (p *Plan) resizeManifest(size int64) {
	for i := range p.Files {
		if f := &p.Files[i]; f.Name == manifestName {
			p.Bytes, p.Written, f.Bytes = p.Bytes+size-f.Bytes, p.Written+size-f.Bytes, size
		}
	}
}
