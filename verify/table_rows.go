package verify

import (
	"slices"

	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// table is a function, as what makes a check looks its row up.
func table() []Kind { return slices.Concat(folderChecks(), answerChecks(), lawChecks(), endChecks()) }

// asked is a check of the answers to the prompt.
func asked(check func(*session, run.Input, want) error) func(*session) error {
	return func(s *session) error { return check(s, s.in, s.answers) }
}

// always is a check that can be made whatever comes.
func always(check func(*session)) func(*session) error {
	return func(s *session) error {
		check(s)
		return nil
	}
}

// folderChecks are those of the folder and the graph's own data.
func folderChecks() []Kind {
	return []Kind{
		{Name: report.CheckWeights,
			Meaning: "the tensor files are those the graph was emitted for, by their headers and the first 64 bytes of each tensor; it reads every tensor of the model, in its type and shape, where the header has it, or holds the same bytes, or codes near them, by the digests of what was written; all numbers are finite",
			steps:   steps{1, 0}, when: ofFolder, make: (*session).weights},
		{Name: report.CheckSourceWeights,
			Meaning: "the tensor files are the source's, byte for byte, where " + hint.Hash + " recorded them and the conversion leaves them",
			Blame:   "a tensor was changed in the conversion or after it: convert the source again; verify " + hint.Against + " names the tensor",
			when:    ofFolder, make: (*session).sourceHashes},
		{Name: report.CheckTables,
			Meaning: "every cos and sin in the graph is the one of config.json's encoding",
			Blame:   "the emission is wrong, or config.json was changed after it: emit the graph again with pecvt export",
			other:   true, when: ofFolder, make: always((*session).tables)},
		{Name: report.CheckGenerators,
			Meaning: "of every key/value head that turns by exp(tL) (`grape-m:basis`, `mixed`, `rank2`, `dense`), by matrix exponentials of the generator in its tensors: made-up vectors keep their length, turns add up, scores depend on distances alone, and the planes and basis of the graph, and the closed form, are that exponential, up to the last position, or as far as float64 holds the largest angle (2^23 radians over D + 16)",
			Blame:   "the generator's planes are wrong: a fault of pecvt; emit the graph again with pecvt export, and keep the folder",
			other:   true, when: ofFolder, make: always((*session).generators)},
		{Name: report.CheckWindowSize,
			Meaning: "the window of every layer of the graph is config.json's",
			Blame:   "the emission is wrong, or config.json was changed after it: emit the graph again with pecvt export",
			other:   true, when: ofFolder, make: always((*session).windowSizes)},
		{Name: report.CheckAttributes,
			Meaning: "ε of every norm, scale of scores, heads, windows, pairing: exactly config.json's; no cap or factor that the model does not have; a key that is not seen has float32's lowest added",
			Blame:   "the emission is wrong, or config.json was changed after it: emit the graph again with pecvt export",
			other:   true, when: ofFolder, make: always((*session).attributes)},
		{Name: report.CheckMetadata,
			Meaning: "the graph's metadata, config.json and pecvt.json tell of the same encoding, length, family and planes, and pecvt.json of the graph's numbers what the graph says",
			Blame:   "one of the files was changed after the conversion, or the conversion is wrong: convert the source again, or emit the graph of what is there with pecvt export",
			other:   true, when: ofFolder, make: always((*session).metadata)},
		{Name: report.CheckFiles,
			Meaning: "what `pecvt.json` lists is there, in its size, with the SHA-256 that it has of the configuration, the tokenizer and other small files, and of tensor files that a retrofit wrote, or any conversion with `" + hint.Hash + "`, and every tensor that was copied or written anew with its CRC-32C; of a GGUF file that a conversion wrote, its header and every tensor likewise; links and reflinks, of which the conversion read no byte, are named",
			Blame:   "the file was changed after the conversion, or a disk or a transfer damaged it: make the change in the source and convert it again; a folder that is meant to differ is verified as an exported one once " + run.ManifestFile + " is removed, a GGUF file, which has none, once its key pecvt.crc32c is",
			steps:   steps{4, 0}, when: ofFolder, make: (*session).files},
		{Name: report.CheckGenAI,
			Meaning: "`genai_config.json`, where there is one, is of this graph: file, layers, heads, names of inputs and outputs, the caches' widths and whether they are written in place, length, the tokens that begin and end a text",
			Blame:   "genai_config.json is of another graph, or was changed: emit the graph again with pecvt export",
			when:    ofFolder, make: (*session).genAI},
		{Name: report.CheckInterface,
			Meaning: "the graph takes tokens, mask, positions and every layer's past, and gives logits and every present, in their types and shapes; where not, it is not run",
			Blame:   "the emission is wrong, or the graph was changed after it: emit it again with pecvt export",
			other:   true, when: ofFolder, make: (*session).signature},
		{Name: report.CheckTypes,
			Meaning: "a graph that computes in float16 or bfloat16 (`" + hint.DType + "`) says so, keeps keys and values in that type, holds no constant that the type does not, and rounds to it no position, table or sum that it widens again; each cast to it is of float32 or of a stored weight. All other checks are made on the same graph without its casts, in float32",
			Needs:   []Need{NeedHalf},
			Blame:   "the emission is wrong, or the graph was changed after it: emit it again with pecvt export",
			other:   true, when: ofFolder, make: (*session).types},
		{Name: report.CheckLayers,
			Meaning: "in the whole graph the residual stream goes from each layer to the next, and no layer reads another's, as far as its nodes' names tell; of it only the layers that were asked for (`" + hint.Layers + "`) are run, so that the verification is incomplete at best: the first of them reads the embedding, each other what the one before it among them hands on, the head what the last does, in the graph and in the reference, and numbers of other layers are not read. Checks that run the graph count layers from 0",
			Needs:   []Need{NeedLayers},
			Blame:   "the emission is wrong, or the graph was changed after it: emit it again with pecvt export",
			other:   true, when: ofFolder, make: always((*session).joints)},
		{Name: report.CheckRotation,
			Meaning: "made-up queries and keys that go through each layer's rotation in the graph, at every position that the tables hold, turn as config.json's encoding does, number by number; past 2^27 numbers one head of a layer, and each position in every other layer or fewer; phases, which depend on the tokens, are left to the prompts",
			Needs:   []Need{NeedRunners},
			Blame:   "the tables may be right, and what looks up in them is not: emit the graph again with pecvt export",
			other:   true, steps: steps{1, 0}, when: ofGraph, make: (*session).rotation},
		{Name: report.CheckLoad,
			Meaning: "the runner opens the graph; recorded only where it does not",
			Needs:   []Need{NeedRunners},
			steps:   steps{1, 1}, when: ofGraph},
	}
}

// endChecks are those that need more than the folder, and those of the end.
func endChecks() []Kind {
	return []Kind{
		{Name: report.CheckRoundedInputs,
			Meaning: "a graph that declares products which round what enters them to 8 bits (`" + hint.Accuracy + " int8`), run as it is, gives what the interpreter gives with that rounding: to float32, and where a number lies between two steps within twice what the rounding costs; all other checks of such a graph are made without the rounding",
			Needs:   []Need{NeedRunners, NeedReference, NeedRounding},
			Blame:   "ONNX Runtime's products with codes (MatMulNBits, accuracy_level 4) are wrong on this machine, which float32 inputs did not show: emit the graph again with " + hint.Accuracy + " float32",
			steps:   steps{2, 0}, when: ofOthers, make: (*session).roundedInputs},
		{Name: report.CheckSixteenBits,
			Meaning: "a graph that computes in float16 or bfloat16, run as it is, in a prefill and on through its own cache, is off from the reference by what rounding to that type costs: of the interpreter, which rounds every value to its type once, and of ONNX Runtime, where it has kernels of the type; of a mixture, at least at half of the positions of 16 short prompts, and at all that no near tie of experts reaches; and of the interpreter at the last rows of the tables (`.far`)",
			Needs:   []Need{NeedRunners, NeedReference, NeedHalf},
			Blame:   "a number is rounded where it must not be, or one kernel of the type is wrong: see whether interp passes; emit the graph again, or in another type (" + hint.DType + ")",
			steps:   steps{2, 0}, when: ofOthers, make: (*session).sixteenBits},
		{Name: report.CheckLastLogits,
			Meaning: "a graph that gives the logits of each row's last token (`" + hint.Logits + " last`), run as it is, gives those that the same graph gives with all of them, at the last column of a row in which attention_mask is 1 (the call's first where there is none): in pieces and token by token, in one call (`.prefill`), and of rows padded on the left and on the right (`.left-padding`, `.right-padding`, with pieces and steps after them); the guard asks of the same tokens whether they lie within the tables (`.guard`). All other checks are made on the graph with all logits",
			Needs:   []Need{NeedRunners, NeedReference, NeedLast},
			Blame:   "the graph chooses another token's row for its head than the last one's, or was changed: emit it again with pecvt export",
			steps:   steps{2, 0}, when: ofOthers, make: (*session).lastLogits},
		{Name: report.CheckGolden,
			Meaning: "every runner against given logits; of a graph whose weights are codes the reference of the checkpoint; a graph that computes in 16 bits, or whose products round what enters them, as it is too, within what that rounding and its codes cost on these tokens (`.as-is`)",
			Needs:   []Need{NeedRunners, NeedReference, NeedGolden},
			input:   ownInput, steps: steps{2, 1}, when: ofOthers, make: (*session).golden},
		{Name: report.CheckGoldenHidden,
			Meaning: "the reference's residual stream after each layer against given hidden states",
			Needs:   []Need{NeedRunners, NeedReference, NeedGolden},
			other:   true, input: ownInput, when: ofOthers},
		{Name: report.CheckRewrite,
			Meaning: "the result is what the flags in `pecvt.json` make of the source, computed without the code that rewrote: the same planes and numbers, and the same logits in float64",
			Needs:   []Need{NeedRunners, NeedReference, NeedSource},
			Blame:   "the conversion is wrong, or its files were changed after it: convert the source again",
			steps:   steps{1, 0}, when: ofOthers, make: (*session).rewritten},
		{Name: report.CheckPlacement,
			Meaning: "every node ran on the provider asked for",
			Needs:   []Need{NeedRunners},
			when:    atEnd, make: always((*session).placements)},
		{Name: report.CheckRepro,
			Meaning: "one part of a graph, given right inputs, gives what it should",
			Needs:   []Need{NeedRepro},
			other:   true, when: ofRepro},
	}
}
