// Package names spells the names of a graph's inputs, outputs, nodes and tables,
// and of the values of the reference: constants and the functions that make and
// read them, no arithmetic. The emitter writes them, the reference taps its
// values under them and the checks look for them, so that a name that changes
// changes everywhere or does not compile. What the emitter alone reads it names
// by itself.
//
// A node's name is the place of what it computes and its operator:
// "/layers.3/attn/q_proj/Gemm". Places of parts are package family's; here are
// those of what lies between parts.
package names

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
)

// Inputs and outputs of a graph.
const (
	InputIDs      = "input_ids"
	AttentionMask = "attention_mask"
	PositionIDs   = "position_ids"
	Logits        = "logits"
)

// Dimensions of inputs and outputs that a call decides, as genai's builder,
// optimum and transformers.js call them; the last is the sum of the two before it.
const (
	BatchSize   = "batch_size"
	Sequence    = "sequence_length"
	PastLength  = "past_sequence_length"
	TotalLength = "total_sequence_length"
)

// What a layer caches beside the encoding's own.
const (
	Key   = "key"
	Value = "value"
	// Latent is latent attention's in the place of both.
	Latent = "latent"
)

// States that mixers carry.
const (
	Window    = family.WindowState
	Recurrent = family.RecurrentState
)

// Prefixes of caches, which grow by a call's tokens, and of states, which do not.
const (
	pastCache    = "past_key_values."
	presentCache = "present."
	pastState    = "past_state."
	presentState = "present_state."
)

// Past is the input that holds what earlier calls cached of a kind in a layer,
// PastState the one of a state.
func Past(layer int, kind string) string      { return fmt.Sprint(pastCache, layer, ".", kind) }
func PastState(layer int, kind string) string { return fmt.Sprint(pastState, layer, ".", kind) }

// Present is the output that the next call's Past is, PresentState its PastState.
func Present(layer int, kind string) string { return fmt.Sprint(presentCache, layer, ".", kind) }
func PresentState(layer int, kind string) string {
	return fmt.Sprint(presentState, layer, ".", kind)
}

// PastPattern and PresentPattern have "%d" in place of the layer.
func PastPattern(kind string) string    { return pastCache + "%d." + kind }
func PresentPattern(kind string) string { return presentCache + "%d." + kind }

// PresentOf names the output that follows an input, ok false for one that is
// neither a cache nor a state.
func PresentOf(past string) (present string, ok bool) {
	if rest, ok := strings.CutPrefix(past, pastCache); ok {
		return presentCache + rest, true
	}
	rest, ok := strings.CutPrefix(past, pastState)
	return presentState + rest, ok
}

// CacheOf reads the name of a cache or of a state, past or present.
func CacheOf(name string) (layer int, kind string, ok bool) {
	for _, prefix := range []string{pastCache, presentCache, pastState, presentState} {
		rest, found := strings.CutPrefix(name, prefix)
		if !found {
			continue
		}
		number, kind, _ := strings.Cut(rest, ".")
		if n, err := fmt.Sscan(number, &layer); n == 1 && err == nil && kind != "" {
			return layer, kind, true
		}
	}
	return 0, "", false
}

// Layer is the name of a place in a layer.
func Layer(layer int, place string) string { return family.PathOf(layer, place) }

// Outside is the name of a place that is in no layer.
func Outside(place string) string { return family.PathOf(-1, place) }

// Node is the name of the node of an operator at a path.
func Node(path, op string) string { return path + "/" + op }

// Split reads a path or a node's name: the layer it is in, −1 where it is in
// none, and what follows.
func Split(name string) (layer int, rest string) {
	number, rest, _ := strings.Cut(strings.TrimPrefix(name, "/layers."), "/")
	if !strings.HasPrefix(name, "/layers.") || strings.Trim(number, "0123456789") != "" || number == "" {
		return -1, strings.TrimPrefix(name, "/")
	}
	if _, err := fmt.Sscan(number, &layer); err != nil {
		return -1, strings.TrimPrefix(name, "/")
	}
	return layer, rest
}
