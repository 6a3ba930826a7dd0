package convert

import (
	"context"
	"fmt"
	"math"
	"path/filepath"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/loaders"
	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/convert/quant"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// Inspection is what a checkpoint is, as `pecvt inspect` prints it.
type Inspection struct {
	Schema int    `json:"schema"`
	Model  string `json:"model"`
	Family string `json:"family"`
	// InsideOf is the model_type of the model of vision that the model is the language
	// model of; empty where it stands alone.
	InsideOf string `json:"inside_of,omitempty"`
	DType    string `json:"dtype"`
	// Quantised counts the weights that are stored quantised, by format.
	Quantised     []quant.Count `json:"quantised,omitempty"`
	Layers        int           `json:"layers"`
	Hidden        int           `json:"hidden"`
	Heads         int           `json:"heads"`
	KVHeads       int           `json:"kv_heads"`
	HeadDim       int           `json:"head_dim"`
	Intermediate  int64         `json:"intermediate"`
	Vocab         int           `json:"vocab"`
	Tied          bool          `json:"tied_embeddings"`
	Window        int           `json:"sliding_window"`
	Parameters    int64         `json:"parameters"`
	Bytes         int64         `json:"bytes"`
	Files         []string      `json:"files"`
	MaxPositions  int           `json:"max_positions"`
	TrainedLength int           `json:"trained_length"`
	// TrainedLengthFrom is the key of config.json that TrainedLength is from.
	TrainedLengthFrom string `json:"trained_length_from"`
	// Encoding names the positional encoding from what the layers do.
	Encoding string   `json:"encoding"`
	Rope     RopeInfo `json:"rope"`
	// Slopes are β of the first layer's bias, per head and position, if it has
	// some.
	Slopes []float64 `json:"slopes,omitempty"`
	// Kernel is the first layer's KERPLE, nil without.
	Kernel *Kernel `json:"kernel,omitempty"`
	// QueryScale is the factor of queries in the first layer that has one, nil without.
	QueryScale *family.QueryScale `json:"query_scale,omitempty"`
	Planes     []Plane            `json:"planes"`
	Warnings   []string           `json:"warnings"`
	// Readers says what becomes of the rotation, as it is declared, in each loader
	// of the table (package loaders); empty where no rope keys declare it.
	Readers []loaders.Verdict `json:"readers,omitempty"`
	// Graph is what pecvt.json says of the graph beside the checkpoint, nil where it
	// says nothing.
	Graph *GraphRecord `json:"graph,omitempty"`
	// Read is what was asked for of a place that is not the local disk.
	Read *place.Traffic `json:"read,omitempty"`
}

// RopeInfo is the declared rotary encoding; Type is empty where none is.
type RopeInfo struct {
	Type            string  `json:"type"`
	Theta           float64 `json:"theta"`
	RotaryDim       int     `json:"rotary_dim"`
	Pairing         string  `json:"pairing"`
	Factor          float64 `json:"factor,omitempty"`
	AttentionFactor float64 `json:"attention_factor"`
}

// Plane is one row of the table of planes.
type Plane struct {
	Plane int `json:"plane"`
	// InvFreq is θ of the plane in radians per position, scaling included;
	// Unscaled the plain θ = base^(−2p/r) that bands are judged by.
	InvFreq  float64 `json:"inv_freq"`
	Unscaled float64 `json:"inv_freq_unscaled"`
	// Wavelength is 2π/θ in positions, 0 for a position-independent plane.
	Wavelength float64 `json:"wavelength"`
	// WavelengthOverL is the wavelength over the trained length.
	WavelengthOverL float64 `json:"wavelength_over_l"`
	// Rotations is the number of turns over the trained length.
	Rotations float64 `json:"rotations_over_l"`
	Band      string  `json:"band"`
	// Kept reports whether the paper's cut (θ > 2π/L) keeps the plane.
	Kept bool `json:"kept_by_paper"`
}

// Inspect reads a model's headers and configuration; no weight is read. See
// Options.IgnoreKeys.
func Inspect(path string, ignoreKeys ...string) (*Inspection, error) {
	return InspectContext(context.Background(), path, ignoreKeys...)
}

// InspectContext is [Inspect] for a context that ends the requests of a model that is not
// on the local disk.
func InspectContext(ctx context.Context, path string, ignoreKeys ...string) (*Inspection, error) {
	src, err := store.OpenContext(ctx, path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	name, err := modelName(path)
	if err != nil {
		return nil, err
	}
	in, err := InspectStore(name, src, ignoreKeys...)
	if err == nil {
		in.Read = traffic(src)
	}
	return in, err
}

// traffic is what a store's place was asked for, nil for the local disk.
func traffic(src store.Store) *place.Traffic {
	folder := store.Folder(src)
	if folder == nil {
		return nil
	}
	if _, local := folder.Local(); local {
		return nil
	}
	t := folder.Traffic()
	return &t
}

// InspectStore is [Inspect] for a model's store, under a name.
func InspectStore(name string, src store.Store, ignoreKeys ...string) (*Inspection, error) {
	m, err := families.LoadIgnoring(src, ignoreKeys)
	if err != nil {
		return nil, err
	}
	in := inspection(m, name)
	if formatOf(src) == GGUF {
		in.Readers = loaders.Judge(loaders.GGUF, m.Family)
	}
	for _, f := range src.Files() {
		in.Files = append(in.Files, filepath.Base(f.Path))
	}
	for _, name := range src.Names() {
		info, _ := src.Lookup(name)
		n, err := tensor.Elements(info.Shape)
		if err != nil {
			return nil, store.Errorf(src, name, "%w", err)
		}
		in.Parameters += n
	}
	in.Graph = graphRecord(store.Folder(src))
	stored := store.Stored(src)
	for _, name := range stored.Names() {
		info, _ := stored.Lookup(name)
		in.Bytes += info.Bytes()
	}
	return in, nil
}

// inspection describes a model without its files.
func inspection(m *family.Model, name string) *Inspection {
	att, mlp := &family.Attention{}, m.Blocks[0].MLP()
	for _, a := range m.Attentions() { // the first
		att = a
		break
	}
	in := &Inspection{Schema: 1, Model: name, Family: m.Family, DType: m.DType.String(), Layers: len(m.Blocks),
		Hidden: m.Hidden, Heads: att.Heads, KVHeads: att.KVHeads, HeadDim: att.QKDim,
		Vocab: m.Vocab, Tied: m.Tied, MaxPositions: m.MaxPositions, TrainedLength: m.TrainedLength, TrainedLengthFrom: m.TrainedLengthFrom,
		Rope: RopeInfo{Type: m.Rope.Type, Theta: m.Rope.Theta, RotaryDim: att.Rotary.Dim, Pairing: att.Rotary.Pairing.String(),
			Factor: m.Rope.Factor, AttentionFactor: att.Rotary.Gain},
		Warnings: append([]string{}, m.Warnings...)}
	if mlp != nil {
		in.Intermediate = mlp.Down.Weight.Shape[1]
	}
	for _, a := range m.Attentions() {
		in.Window = max(in.Window, a.Window)
		if in.QueryScale == nil {
			in.QueryScale = a.QueryScale
		}
	}
	if m.Extension != nil {
		in.Readers = loaders.Judge(loaders.Own, m.Family)
	} else {
		in.Readers = standing(m)
	}
	if m.Quantised != nil {
		in.Quantised = m.Quantised.Counts()
	}
	if m.Wrapper != nil { // the table knows nothing of it
		in.InsideOf, in.Readers = m.Wrapper.ModelType, nil
	}
	in.spectrum(m)
	in.Warnings = append(in.Warnings, spectrumWarnings(m, in.Planes)...)
	if err := m.Beyond(family.Named()...); err != nil {
		in.Warnings = append(in.Warnings, fmt.Sprintf("no command computes this model, "+hint.To+" as-is copies it: %v", err))
	}
	return in
}

// Kernel is KERPLE's bias per head: −r1 n^r2 ("power") or −r1 log(1 + r2 n) ("log") at
// distance n.
type Kernel struct {
	Form string    `json:"form"`
	R1   []float64 `json:"r1"`
	R2   []float64 `json:"r2"`
}

// spectrum describes the first layer that turns and the first that has slopes.
// What the rope keys do not declare is judged by its own frequencies.
func (in *Inspection) spectrum(m *family.Model) {
	in.Encoding = m.Encoding()
	for _, a := range m.Attentions() {
		if b := a.Bias; b != nil && b.Kind == family.Kerple {
			in.Kernel = &Kernel{Form: "log", R1: b.Slopes, R2: b.R2}
			if b.Power {
				in.Kernel.Form = "power"
			}
			break
		} else if b != nil && b.Slopes != nil {
			in.Slopes = b.Slopes
			break
		}
	}
	for i, a := range m.Attentions() {
		if a.Rotary.Dim == 0 || a.Rope != nil { // of types of layers, full attention is shown
			continue
		}
		s, unscaled := a.Rotary.Spectrum.Clone(), m.Rope.Base()
		if a.Spectra != nil {
			s.InvFreq = append([]float64(nil), a.Spectra.InvFreq[0]...)
			in.Warnings = append(in.Warnings, fmt.Sprintf("each of the %d heads has frequencies of its own: the planes are those of layer %d, head 0", a.Heads, i))
		}
		if m.Rope.Type == "" {
			unscaled = make([]float64, len(s.InvFreq))
			for p, f := range s.InvFreq {
				s.InvFreq[p] = math.Abs(f) // the sign is the sense of the turn
				unscaled[p] = s.InvFreq[p]
			}
		}
		in.Rope.RotaryDim, in.Rope.AttentionFactor = a.Rotary.Dim, s.Gain
		in.Planes = PlaneTable(unscaled, s, m.TrainedLength)
		return
	}
	in.Planes = []Plane{}
}

// PlaneTable describes each plane of a spectrum against a trained length.
func PlaneTable(unscaled []float64, s posenc.Spectrum, trainedLength int) []Plane {
	out := make([]Plane, len(s.InvFreq))
	for p, f := range s.InvFreq {
		band := posenc.BandOf(unscaled[p], trainedLength)
		out[p] = Plane{Plane: p, InvFreq: f, Unscaled: unscaled[p], Rotations: f * float64(trainedLength) / (2 * math.Pi),
			Band: band.String(), Kept: band == posenc.High}
		if f != 0 {
			out[p].Wavelength = 2 * math.Pi / f
			out[p].WavelengthOverL = out[p].Wavelength / float64(trainedLength)
		}
	}
	return out
}

// spectrumWarnings says what about the spectrum a user should know before
// converting.
func spectrumWarnings(m *family.Model, planes []Plane) []string {
	var out []string
	still := 0
	for _, p := range planes {
		if p.InvFreq == 0 {
			still++
		}
	}
	if still > 0 {
		out = append(out, fmt.Sprintf("%d of %d planes are position independent already", still, len(planes)))
	}
	return append(out, lengthWarnings(m)...)
}

// lengthWarnings says where the rotation changes with the length of the
// sequence, and which of the two a graph holds.
func lengthWarnings(m *family.Model) []string {
	if n := m.Selects(); n > 0 {
		return []string{fmt.Sprintf("a layer's indexer leaves %d keys to a query (index_topk): a graph, and verification, see all of them, which is right up to %d tokens, and go no further; conversion without a graph ("+hint.NoGraph+") knows no such bound", n, n)}
	}
	switch {
	case m.Rope.Type == "dynamic":
		return []string{fmt.Sprintf("dynamic scaling changes the base with the sequence length: a graph's table is that of the length it is made for, by default max_position_embeddings (%d), up to which nothing is scaled; a greater "+hint.MaxLength+" scales all positions, the first ones too", m.MaxPositions)}
	case m.Rope.Type == "longrope" && !equalFloats(m.Rope.ShortFactor, m.Rope.LongFactor):
		return []string{fmt.Sprintf("longrope switches from its short to its long factors beyond %d positions: a graph holds one of the two, by default the short ones, as stock loaders use up to there; a "+hint.MaxLength+" above %d selects the long ones", m.TrainedLength, m.TrainedLength)}
	}
	return nil
}

func equalFloats(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// standing says what becomes of a model's rotation as its configuration says it.
func standing(m *family.Model) []loaders.Verdict {
	form := loaders.FormOf(m.Rope, m.Family)
	if m.NewKeysAlone() {
		return loaders.JudgeKeys(form, m.Family)
	}
	return loaders.Judge(form, m.Family)
}
