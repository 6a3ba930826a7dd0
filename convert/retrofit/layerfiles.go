package retrofit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
)

// stateVersion changes when the same options mean other arithmetic.
const stateVersion = 4

// state is the work folder: layer-00003.safetensors holds a kept layer's
// tensors, layer-00003.json, written after it, says that the layer is done.
type state struct{ folder, fingerprint string }

type layerState struct {
	Fingerprint string      `json:"fingerprint"`
	Report      LayerReport `json:"report"`
	// SHA256 is that of the tensor file, empty where there is none.
	SHA256 string `json:"sha256,omitempty"`
}

func (s *state) path(layer int) string {
	return filepath.Join(s.folder, fmt.Sprintf("layer-%05d.json", layer))
}

func (s *state) tensorPath(layer int) string {
	return filepath.Join(s.folder, fmt.Sprintf("layer-%05d.safetensors", layer))
}

// load returns what is known of a layer; nil if nothing is.
func (s *state) load(layer int) (*LayerReport, error) {
	text, err := os.ReadFile(s.path(layer))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("work folder: %w", err)
	}
	var l layerState
	if err := json.Unmarshal(text, &l); err != nil {
		return nil, fmt.Errorf("work folder: %s: %w: remove the folder", s.path(layer), err)
	}
	if l.Fingerprint != s.fingerprint {
		return nil, fmt.Errorf("work folder %s holds a calibration of another model or text, or with other options: remove it or choose another", s.folder)
	}
	if l.Report.Kept {
		sum, err := hashFile(s.tensorPath(layer))
		if err != nil {
			return nil, fmt.Errorf("work folder: %w", err)
		}
		if sum != l.SHA256 {
			return nil, fmt.Errorf("work folder: %s is not what was written: remove the folder", s.tensorPath(layer))
		}
	}
	return &l.Report, nil
}

func hashFile(path string) (string, error) {
	data, err := os.ReadFile(path) // one layer's queries and keys
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// save stores a layer that is done: the tensors first, each file whole or not at
// all.
func (s *state) save(layer int, r *LayerReport, tensors []newTensor) error {
	l := layerState{Fingerprint: s.fingerprint, Report: *r}
	if tensors != nil {
		path := s.tensorPath(layer)
		if err := fsio.Whole(path, 0o666, false, func(w io.Writer) error { return writeTensors(w, tensors) }); err != nil {
			return fmt.Errorf("work folder: %w", err)
		}
		var err error
		if l.SHA256, err = hashFile(path); err != nil {
			return fmt.Errorf("work folder: %w", err)
		}
	}
	text, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return fmt.Errorf("work folder: %w", err)
	}
	if err := fsio.WriteWhole(s.path(layer), append(text, '\n')); err != nil {
		return fmt.Errorf("work folder: %w", err)
	}
	return nil
}

// newTensor is a stored tensor with new values.
type newTensor struct {
	info safetensors.Info
	data []byte
}

// newTensors writes a layer's weights into copies of the stored tensors that
// hold them, whole ones or rows of a fused one, and rounds w to what they hold.
func newTensors(m *family.Model, src family.Source, layer int, w *Weights[float32]) ([]newTensor, error) {
	a := m.Blocks[layer].Attn()
	var list []newTensor
	for _, part := range []struct {
		values []float32
		at     *family.Weight
	}{{w.Q, &a.Q.Weight}, {w.K, &a.K.Weight}, {w.QBias, a.Q.Bias}, {w.KBias, a.K.Bias}} {
		if part.at == nil {
			continue
		}
		n := slices.IndexFunc(list, func(t newTensor) bool { return t.info.Name == part.at.Tensor })
		if n < 0 {
			info, _ := src.Lookup(part.at.Tensor)
			raw, err := store.Bytes(src, part.at.Tensor)
			if err != nil {
				return nil, err
			}
			n, list = len(list), append(list, newTensor{safetensors.Info{Name: info.Name, DType: info.DType, Shape: info.Shape}, slices.Clone(raw)})
		}
		if err := list[n].put(part.at, part.values); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", part.at.Tensor, err)
		}
	}
	slices.SortFunc(list, func(a, b newTensor) int {
		if a.info.Name < b.info.Name {
			return -1
		}
		return 1
	})
	return list, nil
}

// put encodes values into the rows of the tensor that are the weight and
// replaces them by what was encoded.
func (t *newTensor) put(w *family.Weight, values []float32) error {
	rows := w.Rows
	if rows == nil {
		rows = []family.Range{{Begin: 0, End: w.Stored[0]}}
	}
	width, err := tensor.Elements(w.Stored[1:])
	if err != nil {
		return err
	}
	at := 0
	for _, r := range rows {
		n := int((r.End - r.Begin) * width)
		from, to, err := tensor.RowBytes(t.info.DType, w.Stored, r.Begin, r.End)
		if err != nil {
			return err
		}
		raw := t.data[from:to]
		if err := tensor.Encode32(raw, values[at:at+n], t.info.DType); err != nil {
			return err
		}
		if err := tensor.Decode32(values[at:at+n], raw, t.info.DType); err != nil {
			return err
		}
		at += n
	}
	return nil
}

func writeTensors(to io.Writer, list []newTensor) error {
	infos := make([]safetensors.Info, len(list))
	for i, t := range list {
		infos[i] = t.info
	}
	infos, err := safetensors.Layout(infos)
	if err != nil {
		return err
	}
	w, err := safetensors.NewWriter(to, infos, map[string]string{"format": "pt"})
	if err != nil {
		return err
	}
	for _, t := range list {
		if err := w.WriteTensor(t.info.Name, t.data); err != nil {
			return errors.Join(err, w.Close())
		}
	}
	return w.Close()
}

// fingerprint names everything that decides the result.
func (j *job) fingerprint() (string, error) {
	sum := sha256.New()
	text, err := json.Marshal(struct {
		Version   int
		Config    string
		Options   CalibrateOptions
		Student   []Turn
		Sequences [][]int64
	}{stateVersion, configText(j.m), j.o, j.student, j.sequences})
	if err != nil {
		return "", err
	}
	sum.Write(text)
	contents, err := Contents(j.m, j.src)
	if err != nil {
		return "", err
	}
	sum.Write([]byte(contents))
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Contents is the SHA-256 of all of a model's tensors, in hexadecimal. A sample
// of each would let the work of two models be mixed.
func Contents(m *family.Model, src family.Source) (string, error) {
	sum := sha256.New()
	for _, w := range m.Weights() {
		info, ok := src.Lookup(w.Tensor)
		if !ok { // a tied head that is not stored
			continue
		}
		raw, err := store.Bytes(src, w.Tensor)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %s %v\n", info.Name, info.DType, info.Shape)
		sum.Write(raw)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func configText(m *family.Model) string {
	if m.Config == nil {
		return ""
	}
	text, err := m.Config.Object.Indented()
	if err != nil {
		return err.Error()
	}
	return string(text)
}
