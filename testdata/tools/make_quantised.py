#!/usr/bin/env python3
"""Tiny quantised models, with the answers of transformers to what their numbers mean.

    python testdata/tools/make_quantised.py [NAME...]    testdata/quantised/NAME: config.json, model.safetensors, golden.safetensors

Each is a model of testdata/families whose linears are stored in a format that FORMS says. The codes are made here, and so
are the numbers that they mean, in float64 and rounded once to float32; the answers are those of the plain model with these
numbers: transformers, eager attention, float32, no cache. Where transformers itself decodes the format on a CPU, its answer
to the stored folder is compared, and how far it is (it decodes to bfloat16, or rounds scales to the type of the model) is in
the metadata as "stock".

Made with transformers 5.24.0, torch 2.6.0, safetensors.
"""
import json, os, re, shutil, sys, tempfile, warnings
warnings.filterwarnings('ignore')
os.environ.setdefault('TRANSFORMERS_VERBOSITY', 'error')
import torch, transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
torch.set_num_threads(2)
HERE = os.path.dirname(os.path.abspath(__file__))

LINEAR = r'\.(q|k|v|o|gate|up|down|q_a|q_b|kv_b)_proj\.weight$|kv_a_proj_with_mqa\.weight$'
E4M3, E5M2 = torch.float8_e4m3fn, torch.float8_e5m2


def spread(scales, rows, columns, shape):
    """each scale over its block"""
    return scales.repeat_interleave(rows, 0)[:shape[0]].repeat_interleave(columns, 1)[:, :shape[1]]


def coded(w, rows, columns, dtype=E4M3, power=False):
    """codes of dtype and the scales of blocks, such that the largest code of a block is the largest there is"""
    top = 127.0 if dtype == torch.int8 else torch.finfo(dtype).max
    down, across = -(-w.shape[0] // rows), -(-w.shape[1] // columns)
    padded = torch.zeros(down * rows, across * columns)
    padded[:w.shape[0], :w.shape[1]] = w
    scales = padded.abs().reshape(down, rows, across, columns).amax((1, 3)).clamp(min=1e-6) / top
    if power:
        scales = 2.0 ** scales.log2().ceil()
    q = w / spread(scales, rows, columns, w.shape)
    return (q.round() if dtype == torch.int8 else q).to(dtype), scales


def numbers(codes, scales, rows, columns):
    return (codes.double() * spread(scales.double(), rows, columns, codes.shape)).float()


def blocks(rows, columns, **how):
    """DeepSeek's: float8 with weight_scale_inv by blocks"""
    def of(name, w, out):
        codes, scales = coded(w, rows, columns, **how)
        out[name], out[name + '_scale_inv'] = codes, scales
        return numbers(codes, scales, rows, columns)
    return of


def whole(scale, activation, vector=False, dtype=E4M3):
    """one scale for a tensor, and a fixed one for what enters it"""
    def of(name, w, out):
        codes, scales = coded(w, *w.shape, dtype=dtype)
        out[name], out[name + scale] = codes, scales.reshape([1] if vector else [])
        if activation:
            out[re.sub(r'weight$', activation, name)] = torch.tensor(0.0317)
        return numbers(codes, scales, *w.shape)
    return of


FORMS = {
    # block sizes that cut neither rows nor columns evenly
    'deepseek_v3-fp8': ('deepseek_v3', dict(quant_method='fp8', fmt='e4m3', activation_scheme='dynamic', weight_block_size=[20, 12]), LINEAR, blocks(20, 12)),
    'ministral3-fp8': ('ministral3', dict(quant_method='fp8', activation_scheme='static', weight_block_size=None, modules_to_not_convert=['lm_head'], dequantize=False), LINEAR, whole('_scale_inv', 'activation_scale')),
}


def make(name):
    base, config, which, form = FORMS[name]
    source, out = f'{HERE}/../families/{base}', f'{HERE}/../quantised/{name}'
    plain, stored = load_file(f'{source}/model.safetensors'), {}
    for key in sorted(plain):
        if re.search(which, key):
            plain[key] = form(key, plain[key], stored)
        else:
            stored[key] = plain[key]
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    c = json.load(open(f'{source}/config.json'))
    c['quantization_config'] = config
    with open(f'{out}/config.json', 'w') as f:
        json.dump(c, f, indent=2)
        f.write('\n')
    save_file({k: v.contiguous() for k, v in stored.items()}, f'{out}/model.safetensors', metadata={'format': 'pt'})
    ids = load_file(f'{source}/golden.safetensors')['input_ids']

    def answer(folder):
        model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation='eager', dtype=torch.float32).eval().float()
        with torch.no_grad():
            return model(ids, use_cache=False).logits.contiguous()
    with tempfile.TemporaryDirectory() as tmp:
        shutil.copy(f'{source}/config.json', tmp)
        save_file({k: v.contiguous() for k, v in plain.items()}, f'{tmp}/model.safetensors', metadata={'format': 'pt'})
        logits = answer(tmp)
    try:
        stock = f'{float((answer(out) - logits).abs().max() / logits.abs().max()):.1e}'
    except Exception as e:
        stock = f'{type(e).__name__}: {str(e).splitlines()[0][:120]}'
    save_file({'input_ids': ids, 'logits': logits}, f'{out}/golden.safetensors', metadata={
        'source': f'transformers {transformers.__version__}, eager attention, float32, of the decoded numbers', 'stock': stock})
    return sum(os.path.getsize(f'{out}/{f}') for f in os.listdir(out)), stock


if __name__ == '__main__':
    for name in sys.argv[1:] or FORMS:
        size, stock = make(name)
        print(f'{name:32} {size // 1000:5} KB  stock {stock}', flush=True)
