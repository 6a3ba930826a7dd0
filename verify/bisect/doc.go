// Package bisect finds the node where a graph's values first leave the budget,
// and cuts it out as a repro that can be run by itself.
//
// A [Case] says all that there is to know: the graph, the model that it should
// compute, who runs it, and which checks failed. A failed check is made once more
// with a runner in its place that compares what the graph computes on the way
// with an oracle: the reference, or, for a fault of a runtime, the same graph in
// float64. Stages between two residual streams come first, then the nodes of the
// first bad one.
package bisect
