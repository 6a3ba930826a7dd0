package conversion

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/run"
)

// flags are what pecvt.json says was asked for.
type flags struct {
	To          string `json:"to"`
	TrainLength int    `json:"train_length"`
	Cut         string `json:"cut"`
	Scale       string `json:"scale"`
	Extend      int    `json:"extend"`
	// QueryScale is β of a factor of queries, whose unit is the trained length.
	QueryScale float64 `json:"query_scale"`
	Slope      string  `json:"slope"`
	// Layers are the kind of layers that change, by what they see.
	Layers string `json:"layers"`
	// retrofit is what --select and --calibrate did, nil without them.
	retrofit *retrofitted
}

// retrofitted is a manifest's record of a retrofit.
type retrofitted struct {
	Selection *struct {
		// Dropped planes do not turn; a negative layer or group is all of them.
		Dropped []struct {
			Layer int `json:"layer"`
			Group int `json:"group"`
			Plane int `json:"plane"`
		} `json:"dropped"`
	} `json:"selection"`
	Calibration *struct {
		Layers []struct {
			Layer int  `json:"layer"`
			Kept  bool `json:"kept"`
		} `json:"layers"`
	} `json:"calibration"`
}

// refitted are the layers whose queries and keys are not the source's any more.
func (r *retrofitted) refitted() map[int]bool {
	out := map[int]bool{}
	if r != nil && r.Calibration != nil {
		for _, l := range r.Calibration.Layers {
			if l.Kept {
				out[l.Layer] = true
			}
		}
	}
	return out
}

// still gives a layer the source's spectra, scaled, without the planes that a selection
// dropped there.
func (r *retrofitted) still(a *family.Attention, layer int, in posenc.Source) error {
	a.Bias = nil // of 0 everywhere, as retarget has it
	if a.Rotary.Dim == 0 {
		return nil
	}
	if in.Scale.Kind != "" {
		scaling, err := posenc.FindEncoding(in.Scale.Kind)
		if err != nil {
			return fmt.Errorf("%s: %w", run.ManifestFile, err)
		}
		if err := retarget(a, scaling, in); err != nil {
			return err
		}
	}
	spectra := make([][]float64, a.KVHeads)
	for g := range spectra {
		spectra[g] = append([]float64(nil), headFrequencies(a, g)...)
	}
	for _, c := range r.Selection.Dropped {
		if c.Layer >= 0 && c.Layer != layer {
			continue
		}
		for g := range spectra {
			if c.Group >= 0 && c.Group != g {
				continue
			}
			if c.Plane < 0 || c.Plane >= len(spectra[g]) {
				return fmt.Errorf("%s: its selection names plane %d of %d", run.ManifestFile, c.Plane, len(spectra[g]))
			}
			spectra[g][c.Plane] = 0
		}
	}
	a.Spectra = &family.HeadSpectra{InvFreq: spectra}
	return nil
}

// errNotSource says that --against is no source of the conversion, errManifest
// that pecvt.json cannot be read.
var (
	errNotSource = errors.New(hint.Against + " is not the source that " + run.ManifestFile + " names")
	ErrManifest  = errors.New(run.ManifestFile + " is no manifest")
)

// manifestFlags reads them, or says why the conversion cannot be judged: there
// is no manifest. A damaged one and a source that it does not name are errors.
func (s *conversion) manifestFlags() (f flags, why string, err error) {
	raw, err := os.ReadFile(filepath.Join(s.dir, run.ManifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		return f, "no " + run.ManifestFile + " says what was converted, and how", nil
	}
	if err != nil {
		return f, "", fmt.Errorf("manifest: %w", err)
	}
	var m struct {
		Source struct {
			Name   string `json:"name"`
			Config string `json:"config_sha256"`
		} `json:"source"`
		Flags    flags        `json:"flags"`
		Retrofit *retrofitted `json:"retrofit"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return f, "", fmt.Errorf("%w: %w", ErrManifest, err)
	}
	config, err := os.ReadFile(filepath.Join(s.sourceCkpt.Root(), "config.json"))
	if err != nil {
		return f, "", hint.Errorf(hint.Against+": %w", err)
	}
	if sum := sha256.Sum256(config); hex.EncodeToString(sum[:]) != m.Source.Config {
		return f, "", fmt.Errorf("%w (%s): its config.json is another", errNotSource, m.Source.Name)
	}
	m.Flags.retrofit = m.Retrofit
	return m.Flags, "", nil
}

// expectation is the source with another encoding, in memory: at the trained
// length first, and beyond it where that differs.
type expectation struct {
	lengths      []int
	models       []*family.Model
	maxPositions int
}

// expected makes the model that the flags ask for.
func (s *conversion) expected(f flags) (*expectation, error) {
	src := s.source
	x := &expectation{lengths: []int{src.TrainedLength}, maxPositions: src.MaxPositions}
	if byLength(src) || byLength(s.loaded) {
		x.lengths = append(x.lengths, max(src.MaxPositions, src.TrainedLength, s.loaded.MaxPositions)+1)
	}
	asIs := f.To == "as-is"
	var enc posenc.Encoding
	in := posenc.Source{Declared: src.Rope, TrainedLength: src.TrainedLength}
	if f.TrainLength > 0 {
		in.TrainedLength = f.TrainLength
	}
	if src.Extension != nil {
		in.Declared = src.Extension.Source.Rope
	}
	var err error
	if !asIs {
		if enc, err = posenc.FindEncoding(f.To); err != nil {
			return nil, fmt.Errorf("%s: %w", run.ManifestFile, err)
		}
		if f.Cut != "" {
			if in.Cut, err = posenc.ParseCut(f.Cut); err != nil {
				return nil, fmt.Errorf("%s: %w", run.ManifestFile, err)
			}
		}
		if in.Scale, err = posenc.ParseScale(f.Scale); err != nil {
			return nil, fmt.Errorf("%s: %w", run.ManifestFile, err)
		}
	}
	if in.Scale.Kind != "" {
		x.maxPositions = int(math.Round(in.Scale.Factor * float64(in.TrainedLength)))
	}
	if f.Extend > 0 {
		x.maxPositions = f.Extend * in.TrainedLength
	}
	for _, length := range x.lengths {
		m, err := src.AtLength(length)
		if err != nil {
			return nil, fmt.Errorf("source: %w", err)
		}
		for i, a := range m.Attentions() {
			if f.retrofit != nil && f.retrofit.Selection != nil {
				err = f.retrofit.still(a, i, in)
			} else if !asIs && enc.Target != nil && !f.changes(a) { // a layer of another kind stays
			} else if !asIs && enc.Target != nil {
				err = retarget(a, enc, in)
			} else if !asIs {
				err = rebias(a, enc, f.Slope)
			}
			if err != nil {
				return nil, fmt.Errorf("layer %d: %w", i, err)
			}
			if f.QueryScale != 0 && !asIs && a.Rotary.Dim > 0 && a.Window == 0 && a.Chunk == 0 {
				a.QueryScale = &family.QueryScale{Beta: f.QueryScale, Length: float64(in.TrainedLength)}
			}
		}
		x.models = append(x.models, m)
	}
	return x, nil
}

// changes reports whether a layer is of those that were to change: without a word of
// it those that turn by the declaration of full attention.
func (f flags) changes(a *family.Attention) bool {
	switch f.Layers {
	case "all":
		return true
	case "full":
		return a.Window == 0 && a.Chunk == 0
	case "sliding":
		return a.Window != 0 || a.Chunk != 0
	}
	return a.Rope == nil
}

// byLength reports a rotation that depends on the sequence's length.
func byLength(m *family.Model) bool {
	return slices.ContainsFunc(m.Ropes(), func(p posenc.RopeParams) bool {
		changes, err := p.ByLength()
		return err == nil && changes
	})
}

// retarget gives a layer the spectrum of an encoding that is one for all heads.
// The sign of a frequency is the source's, as the planes' coordinates are.
func retarget(a *family.Attention, enc posenc.Encoding, in posenc.Source) error {
	a.Bias = nil                                  // of 0 everywhere, else no such encoding can be asked for
	if a.Rotary.Dim == 0 || a.Generators != nil { // folded, what it computes is the same
		return nil
	}
	if a.Rope != nil {
		in.Declared = *a.Rope
	}
	in.Unscaled = in.Declared.Base()
	in.Current = a.Rotary.Spectrum.Clone()
	if a.Spectra != nil {
		in.Current.InvFreq = append([]float64(nil), a.Spectra.InvFreq[0]...)
		for g, row := range a.Spectra.InvFreq {
			for p, v := range row {
				if math.Abs(v-in.Current.InvFreq[p]) > FrequencyLimit*math.Abs(v) {
					return fmt.Errorf("key/value head %d of the source turns plane %d otherwise than the first: no %s is one spectrum of it", g, p, enc.Name)
				}
			}
		}
	}
	backward := make([]bool, len(in.Current.InvFreq))
	for p, v := range in.Current.InvFreq {
		backward[p] = v < 0
		in.Current.InvFreq[p] = math.Abs(v)
	}
	after, err := enc.Target(in)
	if err != nil {
		return err
	}
	for p := range after.InvFreq {
		if backward[p] {
			after.InvFreq[p] = -after.InvFreq[p]
		}
	}
	a.Spectra, a.Rotary.Spectrum = nil, after
	return nil
}

// rebias gives a layer the bias of an encoding that has one: what the source's
// constant gates amount to, or a slope beside a rotation that had none. Trained
// gates stay what they are.
func rebias(a *family.Attention, enc posenc.Encoding, slope string) error {
	switch {
	case enc.Name == "hybrid":
		slopes, err := hybridSlopes(slope, a.Heads)
		a.Bias = nil
		if err == nil && slopes != nil {
			a.Bias = &family.Bias{Kind: family.ALiBi, Slopes: slopes}
		}
		return err
	case enc.Name == "grape-m", strings.HasPrefix(enc.Name, posenc.FormPrefix):
		a.Bias = nil // of 0 everywhere
	case enc.String() == "kerple:log" && a.Bias != nil && (a.Bias.Kind == family.ALiBi || a.Bias.Kind == family.Kerple && a.Bias.Power):
		slopes := a.Bias.Slopes
		if a.Bias.Kind == family.ALiBi {
			slopes = effective(a)
		}
		fit, err := posenc.FitKERPLE(slopes, 1)
		a.Bias = &family.Bias{Kind: family.Kerple, Slopes: fit.R1, R2: fit.R2}
		return err
	case enc.Name == "alibi" || a.Bias == nil || a.Bias.Kind != family.ALiBi:
	default: // the gates do not round as a family may
		a.Bias = &family.Bias{Kind: family.ALiBi, Slopes: effective(a)}
	}
	return nil
}

// effective are ALiBi's slopes as they act on the score.
func effective(a *family.Attention) []float64 {
	alibi := posenc.ALiBi{Slope: a.Bias.Slopes, Factor: 1, BF16: a.Bias.RoundBF16}
	if a.Bias.BeforeScale {
		alibi.Factor = a.Scale
	}
	return alibi.Effective()
}

// hybridSlopes are the slopes that --slope gives, nil for none.
func hybridSlopes(slope string, heads int) ([]float64, error) {
	if slope == "alibi" {
		return posenc.Slopes(heads)
	}
	x := 0.0
	if slope != "" {
		var err error
		if x, err = strconv.ParseFloat(slope, 64); err != nil {
			return nil, fmt.Errorf("%s: slope %q: expected alibi or a number", run.ManifestFile, slope)
		}
	}
	if x == 0 {
		return nil, nil
	}
	out := make([]float64, heads)
	for h := range out {
		out[h] = x
	}
	return out, nil
}
