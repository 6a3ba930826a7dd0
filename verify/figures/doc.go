// Package figures makes what a report shows and does not judge: the error
// position by position and layer by layer, the planes of a spectrum, the decay of
// the score over distance, and the drift of a model from its source. A [Case]
// says all that they are made of.
package figures
