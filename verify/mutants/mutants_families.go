package mutants

import (
	"math"
	"strings"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// familyMutants get a part wrong that some families have beside llama's.
func familyMutants() []Mutant {
	times := func(name string, factor float64) func(g *Graph) {
		return func(g *Graph) { g.node(name).Input[1] = g.floats(nil, factor) }
	}
	return []Mutant{
		inGraph("embedding-factor", "granite", "the embedding's factor is 3.01 instead of 3", times("/embed/scaled/Mul", 3.01)),
		inGraph("branch-factor-missing", "granite", "the MLP of layer 1 is added without its factor", func(g *Graph) { g.bypass("/layers.1/output/scaled/Mul") }),
		inGraph("logits-multiplied", "granite", "logits are multiplied by what divides them", times("/head/scaled/Mul", 2)),
		inGraph("score-scale-of-others", "granite", "scores have 1/√d instead of the family's factor", func(g *Graph) {
			attribute(g.node("/layers.0/attn/Attention"), "scale").F = 0.25
		}),
		inGraph("norm-weight-as-stored", "gemma", "a norm takes its weight as it is stored, and not one more", func(g *Graph) {
			n := g.node("/layers.1/mlp_norm/RMSNormalization")
			n.Input[1] = g.node("/layers.1/mlp_norm/weight/Add").Input[0]
		}),
		inGraph("scores-capped-late", "gemma2", "the mask is added before scores are capped, as ONNX Runtime before 1.29 did", func(g *Graph) {
			const at = "/layers.0/attn/Attention/"
			mask := g.node(at + "masked")
			ratio, capped, soft := g.node(at+"capped_ratio"), g.node(at+"capped"), g.node(at+"softmax")
			soft.Input[0] = capped.Output[0]
			mask.Input[0], ratio.Input[0] = ratio.Input[0], mask.Output[0]
			g.sortNodes()
		}),
		inGraph("cap-of-scores-missing", "gemma2", "scores of layer 1 have no cap", func(g *Graph) { g.bypass("/layers.1/attn/Attention/capped") }),
		inGraph("cap-of-logits-missing", "gemma2", "logits have no cap", func(g *Graph) { g.bypass("/head/capped/Mul") }),
		inGraph("gemma-layers-turn-alike", "gemma3", "queries of a layer that sees everything turn by the base of the others", func(g *Graph) {
			n := g.node("/layers.1/attn/q/Rotation")
			copy(n.Input[1:], g.node("/layers.0/attn/q/Rotation").Input[1:])
		}),
		inGraph("relu-not-squared", "arcee", "the activation is relu instead of its square", func(g *Graph) { g.bypass("/layers.0/mlp/act/Mul") }),
		inGraph("head-bias-missing", "phi", "the head has no bias", func(g *Graph) {
			n := g.node("/head/Gemm")
			n.Input = n.Input[:2]
		}),
		inGraph("clip-missing", "olmo", "keys of layer 0 are not brought within bounds", func(g *Graph) { g.bypass("/layers.0/attn/k_clip/Clip") }),
		inGraph("query-scale-missing", "ministral3", "queries of layer 1 are not scaled by their position", func(g *Graph) { g.bypass("/layers.1/attn/q_scaled/Mul") }),
		inGraph("query-scale-late", "ministral3", "the factor of queries is that of the position before", func(g *Graph) {
			before := 1.0
			g.table("/query_scale/table", func(_, _ int, x float64) float64 {
				x, before = before, x
				return x
			})
		}),
		inGraph("query-scale-floor", "llama-hope-scaled", "the factor of queries is of ⌊(t + 1)/L⌋", func(g *Graph) {
			g.table("/query_scale/table", func(t, _ int, _ float64) float64 { return 1 + 0.3*math.Log1p(math.Floor(float64(t+1)/32)) })
		}),
		inGraph("query-scale-smooth", "llama-hope-scaled", "the factor of queries grows between multiples of L too", func(g *Graph) {
			g.table("/query_scale/table", func(t, _ int, _ float64) float64 { return 1 + 0.3*math.Log1p(float64(t)/32) })
		}),
		inGraph("query-scale-of-keys", "llama-hope-scaled", "keys of layer 0 have the factor of queries", func(g *Graph) {
			factor := g.node("/layers.0/attn/q_scaled/Mul").Input[1]
			g.bypass("/layers.0/attn/q_scaled/Mul")
			g.feed("/layers.0/attn/Attention", 1, "Mul", []string{factor})
		}),
		inGraph("query-scale-twice", "llama-hope-scaled", "queries of layer 1 have their factor twice", func(g *Graph) {
			g.feed("/layers.1/attn/Attention", 0, "Mul", []string{g.node("/layers.1/attn/q_scaled/Mul").Input[1]})
		}),
		inGraph("query-scale-missing-ort", "llama-hope-scaled-ort", "queries of layer 1 are not scaled by their position", func(g *Graph) { g.bypass("/layers.1/attn/q_scaled/Mul") }),
		inGraph("query-scale-missing-latent", "youtu-scaled-latent", "queries of layer 1 are not scaled by their position", func(g *Graph) { g.bypass("/layers.1/attn/q_scaled/Mul") }),
		inResult("query-scale-length", "ministral3", "queries are scaled by another length", func(f *Folder) {
			f.config("\"original_max_position_embeddings\": 16", "\"original_max_position_embeddings\": 24")
		}),
		inGraph("halves-for-pairs", "glm", "planes are of halves instead of neighbours", func(g *Graph) {
			attribute(g.node("/layers.0/attn/q/Rotation"), "interleaved").I = 0
		}),
		inGraph("full-layer-turns-not-window", "cohere2", "a layer that sees everything has the window of the others", func(g *Graph) {
			g.node("/layers.1/attn/Attention").Input[3] = g.node("/layers.0/attn/Attention").Input[3]
		}),
		inGraph("full-layer-turns-as-sliding", "olmo3", "queries and keys of a layer of full attention turn by the tables of sliding layers", func(g *Graph) {
			for _, side := range []string{"q", "k"} {
				copy(g.node("/layers.1/attn/" + side + "/Rotation").Input[1:], g.node("/layers.0/attn/" + side + "/Rotation").Input[1:])
			}
		}),
		inResult("sliding-base", "olmo3", "layers of sliding attention turn by base 400 instead of 500", func(f *Folder) {
			f.config("\"rope_theta\": 500.0,\n      \"rope_type\": \"default\"", "\"rope_theta\": 400.0,\n      \"rope_type\": \"default\"")
		}),
		inGraph("conv-taps-reversed", "lfm2", "the first and the last tap of a short convolution change places", func(g *Graph) {
			a, b := g.node("/layers.0/conv/taps/0/Mul"), g.node("/layers.0/conv/taps/2/Mul")
			a.Input[1], b.Input[1] = b.Input[1], a.Input[1]
		}),
		inGraph("conv-window-not-carried", "lfm2", "a short convolution begins every call without what came before", func(g *Graph) {
			g.feed("/layers.0/conv/taps/Concat", 0, "Mul", []string{g.floats(nil, 0)})
		}),
		inGraph("conv-window-of-first-token", "lfm2", "the state of a short convolution ends with a call's first token", func(g *Graph) {
			g.bypass("/real/last/Mul")
		}),
		inGraph("conv-gates-swapped", "lfm2", "the gates before and behind a short convolution change places", func(g *Graph) {
			a, b := g.node("/layers.0/conv/gated/Mul"), g.node("/layers.0/conv/mixed/Mul")
			a.Input[0], b.Input[1] = b.Input[1], a.Input[0]
		}),
		inGraph("output-gate-missing", "afmoe", "attention's output of layer 0 is not gated", func(g *Graph) { g.bypass("/layers.0/attn/gated/Mul") }),
		inGraph("output-gate-unbounded", "afmoe", "attention's output is multiplied by the gate's value instead of its sigmoid", func(g *Graph) {
			g.bypass("/layers.1/attn/gate_proj/Sigmoid")
		}),
		inGraph("output-gate-of-branch", "afmoe", "the gate reads the stream without the layer's norm", func(g *Graph) {
			g.node("/layers.0/attn/gate_proj/Gemm").Input[0] = g.node("/layers.0/attn_norm/RMSNormalization").Input[0]
		}),
		inGraph("value-norm-missing", "gemma4", "values of layer 0 are not normalised", func(g *Graph) { g.bypass("/layers.0/attn/v_norm/RMSNormalization") }),
		inGraph("shared-values-for-keys", "gemma4", "a layer meets the values of another one as keys", func(g *Graph) {
			n := g.node("/layers.3/attn/Attention")
			n.Input[1] = n.Input[2]
		}),
		inGraph("shared-keys-unmasked", "gemma4", "a layer with a window sees all keys of the one that it shares them with", func(g *Graph) {
			g.node("/layers.2/attn/Attention").Input[3] = g.node("/layers.3/attn/Attention").Input[3]
		}),
		inGraph("layer-scalar-missing", "gemma4", "layer 1 is not multiplied by its number", func(g *Graph) { g.bypass("/layers.1/output/Mul") }),
		inGraph("layer-scalar-of-branch", "gemma4", "layer 2 is multiplied by another layer's number", func(g *Graph) {
			g.node("/layers.2/output/Mul").Input[1] = g.node("/layers.3/output/Mul").Input[1]
		}),
		inGraph("embedding-of-another-layer", "gemma4", "layer 1 reads the embedding of layer 2", func(g *Graph) {
			g.node("/layers.1/per_layer/embed/Gather").Input[1] = g.node("/layers.2/per_layer/embed/Gather").Input[1]
		}),
		inGraph("embedding-by-layer-unscaled", "gemma4", "embeddings by layer lack their factor", func(g *Graph) { g.bypass("/by_layer/embed/scaled/Mul") }),
		inGraph("latent-not-normed", "youtu", "keys and values are made of a latent without its norm", func(g *Graph) {
			g.bypass("/layers.0/attn/kv_latent_norm/RMSNormalization")
		}),
		inGraph("latent-of-queries-not-normed", "youtu", "queries are made of a latent without its norm", func(g *Graph) {
			g.bypass("/layers.1/attn/q_latent_norm/RMSNormalization")
		}),
		inGraph("slice-behind-own-keys", "youtu", "the slice that all keys share comes behind what is a head's own, and what turns is that", func(g *Graph) {
			g.swap("/layers.0/attn/k_joined/Concat", 0, 1)
		}),
		inGraph("latent-scale-of-values", "youtu", "scores have 1/√d of a head of values", func(g *Graph) {
			attribute(g.node("/layers.0/attn/Attention"), "scale").F = 0.31622776
		}),
		inGraph("latent-scale-unscaled", "deepseek-v3", "scores have 1/√d alone, without the factor of mscale_all_dim", func(g *Graph) {
			attribute(g.node("/layers.1/attn/Attention"), "scale").F = 0.2236068
		}),
		inResult("scores-lose-their-factor", "deepseek-v3", "the rope type that says the new spectrum stands without mscale_all_dim", func(f *Folder) {
			f.rope("\"mscale_all_dim\"", "\"mscale\"")
		}),
		inGraph("chunk-of-another-size", "llama4", "layers attend within chunks of 15 tokens instead of 16", func(g *Graph) { g.number("/const/chunk16", 15) }),
		inGraph("chunk-of-last-keys", "llama4", "a layer with chunks has a window of their size", func(g *Graph) {
			const at = "/mask.chunk16"
			query := g.node("/mask/causal/LessOrEqual").Input
			inside := g.node(at + "/inside/And")
			first := g.before(inside.GetName(), "Sub", []string{query[1], g.ints(16)})
			inside.Input[1] = g.before(inside.GetName(), "Greater", []string{query[0], first})
		}),
		inGraph("chunks-missing", "llama4", "a layer with chunks sees everything", func(g *Graph) { g.bypass("/mask.chunk16/inside/And") }),
		inGraph("bare-norm-missing", "llama4", "queries of layer 0 have no norm after they turn", func(g *Graph) { g.bypass("/layers.0/attn/q_norm/RMSNormalization") }),
		inGraph("bare-norm-epsilon", "llama4", "the norm of queries of layer 0 has another ε", func(g *Graph) {
			attribute(g.node("/layers.0/attn/q_norm/RMSNormalization"), "epsilon").F = 1e-3
		}),
		inGraph("weights-behind-experts", "llama4", "an expert's weight multiplies what it makes and not what it reads", func(g *Graph) {
			rows, join := g.node("/layers.1/mlp/experts/rows/Mul"), g.node("/layers.1/mlp/experts/join/Concat")
			split := g.node("/layers.1/mlp/experts/cut/Split")
			split.Input[0] = rows.Input[0]
			rows.Input[0] = join.Output[0]
			g.node("/layers.1/mlp/experts/back/Gather").Input[0] = rows.Output[0]
			g.sortNodes()
		}),
		inGraph("token-type-missing", "roformer", "embeddings lack the first token type's vector", func(g *Graph) { g.bypass("/embed/shifted/Add") }),
		inGraph("sum-of-the-stream", "roformer", "a branch joins the stream before its norm", func(g *Graph) {
			g.node("/layers.1/attn_residual/Add").Input[0] = g.node("/layers.1/attn_norm/LayerNormalization").Input[0]
		}),
		inGraph("head-activation-missing", "modernbert", "what the head reads has no activation", func(g *Graph) { g.bypass("/head_dense/act/Gelu") }),
		inGraph("head-activation-tanh", "modernbert", "the head's activation is gelu by tanh", func(g *Graph) {
			g.node("/head_dense/act/Gelu").Attribute = []*onnxpb.AttributeProto{{Name: "approximate", Type: onnxpb.AttributeProto_STRING, S: []byte("tanh")}}
		}),
		inGraph("head-norm-of-final", "modernbert", "the norm before the head has the final norm's weights", func(g *Graph) {
			g.node("/head_dense_norm/LayerNormalization").Input[1] = g.node("/final_norm/LayerNormalization").Input[1]
		}),
		inGraph("first-attention-normed", "modernbert", "what the first attention reads is normalised once more", func(g *Graph) {
			norm := g.node("/layers.0/mlp_norm/LayerNormalization")
			in := g.node("/layers.0/attn/q_proj/Gemm").Input[0]
			y := g.before("/layers.0/attn/q_proj/Gemm", "LayerNormalization", []string{in, norm.Input[1]}, intAttribute("axis", -1))
			for _, side := range []string{"q", "k", "v"} {
				g.node("/layers.0/attn/" + side + "_proj/Gemm").Input[0] = y
			}
		}),
		inGraph("head-norm-rows", "cohere-qknorm", "queries of layer 0 are weighted by the rows of layer 1's norm", func(g *Graph) {
			g.node("/layers.0/attn/q_norm/each/Mul").Input[1] = g.node("/layers.1/attn/q_norm/each/Mul").Input[1]
		}),
		inGraph("head-norm-first-alone", "cohere-qknorm", "all keys have the norm of the first head", func(g *Graph) {
			g.feed("/layers.1/attn/k_norm/each/Mul", 1, "Gather", []string{g.ints(0)})
		}),
		inGraph("head-norm-bias-missing", "persimmon", "the norm of keys has no bias", func(g *Graph) {
			n := g.node("/layers.0/attn/k_norm/LayerNormalization")
			n.Input = n.Input[:2]
		}),
		inGraph("head-norm-rms", "persimmon", "the norm of queries does not take the mean off", func(g *Graph) {
			n := g.node("/layers.0/attn/q_norm/LayerNormalization")
			bias := n.Input[2]
			n.OpType, n.Input = "RMSNormalization", n.Input[:2]
			sum := g.before("/layers.0/attn/q/Transpose", "Add", []string{n.Output[0], bias})
			g.node("/layers.0/attn/q/Transpose").Input[0] = sum
		}),
		inGraph("router-without-correction", "glm4-moe", "experts are chosen without their correction", func(g *Graph) {
			g.bypass("/layers.1/mlp/router/corrected/Add")
		}),
		inGraph("groups-not-dropped", "glm4-moe", "experts of every group may be chosen", func(g *Graph) {
			g.node("/layers.1/mlp/router/TopK").Input[0] = g.node("/layers.1/mlp/router/corrected/Add").Output[0]
		}),
		inGraph("groups-by-two", "deepseek-v2", "groups of experts are kept by their two best instead of the best", func(g *Graph) {
			g.node("/layers.1/mlp/router/groups/best/TopK").Input[1] = g.ints(2)
		}),
		inFiles("fewer-keys-are-chosen", "deepseek-v32", "layers choose 32 keys, and the graph holds 64 positions", func(f *Folder) {
			f.config("\"index_topk\": 64", "\"index_topk\": 32")
		}).still("up to 32 tokens all keys are chosen all the same"),
		inGraph("mixture-beside-missing", "gemma4-moe", "the mixture beside an MLP adds nothing", func(g *Graph) { g.bypass("/layers.1/mlp/both/Add") }),
		inGraph("router-reads-normed", "gemma4-moe", "the router reads what the experts read, normalised again", func(g *Graph) {
			g.node("/layers.0/mlp/router_norm/RMSNormalization").Input[0] = g.node("/layers.0/mlp/experts_norm/RMSNormalization").Output[0]
		}),
		inGraph("router-unscaled", "gemma4-moe", "what the router reads lacks its factor", func(g *Graph) { g.bypass("/layers.0/mlp/router_norm/scaled/Mul") }),
		inGraph("experts-without-numbers", "gemma4-moe", "the experts' weights are not multiplied by their own numbers", func(g *Graph) {
			g.bypass("/layers.1/mlp/router/each/Mul")
		}),
		inGraph("shortcut-missing", "longcat", "the mixture of a layer's first block never joins the stream", func(g *Graph) { g.bypass("/layers.1/mlp/shortcut/Add") }),
		inGraph("latent-unscaled", "longcat", "the latent of keys and values lacks its factor", func(g *Graph) { g.bypass("/layers.2/attn/kv_latent_scaled/Mul") }),
		inGraph("identity-expert-computes", "longcat", "experts that pass on their input give that of the expert before", func(g *Graph) {
			n := g.node("/layers.0/mlp/experts/join/Concat")
			n.Input[4], n.Input[5] = n.Input[5], n.Input[4]
		}),
		inGraph("experts-unscaled", "glm4-moe", "the experts' weights lack their factor", func(g *Graph) { g.bypass("/layers.1/mlp/router/scaled/Mul") }),
		inGraph("shared-expert-missing", "glm4-moe", "the shared expert is not added", func(g *Graph) { g.bypass("/layers.1/mlp/experts/shared/Add") }),
		inGraph("far-experts-count", "phimoe", "the first expert weighs by the sum over all experts", func(g *Graph) {
			g.node("/layers.0/mlp/router/first/Softmax").Input[0] = g.node("/layers.0/mlp/router/first/Where").Input[2]
		}),
		inGraph("first-expert-stays", "phimoe", "the second expert weighs beside the first", func(g *Graph) {
			g.node("/layers.1/mlp/router/second/Where").Input[2] = g.node("/layers.1/mlp/router/first/Where").Input[2]
		}),
		inGraph("mixture-not-halved", "cohere2-moe", "chosen and shared experts are summed, not averaged", func(g *Graph) { g.bypass("/layers.1/mlp/experts/factor/Mul") }),
		inGraph("chosen-by-sigmoid", "kolibri1", "experts are chosen by corrected sigmoids", func(g *Graph) {
			g.node("/layers.0/mlp/router/corrected/Add").Input[0] = g.node("/layers.0/mlp/router/Sigmoid").Output[0]
		}),
		inGraph("experts-swapped", "qwen3-moe", "expert 1 computes with expert 2's rows down", func(g *Graph) {
			a, b := g.node("/layers.0/mlp/experts.1/down_proj/Gemm"), g.node("/layers.0/mlp/experts.2/down_proj/Gemm")
			a.Input[1], b.Input[1] = b.Input[1], a.Input[1]
		}),
		inGraph("rows-stay-sorted", "qwen3-moe", "rows stay in the order of the experts", func(g *Graph) {
			g.node("/layers.1/mlp/experts/each/Reshape").Input[0] = g.node("/layers.1/mlp/experts/join/Concat").Output[0]
		}),
		inGraph("weights-not-normalised", "qwen3-moe", "the experts' weights do not sum to one", func(g *Graph) {
			g.bypass("/layers.1/mlp/router/normalised/Div")
		}),
		inGraph("sink-of-nothing", "gpt-oss", "what joins the softmax of layer 0 is a score of 0, whatever its sinks are", func(g *Graph) {
			g.bypass("/layers.0/attn/sinks/q/Add")
		}),
		inGraph("sinks-of-other-layer", "gpt-oss", "layer 1 has the sinks of layer 0", func(g *Graph) {
			g.node("/layers.1/attn/sinks/q/Add").Input[1] = g.node("/layers.0/attn/sinks/q/Add").Input[1]
		}),
		inGraph("sink-hidden", "gpt-oss", "no sink joins the softmax of layer 1", func(g *Graph) {
			n := g.node("/layers.1/attn/Attention")
			for _, pad := range g.model.Graph.Node {
				if len(pad.Output) > 0 && pad.Output[0] == n.Input[3] {
					pad.Input = append(pad.Input, g.floats(nil, -3e38))
				}
			}
		}),
		inGraph("sinks-scaled", "gpt-oss", "sinks of layer 0 are scaled with the scores", func(g *Graph) { g.bypass("/layers.0/attn/sinks/Div") }),
		inGraph("sink-with-a-value", "gpt-oss", "the key that stands for sinks of layer 0 has a value of ones", func(g *Graph) {
			n := g.node("/layers.0/attn/sinks/v/Pad")
			n.Input = append(n.Input, g.floats(nil, 1))
		}),
		inGraph("sinks-seen-by-every-key", "gpt-oss", "keys of layer 1 have 1 where that of sinks alone has it", func(g *Graph) {
			n := g.node("/layers.1/attn/sinks/k/Pad")
			n.Input = append(n.Input, g.floats(nil, 1))
		}),
		inGraph("gate-not-clamped", "gpt-oss", "the experts' gates may be of any size", func(g *Graph) { g.bypass("/layers.0/mlp/experts/act/gate/Clip") }),
		inGraph("up-clamped-above-alone", "gpt-oss", "what a gate multiplies has no lower bound", func(g *Graph) {
			g.node("/layers.0/mlp/experts/act/up/Clip").Input[1] = ""
		}),
		inGraph("gate-of-silu", "gpt-oss", "the experts' gates are silu, without their factor", func(g *Graph) { g.bypass("/layers.1/mlp/experts/act/alpha/Mul") }),
		inGraph("up-without-one", "gpt-oss", "what a gate multiplies lacks its 1", func(g *Graph) { g.bypass("/layers.1/mlp/experts/act/offset/Add") }),
		inGraph("expert-gate-and-up-swapped", "gpt-oss", "an expert's gate takes the rows up, whose turn is the other", func(g *Graph) {
			a, b := g.node("/layers.0/mlp/experts.1/gate_proj/Gemm"), g.node("/layers.0/mlp/experts.1/up_proj/Gemm")
			a.Input[1], b.Input[1] = b.Input[1], a.Input[1]
		}),
		inGraph("expert-bias-of-other", "gpt-oss", "expert 2 adds the bias of expert 1", func(g *Graph) {
			g.node("/layers.1/mlp/experts.2/down_proj/Gemm").Input[2] = g.node("/layers.1/mlp/experts.1/down_proj/Gemm").Input[2]
		}),
		inGraph("values-unscaled", "mimo", "values of layer 0 lack their factor", func(g *Graph) { g.bypass("/layers.0/attn/v_scaled/Mul") }),
		inGraph("experts-as-halves", "gpt-oss", "rows of gate and up of all experts of layer 0 are taken to follow each other", func(g *Graph) {
			for _, n := range g.model.Graph.Node {
				if strings.HasPrefix(n.GetName(), "/columns/model.layers.0.mlp.experts.gate_up_proj[") && n.GetOpType() == "Gather" {
					g.node(n.GetName() + "/turns").Input[1] = g.ints(-1, 2, 16)
					attribute(n, "axis").I = 1
				}
			}
		}),
	}
}
