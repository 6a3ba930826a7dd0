"""A SentencePiece vocabulary for a model that has no tokenizer.

llama.cpp's converter wants one, though ids go in and ids come out here. What the
pieces are is of no matter; their kinds and number are.
"""

from sentencepiece import sentencepiece_model_pb2 as pb


def vocabulary(path, size):
    model = pb.ModelProto()
    model.trainer_spec.model_type = pb.TrainerSpec.BPE
    model.trainer_spec.vocab_size = size
    model.trainer_spec.byte_fallback = True
    kinds = pb.ModelProto.SentencePiece
    pieces = [("<unk>", kinds.UNKNOWN), ("<s>", kinds.CONTROL), ("</s>", kinds.CONTROL)]
    pieces += [(f"<0x{b:02X}>", kinds.BYTE) for b in range(256)]
    pieces += [(f"p{i}", kinds.NORMAL) for i in range(size - len(pieces))]
    for i, (piece, kind) in enumerate(pieces[:size]):
        model.pieces.add(piece=piece, score=-float(i), type=kind)
    with open(path, "wb") as f:
        f.write(model.SerializeToString())
