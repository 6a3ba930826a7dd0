package generate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/run"
)

// Graph is a decoder's graph with one sequence under way. It is not safe for
// concurrent use.
type Graph struct {
	session   *ort.Session
	maxLength int // 0 where it is not known
	positions bool
	caches    []*cache
	vocab     int
	last      bool // logits are of the last token of a call alone

	length   int // tokens so far
	reserved int
	ones     []int64 // the mask
	counted  []int64 // 0, 1, 2, …
	logits   buffer
	decoded  []float32 // of logits that are no float32
}

// Open opens the graph of a folder that pecvt wrote. The library must be loaded
// ([ort.Load]).
func Open(dir string, opts ort.Options) (*Graph, error) {
	info, err := run.ReadGraph(dir)
	if err != nil {
		return nil, err
	}
	s, err := info.Session(info.Path, opts)
	if err != nil {
		return nil, err
	}
	g, err := newGraph(s, info.Model.GetGraph(), info.MaxLength, 0)
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("%s: %w", info.Path, err)
	}
	return g, nil
}

func newGraph(s *ort.Session, nodes *onnxpb.GraphProto, maxLength, headSize int) (*Graph, error) {
	g := &Graph{session: s, maxLength: maxLength}
	inPlace := writtenInPlace(nodes)
	known := []string{names.InputIDs, names.AttentionMask, names.PositionIDs}
	for _, v := range s.Inputs() {
		switch {
		case slices.Contains(known, v.Name):
			if v.DType != tensor.I64 {
				return nil, fmt.Errorf("input %q is %s: expected I64", v.Name, v.DType)
			}
			g.positions = g.positions || v.Name == names.PositionIDs
			continue
		case !strings.HasPrefix(v.Name, "past"):
			return nil, fmt.Errorf("input %q is not one that a decoder is fed: known are %s and caches (%s)", v.Name, strings.Join(known, ", "), names.PastPattern(names.Key))
		}
		c, err := newCache(v, s.Outputs(), headSize)
		if err != nil {
			return nil, err
		}
		c.inPlace = c.axis >= 0 && inPlace[v.Name]
		g.caches = append(g.caches, c)
	}
	for _, name := range known[:2] {
		if !slices.ContainsFunc(s.Inputs(), func(v ort.Value) bool { return v.Name == name }) {
			return nil, fmt.Errorf("the graph has no input %q", name)
		}
	}
	i := slices.IndexFunc(s.Outputs(), func(v ort.Value) bool { return v.Name == names.Logits })
	if i < 0 {
		return nil, fmt.Errorf("the graph has no output %q", names.Logits)
	}
	v := s.Outputs()[i]
	if len(v.Shape) != 3 || v.Shape[2] <= 0 || !v.DType.IsFloat() {
		return nil, fmt.Errorf("output %s: expected floats of (batch, sequence, vocabulary)", v)
	}
	g.vocab, g.logits.dtype, g.last = int(v.Shape[2]), v.DType, v.Shape[1] == 1
	return g, nil
}

// Close frees the session.
func (g *Graph) Close() error { return g.session.Close() }

// MaxLength is the number of positions of the graph's tables, 0 where that is not
// known.
func (g *Graph) MaxLength() int { return g.maxLength }

// Vocab is the number of logits of a token.
func (g *Graph) Vocab() int { return g.vocab }

// Length is the number of tokens of the sequence so far.
func (g *Graph) Length() int { return g.length }

// InPlace tells whether all caches are written where they are read: attention is then
// ONNX Runtime's GroupQueryAttention, which makes no tensor of queries × keys.
func (g *Graph) InPlace() bool {
	return !slices.ContainsFunc(g.caches, func(c *cache) bool { return !c.inPlace })
}

// Begin starts a sequence, of so many tokens where that is known: room is made once.
func (g *Graph) Begin(tokens int) {
	g.length, g.reserved = 0, tokens
	for _, c := range g.caches {
		c.begin()
	}
}

// writtenInPlace tells the inputs that operators alone read which can write into what
// they read.
func writtenInPlace(g *onnxpb.GraphProto) map[string]bool {
	in := map[string]bool{}
	for _, v := range g.GetInput() {
		in[v.GetName()] = true
	}
	for _, n := range g.GetNode() {
		for i, name := range n.GetInput() {
			if n.GetOpType() != "GroupQueryAttention" || n.GetDomain() != "com.microsoft" || i != 3 && i != 4 {
				delete(in, name)
			}
		}
	}
	return in
}
