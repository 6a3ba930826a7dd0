package names

import (
	"fmt"
	"strings"
)

// Nodes that all layers share, by what they make.
const (
	EmbedIDs     = "/embed/Reshape"
	EmbedRows    = "/embed/Gather"
	EmbedCast    = "/embed/Cast"
	HeadAct      = "/head_dense/act" // the path of its activation
	HeadRows     = "/head/Gemm"
	EmbedScaled  = "/embed/scaled/Mul"  // the embedding times its factor
	EmbedShifted = "/embed/shifted/Add" // and plus what all tokens share
	HeadOut      = "/head/Reshape"

	// Around layers whose products take the stream as (batch, sequence, hidden).
	StreamOfTokens = "/stream/Reshape"      // that
	StreamOfRows   = "/stream/rows/Reshape" // (batch*sequence, hidden) again

	// What the head reads where it is computed for one position of each row.
	LastPlaces = "/last/real/Mul"       // (batch, sequence): a token's column, 0 of padding
	LastColumn = "/last/real/ReduceMax" // (batch)
	LastBatch  = "/last/row/Gather"     // how many rows
	LastRow    = "/last/row/Range"      // (batch): 0, 1, ...
	LastFirst  = "/last/row/Mul"        // where each begins among the rows of all tokens
	LastPlace  = "/last/row/Add"        // and where its last token is
	LastChosen = "/last/Gather"         // (batch, hidden)
	LastInside = "/last/inside/Gather"  // (batch, 1): which of them the guard lets pass, of a choice before it

	Lengths  = "/lengths/Shape" // [batch, sequence]
	LastKey  = "/lengths/last_key/Cast"
	TotalInt = "/lengths/total/Cast"
	Total    = "/total/Shape" // [total]
)

// The guard of positions, by what its nodes make. All but GuardTotal and Guard are
// of graphs with position_ids.
const (
	GuardPositions = "/guard/position_ids/Clip"         // inside the tables
	GuardInside    = "/guard/inside/Equal"              // which were inside
	GuardColumn    = "/guard/inside/Unsqueeze"          // the same, beside values
	GuardTotal     = "/guard/inside/LessOrEqual"        // whether all are, without position_ids
	GuardMarks     = "/guard/before/Slice"              // a number of each value of the past
	GuardBefore    = "/guard/before/IsNaN"              // which of them were outside
	GuardNow       = "/guard/now/Not"                   // which of this call are
	GuardOutside   = "/guard/outside/Concat"            // both
	GuardOutside1  = "/guard/outside/Cast"              // as 0 and 1
	GuardCount     = "/guard/outside/ReduceSum"         // how many of a row of the batch
	GuardRow       = "/guard/row/Equal"                 // none
	GuardTokens    = "/guard/row/And"                   // the same for each token
	GuardTokenRows = "/guard/row/Reshape"               // the same, a row for each token
	Guard          = "/guard/nan_past_max_length/Where" // the head's input, or NaN
)

// Nodes of the mask, by what they make.
const (
	MaskTotal    = "/mask/total/Squeeze"
	MaskLength   = "/mask/sequence/Shape"
	MaskSequence = "/mask/sequence/Squeeze"
	MaskPast     = "/mask/past/Sub"
	MaskStep     = "/mask/query/Range"
	MaskKey      = "/mask/key/Range"
	MaskIndex    = "/mask/query/Add"
	MaskQuery    = "/mask/query/Unsqueeze"
	MaskCausal   = "/mask/causal/LessOrEqual"
	MaskSelf     = "/mask/self/Equal"
	MaskRealKeys = "/mask/real/Cast"
	MaskReal     = "/mask/real/Unsqueeze"
	MaskSeen     = "/mask/seen/And"
	maskPath     = "/mask"
	maskOfWindow = "/mask.window"
	MaskFirst    = "/first/Sub"      // below MaskOf: the first key that a window leaves
	MaskInside   = "/inside/Greater" // a key is inside the window
	MaskInWindow = "/inside/And"     // and not after the query
	MaskVisible  = "/real/And"       // and a token
	MaskOrItself = "/self/Or"        // or the query itself
	MaskScore    = "/Where"          // 0 or the lowest float32
)

// MaskOf is the path of the mask of a window, 0 for none; its nodes are MaskFirst
// to MaskScore.
func MaskOf(window int) string {
	if window == 0 {
		return maskPath
	}
	return fmt.Sprint(maskOfWindow, window)
}

// Nodes of the masks of chunks: below MaskOfChunk, and what they share.
const (
	MaskCount       = "/mask/place/CumSum" // tokens of a row up to each key
	MaskPlace       = "/mask/place/Sub"    // before each key
	MaskPlaced      = "/mask/place/Max"    // the same, 0 for padding in front
	maskOfChunk     = "/mask.chunk"
	MaskKeyChunk    = "/key/Div"
	MaskQueryChunk  = "/query/Gather"
	MaskKeyChunks   = "/key/Unsqueeze"
	MaskQueryChunks = "/query/Unsqueeze"
	MaskSameChunk   = "/inside/Equal" // then MaskInWindow to MaskScore
)

// MaskOfChunk is the path of the mask of chunks of so many tokens.
func MaskOfChunk(chunk int) string { return fmt.Sprint(maskOfChunk, chunk) }

// ChunkOf reads the name of a node of a chunk's mask, as WindowOf does.
func ChunkOf(name string) (chunk int, node string, ok bool) {
	rest, found := strings.CutPrefix(name, maskOfChunk)
	if !found {
		return 0, "", false
	}
	number, node, _ := strings.Cut(rest, "/")
	n, err := fmt.Sscan(number, &chunk)
	return chunk, "/" + node, n == 1 && err == nil
}

// WindowOf reads the name of a node of a window's mask: its window, and the node
// below MaskOf.
func WindowOf(name string) (window int, node string, ok bool) {
	if rest, found := strings.CutPrefix(name, maskOfWindow); found {
		number, node, _ := strings.Cut(rest, "/")
		n, err := fmt.Sscan(number, &window)
		return window, "/" + node, n == 1 && err == nil
	}
	node, found := strings.CutPrefix(name, maskPath)
	return 0, node, found && strings.HasPrefix(node, "/")
}

// Tables of cosines and sines: those of one spectrum for all heads, of spectra
// per head, and of the path vectors of a bias.
const (
	Rotary      = "/rotary"
	RotaryHeads = "/rotary_heads"
	RotaryPath  = "/rotary_path"
)

// QueryScale is the path of the table of queries' factors, and of what takes a call's
// rows of it.
const QueryScale = "/query_scale"

// Nth is the path of the n-th table of a kind, from 0.
func Nth(path string, n int) string {
	if n == 0 {
		return path
	}
	return fmt.Sprintf("%s.%d", path, n)
}

// The tables below a path, and the nodes that take a call's rows of them.
const (
	CosTable = "/cos_table"
	SinTable = "/sin_table"
	CosRows  = "/cos/Gather"
	SinRows  = "/sin/Gather"
)

// Tables of spectra per head, below RotaryHeads: those of every F-th position and of F
// positions on; what is made of a call's rows of them, cosines and sines of all layers
// (HeadBoth); and what tells the rows.
const (
	FarCos   = "/far_cos"
	FarSin   = "/far_sin"
	NearCos  = "/near_cos"
	NearSin  = "/near_sin"
	HeadCos  = "/cos"
	HeadSin  = "/sin"
	CosCos   = HeadCos + "/cos_cos" // far times near
	SinSin   = HeadCos + "/sin_sin"
	SinCos   = HeadSin + "/sin_cos"
	CosSin   = HeadSin + "/cos_sin"
	HeadBoth = "/both"

	Far      = "/rotary_rows/far/Div"
	FarWhole = "/rotary_rows/far/Mul"
	Near     = "/rotary_rows/near/Sub"
)

// HeadPart is the n-th layer's part of the cosines or sines below a path.
func HeadPart(path string, n int, sin bool) string {
	if sin {
		return Nth(path+HeadSin+"/layer", n)
	}
	return Nth(path+HeadCos+"/layer", n)
}

// transposedMark ends the name of a weight that a graph holds the other way round.
const transposedMark = "^T"

// TransposedWeight is the name of a graph's transposed copy of a tensor, or of the rows
// that are given as begin:end, several joined by commas; where they are columns of those,
// a part follows: |begin:step:count, and :across where each is a row of the weight.
func TransposedWeight(tensor, rows string) string { return held(tensor, rows, transposedMark, "") }

// TransposeOf reads the name of such a copy.
func TransposeOf(name string) (tensor, rows string, ok bool) {
	tensor, rows, piece, ok := heldOf(name, transposedMark)
	return tensor, rows, ok && piece == ""
}

// Shapes that a Reshape gives a call's tokens.
const (
	shapes      = "/shape/"
	LogitsShape = shapes + "logits"
	concat      = "/Concat"
)

// HeadShape is [batch, sequence, heads, size], FlatShape [batch, sequence, width].
func HeadShape(heads, size int) string { return fmt.Sprintf("%sheads%dx%d", shapes, heads, size) }
func FlatShape(width int) string       { return fmt.Sprintf("%sflat%d", shapes, width) }

// FoldShape is the vector [-1, before..., sequence, last] of sizes before..., last.
func FoldShape(sizes ...int64) string {
	return shapes + "folded" + strings.ReplaceAll(strings.Trim(fmt.Sprint(sizes), "[]"), " ", "x")
}

// ShapeTail reads the name of a shape, or of the node that makes it: what follows
// batch and sequence; nil for another name, and for the logits'.
func ShapeTail(name string) []int64 {
	var n, d int64
	name = strings.TrimSuffix(name, concat)
	if k, _ := fmt.Sscanf(name, shapes+"heads%dx%d", &n, &d); k == 2 {
		return []int64{n, d}
	}
	if k, _ := fmt.Sscanf(name, shapes+"flat%d", &n); k == 1 {
		return []int64{n}
	}
	return nil
}
