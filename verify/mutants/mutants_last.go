package mutants

import (
	"slices"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// lastMutants get wrong which token's logits a graph gives that gives one of each row.
func lastMutants() []Mutant {
	const chosen, place, real, row = "/last/Gather", "/last/row/Add", "/real/Gather", "/last/row/Mul"
	return []Mutant{
		inGraph("last-one-before", "last", "the head reads the token before the last", func(g *Graph) {
			g.feed(chosen, 1, "Sub", []string{g.ints(1)})
		}),
		inGraph("last-first", "last", "the head reads each row's first token", func(g *Graph) {
			g.node(chosen).Input[1] = g.node(place).Input[0]
		}),
		inGraph("last-column", "last", "the head reads the last column, padding or not", func(g *Graph) {
			g.node(place).Input[1] = g.before(place, "Sub", []string{"/mask/sequence/Squeeze_output_0", g.ints(1)})
		}),
		inGraph("last-column-ort", "last-ort", "the head reads the last column, padding or not", func(g *Graph) {
			g.node(place).Input[1] = g.before(place, "Sub", []string{"/mask/sequence/Squeeze_output_0", g.ints(1)})
		}),
		inGraph("last-mask-of-past", "last", "which tokens are padding is read at the first columns of the mask, the past's", func(g *Graph) {
			g.node(real).Input[1] = "/mask/query/Range_output_0"
		}),
		inGraph("last-of-another-row", "last", "a row of a batch gets the logits of the row that is as far from its other end", func(g *Graph) {
			last := g.before(row, "Sub", []string{"/last/row/Gather_output_0", g.ints(1)})
			g.node(row).Input[0] = g.before(row, "Sub", []string{last, g.node(row).Input[0]})
		}),
		inGraph("last-row-of-total", "last", "a row is taken to be as long as past and present together", func(g *Graph) {
			g.node(row).Input[1] = "/mask/total/Squeeze_output_0"
		}),
		inGraph("last-of-a-long-call", "last", "of a call of many tokens the head reads one before the last", func(g *Graph) {
			g.node(place).Input[1] = g.before(place, "Min", []string{g.node(place).Input[1], g.ints(45)})
		}),
		inGraph("last-guard-one-before", "last", "the guard asks the token before the last whether its position is in the tables", func(g *Graph) {
			g.feed("/last/inside/Gather", 1, "Sub", []string{g.ints(1)})
		}).still("the tables are longer than the prompt"),
		inGraph("last-not-said", "last", "the metadata say nothing of it", func(g *Graph) {
			g.model.MetadataProps = slices.DeleteFunc(g.model.MetadataProps, func(p *onnxpb.StringStringEntryProto) bool { return p.GetKey() == "pecvt.logits" })
		}).still("a reader that trusts the metadata takes one position's logits for all"),
	}
}
