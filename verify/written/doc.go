// Package written reads operators that a graph has written out in others: the
// forms for runtimes that lack RMSNormalization, RotaryEmbedding, Attention or
// Gelu, or whose tools look for MatMul.
//
// The last node of such a group has the name that the operator's node would have,
// ending in the operator's name; those before it have names below it,
// name/step. [Nodes] takes each group apart step by step, as the operator's
// definition has it, and gives the one node that it stands for, with the numbers
// that its constants are as attributes. A group of any other shape is told of, and
// stands for nothing. It shares no code with what writes the groups.
package written
