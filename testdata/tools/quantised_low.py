"""Forms of make_quantised.py whose numbers take a few bits each.

Each form packs bit by bit, in words that numpy adds up. Where a library that reads the format is installed, it decodes what
was packed, and how far its numbers are from these is in the golden's metadata as "library": compressed-tensors 0.20.1,
gptqmodel 7.7.0 (GPTQ, AWQ), auto-round 0.16.1, gguf 0.19.0, bitsandbytes 0.50.2, transformers 5.24.0 (MXFP4, BitNet).
"""
import os, re
os.environ.setdefault('TORCHDYNAMO_DISABLE', '1')
import numpy as np, torch

E2M1 = torch.tensor([0, .5, 1, 1.5, 2, 3, 4, 6, -0., -.5, -1, -1.5, -2, -3, -4, -6], dtype=torch.float64)
ERRORS = {}


def library(read):
    """decorates a form with what a library makes of its tensors"""
    def wrap(form):
        def of(name, w, out):
            numbers = form(name, w, out)
            try:
                there = read(name, out, numbers)
                error = f'{float((there.double() - numbers.double()).abs().max() / numbers.abs().max()):.1e}'
            except ImportError as e:
                error = f'{type(e).__name__}: {e}'
            ERRORS[form.label] = max(ERRORS.get(form.label, error), error, key=lambda s: float(s) if s[:1].isdigit() else -1)
            return numbers
        of.label, of.plain = form.label, form
        return of
    return wrap


def words(codes, bits):
    """codes (n, lines), n·bits a multiple of 32 or padded to one: (words, lines) int32, code k in bits k·bits and on"""
    c = codes.numpy().astype(np.uint64)
    b = ((c[:, None, :] >> np.arange(bits, dtype=np.uint64)[None, :, None]) & np.uint64(1)).reshape(-1, c.shape[1])
    b = np.pad(b, ((0, -len(b) % 32), (0, 0))).reshape(-1, 32, c.shape[1])
    return torch.from_numpy((b << np.arange(32, dtype=np.uint64)[None, :, None]).sum(1).astype(np.uint32).view(np.int32).copy())


def grouped(w, of, groups, bits, sym, least=0):
    """codes, zeros (out, groups) and float16 scales of groups of columns"""
    top = 2 ** bits - 1
    scales, zeros = torch.zeros(w.shape[0], groups), torch.zeros(w.shape[0], groups)
    for g in range(groups):
        part = w[:, of == g]
        low, high = part.amin(1).clamp(max=0), part.amax(1).clamp(min=0)
        if sym:
            scales[:, g], zeros[:, g] = torch.maximum(-low, high) * 2 / top, (top + 1) // 2
        else:
            scales[:, g] = (high - low) / top
            zeros[:, g] = (-low / scales[:, g]).round()
    scales, zeros = scales.clamp(min=1e-4).half(), zeros.clamp(least, top)
    codes = ((w / scales.float()[:, of]).round() + zeros[:, of]).clamp(0, top)
    return codes.long(), zeros.long(), scales


def means(codes, zeros, scales, of):
    return ((codes.double() - zeros[:, of].double()) * scales.double()[:, of]).float()


def rename(name, suffix):
    return name[:-len('weight')] + suffix


def gptq(bits, group, v2=False, act=False, sym=False, index=True):
    def form(name, w, out):
        n = w.shape[1]
        size = n if group < 0 else group
        of = torch.arange(n) // size
        if act:
            of = of[torch.randperm(n, generator=torch.Generator().manual_seed(n))]
        codes, zeros, scales = grouped(w, of, -(-n // size), bits, sym, 0 if v2 else 1)
        out[rename(name, 'qweight')] = words(codes.T, bits)
        out[rename(name, 'qzeros')] = words(zeros - (0 if v2 else 1), bits).T.contiguous()
        out[rename(name, 'scales')] = scales.T.contiguous()
        if index:
            out[rename(name, 'g_idx')] = of.int()
        return means(codes, zeros, scales, of)
    form.label = f'gptq{bits}'

    def read(name, out, numbers):
        from gptqmodel.nn_modules.qlinear.torch import TorchLinear
        from gptqmodel.utils.model import convert_gptq_v1_to_v2_format_module
        m = TorchLinear(bits=bits, group_size=group, sym=sym, desc_act=act, in_features=numbers.shape[1], out_features=numbers.shape[0], bias=False)
        for key in ['qweight', 'qzeros', 'scales', 'g_idx']:
            if rename(name, key) in out:
                getattr(m, key).data = out[rename(name, key)].clone()
        m.scales.data = m.scales.data.float()
        if not v2:
            convert_gptq_v1_to_v2_format_module(m, bits, torch.int32)
        m.post_init()
        return m.dequantize_weight().T
    return library(read)(form)


def awq(group):
    order = [0, 2, 4, 6, 1, 3, 5, 7]

    def turns(codes):  # (out, lines): eight rows a word, in that order
        return words(codes.reshape(-1, 8, codes.shape[1])[:, order].reshape(codes.shape), 4).T.contiguous()

    def form(name, w, out):
        of = torch.arange(w.shape[1]) // group
        codes, zeros, scales = grouped(w, of, w.shape[1] // group, 4, False)
        out[rename(name, 'qweight')], out[rename(name, 'qzeros')], out[rename(name, 'scales')] = turns(codes), turns(zeros), scales.T.contiguous()
        return means(codes, zeros, scales, of)
    form.label = 'awq'

    def read(name, out, numbers):
        from gptqmodel.quantization.awq.utils.packing_utils import dequantize_gemm
        return dequantize_gemm(out[rename(name, 'qweight')], out[rename(name, 'qzeros')], out[rename(name, 'scales')].float(), 4, group).T
    return library(read)(form)


def rounded(bits, group, v2=False, sym=False):
    """AutoRound's, as GPTQ's: its own reader decodes"""
    form = gptq(bits, group, v2, sym=sym, index=False).plain

    def read(name, out, numbers):
        from auto_round_extension.torch import qlinear_torch, qlinear_torch_zp
        m = (qlinear_torch if v2 else qlinear_torch_zp).QuantLinear(bits, group, numbers.shape[1], numbers.shape[0], False)
        for key in ['qweight', 'qzeros', 'scales']:
            getattr(m, key).data = out[rename(name, key)].clone()
        m.scales.data = m.scales.data.float()
        m.post_init()
        return m(torch.eye(numbers.shape[1])).T
    return library(read)(form)


def ggml(kind):
    """a GGUF file's blocks as pecvt takes them over; K quants are bytes at random, with scales as large as the weights need"""
    def form(name, w, out):
        import gguf
        from gguf import quants
        t = getattr(gguf.GGMLQuantizationType, kind.upper())
        try:
            raw = quants.quantize(w.numpy(), t)
        except NotImplementedError:
            n, size = gguf.GGML_QUANT_SIZES[t]
            raw = np.random.default_rng(len(name)).integers(0, 256, (w.shape[0], w.shape[1] // n, size), dtype=np.uint8)
            for at in {'q4_k': (0, 2), 'q5_k': (0, 2), 'q6_k': (208,)}[kind]:
                raw[:, :, at:at + 2] = np.full(raw.shape[:2] + (1,), 2e-4, np.float16).view(np.uint8)
            raw = raw.reshape(w.shape[0], -1)
        out[f'{name}_{kind}'] = torch.from_numpy(raw.copy())
        ERRORS[kind] = 'the numbers are its own'
        return torch.from_numpy(quants.dequantize(raw, t).copy()).float()
    form.label = kind
    return form


def decompressed(kind, name, out, args):
    from compressed_tensors.compressors import BaseCompressor
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
    tensors = {'weight' + key[len(name):]: v for key, v in out.items() if key.startswith(name + '_')}
    for key in ['weight_scale', 'weight_global_scale']:
        if key in tensors and tensors[key].dtype in (torch.float16, torch.bfloat16):
            tensors[key] = tensors[key].float()
    return BaseCompressor.get_value_from_registry(kind).decompress(tensors, QuantizationScheme(targets=['Linear'], weights=QuantizationArgs(**args)))['weight']


def pack(bits, group=None, sym=True, act=False):
    """compressed-tensors' pack-quantized; no group is one scale for each row"""
    def form(name, w, out):
        n = w.shape[1]
        of = torch.arange(n) // (group or n)
        if act:
            of = of[torch.randperm(n, generator=torch.Generator().manual_seed(n))]
        codes, zeros, scales = grouped(w, of, n // (group or n), bits, sym)
        out[name + '_packed'] = words(codes.T, bits).T.contiguous()
        out[name + '_scale'], out[name + '_shape'] = scales.bfloat16(), torch.tensor(w.shape)
        if not sym:
            out[name + '_zero_point'] = words(zeros, bits)
        if act:
            out[name + '_g_idx'] = of.int()
        return means(codes, zeros, scales.bfloat16(), of)
    form.label = f'pack{bits}'

    def read(name, out, numbers):
        if act:
            raise ImportError('compressed-tensors 0.20 reads no weight_g_idx')
        return decompressed('pack-quantized', name, out, dict(num_bits=bits, symmetric=sym, strategy='group' if group else 'channel', group_size=group))
    return library(read)(form)


def e2m1(w):
    """the nearest codes, and bytes of two"""
    codes = (w.double().abs()[..., None] - E2M1[:8]).abs().argmin(-1) + 8 * (w < 0).long()
    return codes, (codes[..., ::2] | codes[..., 1::2] << 4).to(torch.uint8)


def nvfp4(kind):
    def form(name, w, out):
        top = w.reshape(w.shape[0], -1, 16).abs().amax(-1)
        common = (448 * 6 / w.abs().max()).float()  # the divisor
        scales = (top / 6 * common).clamp(min=2 ** -9).to(torch.float8_e4m3fn)
        if kind == 'modelopt':
            common = (1 / common).float()
            each = scales.double() * common.double()
        else:
            each = scales.double() / common.double()
        each = each.repeat_interleave(16, 1)
        codes, packed = e2m1(w / each.float())
        if kind == 'modelopt':
            out[name], out[name + '_scale'], out[name + '_scale_2'] = packed, scales, common
            out[rename(name, 'input_scale')] = torch.tensor(0.01)
        else:
            out[name + '_packed'], out[name + '_scale'], out[name + '_global_scale'] = packed, scales, common.reshape(1)
        return (E2M1[codes] * each).float()
    form.label = 'nvfp4'

    def read(name, out, numbers):
        if kind == 'modelopt':
            raise ImportError('modelopt needs a GPU')
        return decompressed('nvfp4-pack-quantized', name, out, dict(num_bits=4, type='float', symmetric=True, strategy='tensor_group', group_size=16))
    return library(read)(form)


def exponents(w):
    """MXFP4: exponents of runs of 32, codes, bytes and numbers"""
    top = w.reshape(*w.shape[:-1], -1, 32).abs().amax(-1).clamp(min=1e-30)
    e = (top.log2().floor() - 2 + 127).clamp(0, 254)
    each = (2.0 ** (e.double() - 127)).repeat_interleave(32, -1)
    codes, packed = e2m1(w / each)
    return e.to(torch.uint8), packed, (E2M1[codes] * each).float()


def mxfp4_packed(name, w, out):
    out[name + '_scale'], out[name + '_packed'], numbers = exponents(w)
    return numbers


mxfp4_packed.label = 'mxfp4'
mxfp4_packed = library(lambda name, out, numbers: decompressed('mxfp4-pack-quantized', name, out, dict(num_bits=4, type='float', symmetric=True, strategy='group', group_size=32, scale_dtype='torch.uint8')))(mxfp4_packed)


def mxfp4_experts(name, w, out):
    """gpt-oss: w is (experts, in, out)"""
    e, packed, numbers = exponents(w.transpose(1, 2).contiguous())
    out[name + '_scales'], out[name + '_blocks'] = e, packed.reshape(*e.shape, 16)
    return numbers.transpose(1, 2).contiguous()


def read_experts(name, out, numbers):
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors
    return convert_moe_packed_tensors(out[name + '_blocks'], out[name + '_scales'], dtype=torch.float32)


mxfp4_experts.label = 'mxfp4'
mxfp4_experts = library(read_experts)(mxfp4_experts)


def ternary(auto):
    def form(name, w, out):
        scale = w.abs().mean().bfloat16()
        codes = (w / scale.float()).round().clamp(-1, 1).long() + 1
        quarter = w.shape[0] // 4
        out[name] = sum(codes[k * quarter:(k + 1) * quarter] << 2 * k for k in range(4)).to(torch.uint8)
        stored = scale if auto else (1 / scale.float()).bfloat16()
        out[name + '_scale'] = stored.reshape(1)
        return ((codes - 1).double() * (stored.double() if auto else 1 / stored.double())).float()
    form.label = 'bitnet'

    def read(name, out, numbers):
        from transformers.integrations.bitnet import unpack_weights
        codes, scale = unpack_weights(out[name], torch.float32), out[name + '_scale'].float()
        return codes * scale if auto else codes / scale
    return library(read)(form)


def bitsandbytes(kind, nested, block=64):
    """nf4 or fp4: the library makes and decodes it"""
    def form(name, w, out):
        from bitsandbytes import functional as F
        q, state = F.quantize_4bit(w, blocksize=block, quant_type=kind, compress_statistics=nested)
        out[name] = q
        parts = state.as_dict(packed=True)
        for key, v in parts.items():
            out[f'{name}.{key}'] = v
        codes = torch.stack([q.flatten() >> 4, q.flatten() & 15], 1).flatten().long()
        scales = parts['absmax'].double()
        if nested:
            outer = parts['nested_absmax'].double().repeat_interleave(state.state2.blocksize)[:len(scales)]
            scales = parts['nested_quant_map'].double()[parts['absmax'].long()] * outer + float(state.offset)
        return (parts['quant_map'].double()[codes] * scales.repeat_interleave(block)[:len(codes)]).float().reshape(w.shape)
    form.label = kind

    def read(name, out, numbers):
        from bitsandbytes import functional as F
        parts = {key[len(name) + 1:]: v for key, v in out.items() if key.startswith(name + '.')}
        return F.dequantize_4bit(out[name], F.QuantState.from_dict(parts, device='cpu'))
    return library(read)(form)


def bnb8(name, w, out):
    top = w.abs().amax(1)
    codes = (w / top[:, None] * 127).round().to(torch.int8)
    out[name], out[rename(name, 'SCB')], out[rename(name, 'weight_format')] = codes, top, torch.tensor(0, dtype=torch.uint8)
    return (codes.double() * (top.double() / 127)[:, None]).float()


bnb8.label = 'bnb8'


def bnb8_read(name, out, numbers):
    from bitsandbytes import functional as F
    return F.int8_vectorwise_dequant(out[name], out[rename(name, 'SCB')])


bnb8 = library(bnb8_read)(bnb8)


LINEAR = r'\.(q|k|v|o|gate|up|down)_proj\.weight$'
ATTENTION, MLP = r'self_attn\.', r'mlp\.'


def by(**parts):
    """forms by a pattern of the name"""
    def of(name, w, out):
        return next(f for pattern, f in parts.values() if re.search(pattern, name))(name, w, out)
    of.label = next(iter(parts.values()))[1].label
    return of


def args(bits, group=None, sym=True, kind='int', **more):
    return dict(dict(num_bits=bits, type=kind, symmetric=sym, strategy='group' if group else 'channel', group_size=group, dynamic=False, actorder=None, observer='minmax', block_structure=None), **more)


def compressed(fmt, *groups, ignore=('lm_head',)):
    return dict(quant_method='compressed-tensors', format=fmt, quantization_status='compressed', ignore=list(ignore), kv_cache_scheme=None, sparsity_config={}, config_groups={
        f'group_{i}': dict(targets=targets, weights=w, input_activations=a, output_activations=None, **more) for i, (targets, w, a, more) in enumerate(groups)})


def gptq_config(bits, group, **more):
    return dict(dict(quant_method='gptq', bits=bits, group_size=group, desc_act=False, sym=False, lm_head=False, checkpoint_format='gptq', damp_percent=0.01, true_sequential=True,
                     modules_in_block_to_quantize=None), **more)


def auto_round(packing, bits, group, sym=True, **more):
    return dict(dict(quant_method='auto-round', packing_format=packing, bits=bits, group_size=group, sym=sym, data_type='int', autoround_version='0.16.1', iters=200, seqlen=2048,
                     block_name_to_quantize='model.layers'), **more)


# the model that each is made of: its type and what its configuration has beside BASE
BASE = dict(hidden_size=64, intermediate_size=96, num_attention_heads=4, num_key_value_heads=2, head_dim=16, num_hidden_layers=2, vocab_size=64, max_position_embeddings=32,
            bos_token_id=0, eos_token_id=1, pad_token_id=None, tie_word_embeddings=False)
MIXTURE = dict(moe_intermediate_size=32, num_experts=4, num_experts_per_tok=2, num_local_experts=4)
yarn = dict(rope_type='yarn', rope_theta=500.0, factor=4.0, original_max_position_embeddings=16, beta_fast=32.0, beta_slow=1.0, truncate=False)

FORMS = {
    'llama-gptq4': ('llama', {}, gptq_config(4, 32), LINEAR, gptq(4, 32)),
    # groups that cut the columns unevenly, and no g_idx
    'llama-gptq2': ('llama', {}, gptq_config(2, 64, format='gptq'), LINEAR, gptq(2, 64, index=False)),
    'llama-gptq3': ('llama', {}, gptq_config(3, -1, sym=True), LINEAR, gptq(3, -1, sym=True)),
    'qwen2-gptq4-act': ('qwen2', {}, gptq_config(4, 32, checkpoint_format='gptq_v2', desc_act=True), LINEAR, gptq(4, 32, v2=True, act=True)),
    'qwen3-gptq8': ('qwen3', {}, gptq_config(8, 32, sym=True), LINEAR, gptq(8, 32, sym=True)),
    'qwen3_moe-gptq4': ('qwen3_moe', dict(MIXTURE, hidden_size=32), gptq_config(4, 32, sym=True), LINEAR, gptq(4, 32, sym=True)),
    'qwen2-awq': ('qwen2', {}, dict(quant_method='awq', bits=4, group_size=32, version='gemm', zero_point=True, modules_to_not_convert=None), LINEAR, awq(32)),
    # AutoRound: packed as others do, layers of their own by name and by pattern
    'llama-autoround': ('llama', {}, auto_round('auto_round:auto_gptq', 4, 32, extra_config={
        'model.layers.0.mlp.gate_proj': dict(bits=8), 'model.layers.1.mlp.up_proj': dict(bits=16, data_type='float'), r'.*self_attn\.(q|k)_proj.*': dict(group_size=16)}),
        r'(?<!layers\.1\.mlp\.up_proj)(?<=_proj)\.weight$', by(a=(r'layers\.0\.mlp\.gate_proj', rounded(8, 32, sym=True)), b=(r'[qk]_proj', rounded(4, 16, sym=True)), c=('', rounded(4, 32, sym=True)))),
    'qwen3-autoround': ('qwen3', {}, auto_round('auto_round', 2, 32, sym=False, extra_config={r'.*down_proj': dict(bits=5), 'model.layers.1.self_attn.v_proj': dict(bits=3)}), LINEAR,
                        by(a=('down_proj', rounded(5, 32, True)), b=(r'1\.self_attn\.v_proj', rounded(3, 32, True)), c=('', rounded(2, 32, True)))),
    'qwen2-autoround-awq': ('qwen2', {}, auto_round('auto_round:auto_awq', 4, 32, sym=False), LINEAR, awq(32)),
    # groups of the same shapes, which targets tell apart
    'llama-packed-targets': ('llama', {}, compressed('pack-quantized', (['Linear'], args(4, 32), None, {}), ([r're:.*mlp\.(gate|up|down)_proj$', 'model.layers.1.self_attn.o_proj'], args(4, 32, False), None, {}),
                                                     ignore=['lm_head', r're:.*(embed|norm).*']), LINEAR, by(a=(r'mlp|1\.self_attn\.o_proj', pack(4, 32, False)), b=('', pack(4, 32)))),
    # blocks of GGUF files
    'llama-gguf': ('llama', dict(intermediate_size=256, tie_word_embeddings=True), dict(quant_method='gguf'), r'_proj\.weight$|embed_tokens', by(
        a=('embed', ggml('q8_0')), b=(r'0\..*down', ggml('q4_k')), c=(r'1\..*down', ggml('q6_k')), d=(r'\.v_proj', ggml('q5_1')), e=(r'\.o_proj', ggml('q5_0')), f=(r'\.gate', ggml('mxfp4')),
        g=(r'\.[qk]_proj', ggml('q4_1')), h=('', ggml('q4_0')))),
    'llama-packed4': ('llama', {}, compressed('pack-quantized', (['Linear'], args(4, 32, False), None, {})), LINEAR, pack(4, 32, False)),
    'qwen3-packed-act': ('qwen3', {}, compressed('pack-quantized', (['Linear'], args(4, 32, actorder='group'), None, {})), LINEAR, pack(4, 32, act=True)),
    # two groups of layers, and codes of 3 bits that cross words
    'qwen3-packed-mixed': ('qwen3', {}, compressed('pack-quantized', (['re:.*self_attn.*'], args(8), None, {}), (['re:.*mlp.(gate|up|down)_proj$'], args(3, 32, False), None, {}),
                                                   ignore=['re:.*lm_head', 'model.embed_tokens']), LINEAR, by(a=(ATTENTION, pack(8)), b=(MLP, pack(3, 32, False)))),
    'llama-nvfp4': ('llama', {}, compressed('nvfp4-pack-quantized', (['Linear'], args(4, 16, kind='float', strategy='tensor_group'),
                                                                    args(4, 16, kind='float', strategy='tensor_group', dynamic='local'), {})), LINEAR, nvfp4('packed')),
    'llama-nvfp4-modelopt': ('llama', {}, dict(quant_method='modelopt', quant_algo='NVFP4', kv_cache_quant_algo=None, group_size=16, ignore=['lm_head'],
                                              config_groups=dict(group_0=dict(targets=['Linear'], weights=dict(dynamic=False, num_bits=4, type='float', group_size=16))),
                                              producer=dict(name='modelopt', version='0.29.0')), LINEAR, nvfp4('modelopt')),
    'llama-mxfp4': ('llama', {}, compressed('mxfp4-pack-quantized', (['Linear'], args(4, 32, kind='float', scale_dtype='torch.uint8'), None, {})), LINEAR, mxfp4_packed),
    'gpt_oss-mxfp4': ('gpt_oss', dict(intermediate_size=32, num_local_experts=4, num_experts_per_tok=2, sliding_window=8, rope_parameters=yarn),
                      dict(quant_method='mxfp4', modules_to_not_convert=['model.layers.*.self_attn', 'model.layers.*.mlp.router', 'model.embed_tokens', 'lm_head']),
                      r'experts\.(gate_up|down)_proj$', mxfp4_experts),
    'llama-nf4': ('llama', {}, dict(quant_method='bitsandbytes', load_in_4bit=True, load_in_8bit=False, bnb_4bit_quant_type='nf4', bnb_4bit_use_double_quant=True,
                                   bnb_4bit_compute_dtype='bfloat16', bnb_4bit_quant_storage='uint8', llm_int8_skip_modules=None, llm_int8_threshold=6.0), LINEAR, bitsandbytes('nf4', True)),
    # blocks that begin within rows
    'llama-fp4': ('llama', {}, dict(quant_method='bitsandbytes', load_in_4bit=True, load_in_8bit=False, bnb_4bit_quant_type='fp4', bnb_4bit_use_double_quant=False,
                                   bnb_4bit_compute_dtype='float32', bnb_4bit_quant_storage='uint8'), LINEAR, bitsandbytes('fp4', False, 128)),
    'qwen3-bnb8': ('qwen3', {}, dict(quant_method='bitsandbytes', load_in_4bit=False, load_in_8bit=True, llm_int8_threshold=6.0, llm_int8_skip_modules=None), LINEAR, bnb8),
    'bitnet-packed': ('bitnet', dict(tie_word_embeddings=True), dict(quant_method='bitnet', linear_class='autobitlinear', quantization_mode='offline'), LINEAR, ternary(True)),
    'llama-bitnet': ('llama', {}, dict(quant_method='bitnet', modules_to_not_convert=None), LINEAR, ternary(False)),
}


def base(name, folder):
    """saves the plain model of a form"""
    from transformers import AutoConfig, AutoModelForCausalLM
    kind, more = FORMS[name][:2]
    c = AutoConfig.for_model(kind, **{k: v for k, v in dict(BASE, **more).items()})
    torch.manual_seed(sum(map(ord, name)))
    m = AutoModelForCausalLM.from_config(c, attn_implementation='eager', dtype=torch.float32)
    with torch.no_grad():
        for key, p in sorted(m.named_parameters()):
            if p.ndim == 1 and 'norm' in key:
                p.normal_(1, 0.1)
            else:
                p.normal_(0, 1.0 if 'embed' in key else 0.15)
            p.copy_(p.bfloat16())  # what is not quantised is stored so
    m.save_pretrained(folder)
    return torch.randint(0, c.vocab_size, (2, 40))
