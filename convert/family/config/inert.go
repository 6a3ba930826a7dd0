package config

import "slices"

// Inert is a group of keys that change nothing of what a causal model computes,
// with the reason.
type Inert struct {
	Reason string
	Keys   []string
}

// inert was gathered from PreTrainedConfig and GenerationConfig of transformers
// 4.57 and 5.24 and from the configurations that published checkpoints of the
// families carry. A key belongs here only if no loader computes with it.
var inert = []Inert{
	{"names, versions and notes", []string{"_name_or_path", "name_or_path", "transformers_version", "_commit_hash", "architectures", "auto_map", "custom_pipelines",
		"tokenizer_class", "tokenizer_padding_side", "tokenizer_model_max_length", "chat_template", "conversation_template", "prompt_template", "library_name", "pipeline_tag", "datasets", "hub_model_id", "_unsloth_version", "tokenizer_name", "processor_class", "is_llama_config", "transformers.js_config", "unsloth_version", "unsloth_fixed", "model_name", "license",
		"base_model", "base_model_name_or_path", "language", "tags", "finetuned_from", "_diffusers_version", "mergekit_version", "_num_labels", "_from_model_config"}},
	{"storage types: every tensor says its own", []string{"dtype", "torch_dtype", "use_bfloat16", "params_dtype"}},
	{"tokens", []string{"bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "sep_token_id", "cls_token_id", "mask_token_id", "decoder_start_token_id",
		"bos_token_ids", "end_token_id", "user_token_id", "assistant_token_id", "bos_token", "eos_token", "pad_token", "unk_token", "image_token_id", "video_token_id", "image_token_index", "vision_start_token_id", "vision_end_token_id",
		"vision_token_id", "use_pad_tok_in_ffn", "ignore_index", "use_token_type_ids", "padding_idx", "add_bos_token", "add_eos_token"}},
	{"generation, which happens after the logits", []string{"use_cache", "cache_implementation", "cache_config", "max_length", "max_new_tokens", "min_length", "min_new_tokens",
		"do_sample", "early_stopping", "num_beams", "num_beam_groups", "diversity_penalty", "temperature", "top_k", "top_p", "top_h", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff",
		"repetition_penalty", "encoder_repetition_penalty", "length_penalty", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "bad_words_ids", "force_words_ids",
		"num_return_sequences", "output_scores", "output_logits", "return_dict_in_generate", "forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values",
		"exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens", "guidance_scale", "penalty_alpha", "renormalize_logits", "stop_strings", "prefix",
		"task_specific_params", "num_assistant_tokens", "num_assistant_tokens_schedule", "assistant_confidence_threshold", "assistant_lookbehind", "target_lookbehind",
		"prompt_lookup_num_tokens", "logits_to_keep", "num_logits_to_keep", "keys_to_ignore_at_inference", "use_mtp"}},
	{"heads that predict several tokens at once, which serve speculative decoding: the logits do without them", []string{"num_nextn_predict_layers", "num_mtp_layers", "mtp_num_layers",
		"mtp_num_hidden_layers", "mtp_loss_scaling_factor", "mtp_layer_types", "num_mtp_modules", "medusa_num_heads", "medusa_num_layers"}},
	{"training: dropout, initial values, losses", []string{"attention_dropout", "attn_dropout", "hidden_dropout", "hidden_dropout_prob", "attention_probs_dropout_prob", "resid_pdrop", "embd_pdrop",
		"emb_pdrop", "attn_pdrop", "residual_dropout", "embedding_dropout", "embd_dropout", "classifier_dropout", "classifier_dropout_prob", "summary_first_dropout", "dropout", "dropout_rate",
		"activation_dropout", "resid_dropout", "attention_dropout_prob", "attn_dropout_prob", "emb_dropout_prob", "drop_path_rate", "layerdrop", "perform_initialization", "embedding_initializer_range", "initializer_range", "initializer_factor", "init_method", "init_method_std", "init_std", "init_device", "init_config", "gradient_checkpointing", "loss_fn", "loss_type",
		"output_router_logits", "router_aux_loss_coef", "aux_loss_alpha", "seq_aux", "router_z_loss_coef", "z_loss", "neftune_noise_alpha", "verbose", "bias_dropout_fusion", "fuse_cross_entropy", "fuse_linear_cross_entropy",
		"fuse_norm", "fuse_swiglu", "sequence_parallel", "rescale_layer", "freeze_mm_mlp_adapter", "max_grad_norm", "seed"}},
	{"how the same numbers are computed", []string{"_attn_implementation", "attn_implementation", "_attn_implementation_internal", "_attn_implementation_autoset", "attn_impl", "_experts_implementation",
		"experts_implementation", "_experts_implementation_internal", "_flash_attn_2_enabled", "use_flash_attention", "use_flash_attention_2", "use_flash_attn", "flash_attn", "use_flash_rotary",
		"use_fused_rms_norm", "use_fused_rope", "use_xformers", "use_memory_efficient_attention", "use_kernels", "pretraining_tp", "pretraining_pp", "tensor_parallel_degree", "ep_size", "slow_but_exact",
		"chunk_size_feed_forward", "attention_softmax_in_fp32", "scale_attention_softmax_in_fp32", "softmax_in_fp32", "masked_softmax_fusion", "reorder_and_upcast_attn", "residual_in_fp32", "low_cpu_mem_usage",
		"torchscript", "torch_compile", "model_parallel", "attention_implementation", "use_fused_rmsnorm", "tf_legacy_loss", "device_map", "use_liger_kernel", "attn_uses_sequence_id"}},
	{"what is returned beside the logits", []string{"output_hidden_states", "output_attentions", "return_dict", "use_return_dict", "tie_last_hidden_states"}},
	{"heads of other tasks, whose tensors are unknown ones where they are stored", []string{"id2label", "label2id", "num_labels", "problem_type", "finetuning_task", "summary_type", "summary_use_proj",
		"summary_activation", "summary_proj_to_labels"}},
	{"said by the stored tensors: a part that a family does not have is an unknown tensor", []string{"attention_bias", "mlp_bias", "use_bias", "bias", "use_qkv_bias", "qkv_bias", "attention_qkv_bias",
		"add_qkv_bias", "add_bias_linear", "attention_out_bias", "attention_output_bias", "lm_head_bias", "enable_bias", "no_bias"}},
	{"a decoder or not, which the family says", []string{"is_decoder", "tie_encoder_decoder"}},
	{"numbers that no loader of these families computes with", []string{"model_max_length", "max_sequence_length", "max_seq_length", "seq_len", "embedding_fraction", "learned_pos_emb", "offset_alibi",
		"skip_bias_add", "skip_bias_add_qkv", "hidden_size_per_layer_input", "num_parameters", "total_params"}},
}

// InertKeys lists the groups, for documents.
func InertKeys() []Inert { return inert }

// IsInert reports whether a key changes nothing in any family.
func IsInert(key string) bool {
	return slices.ContainsFunc(inert, func(g Inert) bool { return slices.Contains(g.Keys, key) })
}
