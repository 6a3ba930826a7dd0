#!/usr/bin/env python3
"""Tiny random models of vision or sound with a language model inside, with the logits of text alone.

    python testdata/tools/make_wrappers.py [TYPE...]    testdata/families/TYPE

config.json and model.safetensors are those of the whole model (towers, projector and language model), as transformers
writes them; golden.safetensors holds the answers of the whole class to text without an image, as make_families.py's does:
input_ids, logits, hidden.i. The language models are smaller than make_families.py's, since their families have goldens of
their own: what is shown here is which tensors and keys are the language model's, and what the class makes of them.

Made with transformers 5.24.0, torch 2.6.0, safetensors.
"""
import os, shutil, sys
import torch, transformers
from make_families import C, HERE, build_config, fill
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoModelForMultimodalLM as Auto
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

P = dict(C, H=16, A=2, K=1, I=16, M=8, V=40)
Q = dict(P, A=1)  # where heads have no size of their own
GM = dict(P, H=32)  # heads of 16 that are H/A of its configuration
G1 = dict(GM, N=1)
P1, Q1 = dict(P, N=1), dict(Q, N=1)  # one layer, where the family has one kind of it
LAST = 34  # ids of text are below; those of images and sounds above

# sizes of towers, by the names that their configurations have for them
SMALL = dict(hidden_size=16, embed_dim=16, d_model=16, width=16, out_hidden_size=16, output_dim=16, projection_dim=16, intermediate_size=16, mlp_dim=16, encoder_ffn_dim=16,
             num_hidden_layers=1, depth=1, encoder_layers=1, num_layers=1, num_attention_heads=2, num_heads=2, encoder_attention_heads=2, head_dim=8, image_size=8, patch_size=4,
             mlp_ratio=1, num_mel_bins=8, max_source_positions=8, spatial_merge_size=1, temporal_patch_size=1, num_position_embeddings=4, num_key_value_heads=2)


def tower(kind, **k):
    """The configuration of a tower, with its sizes made small."""
    c = CONFIG_MAPPING[kind]().to_dict()
    small = {a: b for a, b in SMALL.items() if a in c and c[a] is not None}
    if isinstance(c.get('image_size'), (list, tuple)):
        small.update(image_size=[8, 8], patch_size=[4, 4])
    return dict(small, model_type=kind, **{a: b for a, b in k.items()})


def clip(kind='clip_vision_model', **k):
    return dict(dict(model_type=kind, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, image_size=8, patch_size=4, projection_dim=8), **k)


def text(kind, p=P, **k):
    """The configuration of make_families.py under another model_type."""
    c = build_config(kind, p).to_dict()
    c.update(k)
    return {a: b for a, b in c.items() if b is not None or a == 'sliding_window'}


def vl_text(kind, of, p=P, sections=(4, 2, 2), **k):
    """A text configuration that turns by several axes: sections of a head's planes."""
    c = text(of, p, model_type=kind)
    c['rope_parameters'] = dict(c['rope_parameters'], mrope_section=list(sections), **k)
    return c


image = dict(image_token_id=36, video_token_id=37, vision_start_token_id=38, vision_end_token_id=39)
index = dict(image_token_index=36)
one = dict(image_token_id=36)
sound = dict(audio_token_id=36)
pins = dict(image_grid_pinpoints=[[8, 8]])

W = {
    'gemma3': lambda: dict(text_config=text('gemma3_text'), vision_config=clip('siglip_vision_model'), mm_tokens_per_image=4, boi_token_index=37, eoi_token_index=38, **one),
    'mistral3': lambda: dict(text_config=text('mistral'), vision_config=clip('pixtral', head_dim=8), tie_word_embeddings=False, spatial_merge_size=1, **index),
    'llava': lambda: dict(text_config=text('llama'), vision_config=clip(), vision_feature_layer=-1, **index),
    'llava_next': lambda: dict(text_config=text('mistral'), vision_config=clip(), vision_feature_layer=-1, **pins, **index),
    'llava_onevision': lambda: dict(text_config=text('qwen2', Q), vision_config=clip('siglip_vision_model'), vision_feature_layer=-1, **pins, **index, video_token_index=37),
    'qwen2_vl': lambda: dict(text_config=vl_text('qwen2_vl_text', 'qwen2', Q), vision_config=tower('qwen2_vl_vision'), **image),
    'qwen2_5_vl': lambda: dict(text_config=vl_text('qwen2_5_vl_text', 'qwen2', Q), vision_config=tower('qwen2_5_vl_vision', fullatt_block_indexes=[0], window_size=8), **image),
    'qwen3_vl': lambda: dict(text_config=vl_text('qwen3_vl_text', 'qwen3', mrope_interleaved=True), vision_config=tower('qwen3_vl_vision', deepstack_visual_indexes=[0]), tie_word_embeddings=False, **image),
    'internvl': lambda: dict(text_config=text('qwen3'), vision_config=dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=[8, 8], patch_size=[4, 4]), tie_word_embeddings=False, **one),
    'aya_vision': lambda: dict(text_config=text('cohere2', Q), vision_config=clip('siglip_vision_model'), vision_feature_layer=-1, **index),
    'cohere2_vision': lambda: dict(text_config=text('cohere2', Q), vision_config=clip('siglip_vision_model'), alignment_intermediate_size=16, **one),
    'idefics3': lambda: dict(text_config=text('llama'), vision_config=clip('idefics3_vision'), scale_factor=2, **one),
    'smolvlm': lambda: dict(text_config=text('llama'), vision_config=clip('smolvlm_vision'), scale_factor=2, **one),
    'lfm2_vl': lambda: dict(text_config=text('lfm2', Q), vision_config=clip('siglip2_vision_model', num_patches=4), projector_hidden_size=16, **one),
    'qwen3_vl_moe': lambda: dict(text_config=vl_text('qwen3_vl_moe_text', 'qwen3_moe', dict(P, M=12), mrope_interleaved=True), vision_config=tower('qwen3_vl_moe_vision', deepstack_visual_indexes=[0]), tie_word_embeddings=False, **image),
    'qwen3_5': lambda: dict(text_config=text('qwen3_5_text'), vision_config=tower('qwen3_5_vision'), **image),
    'qwen3_5_moe': lambda: dict(text_config=text('qwen3_5_moe_text'), vision_config=tower('qwen3_5_moe_vision'), **image),
    'llama4': lambda: dict(text_config=text('llama4_text'), vision_config=tower('llama4_vision_model', vision_output_dim=16, projector_input_dim=16, projector_output_dim=16), boi_token_index=37, eoi_token_index=38, **index),
    'gemma4': lambda: dict(text_config=text('gemma4_text'), vision_config=tower('gemma4_vision', position_embedding_size=16, global_head_dim=8), audio_config=None, **one, video_token_id=37, audio_token_id=38, boi_token_id=35, eoi_token_id=39, boa_token_id=34, eoa_token_index=34),
    'gemma4_unified': lambda: dict(text_config=text('gemma4_unified_text'), vision_config=tower('gemma4_unified_vision', mm_embed_dim=16, mm_posemb_size=4, output_proj_dims=16), audio_config=None, **one, video_token_id=37, audio_token_id=38, boi_token_id=35, eoi_token_id=39, boa_token_id=34, eoa_token_index=34),
    'kimi_k25': lambda: dict(text_config=text('deepseek_v3'), vision_config=tower('kimi_k25_vision', pos_emb_height=2, pos_emb_width=2), projection_hidden_size=16, tie_word_embeddings=False, **image),
    'paligemma': lambda: dict(text_config=text('gemma', P1), vision_config=clip('siglip_vision_model'), projection_dim=16, hidden_size=16, vocab_size=40, **index),
    'aria': lambda: dict(text_config=text('aria_text', P1), vision_config=clip('idefics3_vision'), projector_patch_to_query_dict={'4': 2}, vision_feature_layer=-1, **index),
    'apertus1p5': lambda: dict(text_config=text('apertus1p5_text', Q1), **one),
    'voxtral': lambda: dict(text_config=text('llama', P1), audio_config=tower('voxtral_encoder'), **sound),
    'qwen2_audio': lambda: dict(text_config=text('qwen2', Q1), audio_config=tower('qwen2_audio_encoder'), audio_token_index=36),
    'got_ocr2': lambda: dict(text_config=text('qwen2', Q1), vision_config=dict(hidden_size=16, output_channels=8, num_hidden_layers=1, num_attention_heads=2, image_size=16, patch_size=4, window_size=2, global_attn_indexes=[0], mlp_dim=16), **one),
    'lighton_ocr': lambda: dict(text_config=text('qwen3', P1), vision_config=clip('pixtral', head_dim=8), tie_word_embeddings=False, **one),
    'ovis2': lambda: dict(text_config=text('qwen2', Q1), vision_config=dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=8, patch_size=4, vocab_size=20, num_visual_indicator_tokens=5), visual_indicator_token_ids=[35, 36, 37, 38, 39], vocab_size=40, hidden_size=16, **one),
    'qwen2_5_omni_thinker': lambda: dict(text_config=vl_text('qwen2_5_omni_text', 'qwen2', Q1), vision_config=tower('qwen2_5_omni_vision_encoder', fullatt_block_indexes=[0], window_size=8), audio_config=tower('qwen2_5_omni_audio_encoder', output_dim=16), audio_token_index=35, image_token_index=36, video_token_index=37),
    'qwen3_omni_moe_thinker': lambda: dict(text_config=vl_text('qwen3_omni_moe_text', 'qwen3_moe', P1, mrope_interleaved=True), vision_config=tower('qwen3_omni_moe_vision_encoder', deepstack_visual_indexes=[0]), audio_config=tower('qwen3_omni_moe_audio_encoder', downsample_hidden_size=8), audio_token_id=35, image_token_id=36, video_token_id=37),
    'fast_vlm': lambda: dict(text_config=text('qwen2', Q1), vision_config=clip('siglip_vision_model'), vision_feature_layer=-1, **one),
    'idefics2': lambda: dict(text_config=text('mistral', P1), vision_config=clip('idefics2_vision'), perceiver_config=dict(model_type='idefics2_perceiver', hidden_size=16, resampler_n_latents=2, resampler_depth=1, resampler_n_heads=2, resampler_head_dim=8, num_key_value_heads=1), **one),
    'llava_next_video': lambda: dict(text_config=text('llama', P1), vision_config=clip(), vision_feature_layer=-1, **pins, image_token_index=36, video_token_index=37),
    'video_llava': lambda: dict(text_config=text('llama', P1), vision_config=clip(), vision_feature_layer=-1, image_token_index=36, video_token_index=37),
    'vipllava': lambda: dict(text_config=text('llama', P1), vision_config=clip(), vision_feature_layers=[-1], **index),
    'video_llama_3': lambda: dict(text_config=text('qwen2', Q1), vision_config=clip('video_llama_3_vision'), image_token_id=36, video_token_id=37),
    'perception_lm': lambda: dict(text_config=text('llama', P1), vision_config=dict(model_type='timm_wrapper', architecture='vit_pe_core_large_patch14_336', model_args=dict(embed_dim=16, depth=1, num_heads=2, img_size=(8, 8), patch_size=(4, 4))), image_token_id=36, video_token_id=37),
    'janus': lambda: dict(text_config=text('llama', P1), vision_config=dict(model_type='janus_vision_model', hidden_size=16, num_hidden_layers=1, num_attention_heads=2, mlp_ratio=1, image_size=8, patch_size=4, projection_dim=16, depth=1), vq_config=dict(model_type='janus_vqgan', embed_dim=8, num_embeddings=8, latent_channels=8, num_patches=2, base_channels=32, channel_multiplier=[1], num_res_blocks=1, projection_dim=16, image_token_embed_dim=16, num_hidden_layers=1), **one),
    'deepseek_vl': lambda: dict(text_config=text('llama', P1), vision_config=clip('siglip_vision_model'), **one),
    'audioflamingo3': lambda: dict(text_config=text('qwen2', Q1), audio_config=tower('audioflamingo3_encoder'), **sound),
    'exaone4_5': lambda: dict(text_config=text('exaone4', Q), vision_config=tower('exaone4_5_vision', fullatt_block_indexes=[0], window_size=8), **image),
    'granite_speech': lambda: dict(text_config=text('granite', Q1), encoder_config=dict(model_type='granite_speech_encoder', hidden_dim=16, num_layers=1, num_heads=2, dim_head=8, input_dim=8, output_dim=8, context_size=4, max_pos_emb=4, feedforward_mult=1), projector_config=dict(model_type='blip_2_qformer', hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, encoder_hidden_size=16, vocab_size=8), window_size=4, downsample_rate=2, has_lora_adapter=False, audio_token_index=36),
    'cohere_compass': lambda: dict(text_config=text('cohere_compass_text', Q), vision_config=clip('siglip_vision_model'), **one),
    'hyperclovax_vision_v2': lambda: dict(text_config=text('hyperclovax', P1), **one),
    'qianfan_ocr': lambda: dict(text_config=text('qwen3', P1), vision_config=dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=[8, 8], patch_size=[4, 4]), **one),
    'qwen3_asr': lambda: dict(text_config=text('qwen3', P1), audio_config=tower('qwen3_asr_encoder'), **sound),
    'fuyu': lambda: dict(text_config=text('persimmon', Q1), image_size=8, patch_size=4, hidden_size=16, vocab_size=40, image_token_id=36),
    'glmasr': lambda: dict(text_config=text('llama', P1), audio_config=tower('glmasr_encoder'), **sound),
    'minicpmv4_6': lambda: dict(text_config=text('qwen3_5_text'), vision_config=tower('minicpmv4_6_vision'), image_token_id=36, video_token_id=37),
    'gemma3n': lambda: dict(text_config=text('gemma3n_text')),
    'emu3': lambda: dict(text_config=text('llama', P1, model_type='emu3_text_model'), vq_config=dict(codebook_size=8, embed_dim=4, latent_channels=4, base_channels=32, channel_multiplier=[1], num_res_blocks=1, attn_resolutions=[]), vocabulary_map={'<image>': 36}),
    'glm4v': lambda: dict(text_config=vl_text('glm4v_text', 'glm4', G1, (2, 1, 1)), vision_config=tower('glm4v_vision'), **one, video_token_id=37),
    'glm46v': lambda: dict(text_config=vl_text('glm4v_text', 'glm4', G1, (2, 1, 1)), vision_config=tower('glm4v_vision'), **one, video_token_id=37),
    'glm4v_moe': lambda: dict(text_config=dict(vl_text('glm4v_moe_text', 'glm4_moe', GM, (2, 1, 1)), use_qk_norm=False), vision_config=tower('glm4v_moe_vision'), **one, video_token_id=37),
    'glm_ocr': lambda: dict(text_config=dict(vl_text('glm_ocr_text', 'glm4', P1, (2, 1, 1)), attention_bias=False), vision_config=tower('glm_ocr_vision'), **one, video_token_id=37),
    'paddleocr_vl': lambda: dict(text_config=vl_text('paddleocr_vl_text', 'ernie4_5', P1), vision_config=tower('paddleocr_vl_vision'), **one, video_token_id=37),
    'ernie4_5_vl_moe': lambda: dict(text_config=dict(vl_text('ernie4_5_vl_moe_text', 'ernie4_5_moe', Q, (3, 3, 2)), moe_intermediate_size=[8, 8], mlp_layer_types=['dense', 'sparse']), vision_config=tower('ernie4_5_vl_moe_vision'), image_token_id=36, video_token_id=37),
    'hunyuan_vl': lambda: dict(text_config=text('hunyuan_v1_dense', P1, model_type='hunyuan_vl_text'), vision_config=tower('hunyuan_vl_vision'), **one),
}


def configured(t):
    c = CONFIG_MAPPING[t](**W[t]())
    c.dtype = 'float32'
    for sub in (c, c.get_text_config()):
        sub.bos_token_id, sub.eos_token_id, sub.pad_token_id = 0, 1, None
    if t.startswith('gemma4'):  # looks up the embedding of padding
        c.get_text_config().pad_token_id = 0
    c._experts_implementation = 'eager'
    return c


def tokens():
    return torch.randint(2, LAST, (2, 24), generator=torch.Generator().manual_seed(7))


def answers(where):
    """The logits of a checkpoint, as a stock user would load it."""
    model = Auto.from_pretrained(where, attn_implementation='eager', dtype=torch.float32).eval()
    with torch.no_grad():
        return forward(model).logits


def forward(model, **k):
    # the class of llama4 cannot answer text alone in transformers 5.24 (AttributeError: image_outputs); what it asks can
    ask = model.language_model if type(model).__name__ == 'Llama4ForConditionalGeneration' else model
    return ask(input_ids=tokens(), use_cache=False, **k)


def rename(path, old, new):
    with safe_open(path, 'pt') as f:
        tensors, meta = {k.replace(old, new): f.get_tensor(k) for k in f.keys()}, f.metadata()
    save_file(tensors, path, metadata=meta)


def make(t, out):
    torch.manual_seed(0)
    model = Auto.from_config(configured(t), attn_implementation='eager').float().eval()
    fill(model, 0)
    with torch.no_grad():
        answer = forward(model, output_hidden_states=True)
        shutil.rmtree(out, ignore_errors=True)
        model.save_pretrained(out)
        if t == 'kimi_k25':  # 5.24 writes the language model's layers under the name of the tower's; files have them as it reads them too
            rename(f'{out}/model.safetensors', 'language_model.model.blocks.', 'language_model.model.layers.')
        again = answers(out)
        wide = forward(model.double()).logits
    logits = answer.logits.float().contiguous()
    largest = logits.abs().max()
    err, reload = float((wide - logits).abs().max() / largest), float((again - logits).abs().max() / largest)
    g = {'input_ids': tokens(), 'logits': logits}
    for i, h in enumerate(answer.hidden_states or ()):
        g[f'hidden.{i}'] = h.float().contiguous().clone()
    save_file(g, f'{out}/golden.safetensors', metadata={
        'source': f'transformers {transformers.__version__} {type(model).__name__}, text alone, eager attention, float32', 'seed': '0', 'f32err': str(err), 'reload': str(reload)})
    if os.path.exists(f'{out}/generation_config.json'):
        os.remove(f'{out}/generation_config.json')
    size = sum(os.path.getsize(f'{out}/{f}') for f in os.listdir(out))
    print(f'{t:18} {size // 1000:5} KB  f32err {err:.1e}  reload {reload:.1e}  hidden {len(g) - 2}  largest {largest:.1f}  {type(model).__name__}', flush=True)


if __name__ == '__main__':
    for t in sys.argv[1:] or W:
        try:
            make(t, os.environ.get('OUT', f'{HERE}/../families') + f'/{t}')
        except Exception as e:
            if os.environ.get('TRACE'):
                raise
            print(f'{t:18} FAIL {type(e).__name__}: {str(e)[:300]}', flush=True)
