// Package tensor holds what the other packages need to know about the
// elements of a stored tensor: the data types of safetensors files and the block
// formats of others, the conversion of little-endian bytes to and from Go
// numbers, and the checked arithmetic of shapes.
//
// A type is stored in units ([DType.Unit]): one element, or a block of a row's
// elements with the scales they share. Sizes, rows and places are counted in
// units, so that a block format is one more row of the table with its codec.
//
// Every conversion rounds at most once, to nearest, ties to even. Decoding a
// floating-point type to float64 is exact for every type; decoding to float32
// is exact for all but F64.
//
// Sources: IEEE 754-2019 (binary16, binary32, binary64); bfloat16 is the upper
// half of a binary32; FP8 E4M3 and E5M2 follow the OCP 8-bit Floating Point
// Specification (OFP8) revision 1.0 and arXiv 2209.05433.
package tensor
