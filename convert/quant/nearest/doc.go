// Package nearest rounds rows of numbers to codes of 4 or 8 bits that share a scale in
// blocks: what a graph holds in the place of floats.
//
// A number is (code − zero) · scale + low, where zero is a code and low a float of its
// block, of which a [Scheme] has the one, the other, or neither. Scales and lows are
// numbers of float16. Where a block's numbers were made of such codes before (Q4_0, Q4_1
// and Q8_0 of ggml, rounded to bfloat16 or not), those codes are found again, so that
// nothing is lost; else the scale is the least with which no number is farther than half
// of it from its code.
package nearest
