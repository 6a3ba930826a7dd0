package written

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

type node = *onnxpb.NodeProto

// reader takes a group apart.
type reader func(g *group) node

// readers are the operators that can be written out, by the last part of their
// nodes' names.
var readers = map[string]reader{
	"Attention":        attention,
	"Gelu":             gelu,
	"Gemm":             gemm,
	"RMSNormalization": rmsNorm,
	"Rotation":         rotation,
}

// Graph is a graph's nodes with each written-out operator as one.
type Graph struct {
	// Nodes are in the graph's order; a group is where its last node was, unless it
	// is Wrong.
	Nodes []*onnxpb.NodeProto
	// Groups are the nodes that stand for groups, by name.
	Groups map[string]*onnxpb.NodeProto
	// Steps are the groups' nodes, but for the last, by name: the name of the group.
	Steps map[string]string
	// Coded are the groups that are products with codes.
	Coded map[string]bool
	// Wrong says of groups, by name, what is not as the operator is written out.
	Wrong map[string]string
}

// Nodes reads a graph.
func Nodes(g *onnxpb.GraphProto) *Graph {
	out := &Graph{Groups: map[string]*onnxpb.NodeProto{}, Steps: map[string]string{}, Coded: map[string]bool{}, Wrong: map[string]string{}}
	roots := map[string]bool{}
	for _, n := range g.GetNode() {
		if isRoot(n) {
			roots[n.GetName()] = true
		}
		for step, op := range map[string]string{nbits: nbits, names.Decoded: "Gemm"} {
			if of, ok := strings.CutSuffix(n.GetName(), "/"+step); ok && n.GetOpType() == op {
				roots[of] = true // whose last node may be Gemm itself
			}
		}
	}
	if len(roots) == 0 {
		out.Nodes = g.GetNode()
		return out
	}
	groups := map[string]*group{}
	c, makers := constantsOf(g), makersOf(g)
	of := func(n node) (*group, string) {
		root, step := rootOf(n.GetName(), roots)
		if root == "" {
			return nil, ""
		}
		if groups[root] == nil {
			groups[root] = &group{name: root, nodes: map[string]node{}, constants: c, makers: makers}
		}
		return groups[root], step
	}
	for _, n := range g.GetNode() {
		if g, step := of(n); g != nil {
			if g.nodes[step] != nil {
				g.fail("two nodes are called %s", n.GetName())
			}
			g.nodes[step] = n
			if step != "" {
				out.Steps[n.GetName()] = g.name
			}
		}
	}
	for _, n := range g.GetNode() {
		g, step := of(n)
		switch {
		case g == nil:
			out.Nodes = append(out.Nodes, n)
		case step == "":
			if one := g.read(); g.wrong != "" {
				out.Wrong[g.name] = g.wrong
			} else {
				out.Nodes = append(out.Nodes, one)
				out.Groups[g.name], out.Coded[g.name] = one, g.coded
			}
		}
	}
	return out
}

// isRoot tells a node that has an operator's name and is another.
func isRoot(n node) bool {
	op := lastOf(n.GetName())
	return readers[op] != nil && n.GetOpType() != op && (n.GetDomain() == "" || n.GetOpType() == nbits)
}

func lastOf(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// rootOf is the group that a node is in, and what it is there, "" for the last.
func rootOf(name string, roots map[string]bool) (root, step string) {
	if roots[name] {
		return name, ""
	}
	at := strings.LastIndexByte(name, '/')
	if at > 0 && roots[name[:at]] {
		return name[:at], name[at+1:]
	}
	if of, join := strings.CutSuffix(name, "/Concat"); join { // of what several weights have
		at = strings.LastIndexByte(of, '/')
		if at > 0 && roots[of[:at]] {
			return of[:at], name[at+1:]
		}
	}
	return "", ""
}

// makersOf are a graph's nodes by what they make.
func makersOf(g *onnxpb.GraphProto) map[string]node {
	makers := map[string]node{}
	for _, n := range g.GetNode() {
		for _, value := range n.GetOutput() {
			makers[value] = n
		}
	}
	return makers
}

// group is one operator that is written out.
type group struct {
	name      string
	nodes     map[string]node // by step, "" the last
	taken     int
	constants constants
	makers    map[string]node // of the graph's values
	coded     bool            // it is a product with codes
	wrong     string
}

func (g *group) fail(format string, args ...any) {
	if g.wrong == "" {
		g.wrong = fmt.Sprintf(format, args...)
	}
}

// read takes the group apart and holds that nothing is left.
func (g *group) read() node {
	n := readers[lastOf(g.name)](g)
	if g.wrong == "" && g.taken != len(g.nodes) {
		g.fail("%s has %d nodes, of which %d make up %s", g.name, len(g.nodes), g.taken, lastOf(g.name))
	}
	if n != nil {
		n.Name = g.name
	}
	return n
}

// has tells whether there is a step.
func (g *group) has(step string) bool { return g.nodes[step] != nil }

// take is the node of a step, which must be of the operator, with that many inputs
// and with the attributes given and no others. A node that is not so is told of, and
// an empty one returned.
func (g *group) take(step, op string, inputs int, attrs ...*onnxpb.AttributeProto) node {
	n := g.nodes[step]
	at := strings.TrimSuffix(g.name+"/"+step, "/")
	none := &onnxpb.NodeProto{Input: make([]string, inputs), Output: make([]string, 3)}
	if n == nil {
		g.fail("there is no node %s: expected %s", at, op)
		return none
	}
	g.taken++
	switch {
	case n.GetOpType() != op || n.GetDomain() != "":
		g.fail("%s is %s: expected %s", at, n.GetOpType(), op)
	case len(n.GetInput()) != inputs || slices.Contains(n.GetInput(), ""):
		g.fail("%s (%s) has %d inputs: expected %d", at, op, len(n.GetInput()), inputs)
	case len(n.GetOutput()) == 0:
		g.fail("%s (%s) has no output", at, op)
	case !sameAttributes(n.GetAttribute(), attrs):
		g.fail("%s (%s) has the attributes %s: expected %s", at, op, spell(n.GetAttribute()), spell(attrs))
	default:
		return n
	}
	return none
}

// reads holds that an input of a node is what another step made, or any of the
// values given.
func (g *group) reads(n node, input int, values ...string) {
	if g.wrong == "" && !slices.Contains(values, n.GetInput()[input]) {
		g.fail("%s reads %s as input %d: expected %s", n.GetName(), n.GetInput()[input], input, values[0])
	}
}

// out is a node's first output.
func out(n node) string { return n.GetOutput()[0] }

func sameAttributes(have, want []*onnxpb.AttributeProto) bool {
	if len(have) != len(want) {
		return false
	}
	for _, w := range want {
		if !slices.ContainsFunc(have, func(h *onnxpb.AttributeProto) bool {
			return h.GetName() == w.GetName() && h.GetI() == w.GetI() && slices.Equal(h.GetInts(), w.GetInts()) && h.GetType() == w.GetType()
		}) {
			return false
		}
	}
	return true
}

func spell(list []*onnxpb.AttributeProto) string {
	var parts []string
	for _, a := range list {
		if a.GetType() == onnxpb.AttributeProto_INTS {
			parts = append(parts, fmt.Sprintf("%s = %v", a.GetName(), a.GetInts()))
		} else {
			parts = append(parts, fmt.Sprintf("%s = %d", a.GetName(), a.GetI()))
		}
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, ", ")
}

func integer(name string, v int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_INT, I: v}
}

func integers(name string, v ...int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_INTS, Ints: v}
}

func number(name string, v float32) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_FLOAT, F: v}
}

func text(name, v string) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_STRING, S: []byte(v)}
}
