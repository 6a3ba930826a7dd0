#!/usr/bin/env python3
"""Make convert/retrofit/testdata/autograd.json: attention KL between two layers and its gradients by torch's autograd.

    python3 -m venv v && v/bin/pip install torch==2.6.0 numpy
    v/bin/python make_retrofit_golden.py convert/retrofit/testdata/autograd.json

Every case is a random layer in float64: h, the source's and the student's weights, how both place positions, the mean
KL(source || student) over query heads and rows, and d(mean KL)/d(W_q, W_k, b_q, b_k) of the student. The rotation is
written with complex numbers and the attention with a mask, unlike the Go code. Seed 0.
"""
import json, sys

import torch

torch.set_default_dtype(torch.float64)


def turned(x, freq, gain, pairing, dim):
    """x (T, heads, d) at positions pos: planes as complex numbers times gain·exp(i·θ·pos)."""
    pos, freq = freq
    rot, rest = x[..., :dim], x[..., dim:]
    if pairing == 'interleaved':
        z = torch.view_as_complex(rot.reshape(*rot.shape[:-1], dim // 2, 2).contiguous())
    else:
        z = torch.complex(rot[..., :dim // 2], rot[..., dim // 2:])
    angle = pos[:, None, None] * freq[None]                      # (T, heads, planes)
    z = z * torch.polar(torch.full_like(angle, gain), angle)
    y = torch.view_as_real(z).reshape(*rot.shape) if pairing == 'interleaved' else torch.cat([z.real, z.imag], -1)
    return torch.cat([y, rest], -1)


def normed(x, norm):
    if norm is None:
        return x
    weight, eps = norm
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight


def attention(c, w, turn, rows):
    h, n, kv, d = c['h'], c['heads'], c['kv_heads'], c['head_dim']
    t = h.shape[0]
    q = (h[rows] @ w['q'].T + (w['q_bias'] if 'q_bias' in w else 0)).view(len(rows), n, d)
    k = (h @ w['k'].T + (w['k_bias'] if 'k_bias' in w else 0)).view(t, kv, d)
    q, k = normed(q, c.get('q_norm')), normed(k, c.get('k_norm'))
    freq, pos = turn['inv_freq'], torch.arange(t, dtype=torch.float64)
    q = turned(q, (pos[rows], freq.repeat_interleave(n // kv, 0)), turn['gain'], c['pairing'], c['rotary_dim'])
    k = turned(k, (pos, freq), turn['gain'], c['pairing'], c['rotary_dim'])
    if 'query_scale' in turn:
        scale = turn['query_scale']
        q = q * (1 + scale['beta'] * torch.log(1 + torch.floor(pos[rows] / scale['length'])))[:, None, None]
    s = torch.einsum('rnd,tnd->nrt', q, k.repeat_interleave(n // kv, 1)) * c['scale']
    delta = pos[rows][:, None] - pos[None]
    if 'slopes' in turn:
        s = s - turn['slopes'][:, None, None] * delta
    hidden = delta < 0
    if c['window']:
        hidden |= delta >= c['window']
    return torch.log_softmax(s.masked_fill(hidden, float('-inf')), -1), hidden


def case(name, kv=1, qk_norm=False, bias=False, pairing='halves', rotary_dim=4, window=0, slopes=False, scales=()):
    heads, d, hidden, t = 2 * kv, 4, 5, 11
    c = dict(name=name, heads=heads, kv_heads=kv, head_dim=d, hidden=hidden, rotary_dim=rotary_dim, pairing=pairing, scale=d ** -.5, window=window)
    c['h'] = torch.randn(t, hidden)
    if qk_norm:
        c['q_norm'], c['k_norm'] = (1 + .3 * torch.randn(d), 1e-6), (1 + .3 * torch.randn(d), 1e-6)
    source = {'q': .7 * torch.randn(heads * d, hidden), 'k': .7 * torch.randn(kv * d, hidden)}
    if bias:
        source['q_bias'], source['k_bias'] = torch.randn(heads * d), torch.randn(kv * d)
    student = {k: (v + .1 * torch.randn_like(v)).requires_grad_() for k, v in source.items()}
    freq = 10. ** -torch.arange(rotary_dim // 2).expand(kv, -1)
    low = freq.clone()
    low[:, -1] = 0
    a, b = {'inv_freq': freq, 'gain': 1.}, {'inv_freq': low, 'gain': 1.1}
    if slopes:
        b['slopes'] = 2. ** -torch.arange(1, heads + 1)
    for turn, (beta, length) in zip((b, a), scales):
        turn['query_scale'] = {'beta': beta, 'length': length}
    rows = torch.tensor([0, 2, 5, 6, 10])
    with torch.no_grad():
        la, hide = attention(c, source, a, rows)
    lb, _ = attention(c, student, b, rows)
    kl = (la.exp() * (la - lb).masked_fill(hide, 0)).sum(-1).mean()
    kl.backward()
    c.update(rows=rows, source=source, source_turn=a, student={k: v.detach() for k, v in student.items()}, student_turn=b,
             kl=kl.item(), gradient={k: v.grad for k, v in student.items()})
    for n in ('q_norm', 'k_norm'):
        if n in c:
            c[n] = {'weight': c[n][0], 'eps': c[n][1]}
    return c


def plain(x):
    if isinstance(x, torch.Tensor):
        return x.tolist() if x.ndim < 2 or x.shape[-1] != 5 else x.flatten().tolist()
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    return x


def main(out):
    torch.manual_seed(0)
    cases = [case('gqa', kv=2), case('q/k norms', qk_norm=True), case('biases', bias=True), case('norms and biases', qk_norm=True, bias=True),
             case('interleaved', pairing='interleaved'), case('partial', rotary_dim=2), case('window', window=4), case('slopes', slopes=True),
             case('queries scaled', kv=2, qk_norm=True, bias=True, scales=[(.3, 3.)]), case('queries of both scaled', scales=[(.3, 3.), (.2, 4.)])]
    with open(out, 'w') as f:
        f.write('{"provenance": "testdata/tools/make_retrofit_golden.py, torch %s, seed 0",\n"cases": [\n' % torch.__version__)
        f.write(',\n'.join(json.dumps(plain(c)) for c in cases))
        f.write('\n]}\n')


if __name__ == '__main__':
    main(*sys.argv[1:])
