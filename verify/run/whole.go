package run

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/written"
)

// metaLogits is the key of a graph's metadata that says which logits it gives, where
// that is not those of every token, and LogitsLast what it then says: those of each row's
// last token in a call, by attention_mask, (batch, 1, vocabulary).
const (
	metaLogits = "pecvt.logits"
	LogitsLast = "last"
)

// Whole has a graph whose head is computed for each row's last token give the logits of
// every token (see [GiveAll]), in g and in a copy of the graph in a folder beside it, with
// links to its weights, which the caller removes. Nil is a graph that gives all of them.
func Whole(g *GraphInfo) (*fsio.Temporary, error) {
	found, err := GiveAll(g.Model)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", g.Path, err)
	}
	if !found {
		return nil, nil
	}
	g.Written, g.Logits = written.Nodes(g.Model.GetGraph()), ""
	return g.copied("whole")
}

// copied writes the graph as it is now into a folder beside its own.
func (g *GraphInfo) copied(purpose string) (*fsio.Temporary, error) {
	own, err := beside(g.Dir(), purpose, g.Model)
	if err != nil {
		return nil, err
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(g.Model)
	if err == nil {
		err = os.WriteFile(filepath.Join(own.Dir, GraphFile), raw, 0o666)
	}
	if err != nil {
		own.Remove()
		return nil, fmt.Errorf("graph: a copy of it (%s): %w", purpose, err)
	}
	return own, nil
}

// GiveAll makes of a graph that gives the logits of each row's last token the same graph
// with those of every token: the Gather that chooses what the head reads is left out,
// with what only made its indices, and the logits get the sequence's length back. Each
// other node, edge, attribute and number is the graph's own. It reports whether there was
// anything to do. A graph that says in its metadata what its nodes are not is an error.
func GiveAll(m *onnxpb.ModelProto) (bool, error) {
	g := m.GetGraph()
	isLogits := func(p *onnxpb.StringStringEntryProto) bool { return p.GetKey() == metaLogits }
	said := slices.ContainsFunc(m.GetMetadataProps(), isLogits)
	choose, inside, out := nodeNamed(g, names.LastChosen), nodeNamed(g, names.LastInside), nodeNamed(g, names.HeadOut)
	logits := slices.IndexFunc(g.GetOutput(), func(v *onnxpb.ValueInfoProto) bool { return v.GetName() == names.Logits && len(dims(v)) == 3 })
	switch {
	case !said && choose == nil:
		return false, nil
	case choose == nil:
		return false, fmt.Errorf("metadata %s say that the logits are of each row's last token, and no node %q chooses it: emit the graph again with pecvt export", metaLogits, names.LastChosen)
	case !said:
		return false, fmt.Errorf("node %q chooses what the head reads, and no metadata %s say so: emit the graph again with pecvt export", names.LastChosen, metaLogits)
	case !gathers(choose) || out.GetOpType() != "Reshape" || len(out.GetInput()) != 2 || logits < 0 || len(nodeNamed(g, names.Lengths).GetOutput()) != 1:
		return false, fmt.Errorf("node %q or %q is another than pecvt emits: expected a Gather that chooses what the head reads, and a Reshape to (batch, 1, vocabulary); emit the graph again with pecvt export", names.LastChosen, names.HeadOut)
	case inside != nil && !gathers(inside):
		return false, fmt.Errorf("node %q is another than pecvt emits: expected a Gather of which tokens lie within the tables; emit the graph again with pecvt export", names.LastInside)
	}
	of, shape := []string{choose.GetInput()[1], out.GetInput()[1]}, wholeShape(g, dims(g.GetOutput()[logits])[2].GetDimValue())
	out.Input[1] = shape.Output[0]
	g.Node = slices.Insert(g.Node, slices.Index(g.Node, out), shape)
	for _, n := range []*onnxpb.NodeProto{choose, inside} {
		if n != nil {
			unchoose(g, n, g.GetOutput()[logits])
		}
	}
	for _, name := range of {
		prune(g, name)
	}
	m.MetadataProps = slices.DeleteFunc(m.MetadataProps, isLogits)
	return true, nil
}

// GuardedApart tells of a graph whose guard asks of another token whether its position is
// in the tables than the one that its head reads; "" where it is the same, or where all
// tokens pass the guard. What that makes of a position past the tables shows in no logits
// of others.
func GuardedApart(m *onnxpb.ModelProto) string {
	choose, inside := nodeNamed(m.GetGraph(), names.LastChosen), nodeNamed(m.GetGraph(), names.LastInside)
	if inside == nil || !gathers(choose) || !gathers(inside) || inside.GetInput()[1] == choose.GetInput()[1] {
		return ""
	}
	return fmt.Sprintf("node %q asks whether the tokens %s lie within the tables, and node %q chooses %s", names.LastInside, inside.GetInput()[1], names.LastChosen, choose.GetInput()[1])
}

// gathers tells whether a node chooses rows of a value by indices.
func gathers(n *onnxpb.NodeProto) bool {
	return n.GetOpType() == "Gather" && len(n.GetInput()) == 2 && len(n.GetOutput()) == 1
}

// rename has every node read another value than one, and what is called after that called
// after the other.
func rename(g *onnxpb.GraphProto, value, other string) {
	named := func(name string) string {
		if rest, ok := strings.CutPrefix(name, value); ok && (rest == "" || rest[0] == '/') {
			return other + rest
		}
		return name
	}
	for _, n := range g.GetNode() {
		n.Name = named(n.Name)
		for i, in := range n.GetInput() {
			n.Input[i] = named(in)
		}
		for i, out := range n.GetOutput() {
			if out != value {
				n.Output[i] = named(out)
			}
		}
	}
	for _, v := range g.GetValueInfo() {
		v.Name = named(v.Name)
	}
}

// unchoose has every node that reads the rows that one chose read those it chose among.
func unchoose(g *onnxpb.GraphProto, choose *onnxpb.NodeProto, logits *onnxpb.ValueInfoProto) {
	spread(g, choose, logits)
	value, among := choose.GetOutput()[0], choose.GetInput()[0]
	g.Node = slices.DeleteFunc(g.Node, func(n *onnxpb.NodeProto) bool { return n == choose })
	g.ValueInfo = slices.DeleteFunc(g.ValueInfo, func(v *onnxpb.ValueInfoProto) bool { return v.GetName() == value })
	rename(g, value, among)
}

func nodeNamed(g *onnxpb.GraphProto, name string) *onnxpb.NodeProto {
	for _, n := range g.GetNode() {
		if n.GetName() == name {
			return n
		}
	}
	return nil
}

func dims(v *onnxpb.ValueInfoProto) []*onnxpb.TensorShapeProto_Dimension {
	return v.GetType().GetTensorType().GetShape().GetDim()
}

// spread declares what comes after a choice of rows with as many rows as it chose among,
// and the logits with as many tokens as the graph is given.
func spread(g *onnxpb.GraphProto, choose *onnxpb.NodeProto, logits *onnxpb.ValueInfoProto) {
	declared := map[string][]*onnxpb.TensorShapeProto_Dimension{}
	for _, v := range slices.Concat(g.GetInput(), g.GetValueInfo()) {
		declared[v.GetName()] = dims(v)
	}
	after := map[string]bool{choose.GetOutput()[0]: true}
	for _, n := range g.GetNode() {
		if !slices.ContainsFunc(n.GetInput(), func(in string) bool { return after[in] }) {
			continue
		}
		for _, o := range n.GetOutput() {
			after[o] = true
			if d, rows := declared[o], declared[choose.GetInput()[0]]; len(d) > 0 && len(rows) > 0 {
				d[0].Reset()
				proto.Merge(d[0], rows[0])
			}
		}
	}
	if ids := declared[names.InputIDs]; len(ids) == 2 {
		d := dims(logits)[1]
		d.Reset()
		proto.Merge(d, ids[1])
	}
}

// wholeShape is the node that makes [batch, sequence, vocabulary], as a graph with all
// logits has it.
func wholeShape(g *onnxpb.GraphProto, vocab int64) *onnxpb.NodeProto {
	const shape, output, width = names.LogitsShape + "/Concat", names.LogitsShape + "/Concat_output_0", "/const/logits"
	g.Initializer = append(g.Initializer, &onnxpb.TensorProto{Name: width, DataType: int32(onnxpb.TensorProto_INT64), Dims: []int64{1}, RawData: binary.LittleEndian.AppendUint64(nil, uint64(vocab))})
	g.ValueInfo = append(g.ValueInfo, &onnxpb.ValueInfoProto{Name: output, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{
		ElemType: int32(onnxpb.TensorProto_INT64),
		Shape:    &onnxpb.TensorShapeProto{Dim: []*onnxpb.TensorShapeProto_Dimension{{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: 3}}}},
	}}}})
	return &onnxpb.NodeProto{Name: shape, OpType: "Concat", Input: []string{nodeNamed(g, names.Lengths).GetOutput()[0], width}, Output: []string{output},
		Attribute: []*onnxpb.AttributeProto{{Name: "axis", Type: onnxpb.AttributeProto_INT}}}
}

// prune leaves out what made a value that nothing reads any more.
func prune(g *onnxpb.GraphProto, name string) {
	reads := func(n *onnxpb.NodeProto) bool { return slices.Contains(n.GetInput(), name) }
	if slices.ContainsFunc(g.GetNode(), reads) || slices.ContainsFunc(g.GetOutput(), func(v *onnxpb.ValueInfoProto) bool { return v.GetName() == name }) {
		return
	}
	g.Initializer = slices.DeleteFunc(g.Initializer, func(t *onnxpb.TensorProto) bool { return t.GetName() == name })
	g.ValueInfo = slices.DeleteFunc(g.ValueInfo, func(v *onnxpb.ValueInfoProto) bool { return v.GetName() == name })
	i := slices.IndexFunc(g.GetNode(), func(n *onnxpb.NodeProto) bool { return len(n.GetOutput()) == 1 && n.GetOutput()[0] == name })
	if i < 0 {
		return
	}
	in := g.Node[i].GetInput()
	g.Node = slices.Delete(g.Node, i, i+1)
	for _, name := range in {
		prune(g, name)
	}
}
