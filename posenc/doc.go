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
// An attention layer has two seams and no more. A Rotation turns q and k by a
// position or a phase; a Bias adds to the score. Any of one goes with any of the
// other. A rotation comes down to planes in a basis that folds into W_q and W_k
// (PlaneForm, FoldBasis), which is what graphs and checkpoints carry.
//
// Matrices are row-major; a generator L (d × d) means exp(tL) with t in
// positions and L in radians per position. Encodings with a history (FoX's sum,
// the contextual phase, KV-shift) take their state from the caller, who keeps it
// in the cache; a key's share of it never changes once written.
//
// Spectra are rows of the tables in registry.go, biases of that in tables.go, each
// with a file of its own; package posenctest runs every row, and every rotation,
// through one suite of laws.
//
// # Stability
//
// Encodings, FindEncoding, RopeParams, HoPE, Cut, Scale, the slopes and package hint
// are meant to stay. Rows of the tables come; the interfaces Rotation and Bias may
// grow with what the next encoding needs.
package posenc
