package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify/conversion"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
	"github.com/pecvt/pecvt/verify/weights"
)

// metadata holds against each other what the folder's files say of the encoding:
// the graph's metadata, config.json and pecvt.json. A loader believes one of them,
// a person another. It needs no source: with --against the check rewrite says
// whether what they agree on is right.
func (s *session) metadata() {
	c := report.Check{Name: report.CheckMetadata, Runner: run.InterpName, Against: "config.json", Verdict: report.Pass}
	m, err := s.manifest()
	found := s.wrongMetadata(m)
	if err != nil {
		found = err.Error()
	}
	if found == "" && m != nil {
		found = s.wrongManifest(m)
	}
	if found != "" {
		c.Verdict, c.Detail = report.Fail, found
	}
	s.add(c)
}

// wrongMetadata compares the graph's metadata with the graph, config.json and
// pecvt.json. The encoding has the name that was asked for, which pecvt.json
// repeats and config.json may spell otherwise, or that of config.json.
func (s *session) wrongMetadata(m *told) string {
	names := []string{s.model.Encoding(), s.loaded.Encoding()}
	if m != nil {
		names = append(names, m.Flags.To, m.Encoding.To)
	}
	if got := s.info.Encoding; !slices.Contains(names, got) {
		_, err := posenc.FindEncoding(got)
		switch {
		case m != nil:
			return fmt.Sprintf("%s says that its encoding is %q, %s %q, config.json %q", run.GraphFile, got, run.ManifestFile, m.Encoding.To, names[0])
		case err != nil:
			return fmt.Sprintf("%s says that its encoding is %q, config.json %q", run.GraphFile, got, names[0])
		}
	}
	if n := s.model.Selects(); n > 0 && s.info.MaxLength > n {
		return fmt.Sprintf("%s says that its tables hold %d positions, and a layer's indexer leaves %d keys to a query (index_topk): beyond that its logits are of another model", run.GraphFile, s.info.MaxLength, n)
	}
	form := "standard"
	for _, n := range s.info.Model.GetGraph().GetNode() {
		if n.GetOpType() == "GroupQueryAttention" {
			form = "ort"
		}
	}
	if s.info.Attention != form {
		return fmt.Sprintf("%s says that its attention is %q, its nodes are %q", run.GraphFile, s.info.Attention, form)
	}
	if found := weights.Web(s.info, s.ckpt); found != "" {
		return found
	}
	return s.wrongForm()
}

// wrongForm compares what the graph says of its functions and linear maps with what
// it has.
func (s *session) wrongForm() string {
	g := s.info.Model.GetGraph()
	used := map[string]bool{}
	for _, n := range g.GetNode() {
		used[n.GetDomain()] = true
	}
	switch f := s.info.Functions; {
	case f != "" && f != "inlined":
		return fmt.Sprintf("%s says that its functions are %q: expected inlined, or nothing", run.GraphFile, f)
	case f == "inlined" && (len(s.info.Model.GetFunctions()) > 0 || used[pecvtDomain]):
		return fmt.Sprintf("%s says that its functions are inlined, and has %d", run.GraphFile, len(s.info.Model.GetFunctions()))
	}
	linear := ""
	for name, n := range s.info.Written.Groups {
		if n.GetOpType() != "Gemm" || !strings.HasSuffix(name, "/Gemm") {
			continue
		}
		if !s.info.Written.Coded[name] {
			linear = "matmul"
		}
	}
	cache := ""
	if slices.ContainsFunc(g.GetInput(), func(in *onnxpb.ValueInfoProto) bool {
		_, kind, ok := names.CacheOf(in.GetName())
		return ok && kind == names.Latent
	}) {
		cache = names.Latent
	}
	if s.info.Cache != cache {
		return fmt.Sprintf("%s says that its cache is %q, its inputs are %q", run.GraphFile, s.info.Cache, cache)
	}
	if s.info.Linear != linear {
		return fmt.Sprintf("%s says that the form of its linear maps is %q, its nodes are %q", run.GraphFile, s.info.Linear, linear)
	}
	return ""
}

// pecvtDomain is the domain of the operators that pecvt defines as functions.
const pecvtDomain = "ai.pecvt"

// sourceFile is what pecvt.json tells of one of the source's files.
type sourceFile struct {
	HeaderSHA256 string `json:"header_sha256"`
	SHA256       string `json:"sha256"`
	Name         string `json:"name"`
}

// told is what pecvt.json tells of the result, and of the source's files.
type told struct {
	Source struct {
		Files    []sourceFile    `json:"files"`
		Manifest json.RawMessage `json:"manifest"`
	} `json:"source"`
	Flags struct {
		To     string `json:"to"`
		Layout string `json:"layout"`
		Layers string `json:"layers"`
	} `json:"flags"`
	Encoding *struct {
		To           string  `json:"to"`
		TrainLength  int     `json:"train_length"`
		MaxPositions int     `json:"max_positions"`
		Family       string  `json:"family"`
		Gain         float64 `json:"attention_factor_after"`
		Planes       []struct {
			After float64  `json:"after"`
			Long  *float64 `json:"after_long"`
			State string   `json:"state"`
		} `json:"planes"`
	} `json:"encoding"`
	Files []struct {
		Name   string `json:"name"`
		Bytes  int64  `json:"bytes"`
		SHA256 string `json:"sha256"`
		CRC32C string `json:"crc32c"`
	} `json:"files"`
	Retrofit json.RawMessage `json:"retrofit"`
	// Graph repeats the graph's metadata; nil in a file that says nothing of it.
	Graph map[string]json.RawMessage `json:"graph"`
}

// refitted reports whether a calibration wrote tensors that the encoding leaves alone.
func (m *told) refitted() bool {
	var r struct {
		Calibration json.RawMessage `json:"calibration"`
	}
	return json.Unmarshal(m.Retrofit, &r) == nil && len(r.Calibration) > 0
}

// manifest reads it; nil where there is none, as of an exported folder.
func (s *session) manifest() (*told, error) {
	raw, err := os.ReadFile(filepath.Join(s.dir, run.ManifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var m told
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("%w: %w", conversion.ErrManifest, err)
	}
	if m.Encoding == nil {
		return nil, fmt.Errorf("%w: it has no encoding", conversion.ErrManifest)
	}
	return &m, nil
}

// wrongManifest compares pecvt.json with config.json: the length, the family, and
// plane by plane the frequencies that the conversion meant.
func (s *session) wrongManifest(m *told) string {
	e := m.Encoding
	if found := s.wrongRecord(m.Graph); found != "" {
		return found
	}
	if got := s.loaded.MaxPositions; got != e.MaxPositions {
		return fmt.Sprintf("max_position_embeddings is %d in config.json: %s says %d", got, run.ManifestFile, e.MaxPositions)
	}
	if got := s.loaded.Family; got != e.Family {
		return fmt.Sprintf("config.json is of the family %s: %s says %s", got, run.ManifestFile, e.Family)
	}
	if len(m.Retrofit) > 0 || strings.Contains(s.loaded.Encoding(), "grape-m") || len(e.Planes) == 0 {
		return "" // heads or layers differ: one row of planes is not all of them
	}
	lengths := []int{e.TrainLength}
	if e.Planes[0].Long != nil {
		lengths = append(lengths, max(s.loaded.MaxPositions, s.loaded.TrainedLength, e.TrainLength)+1)
	}
	for i, length := range lengths {
		after := make([]float64, len(e.Planes))
		for p, plane := range e.Planes {
			if after[p] = plane.After; i > 0 && plane.Long != nil {
				after[p] = *plane.Long
			}
			if plane.State == "removed" {
				after[p] = 0
			}
			if plane.State == "mixed" {
				return ""
			}
		}
		gain := e.Gain
		if i > 0 {
			gain = math.NaN() // pecvt.json has the one of the trained length
		}
		if found := s.unlikePlanes(length, after, gain, m.Flags.Layers == "sliding"); found != "" {
			return found
		}
	}
	return ""
}

// wrongRecord compares what pecvt.json says of the graph's numbers with the graph's
// metadata.
func (s *session) wrongRecord(record map[string]json.RawMessage) string {
	if record == nil {
		return ""
	}
	meta := map[string]string{}
	for _, p := range s.info.Model.GetMetadataProps() {
		meta[strings.TrimPrefix(p.GetKey(), "pecvt.")] = p.GetValue()
	}
	meta["logits"] = s.logits // which the form with all logits says no more
	for _, key := range []string{"dtype", "coding", "head", "accuracy", "rounding", "rounding_texts", "logits"} {
		raw, got := record[key], ""
		delete(record, key)
		if json.Unmarshal(raw, &got) != nil { // a list of texts
			got = string(raw)
			var b bytes.Buffer
			if json.Compact(&b, raw) == nil {
				got = b.String()
			}
		}
		if got != meta[key] {
			return fmt.Sprintf("%s says of its graph that %s is %q, the metadata of %s say %q", run.ManifestFile, key, got, run.GraphFile, meta[key])
		}
	}
	for key := range record {
		return fmt.Sprintf("%s says of its graph what %q is, which nothing holds it to", run.ManifestFile, key)
	}
	return ""
}

// unlikePlanes compares the frequencies of every layer that turns at a length
// with those that pecvt.json has: of full attention, or of sliding where that turns
// by a declaration of its own and alone was to change. A layout that leaves planes out has fewer: then
// those that turn are compared in their order.
func (s *session) unlikePlanes(length int, after []float64, gain float64, sliding bool) string {
	m, err := s.loaded.AtLength(length)
	if err != nil {
		return fmt.Sprintf("at length %d: %v", length, err)
	}
	own := m.SlidingRope() != nil
	for i, a := range m.Attentions() {
		if a.Rotary.Dim == 0 || a.Spectra != nil || own && (a.Rope != nil) != sliding {
			continue
		}
		got, want := turningPlanes(a.Rotary), after
		if len(got) != len(want) {
			got, want = rising(got), rising(want)
		}
		if len(got) != len(want) {
			return fmt.Sprintf("layer %d: %d planes turn by config.json, %d by %s", i, len(got), len(want), run.ManifestFile)
		}
		for p := range got {
			if !(math.Abs(got[p]-math.Abs(want[p])) <= conversion.FrequencyLimit*math.Abs(want[p])) {
				return fmt.Sprintf("layer %d: at length %d plane %d turns by %.9g per position by config.json, by %.9g by %s", i, length, p, got[p], math.Abs(want[p]), run.ManifestFile)
			}
		}
		if !math.IsNaN(gain) && !(math.Abs(a.Rotary.Gain-gain) <= conversion.FrequencyLimit*math.Abs(gain)) && slices.Max(got) > 0 {
			return fmt.Sprintf("layer %d: the attention factor is %.9g by config.json, %.9g by %s", i, a.Rotary.Gain, gain, run.ManifestFile)
		}
	}
	return ""
}

// turningPlanes are the sizes of a rotation's frequencies, 0 where a plane is
// removed.
func turningPlanes(r posenc.Rotary) []float64 {
	out := make([]float64, len(r.InvFreq))
	for p, theta := range r.InvFreq {
		if r.Removed == nil || !r.Removed[p] {
			out[p] = math.Abs(theta)
		}
	}
	return out
}

// rising are the sizes of the frequencies that are not 0, in order.
func rising(list []float64) []float64 {
	var out []float64
	for _, x := range list {
		if x != 0 {
			out = append(out, math.Abs(x))
		}
	}
	slices.Sort(out)
	return out
}
