// Package widths chooses the codes of each weight of a model that is rounded: linear maps
// have one scheme, and the embedding and the head, of which every token's numbers and
// every logit are made, may have another.
package widths
