#!/usr/bin/env python3
"""Tiny quantised models, with the answers of transformers to what their numbers mean.

    python testdata/tools/make_quantised.py [NAME...]    testdata/quantised/NAME: config.json, model.safetensors, golden.safetensors

Each is a model of testdata/families whose linears are stored in a format that FORMS says. The codes are made here, and so
are the numbers that they mean, in float64 and rounded once to float32; the answers are those of the plain model with these
numbers: transformers, eager attention, float32, no cache. Where transformers itself decodes the format on a CPU, its answer
to the stored folder is compared, and how far it is (it decodes to bfloat16, or rounds scales to the type of the model) is in
the metadata as "stock".

Made with transformers 5.24.0, torch 2.6.0, safetensors; for "stock", accelerate 1.15.0 and compressed-tensors 0.20.1.
"""
import json, os, re, shutil, sys, tempfile, warnings
warnings.filterwarnings('ignore')
os.environ.setdefault('TRANSFORMERS_VERBOSITY', 'error')
import torch, transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
import quantised_low as low
torch.set_num_threads(2)
HERE = os.path.dirname(os.path.abspath(__file__))

ALL = r'\.(qkv|q|k|v|o|gate|up|gate_up|down)_proj(\.weight)?$'
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


def scaled(rows, columns, dtype=E4M3, zero=False, order=False, kv=False, static=False):
    """compressed-tensors' and others' weight_scale: a scale for so many rows and columns, 0 for all; an integer's zero
    point; columns whose group another tensor says; scales of the cache and of activations"""
    def of(name, w, out):
        r, c = rows or w.shape[0], columns or w.shape[1]
        index = torch.randperm(w.shape[1], generator=torch.Generator().manual_seed(len(name))) // c if order else torch.arange(w.shape[1]) // c
        sort = torch.argsort(index, stable=True)
        base = w.new_full((-(-w.shape[0] // r), -(-w.shape[1] // c)), 0.0)
        shifted = w - w.mean() / 2 if zero else w
        codes, scales = coded(shifted[:, sort], r, c, dtype)
        if zero:
            base = torch.randint(-9, 9, base.shape, generator=torch.Generator().manual_seed(len(name))).float()
            codes = (codes.float() + spread(base, r, c, w.shape)).clamp(-128, 127).to(dtype)
            out[name + '_zero_point'] = base.to(dtype)
        codes, back = codes.clone(), torch.empty_like(codes)
        back.view(torch.uint8)[:, sort] = codes.view(torch.uint8)
        scales = scales.reshape(-1) if rows == columns == 0 else scales
        out[name], out[name + '_scale'] = back, scales
        if order:
            out[name + '_g_idx'] = index.to(torch.int32)
        if static:
            out[re.sub(r'weight$', 'input_scale', name)] = torch.tensor([0.0317])
        if kv and re.search(r'[kv]_proj', name):
            out[re.sub(r'([kv])_proj.weight$', r'\1_scale', name)] = torch.tensor([0.21])
        s, z = scales.reshape(base.shape).double(), base.double()
        return ((back.double() - spread(z, r, c, w.shape)[:, torch.argsort(sort)]) * spread(s, r, c, w.shape)[:, torch.argsort(sort)]).float()
    return of


def fbgemm(name, w, out):
    """a scale for each row of a linear, for each column of experts that lie the other way round"""
    if w.ndim == 2:
        return scaled(1, 0)(name, w, out)
    codes, scales = zip(*[coded(x, x.shape[0], 1) for x in w])
    out[name], out[name + '_scale'] = torch.stack(codes), torch.stack(scales)
    return torch.stack([numbers(q, s, q.shape[0], 1) for q, s in zip(codes, scales)])


def mx8(name, w, out):
    """experts in runs of 32 and linears in blocks of 16 × 16, of scales that are powers of two, stored as such"""
    r, c = (1, 32) if 'experts' in name else (16, 16)
    codes, scales = coded(w, r, c, power=True)
    out[name], out[name + '_scale_inv'] = codes, ('F8_E8M0', (scales.log2() + 127).to(torch.uint8))
    return numbers(codes, scales, r, c)


def compressed(format, weights, ignore=('lm_head',), activations=None, **more):
    """a quantization_config of compressed-tensors"""
    group = dict(targets=['Linear'], weights=dict(dict(num_bits=8, symmetric=True, dynamic=False, observer='minmax', group_size=None), **weights), input_activations=activations, output_activations=None)
    return dict(quant_method='compressed-tensors', format=format, quantization_status='compressed', ignore=list(ignore), kv_cache_scheme=None, config_groups={'group_0': group}, **more)


def store(tensors, path):
    """safetensors, with types that torch has not: (type, bytes)"""
    save_file({k: (v[1] if isinstance(v, tuple) else v).contiguous() for k, v in tensors.items()}, path, metadata={'format': 'pt'})
    other = {k: v[0] for k, v in tensors.items() if isinstance(v, tuple)}
    if other:
        raw = open(path, 'rb').read()
        n = int.from_bytes(raw[:8], 'little')
        header = json.loads(raw[8:8 + n])
        for k, dtype in other.items():
            header[k]['dtype'] = dtype
        text = json.dumps(header, separators=(',', ':')).encode()
        text += b' ' * (-len(text) % 8)
        open(path, 'wb').write(len(text).to_bytes(8, 'little') + text + raw[8 + n:])


FORMS = {
    # block sizes that cut neither rows nor columns evenly
    'deepseek_v3-fp8': ('deepseek_v3', dict(quant_method='fp8', fmt='e4m3', activation_scheme='dynamic', weight_block_size=[20, 12]), LINEAR, blocks(20, 12)),
    'ministral3-fp8': ('ministral3', dict(quant_method='fp8', activation_scheme='static', weight_block_size=None, modules_to_not_convert=['lm_head'], dequantize=False), LINEAR, whole('_scale_inv', 'activation_scale')),
    'qwen3_moe-mxfp8': ('qwen3_moe', dict(quant_method='fp8', fmt='e4m3', scale_fmt='ue8m0', activation_scheme='dynamic', weight_block_size=[16, 16]), LINEAR, mx8),
    'llama4_text-fbgemm': ('llama4_text', dict(quant_method='fbgemm_fp8', activation_scale_ub=1200.0, modules_to_not_convert=['lm_head', 'router']), ALL, fbgemm),
    # a scale for each row of matrices that hold several linears
    'glm4-fp8-channel': ('glm4', compressed('float-quantized', dict(type='float', strategy='channel')), ALL, scaled(1, 0)),
    'ministral-modelopt': ('ministral', dict(quant_method='modelopt', quant_algo='FP8', kv_cache_scheme=dict(dynamic=False, num_bits=8, type='float'), ignore=['lm_head'], producer=dict(name='modelopt', version='0.29.0')), ALL, scaled(0, 0, kv=True, static=True)),
    'seed_oss-int8': ('seed_oss', compressed('int-quantized', dict(type='int', strategy='channel', symmetric=False), activations=dict(type='int', strategy='token', num_bits=8, symmetric=True, dynamic=True)), ALL, scaled(1, 0, torch.int8, zero=True)),
    'internlm3-int8-group': ('internlm3', compressed('int-quantized', dict(type='int', strategy='group', group_size=8, actorder='group')), ALL, scaled(1, 8, torch.int8, order=True)),
}


def make(name):
    out, made = f'{HERE}/../quantised/{name}', None
    if name in low.FORMS:
        config, which, form = low.FORMS[name][2:]
        made = tempfile.TemporaryDirectory()
        source = made.name
        ids = low.base(name, source)
    else:
        base, config, which, form = FORMS[name]
        source = f'{HERE}/../families/{base}'
        ids = load_file(f'{source}/golden.safetensors')['input_ids']
    plain, stored = load_file(f'{source}/model.safetensors'), {}
    for key in sorted(plain):
        if re.search(which, key):
            plain[key] = form(key, plain[key], stored)
        else:
            stored[key] = plain[key].bfloat16() if made else plain[key]
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    c = json.load(open(f'{source}/config.json'))
    c['quantization_config'] = config
    with open(f'{out}/config.json', 'w') as f:
        json.dump(c, f, indent=2)
        f.write('\n')
    store(stored, f'{out}/model.safetensors')

    def answer(folder):
        model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation='eager', dtype=torch.float32).eval()
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
        'source': f'transformers {transformers.__version__}, eager attention, float32, of the decoded numbers', 'stock': stock,
        **({'library': low.ERRORS[form.label]} if name in low.FORMS else {})})
    return sum(os.path.getsize(f'{out}/{f}') for f in os.listdir(out)), stock


if __name__ == '__main__':
    for name in sys.argv[1:] or [*FORMS, *low.FORMS]:
        size, stock = make(name)
        print(f'{name:32} {size // 1000:5} KB  stock {stock}', low.ERRORS, flush=True)
        low.ERRORS.clear()
