package rewrite

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// ErrOptions marks options that contradict each other or name something
// unknown, as opposed to a model that cannot be rewritten as asked.
var ErrOptions = errors.New("bad option")

// The layouts.
const (
	Native  = "native"
	Partial = "partial"
)

// Auto lets the solver choose the spelling.
const Auto = "auto"

// maxLength bounds lengths in positions: loaders count them in 32 bits.
const maxLength = math.MaxInt32

// MostExtended bounds Options.Extend.
const MostExtended = 64

// Options say what to make of a model.
type Options struct {
	// To is a name of posenc's table of encodings, NAME or NAME:VARIANT.
	To string
	// TrainLength is L in positions; 0 takes the configuration's.
	TrainLength int
	// Cut chooses HoPE's planes, Scale an extension of the context.
	Cut   posenc.Cut
	Scale posenc.Scale
	// Extend, where not 0, is how many times L max_position_embeddings becomes, 2 to
	// MostExtended, whatever a scaling says.
	Extend int
	// QueryScale, where not 0, is β of a factor 1 + β·ln(1 + ⌊t/L⌋) of queries at position
	// t, L the trained length, of layers that are family's Scalable: at most
	// family.MostQueryScale, beside Extend or Scale.
	QueryScale float64
	// Layout is Native or Partial; empty is Native.
	Layout string
	// Spelling is Auto or a rope type; empty is Auto.
	Spelling string
	// Slope is what a hybrid's bias starts with: "0" (or empty: no bias yet),
	// "alibi" (ALiBi's slopes) or a number in score units per position.
	Slope string
	// Layers is AllLayers, FullLayers or SlidingLayers: the layers that change; empty is
	// all that turn by the declaration of those of full attention.
	Layers string
	// Spectra, where not nil, are the inverse frequencies of every layer,
	// key/value head and plane: what a selection of planes chose for To hope.
	// Each is what [Scaled] turns the plane by, the source's where there is no Scale, or 0.
	Spectra [][][]float64
}

// Layouts lists the values of Options.Layout.
func Layouts() []string { return []string{Native, Partial} }

// Spellings lists the values of Options.Spelling. "dynamic" is none: its
// frequencies follow the length of the sequence.
func Spellings() []string {
	list := []string{Auto}
	for _, t := range posenc.RopeTypes() {
		if t.Name != "dynamic" {
			list = append(list, t.Name)
		}
	}
	return list
}

// check fills in defaults and refuses what no model could satisfy.
func (o Options) check() (Options, posenc.Encoding, error) {
	bad := func(format string, args ...any) (Options, posenc.Encoding, error) {
		return o, posenc.Encoding{}, hint.Errorf("%w: %s", ErrOptions, fmt.Sprintf(format, args...))
	}
	enc, err := posenc.FindEncoding(o.To)
	if err != nil {
		return bad(hint.To+": %v", err)
	}
	if o.Layout == "" {
		o.Layout = Native
	}
	if o.Spelling == "" {
		o.Spelling = Auto
	}
	if !contains(Layouts(), o.Layout) {
		return bad(hint.Layout+" %q%s", o.Layout, posenc.Suggest(o.Layout, Layouts()))
	}
	if !contains(Spellings(), o.Spelling) {
		return bad(hint.Spelling+" %q%s", o.Spelling, posenc.Suggest(o.Spelling, Spellings()))
	}
	if o.Layers != "" && !contains(LayerKinds(), o.Layers) {
		return bad(hint.Layers+" %q%s", o.Layers, posenc.Suggest(o.Layers, LayerKinds()))
	}
	switch {
	case o.Layers != "" && o.Spectra != nil:
		return bad(hint.Layers+" %s beside a selection, which chooses planes of every layer by what they cost", o.Layers)
	case o.Layers != "" && enc.Target == nil:
		return bad(hint.Layers+" %s: only what is one spectrum for all heads, such as "+hint.To+" hope, can be of some layers", o.Layers)
	case o.TrainLength < 0:
		return bad(hint.TrainLength+" %d: expected a positive number", o.TrainLength)
	case o.TrainLength > maxLength:
		return bad(hint.TrainLength+" %d: expected at most %d", o.TrainLength, maxLength)
	case enc.Scale == "no" && o.Scale.Kind != "":
		return bad(hint.Scale+" %s: "+hint.To+" %s takes no scaling", o.Scale, enc.Name)
	case enc.Scale == "must" && o.Scale.Kind != enc.Name:
		return bad(hint.To+" %s needs a factor of its own kind: "+hint.Scale+" %s:FACTOR", enc.Name, enc.Name)
	case !enc.Slope && o.Slope != "":
		return bad(hint.Slope+" %s: "+hint.To+" %s starts with no slope of choice", o.Slope, enc.Name)
	case enc.Variant == "kerple:log" && o.Slope != "" && o.Slope != "0":
		return bad(hint.Slope+" %s: a logarithm has no slope; "+hint.To+" %s:kerple:power has one", o.Slope, enc.Name)
	case enc.Target == nil && o.TrainLength != 0:
		return bad(hint.TrainLength+" %d: "+hint.To+" %s depends on no trained length: leave it out", o.TrainLength, enc.Name)
	case o.Extend != 0 && (o.Extend < 2 || o.Extend > MostExtended):
		return bad(hint.Extend+" %d: expected how many times the trained length is to be reached, 2 to %d", o.Extend, MostExtended)
	case o.Extend != 0 && enc.Target == nil:
		return bad(hint.Extend+" %d: "+hint.To+" %s depends on no trained length: leave it out", o.Extend, enc.Name)
	case o.QueryScale != 0 && !(o.QueryScale > 0 && o.QueryScale <= family.MostQueryScale):
		return bad(hint.QueryScale+" %v: expected a number above 0 and at most %d", o.QueryScale, family.MostQueryScale)
	case o.QueryScale != 0 && enc.Target == nil:
		return bad(hint.QueryScale+" %v: "+hint.To+" %s depends on no trained length, in which the factor counts: leave it out", o.QueryScale, enc.Name)
	case o.QueryScale != 0 && o.Extend == 0 && o.Scale.Kind == "":
		return bad(hint.QueryScale+" %v: up to the trained length the factor is 1, and the result would have no position beyond it: add "+hint.Extend+" or "+hint.Scale, o.QueryScale)
	case o.QueryScale != 0 && o.Layers == SlidingLayers:
		return bad(hint.QueryScale+" %v beside "+hint.Layers+" %s: the factor is of layers that see every token before", o.QueryScale, o.Layers)
	case enc.Target == nil && o.Layout != Native:
		return bad(hint.Layout+" %s: "+hint.To+" %s moves no rows", o.Layout, enc.Name)
	case enc.Target == nil && o.Spelling != Auto:
		return bad(hint.Spelling+" %s: no rope type says "+hint.To+" %s", o.Spelling, enc.Name)
	case !enc.Cut && o.Cut.Kind != posenc.CutPaper:
		return bad(hint.Cut+" %s: "+hint.To+" %s chooses no planes by it%s", o.Cut, enc.Name, cutHint(enc.Name))
	}
	if _, err := parseSlope(o.Slope, 1); err != nil {
		return bad(hint.Slope+" %v", err)
	}
	return o, enc, nil
}

func cutHint(name string) string {
	if strings.HasPrefix(name, "hope-") {
		return "; the ablations are defined by the paper's bands"
	}
	return ""
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}
