package config

import "slices"

// Synonym is one number under all the names that configurations give it.
type Synonym struct {
	Number string
	Keys   []string
}

var synonyms = []Synonym{
	{"the hidden size", []string{"hidden_size", "n_embd", "n_embed", "d_model", "model_dim"}},
	{"the number of layers", []string{"num_hidden_layers", "n_layer", "n_layers", "num_layers"}},
	{"the number of heads", []string{"num_attention_heads", "n_head", "n_heads", "num_heads"}},
	{"the number of key/value heads", []string{"num_key_value_heads", "num_kv_heads", "n_head_kv", "n_kv_heads", "kv_n_heads", "num_query_groups", "multi_query_group_num"}},
	{"the head size", []string{"head_dim", "head_size", "attention_head_dim", "attention_head_size", "kv_channels"}},
	{"the MLP's inner size", []string{"intermediate_size", "ffn_hidden_size", "n_inner", "ffn_dim", "d_ff", "inner_dim"}},
	{"the length", []string{"max_position_embeddings", "max_seq_len", "seq_length", "n_positions", "n_ctx", "block_size"}},
	{"the activation", []string{"hidden_act", "activation", "hidden_activation", "activation_function"}},
	{"the norms' ε", []string{"rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps", "layernorm_epsilon"}},
	{"the rotary base", []string{"rope_theta", "rotary_emb_base", "rope_base", "rotary_base", "rope_freq_base"}},
	{"the rotary share of a head", []string{"partial_rotary_factor", "rotary_pct", "rope_pct", "rotary_percentage", "rotary_percent"}},
	{"whether the head is the embedding", []string{"tie_word_embeddings", "tie_embeddings", "share_embeddings_and_output_weights"}},
}

// Synonyms lists the numbers that have several names.
func Synonyms() []Synonym { return synonyms }

// SynonymOf finds the number that a key spells; false where it has no other name.
func SynonymOf(key string) (Synonym, bool) {
	i := slices.IndexFunc(synonyms, func(s Synonym) bool { return slices.Contains(s.Keys, key) })
	if i < 0 {
		return Synonym{}, false
	}
	return synonyms[i], true
}
