package convert

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/loaders"
	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/posenc/hint"
)

// emitted are the files that come into a result beside the manifest's list.
var emitted = []string{manifestName, "model.onnx", "model.onnx.data", "genai_config.json"}

// emittedWeb tells the files in the folder onnx: a graph by any of its names, and its
// files of weights.
func emittedWeb(name string) bool {
	return slices.ContainsFunc(loaders.WebNames(), func(n loaders.WebName) bool {
		return name == "onnx/"+n.Graph() || strings.HasPrefix(name, "onnx/"+n.Graph()+"_data")
	})
}

// replaceable checks that nothing but a result of pecvt's own goes when a folder
// is replaced: it is empty, or its manifest and what is emitted beside that cover
// every name in it. Name is how the folder is called in errors.
func replaceable(name, path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("target %s: %w", name, err)
	}
	if len(entries) == 0 {
		return nil
	}
	man, err := readManifest(place.Local(path))
	if err != nil {
		return notOurs(name, err)
	}
	ours := map[string]bool{}
	for _, n := range emitted {
		ours[n] = true
	}
	for _, f := range man.Files {
		ours[f.Name] = true
	}
	var others []string
	for _, e := range entries {
		if e.IsDir() {
			inside, err := os.ReadDir(filepath.Join(path, e.Name()))
			if err != nil || len(inside) == 0 || slices.ContainsFunc(inside, func(in os.DirEntry) bool {
				name := e.Name() + "/" + in.Name()
				return in.IsDir() || !ours[name] && !emittedWeb(name)
			}) {
				others = append(others, e.Name()+"/")
			}
		} else if !ours[e.Name()] {
			others = append(others, e.Name())
		}
	}
	return wouldDelete(name, others)
}

// notOurs is the error of a target whose manifest cannot be read.
func notOurs(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return hint.Errorf("target %s holds files and no %s, so pecvt did not write it: "+hint.Replace+" replaces only an empty folder or a result of pecvt's; choose another target, or remove it yourself", name, manifestName)
	}
	return hint.Errorf("target %s: its %s is not a manifest of pecvt's (%w): "+hint.Replace+" replaces only an empty folder or a result of pecvt's; choose another target, or remove it yourself", name, manifestName, err)
}

// wouldDelete is the error of a target that holds what pecvt did not write, nil where
// there is none.
func wouldDelete(name string, others []string) error {
	if len(others) == 0 {
		return nil
	}
	more := ""
	if len(others) > 4 {
		others, more = others[:4], fmt.Sprintf(" and %d more", len(others)-4)
	}
	return hint.Errorf("target %s holds what pecvt did not write: %s%s: "+hint.Replace+" would delete it; move it away or choose another target", name, strings.Join(others, ", "), more)
}

// readManifest reads a folder's pecvt.json.
func readManifest(folder *place.Folder) (*Manifest, error) {
	st, err := folder.Stat(manifestName)
	if err != nil {
		return nil, err
	}
	if st.Size() > maxManifest {
		return nil, fmt.Errorf("larger than %d bytes", maxManifest)
	}
	data, err := folder.ReadFile(manifestName)
	if err != nil {
		return nil, err
	}
	var man Manifest
	if err := json.Unmarshal(data, &man); err != nil {
		return nil, err
	}
	if man.Schema < 1 || !strings.HasPrefix(man.Tool, "pecvt ") || len(man.Files) == 0 {
		return nil, errors.New("it has no schema, tool and files of one")
	}
	return &man, nil
}
