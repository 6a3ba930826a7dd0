#!/usr/bin/env python3
"""Tiny random models of vision with a language model inside, with the logits of text alone.

    python testdata/tools/make_wrappers.py [TYPE...]    testdata/families/TYPE

config.json and model.safetensors are those of the whole model (vision tower, projector and language model), as transformers
writes them; golden.safetensors holds the answers of the whole class to text without an image, as make_families.py's does:
input_ids, logits, hidden.i.

Made with transformers 5.24.0, torch 2.6.0, safetensors.
"""
import os, shutil, sys
import torch, transformers
from make_families import C, HERE, build_config, fill
from safetensors.torch import save_file
from transformers import AutoModelForImageTextToText
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

# fewer heads and numbers than in models of text alone, since there are more parts
P = dict(C, A=2, K=1, I=24)
LAST = 56  # ids of text are below; those of images above


def clip(kind='clip_vision_model', **k):
    return dict(dict(model_type=kind, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=8, patch_size=4, projection_dim=16), **k)


def qwen_vision(**k):
    return dict(dict(depth=1, hidden_size=16, intermediate_size=16, num_heads=2, patch_size=4, spatial_merge_size=1, temporal_patch_size=1, out_hidden_size=32), **k)


def text(kind, **k):
    """The configuration of make_families.py under another model_type."""
    c = build_config(kind, P).to_dict()
    c.update(k)
    return {a: b for a, b in c.items() if b is not None or a == 'sliding_window'}


def vl_text(kind, of, **k):
    """A text configuration that turns by several axes: sections of a head's planes."""
    c = text(of, model_type=kind)
    c['rope_parameters'] = dict(c['rope_parameters'], mrope_section=[4, 2, 2], **k)
    return c


image = dict(image_token_id=60, video_token_id=61, vision_start_token_id=62, vision_end_token_id=63)
index = dict(image_token_index=60)

W = {
    'gemma3': lambda: dict(text_config=text('gemma3_text'), vision_config=clip('siglip_vision_model'), mm_tokens_per_image=4, boi_token_index=61, eoi_token_index=62, image_token_id=60),
    'mistral3': lambda: dict(text_config=text('mistral'), vision_config=clip('pixtral', head_dim=8), tie_word_embeddings=False, spatial_merge_size=1, **index),
    'llava': lambda: dict(text_config=text('llama'), vision_config=clip(), vision_feature_layer=-1, **index),
    'llava_next': lambda: dict(text_config=text('mistral'), vision_config=clip(), vision_feature_layer=-1, image_grid_pinpoints=[[8, 8]], **index),
    'llava_onevision': lambda: dict(text_config=text('qwen2'), vision_config=clip('siglip_vision_model'), vision_feature_layer=-1, image_grid_pinpoints=[[8, 8]], image_token_index=60, video_token_index=61),
    'qwen2_vl': lambda: dict(text_config=vl_text('qwen2_vl_text', 'qwen2'), vision_config=dict(depth=1, embed_dim=16, hidden_size=32, num_heads=2, mlp_ratio=1, patch_size=4, spatial_merge_size=1, temporal_patch_size=1), **image),
    'qwen2_5_vl': lambda: dict(text_config=vl_text('qwen2_5_vl_text', 'qwen2'), vision_config=qwen_vision(fullatt_block_indexes=[0], window_size=8), **image),
    'qwen3_vl': lambda: dict(text_config=vl_text('qwen3_vl_text', 'qwen3', mrope_interleaved=True), vision_config=qwen_vision(num_position_embeddings=4, deepstack_visual_indexes=[0]), tie_word_embeddings=False, **image),
    'internvl': lambda: dict(text_config=text('qwen3'), vision_config=dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=[8, 8], patch_size=[4, 4]), tie_word_embeddings=False, image_token_id=60),
    'aya_vision': lambda: dict(text_config=text('cohere2'), vision_config=clip('siglip_vision_model'), vision_feature_layer=-1, **index),
    'cohere2_vision': lambda: dict(text_config=text('cohere2'), vision_config=clip('siglip_vision_model'), alignment_intermediate_size=16, image_token_id=60),
    'idefics3': lambda: dict(text_config=text('llama'), vision_config=clip('idefics3_vision'), scale_factor=2, image_token_id=60),
    'smolvlm': lambda: dict(text_config=text('llama'), vision_config=clip('smolvlm_vision'), scale_factor=2, image_token_id=60),
    'lfm2_vl': lambda: dict(text_config=text('lfm2'), vision_config=clip('siglip2_vision_model', num_patches=4), image_token_id=60, projector_hidden_size=16),
}


def make(t, out):
    c = CONFIG_MAPPING[t](**W[t]())
    c.dtype = 'float32'
    for sub in (c, c.get_text_config()):
        sub.bos_token_id, sub.eos_token_id, sub.pad_token_id = 0, 1, None
    c._experts_implementation = 'eager'
    torch.manual_seed(0)
    model = AutoModelForImageTextToText.from_config(c, attn_implementation='eager').float().eval()
    fill(model, 0)
    ids = torch.randint(2, LAST, (2, 40), generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        answer = model(input_ids=ids, output_hidden_states=True, use_cache=False)
        shutil.rmtree(out, ignore_errors=True)
        model.save_pretrained(out)
        # the answers are those of what was saved, as a stock user would load it
        again = AutoModelForImageTextToText.from_pretrained(out, attn_implementation='eager', dtype=torch.float32).eval()(input_ids=ids, use_cache=False).logits
        wide = model.double()(input_ids=ids, use_cache=False).logits
    logits = answer.logits.float().contiguous()
    largest = logits.abs().max()
    err, reload = float((wide - logits).abs().max() / largest), float((again - logits).abs().max() / largest)
    g = {'input_ids': ids, 'logits': logits}
    for i, h in enumerate(answer.hidden_states or ()):
        g[f'hidden.{i}'] = h.float().contiguous().clone()
    save_file(g, f'{out}/golden.safetensors', metadata={
        'source': f'transformers {transformers.__version__} {type(model).__name__}, text alone, eager attention, float32', 'seed': '0', 'f32err': str(err), 'reload': str(reload)})
    if os.path.exists(f'{out}/generation_config.json'):
        os.remove(f'{out}/generation_config.json')
    size = sum(os.path.getsize(f'{out}/{f}') for f in os.listdir(out))
    print(f'{t:18} {size // 1000:5} KB  f32err {err:.1e}  reload {reload:.1e}  hidden {len(g) - 2}  largest {largest:.1f}', flush=True)


if __name__ == '__main__':
    for t in sys.argv[1:] or W:
        try:
            make(t, os.environ.get('OUT', f'{HERE}/../families') + f'/{t}')
        except Exception as e:
            print(f'{t:18} FAIL {type(e).__name__}: {str(e)[:300]}', flush=True)
