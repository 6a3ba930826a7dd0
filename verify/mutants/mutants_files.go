package mutants

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"

	"github.com/pecvt/pecvt/convert/store"
)

// fileMutants are what happens to a folder after the conversion.
func fileMutants() []Mutant {
	const q0, k0, v0 = "model.layers.0.self_attn.q_proj.weight", "model.layers.0.self_attn.k_proj.weight", "model.layers.0.self_attn.v_proj.weight"
	const same = "graph and checkpoint still agree: both read the changed file"
	return []Mutant{
		inFiles("file-zeroed", "llama-hope", "k_proj's bytes are 0", func(f *Folder) {
			f.raw(k0, func(b []byte, _ store.Info) { clear(b) })
		}).still(same),
		inFiles("file-zeroed-deep-inside", "llama-hope", "the second half of up_proj's bytes is 0", func(f *Folder) {
			f.raw("model.layers.1.mlp.up_proj.weight", func(b []byte, _ store.Info) { clear(b[len(b)/2:]) })
		}).still(same),
		inFiles("file-rows-permuted", "stories-hope", "two rows deep inside o_proj change places", func(f *Folder) {
			f.rowsMoved("model.layers.4.self_attn.o_proj.weight", func(i int) int {
				switch i {
				case 30:
					return 31
				case 31:
					return 30
				}
				return i
			})
		}).still(same),
		inFiles("file-transposed", "llama-hope", "o_proj's bytes are transposed", func(f *Folder) { f.transpose("model.layers.0.self_attn.o_proj.weight") }).still(same),
		inFiles("file-one-number", "llama-hope", "one number deep inside an unseen token's embedding is 0.01 off", func(f *Folder) {
			f.values("model.embed_tokens.weight", func(x []float64, _ store.Info) { x[unseenToken*64+1] += 0.01 })
		}).still(same),
		inFiles("file-last-bit", "llama-hope", "the last bit of one number deep inside an unseen token's embedding flips", func(f *Folder) {
			f.raw("model.embed_tokens.weight", func(b []byte, info store.Info) { b[(unseenToken*64+40)*info.DType.Size()] ^= 1 })
		}).still(same),
		inFiles("file-bit-flip", "qwen2", "one bit of a number in the middle of down_proj flips", func(f *Folder) {
			f.raw("model.layers.1.mlp.down_proj.weight", func(b []byte, _ store.Info) { b[len(b)/2+2] ^= 0x40 })
		}).still(same),
		inFiles("file-not-finite", "llama-hope", "a number of v_proj is NaN", func(f *Folder) {
			f.raw(v0, func(b []byte, _ store.Info) {
				binary.LittleEndian.PutUint32(b[4000:], math.Float32bits(float32(math.NaN())))
			})
		}).still("every logit would be NaN: the reference refuses the weight"),
		inFiles("file-data-exchanged", "llama-hope", "the bytes of k_proj and v_proj change places", func(f *Folder) { f.exchange(k0, v0) }).still(same),
		inFiles("file-names-exchanged", "llama-hope", "the header's names of k_proj and v_proj change places", func(f *Folder) { f.exchangeNames(k0, v0) }),
		inFiles("file-truncated", "llama-hope", "the tensor file ends 64 bytes early", func(f *Folder) {
			name := filepath.Base(f.tensors()[0])
			data := f.read(name)
			f.write(name, data[:len(data)-64])
		}).still("the checkpoint cannot be read any more"),
		inFiles("file-out-of-folder", "llama-hope", "the tensor file is a link to another folder", func(f *Folder) {
			away := f.dir + "-elsewhere.safetensors"
			check(os.Rename(f.path("model.safetensors"), away))
			check(os.Symlink(away, f.path("model.safetensors")))
		}).still("runtimes refuse weights outside of the graph's folder"),
		inFiles("file-weights-of-fine-tuning", "llama-hope", "every weight of a layer is 1 % larger, as after a step of training", func(f *Folder) {
			f.scale(q0, 0, 64*64, 1.01)
			f.scale("model.layers.0.mlp.up_proj.weight", 0, 96*64, 1.01)
		}).still(same),
		inFiles("index-stale", "llama-sharded", "the index names the wrong file for a tensor", func(f *Folder) {
			f.replace("model.safetensors.index.json", `"model.layers.0.mlp.up_proj.weight": "model-00001-of-00003.safetensors"`, `"model.layers.0.mlp.up_proj.weight": "model-00002-of-00003.safetensors"`)
		}).still("loaders that trust the index find no such tensor"),
		inFiles("index-lacks-a-tensor", "llama-sharded", "the index does not name a tensor that a shard holds", func(f *Folder) {
			f.replace("model.safetensors.index.json", `"model.layers.0.mlp.up_proj.weight": "model-00001-of-00003.safetensors",`, ``)
		}).still("loaders that trust the index leave the tensor out"),
		inFiles("shard-of-another-model", "llama-sharded", "a shard's data is another's of the same shapes", func(f *Folder) {
			f.exchange("model.layers.1.self_attn.k_proj.weight", "model.layers.0.self_attn.k_proj.weight")
		}).still(same),
		inFiles("config-max-positions", "llama-pi", "max_position_embeddings in config.json is 64 instead of 128", func(f *Folder) {
			f.config(`"max_position_embeddings": 128`, `"max_position_embeddings": 64`)
		}).still("no spectrum of it depends on the length; a loader stops at half of the positions"),
		inFiles("manifest-planes", "llama-hope", "pecvt.json gives plane 2 another frequency than config.json", func(f *Folder) {
			f.replace("pecvt.json", `"after": 0.24028114141347545`, `"after": 0.25`)
		}).
			still("one of the two files is not what the conversion wrote"),
		inFiles("manifest-head", "int4-head8", "pecvt.json says that embedding and head are codes of 4 bits, the graph says 8", func(f *Folder) {
			f.replace("pecvt.json", `"head": "int8, `, `"head": "int4, `)
		}).
			still("one of the two files is not what the emission wrote"),
		inFiles("config-end-token", "llama-hope", "eos_token_id in config.json is 9 instead of 1", func(f *Folder) { f.config(`"eos_token_id": 1`, `"eos_token_id": 9`) }).
			still("no logit moves; who generates text stops elsewhere, or never"),
		inFiles("genai-of-another-graph", "llama-rope-ort", "genai_config.json counts one layer of two", func(f *Folder) {
			f.replace("genai_config.json", `"num_hidden_layers": 2`, `"num_hidden_layers": 1`)
		}).still("the graph is right; onnxruntime-genai gives it half of its caches"),
		inFiles("config-base", "llama-rope", "rope_theta in config.json is 301 instead of 300", func(f *Folder) { f.config(`"rope_theta": 300.0`, `"rope_theta": 301.0`) }),
		inFiles("config-epsilon", "llama-hope", "rms_norm_eps in config.json is 1e-5 instead of 1e-6", func(f *Folder) { f.config(`"rms_norm_eps": 1e-06`, `"rms_norm_eps": 1e-05`) }),
		inFiles("config-window", "mistral", "sliding_window in config.json is 7 instead of 8", func(f *Folder) { f.config(`"sliding_window": 8`, `"sliding_window": 7`) }),
		inFiles("config-other-scaling", "llama-yarn", "the rope type in config.json is linear", func(f *Folder) {
			f.rope(`"rope_type": "yarn"`, `"rope_type": "linear"`)
			f.config(`"type": "yarn"`, `"type": "linear"`)
		}),
		inFiles("config-untied", "llama-tied", "tie_word_embeddings is false and no head is stored", func(f *Folder) {
			f.config(`"tie_word_embeddings": true`, `"tie_word_embeddings": false`)
		}).still("the configuration asks for a tensor that is not there"),
		inFiles("config-activation", "qwen2", "hidden_act in config.json is gelu", func(f *Folder) { f.config(`"hidden_act": "silu"`, `"hidden_act": "gelu"`) }),
		inFiles("config-heads", "stories-hope", "num_attention_heads and num_key_value_heads are halved, so that every shape still fits", func(f *Folder) {
			f.config(`"num_attention_heads": 8`, `"num_attention_heads": 4`)
			f.config(`"num_key_value_heads": 4`, `"num_key_value_heads": 2`)
		}),
		inFiles("graph-of-another-conversion", "llama-hope", "model.onnx is that of the source, without HoPE", func(f *Folder) { f.graphOf("llama-rope") }),
		inFiles("graph-truncated", "llama-hope", "model.onnx ends in the middle", func(f *Folder) {
			data := f.read("model.onnx")
			f.write("model.onnx", data[:len(data)/2])
		}).still("the graph cannot be read any more"),
		inFiles("manifest-of-another-conversion", "llama-hope", "pecvt.json is that of a conversion to rope", func(f *Folder) {
			f.manifest("llama-rope")
		}).still("the files are right; who trusts the manifest reproduces another model"),
	}
}
