// Package rope says a rotation in a GGUF file: by the rope keys of its metadata
// and by the tensors of factors per plane, and says of which architectures
// llama.cpp's graph takes what.
//
// With n = rope.dimension_count, b = rope.freq_base, s = rope.scaling.factor and
// f the factors, plane p of llama.cpp's graphs turns by
//
//	θ_p = b^(−2p/n) / f_p,  divided by s for the scaling type linear,
//
// radians per position, blended by YaRN's ramp for the type yarn, and cos and sin
// are multiplied by rope.scaling.attn_factor (and YaRN's own factor). Factors are
// float32; a factor of 1 leaves a plane as it is to the last bit, and one of
// posenc.DroppedFactor (1e30) makes it stand: cos is 1 and sin some 1e-27.
//
// Source: llama.cpp of November 2026 (the tree in llama-cpp-python 0.3.36):
// ggml_rope_cache_init and rope_yarn in ggml-cpu/ops.cpp, get_rope_factors in
// llama-model.cpp, the constructor of llama_context, and src/models/*.cpp.
package rope
