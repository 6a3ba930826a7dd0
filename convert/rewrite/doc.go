// Package rewrite decides how a checkpoint's positional encoding becomes
// another one: the planes' new frequencies, the configuration that spells them
// for stock loaders, and which rows of which tensors move. It computes and
// prints nothing else: it reads no tensor and writes no file.
//
// Two layouts:
//
//   - native: the weights stay byte for byte and config.json's rope type says
//     the new spectrum. Which rope types can say it is solved for, and the
//     answer is read back and compared before it is returned.
//   - partial: the coordinates of the planes that still turn come first in
//     every head, so that a loader which knows only a partial rotary dimension
//     runs the result. Scores do not change: queries and keys are permuted
//     alike.
//
// What no rope type says (frequencies per head, biases) leaves the weights alone
// as well: small tensors come beside, and the configuration becomes the block
// that family reads (family/block.go).
//
// Which source becomes which encoding, exactly, with a loss or not at all, is
// the table in rules.go. A new rewrite is a row of posenc's table of encodings
// where the new spectrum is shared by all heads, else a file here and rows of
// rules.
//
// # Stability
//
// Make, Options and Table are meant to stay. A Rewrite is a decision to read, not
// one to build by hand.
package rewrite
