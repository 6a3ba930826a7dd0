// Package posenc is the mathematics of positional encodings, in float64 and
// with the standard library alone.
//
// Conventions, used everywhere in pecvt:
//
//   - Positions t = 0, 1, …; query i, key j <= i; head size d.
//   - A plane p is a pair of coordinates turned by one angle. Halves pairing
//     (Hugging Face) puts it at coordinates p and p + r/2 of the first r;
//     interleaved pairing (GPT-J, GLM, llama2.c) at 2p and 2p+1.
//   - Rotations turn by +θt: y1 = x1 cos − x2 sin, y2 = x2 cos + x1 sin
//     (arXiv 2104.09864 as transformers spells it). The GRAPE paper
//     (arXiv 2512.07805) turns by −θt; the two agree after negating the second
//     coordinate of every plane in both W_q and W_k.
//   - Inverse frequencies θ are radians per position. Angles are computed in
//     float64 from the integer position and rounded once, by whoever stores
//     them: an angle computed in bf16 merges positions above 256.
//
// Every encoding is a row of the table in registry.go and a file of its own.
package posenc
