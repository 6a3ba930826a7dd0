package run

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify/written"
)

// Joints tells of the first place where the residual stream does not go from a layer to
// the next: what a layer's first norm reads is what the layer before hands on, and no
// other node of a layer reads another layer's stream, which would be the same value where
// those between are left out. "" is none, and so is a layer whose last node is not known
// by its name.
func Joints(g *GraphInfo, m *family.Model) string {
	nodes := g.Written.Nodes
	stream, missing := Streams(m, nodes)
	if missing != "" {
		return fmt.Sprintf("the graph has no node %s: names were changed or stripped after the emission: emit the graph again with pecvt export", missing)
	}
	made := map[string]string{}
	for _, n := range nodes {
		for _, o := range Outputs(n) {
			made[o] = n.GetName()
		}
	}
	for i := range m.Blocks {
		last := names.Last(i, &m.Blocks[i])
		if by := made[stream[i+1]]; last != "" && by != last && !movesStream(by) {
			return fmt.Sprintf("what follows layer %d reads %q, which node %q makes: expected the layer's output, of node %q", i, stream[i+1], by, last)
		}
	}
	before := map[string]int{}
	for i, s := range stream {
		before[s] = i
	}
	for _, n := range nodes {
		layer, _ := names.Split(n.GetName())
		if layer < 0 || layer >= len(stream) {
			continue
		}
		for _, in := range reads(n) {
			if i, ok := before[in]; ok && in != stream[layer] {
				return fmt.Sprintf("node %q of layer %d reads %q, the stream before layer %d: expected %q, the one before its own", n.GetName(), layer, in, i, stream[layer])
			}
		}
	}
	return ""
}

// reads are a node's inputs, and those of the nodes of the graphs in it.
func reads(n *onnxpb.NodeProto) []string {
	list := slices.Clone(n.GetInput())
	for _, inner := range graphsIn(n) {
		for _, n := range inner.GetNode() {
			list = append(list, reads(n)...)
		}
	}
	return list
}

// movesStream tells whether a node hands the stream on as it is, or chosen rows of it.
func movesStream(name string) bool {
	return name == names.StreamOfRows || name == names.LastChosen || name == names.Guard
}

// Marking is the layer in whose cache a graph keeps which tokens were outside of its
// tables, −1 where it keeps that nowhere.
func Marking(g *GraphInfo) int {
	for _, n := range g.Model.GetGraph().GetNode() {
		if layer, place := names.Split(n.GetName()); layer >= 0 && place == names.Marked {
			return layer
		}
	}
	return -1
}

// PickLayers is a model of some of a model's layers, in their order, with its embedding
// and head. What a layer cannot be without is an error that names it.
func PickLayers(m *family.Model, layers []int) (*family.Model, error) {
	if m.ByLayer != nil {
		return nil, fmt.Errorf("embeddings by layer, which are made for all layers at once: some layers of such a model alone are %w; verify it whole", posenc.ErrUnsupported)
	}
	at := map[int]int{}
	for j, i := range layers {
		if i < 0 || i >= len(m.Blocks) {
			return nil, fmt.Errorf("layer %d: the model has layers 0 to %d", i, len(m.Blocks)-1)
		}
		at[i] = j
	}
	c := *m
	c.Blocks = nil
	attends := false
	for _, i := range layers {
		b := m.Blocks[i]
		if _, next := at[i+1]; b.Shortcut != nil && !next {
			return nil, fmt.Errorf("layer %d: its mixture joins the stream after layer %d: name that too", i, i+1)
		}
		if _, before := at[i-1]; i > 0 && m.Blocks[i-1].Shortcut != nil && !before {
			return nil, fmt.Errorf("layer %d: the mixture of layer %d joins the stream after it: name that too", i, i-1)
		}
		if a := b.Attn(); a != nil && a.KVLayer != nil {
			j, ok := at[*a.KVLayer]
			if !ok {
				return nil, fmt.Errorf("layer %d: its queries meet the keys of layer %d: name that too", i, *a.KVLayer)
			}
			own := *a
			own.KVLayer, b.Mixer = &j, &own
		}
		attends = attends || b.Attn() != nil && b.Attn().KVLayer == nil
		c.Blocks = append(c.Blocks, b)
	}
	if !attends {
		return nil, fmt.Errorf("none of the layers %s has attention with keys of its own: name one that has, since positions are counted by its cache", Numbers(layers))
	}
	return &c, nil
}

// Numbers writes layers as texts do: "0, 30 and 60".
func Numbers(list []int) string {
	text := ""
	for i, n := range list {
		switch {
		case i > 0 && i == len(list)-1:
			text += " and "
		case i > 0:
			text += ", "
		}
		text += fmt.Sprint(n)
	}
	return text
}

// KeepLayers makes of a graph the one of some of its layers, those that picked
// ([PickLayers]) has of m: the first reads the stream that the first layer of the graph
// reads, each other the one that the layer before it among them hands on, and the head
// that of the last. The nodes of the other layers are left out, with their caches; each
// other node, attribute and number is the graph's own. Layers are counted anew, in the
// names too. A node that cannot be told to be of the layers kept is an error.
func KeepLayers(g *GraphInfo, m, picked *family.Model, layers []int) (*GraphInfo, error) {
	stream, missing := Streams(m, g.Written.Nodes)
	if missing != "" {
		return nil, fmt.Errorf("%s: the graph has no node %s, so that its layers are not known apart: emit it again with pecvt export", g.Path, missing)
	}
	k := keeper{to: map[int]int{}, tables: tableNames(m, picked), reads: map[string]string{}}
	before := 0 // the stream that the next kept layer reads
	for j, i := range layers {
		k.to[i] = j
		if i != before {
			k.reads[stream[i]] = stream[before]
		}
		before = i + 1
	}
	if last := len(m.Blocks); before != last {
		k.reads[stream[last]] = stream[before]
	}
	own := *g
	own.Model = proto.Clone(g.Model).(*onnxpb.ModelProto)
	if err := k.cut(own.Model.GetGraph()); err != nil {
		return nil, fmt.Errorf("%s: %w", g.Path, err)
	}
	own.Written = written.Nodes(own.Model.GetGraph())
	return &own, own.readInputs()
}

// Copied writes the graph as it is now into a folder beside its own, with links to its
// weights, which the caller removes.
func (g *GraphInfo) Copied(purpose string) (*fsio.Temporary, error) { return g.copied(purpose) }

// tableNames says what the tables of cosines and sines are called in the graph of the
// picked layers, by what they are called now.
func tableNames(m, picked *family.Model) map[string]string {
	found := map[string]string{}
	all := Tables(m)
	for _, t := range Tables(picked) {
		base, _, _ := strings.Cut(t.Name, ".")
		for _, o := range all {
			was, _, _ := strings.Cut(o.Name, ".")
			if was == base && reflect.DeepEqual(o.Rotary, t.Rotary) {
				found[o.Name] = t.Name
			}
		}
	}
	return found
}

// keeper cuts layers out of a graph.
type keeper struct {
	to     map[int]int       // the new number of each layer kept
	tables map[string]string // paths of tables that are called otherwise
	reads  map[string]string // what is read in the place of a stream
}

func (k *keeper) cut(g *onnxpb.GraphProto) error {
	goes := func(v *onnxpb.ValueInfoProto) bool {
		layer, kind, ok := names.CacheOf(v.GetName())
		_, kept := k.to[layer]
		return ok && kind != "" && !kept
	}
	g.Input, g.Output = slices.DeleteFunc(g.Input, goes), slices.DeleteFunc(g.Output, goes)
	for _, n := range g.GetNode() {
		k.readers(n)
	}
	live := map[string]bool{}
	for _, v := range g.GetOutput() {
		live[v.GetName()] = true
	}
	var nodes []*onnxpb.NodeProto
	for _, n := range slices.Backward(g.GetNode()) {
		if !slices.ContainsFunc(n.GetOutput(), func(o string) bool { return o != "" && live[o] }) {
			continue
		}
		if layer, _ := names.Split(n.GetName()); layer >= 0 {
			if _, kept := k.to[layer]; !kept {
				return fmt.Errorf("node %q of layer %d is needed without the layer: what reads it skips layers, or the emission is another than pecvt's", n.GetName(), layer)
			}
		}
		alive(n, live)
		nodes = append(nodes, n)
	}
	slices.Reverse(nodes)
	if name := k.unmade(g, nodes); name != "" {
		return fmt.Errorf("%q of a layer that is left out is read: what reads it skips layers, or the emission is another than pecvt's", name)
	}
	g.Node = nodes
	g.Initializer = slices.DeleteFunc(g.Initializer, func(t *onnxpb.TensorProto) bool { return !live[t.GetName()] })
	g.ValueInfo = slices.DeleteFunc(g.ValueInfo, func(v *onnxpb.ValueInfoProto) bool { return !live[v.GetName()] })
	k.rename(g)
	return nil
}

// unmade is a value that nodes read and that is no input, no constant and no other
// node's output, "" where there is none.
func (k *keeper) unmade(g *onnxpb.GraphProto, nodes []*onnxpb.NodeProto) string {
	there := map[string]bool{"": true}
	for _, v := range g.GetInput() {
		there[v.GetName()] = true
	}
	for _, t := range g.GetInitializer() {
		there[t.GetName()] = true
	}
	for _, n := range nodes {
		for _, in := range n.GetInput() {
			if !there[in] {
				return in
			}
		}
		for _, o := range n.GetOutput() {
			there[o] = true
		}
	}
	return ""
}

// readers has a node, and the graphs in it, read the streams of the layers kept.
func (k *keeper) readers(n *onnxpb.NodeProto) {
	for i, in := range n.GetInput() {
		if other, ok := k.reads[in]; ok {
			n.Input[i] = other
		}
	}
	for _, inner := range graphsIn(n) {
		for _, n := range inner.GetNode() {
			k.readers(n)
		}
	}
}

// alive marks what a node reads, and what the graphs in it do.
func alive(n *onnxpb.NodeProto, live map[string]bool) {
	for _, in := range n.GetInput() {
		live[in] = true
	}
	for _, inner := range graphsIn(n) {
		for _, n := range inner.GetNode() {
			alive(n, live)
		}
		for _, v := range inner.GetOutput() {
			live[v.GetName()] = true
		}
	}
}

// graphsIn are the graphs that a node holds: bodies of loops and branches.
func graphsIn(n *onnxpb.NodeProto) []*onnxpb.GraphProto {
	var list []*onnxpb.GraphProto
	for _, a := range n.GetAttribute() {
		if a.GetG() != nil {
			list = append(list, a.GetG())
		}
		list = append(list, a.GetGraphs()...)
	}
	return list
}

// rename counts layers anew in all names of a graph.
func (k *keeper) rename(g *onnxpb.GraphProto) {
	for _, list := range [][]*onnxpb.ValueInfoProto{g.GetInput(), g.GetOutput(), g.GetValueInfo()} {
		for _, v := range list {
			v.Name = k.name(v.GetName())
		}
	}
	for _, t := range g.GetInitializer() {
		t.Name = k.name(t.GetName())
	}
	for _, n := range g.GetNode() {
		n.Name = k.name(n.GetName())
		for _, list := range [][]string{n.GetInput(), n.GetOutput()} {
			for i, v := range list {
				list[i] = k.name(v)
			}
		}
		for _, inner := range graphsIn(n) {
			k.rename(inner)
		}
	}
}

// name is what something is called when layers are counted anew.
func (k *keeper) name(name string) string {
	if layer, kind, ok := names.CacheOf(name); ok {
		if to, kept := k.to[layer]; kept {
			for _, made := range []func(int, string) string{names.Past, names.Present, names.PastState, names.PresentState} {
				if made(layer, kind) == name {
					return made(to, kind)
				}
			}
		}
		return name
	}
	if layer, rest := names.Split(name); layer >= 0 {
		if to, kept := k.to[layer]; kept {
			return fmt.Sprintf("/layers.%d/%s", to, rest)
		}
		return "/other" + name // a constant that another layer gave its name
	}
	for was, is := range k.tables {
		if rest, ok := strings.CutPrefix(name, was+"/"); ok && was != is {
			return is + "/" + rest
		}
	}
	return name
}
