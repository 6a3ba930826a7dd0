package convert

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/gguf/arch"
	"github.com/pecvt/pecvt/convert/loaders"
	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// Action says how a file of the result comes about.
type Action string

const (
	// Link makes a hard link, or a reflink or copy where there are none.
	Link Action = "link"
	// Reflink makes a file of its own that shares its blocks with the source's
	// until one of them is written to.
	Reflink Action = "reflink"
	// ServerCopy has the service that source and target lie with copy a file; nothing
	// of it is read.
	ServerCopy Action = "server-copy"
	// Copy copies a file of the source.
	Copy Action = "copy"
	// Rewrite writes a tensor file anew, from the source's tensors.
	Rewrite Action = "rewrite"
	// Write writes a small file of its own.
	Write Action = "write"
	// Emit makes a graph of the result; Run leaves it to its Finish.
	Emit Action = "emit"
	// Respell writes a GGUF file with a new header over the source's data.
	Respell Action = "respell"
)

// FilePlan is one file of the result.
type FilePlan struct {
	Name   string `json:"name"`
	Action Action `json:"action"`
	Bytes  int64  `json:"bytes"`
	// Source is the file of the source it comes from, where it is one.
	Source string `json:"source,omitempty"`
	// Tensors and Edited count a tensor file's tensors and those that change.
	Tensors int `json:"tensors,omitempty"`
	Edited  int `json:"edited,omitempty"`
}

// PlaneChange is one row of the frequency table, in radians per position.
type PlaneChange struct {
	Index    int     `json:"plane"`
	Unscaled float64 `json:"unscaled"`
	Band     string  `json:"band"`
	Before   float64 `json:"before"`
	After    float64 `json:"after"`
	State    string  `json:"state"` // "kept", "dropped", "removed" or "mixed"
	// Still of Of (layer, key/value head) stop turning, where some do and some
	// do not.
	Still int      `json:"still,omitempty"`
	Of    int      `json:"of,omitempty"`
	Long  *float64 `json:"after_long,omitempty"`
}

// Encoding describes the change.
type Encoding struct {
	From            string       `json:"from"`
	To              string       `json:"to"`
	Kind            rewrite.Kind `json:"kind"`
	Reason          string       `json:"reason"`
	TrainLength     int          `json:"train_length"`
	TrainLengthFrom string       `json:"train_length_from"`
	MaxPositions    int          `json:"max_positions"`
	Cut             string       `json:"cut,omitempty"`
	Scale           string       `json:"scale,omitempty"`
	Extend          int          `json:"extend,omitempty"`
	// QueryScale is β of the factor of queries that the conversion brings.
	QueryScale float64 `json:"query_scale,omitempty"`
	Slope      string  `json:"slope,omitempty"`
	Layout     string  `json:"layout"`
	Spelling   string  `json:"spelling"`
	Loaders    string  `json:"loaders"`
	// Readers says what becomes of the result in each loader of the table (package
	// loaders); the manifest leaves it out.
	Readers      []loaders.Verdict `json:"readers,omitempty"`
	SourceFamily string            `json:"source_family"`
	Family       string            `json:"family"`
	GainBefore   float64           `json:"attention_factor_before"`
	GainAfter    float64           `json:"attention_factor_after"`
	Dropped      int               `json:"dropped"`
	Planes       []PlaneChange     `json:"planes"`
}

// Plan is everything a conversion will do.
type Plan struct {
	// Model is the path as given, Output the target folder, or the target file of
	// the format GGUF.
	Model  string `json:"model"`
	Output string `json:"output"`
	Format string `json:"format"`
	// InsideOf is as in Inspection.
	InsideOf string     `json:"inside_of,omitempty"`
	Encoding Encoding   `json:"encoding"`
	Files    []FilePlan `json:"files"`
	// Bytes is the result's size, Written what must be written for it: all but
	// links, reflinks and copies on the server.
	Bytes   int64 `json:"bytes"`
	Written int64 `json:"written"`
	// LeftBehind lists files beside the checkpoint that do not come along.
	LeftBehind []string `json:"left_behind"`
	Notes      []string `json:"notes"`
	Warnings   []string `json:"warnings"`
	// Read is what was asked for of a place that is not the local disk.
	Read *place.Traffic `json:"read,omitempty"`

	// Wrote is what was done to a target that is not on the local disk.
	Wrote *place.Written `json:"wrote,omitempty"`

	options  Options
	to       place.Place // Output, with what its URL says besides
	rewrite  *rewrite.Rewrite
	source   sourceIdentity
	folder   *place.Folder // of the source; closed after it was planned, as far as it is no local one
	fromFile bool          // the model was named by a file
	tensors  []tensorFile
	dtype    tensor.DType    // of the source's weights
	replaced map[string]bool // tensors that a calibration brings
	config   []byte
	index    []byte // nil: none, or copied
	graph    *GraphRecord
	read     map[string][]family.Weight // what is read of the source's tensors for its values
	beside   map[string][]byte          // small files of a GGUF file that becomes a folder, nil for another source
	// respelling or ggufFile, where not nil, is the one file of the result.
	respelling *respelling
	ggufFile   *ggufFile
	// tokenizer is the new tokenizer_config.json; nil: none, or copied.
	tokenizer []byte
}

// NewPlan reads a model's configuration and headers and decides the
// conversion. Path is a folder, a .safetensors file or an index.
func NewPlan(path string, o Options) (*Plan, error) {
	return NewPlanContext(context.Background(), path, o)
}

// NewPlanContext is [NewPlan] for a context that ends the requests of a model that is not
// on the local disk.
func NewPlanContext(ctx context.Context, path string, o Options) (*Plan, error) {
	if o.MaxShardSize < 0 {
		return nil, fmt.Errorf("Options.MaxShardSize %d: expected a positive number of bytes, or 0 for the source's files", o.MaxShardSize)
	}
	if o.Link && o.Copy {
		return nil, hint.Errorf("%s and %s exclude each other: a file is either a link or one of its own", hint.Link, hint.Copy)
	}
	to, output, err := targetPlace(o.Output)
	if err != nil {
		return nil, err
	}
	o.Output = output
	src, err := store.OpenContext(ctx, path)
	if err != nil {
		return nil, err
	}
	shown := path
	if at, err := place.Parse(path); err == nil && place.IsURL(path) {
		shown = at.String() // without its query
	}
	defer src.Close()
	if err := o.decideFormat(formatOf(src), to.Base()); err != nil {
		return nil, fmt.Errorf("%s: %w", shown, err)
	}
	if err := o.readable(to); err != nil {
		return nil, err
	}
	if file, ok := src.(*arch.Model); ok && o.Format == Safetensors {
		if src, err = blocksOf(file); err != nil {
			return nil, fmt.Errorf("%s: %w", shown, err)
		}
	}
	m, err := families.LoadIgnoring(src, o.IgnoreKeys)
	if err != nil {
		return nil, err
	}
	if o.Format == GGUF && m.Wrapper != nil {
		return nil, hint.Errorf("%s: the language model inside of %s as a GGUF file is %w: write a folder ("+hint.Format+" %s), or save it as a checkpoint of its own", shown, m.Wrapper.ModelType, posenc.ErrUnsupported, Safetensors)
	}
	if o.Format == GGUF && o.Tuning != nil {
		return nil, hint.Errorf("%s: a selection or a calibration into a GGUF file is %w: write a folder ("+hint.Format+" %s), and that with "+hint.To+" rope as GGUF", shown, posenc.ErrUnsupported, Safetensors)
	}
	if o.Spectra, err = o.Tuning.spectra(m, o); err != nil {
		return nil, fmt.Errorf("%s: %w", shown, err)
	}
	r, overruled, err := decide(m, src, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shown, err)
	}
	replaced, err := openOverlay(o.Tuning, src, m, r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shown, err)
	}
	defer replaced.Close()
	o = o.With(r.Options)
	p := &Plan{dtype: m.DType, Model: path, Output: o.Output, to: to, Format: o.Format, options: o, rewrite: r, folder: store.Folder(src), replaced: replaced.names(), read: map[string][]family.Weight{},
		Notes: append([]string{}, r.Notes...), Warnings: append(append([]string{}, m.Warnings...), overruled...), LeftBehind: []string{}}
	if p.fromFile, err = isFile(path); err != nil {
		return nil, err
	}
	if p.Output == "" {
		if p.Output, err = p.defaultOutput(r.To); err != nil {
			return nil, err
		}
		p.to = place.Place{Path: p.Output}
	}
	if o.To == rewrite.AsIs || r.AfterLong != nil { // what changes with the length stays
		p.Warnings = append(p.Warnings, lengthWarnings(m)...)
	}
	for _, w := range m.Valued() {
		p.read[w.Tensor] = append(p.read[w.Tensor], w)
	}
	p.Encoding = describe(m, r)
	if m.Wrapper != nil {
		p.InsideOf = m.Wrapper.ModelType
	}
	if p.oneFile() {
		if o.Output != "" && !namesGGUF(p.to.Base()) {
			p.Warnings = append(p.Warnings, fmt.Sprintf("target %s: a file in the format %s that is not called so is read by no command: name it %s", o.Output, GGUF, filepath.Base(o.Output)+ggufSuffix))
		}
		p.Encoding.Readers = readers(r, o.Format)
		p.Encoding.Loaders = loaders.Summary(p.Encoding.Readers)
	}
	switch {
	case o.Tuning != nil && o.Tuning.Calibration != nil:
		p.Encoding.Reason += "; W_q and W_k were refitted to the source's own attention"
	case r.Untrained != "":
		p.Encoding.Reason += "; " + r.Untrained
	}
	if err := p.identify(src, m); err != nil {
		return nil, err
	}
	plan := p.planCheckpoint
	if p.oneFile() {
		plan = p.planFile
	}
	if err := plan(src, m); err != nil {
		return nil, err
	}
	for _, f := range p.Files {
		p.Bytes += f.Bytes
		if f.Action != Link && f.Action != Reflink && f.Action != ServerCopy {
			p.Written += f.Bytes
		}
	}
	p.Read = traffic(src)
	return p, nil
}

// BesideGraph lists the forms of package loaders that a loader of graphs meets in the
// result beside the graph: what the configuration says, and the type of the weights.
func (p *Plan) BesideGraph() []string {
	list := []string{p.Encoding.Spelling}
	if p.dtype == tensor.BF16 {
		list = append(list, loaders.BFloat16)
	}
	return list
}

// planCheckpoint plans a folder of safetensors files.
func (p *Plan) planCheckpoint(src store.Store, m *family.Model) error {
	if err := p.keepsCodes(m); err != nil {
		return err
	}
	if err := p.planSmall(src, m); err != nil {
		return err
	}
	if err := p.planTensors(store.Stored(src), m); err != nil {
		return err
	}
	if err := p.planConfig(m); err != nil {
		return err
	}
	if err := p.planSidecars(m.Quantised != nil); err != nil {
		return err
	}
	if err := p.planTokenizerClass(m); err != nil {
		return err
	}
	p.webNotes()
	p.say()
	return p.planManifest()
}

// say has the plan's texts name options as it was asked for.
func (p *Plan) say() {
	say := p.options.Say
	if say == nil {
		return
	}
	e := &p.Encoding
	for _, text := range []*string{&e.Reason, &e.Loaders, &e.TrainLengthFrom} {
		*text = say(*text)
	}
	for _, list := range [][]string{p.Notes, p.Warnings} {
		for i := range list {
			list[i] = say(list[i])
		}
	}
}

// defaultOutput is <name>-<encoding> in the current folder, or beside the model
// where the current folder lies in it.
func (p *Plan) defaultOutput(to string) (string, error) {
	name, err := modelName(p.Model)
	if err != nil {
		return "", err
	}
	name += "-" + strings.NewReplacer(":", "-", "=", "-").Replace(to) // a colon is no file name everywhere
	if p.oneFile() {
		name += ggufSuffix
	}
	dir, local := p.folder.Local()
	if p.fromFile || !local {
		return name, nil
	}
	here, err := filepath.Abs(".")
	if err != nil {
		return "", fmt.Errorf("target: %w", err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", fmt.Errorf("source %s: %w", dir, err)
	}
	for _, path := range []*string{&here, &dir} {
		if *path, err = resolve(*path); err != nil {
			return "", fmt.Errorf("target: %w", err)
		}
	}
	if !within(here, dir) {
		return name, nil
	}
	beside, err := filepath.Rel(here, filepath.Dir(dir))
	if err != nil {
		return "", fmt.Errorf("target: %w", err)
	}
	return filepath.Join(beside, name), nil
}

// Rewrite returns the decided rewrite.
func (p *Plan) Rewrite() *rewrite.Rewrite { return p.rewrite }

// describe makes the printable part of a rewrite.
func describe(m *family.Model, r *rewrite.Rewrite) Encoding {
	e := Encoding{From: r.From, To: r.To, Kind: r.Kind, Reason: r.Reason, TrainLength: r.TrainLength, TrainLengthFrom: r.TrainLengthFrom,
		MaxPositions: r.MaxPositions, Scale: r.Options.Scale.String(), Extend: r.Options.Extend, QueryScale: r.Options.QueryScale, Slope: r.Options.Slope, Layout: r.Layout, Spelling: r.Spelling, Loaders: r.Loaders, Readers: r.Readers,
		SourceFamily: m.Family, Family: r.Family, GainBefore: r.Before.Gain, GainAfter: r.After.Gain, Dropped: len(r.Dropped)}
	if row, err := posenc.FindEncoding(r.To); err == nil && row.Cut {
		e.Cut = r.Options.Cut.String()
	}
	state := map[int]string{}
	for _, i := range r.Dropped {
		state[i] = "dropped"
	}
	for _, i := range r.Removed {
		state[i] = "removed"
	}
	mixed := map[int]rewrite.Mixed{}
	for _, x := range r.Mixed {
		mixed[x.Plane], state[x.Plane] = x, "mixed"
	}
	for i, f := range r.Unscaled {
		plane := PlaneChange{Index: i, Unscaled: f, Band: posenc.BandOf(f, r.TrainLength).String(), Before: r.Before.InvFreq[i], After: r.After.InvFreq[i], State: "kept"}
		if s, ok := state[i]; ok {
			plane.State = s
		}
		plane.Still, plane.Of = mixed[i].Still, mixed[i].Of
		if r.AfterLong != nil {
			plane.Long = &r.AfterLong.InvFreq[i]
		}
		e.Planes = append(e.Planes, plane)
	}
	return e
}
