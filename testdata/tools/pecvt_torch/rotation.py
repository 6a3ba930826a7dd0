"""The rotations of a `pecvt` block: per layer and key/value head one group R(t) = exp(tL), L skew.

    plain   inv_freq (G, P)                                           L = L_θ
    basis   inv_freq, basis (G, D, D)                                 L = B L_θ Bᵀ
    mixed   inv_freq, frame (G, D, r), generator (G, r(r−1)/2)        L = L_θ + E L_r Eᵀ
    rank2   inv_freq, a (G, m, D), b (G, m, D)                        L = L_θ + Σ_m (a bᵀ − b aᵀ)
    dense   generator (G, D(D−1)/2)                                   L from its upper triangle, row by row

L_θ turns plane p, coordinates p and p + P, by +θ_p as transformers does: L[p, p+P] = −θ, L[p+P, p] = θ. A frequency
is trained as θ exp(s) from s = 0, so it keeps its sign and 0 stays 0; basis and frame as exp(S) times what they were,
S skew from 0, so they stay orthonormal whatever the optimiser does.
"""

import torch
from torch import nn

FORMS = {"": ("inv_freq",), "basis": ("inv_freq", "basis"), "mixed": ("inv_freq", "frame", "generator"),
         "rank2": ("inv_freq", "a", "b"), "dense": ("generator",)}
TOLERANCE = 1e-5  # of an orthonormal basis, as pecvt reads one
MAX_RADIANS = 128  # per position of any plane, as pecvt reads one


def skew(upper, n):
    """L (…, n, n) from its upper triangle (…, n(n−1)/2), row by row."""
    i, j = torch.triu_indices(n, n, 1)
    l = upper.new_zeros(*upper.shape[:-1], n, n)
    l[..., i, j] = upper
    return l - l.transpose(-1, -2)


def planes(theta):
    """L_θ (…, 2P, 2P) of planes that pair p with p + P."""
    d = torch.diag_embed(theta)
    zero = torch.zeros_like(d)
    return torch.cat([torch.cat([zero, -d], -1), torch.cat([d, zero], -1)], -2)


def powers(l, count):
    """exp(tL) for t = 0 … count−1, (count, …): R(2^k) by the exponential, the rest R(2^k + t) = R(2^k) R(t)."""
    table = torch.eye(l.shape[-1], dtype=l.dtype, device=l.device).expand(l.shape)[None]
    while len(table) < count:
        table = torch.cat([table, torch.linalg.matrix_exp(len(table) * l) @ table])
    return table[:count]


def turn(x, cos, sin):
    """Planes of halves: (x, y) → (x cos − y sin, y cos + x sin)."""
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


class Orthonormal(nn.Module):
    """exp(S) times a matrix with orthonormal columns, S (…, n(n−1)/2) the one parameter."""

    def __init__(self, start, name):
        super().__init__()
        n = start.shape[-2]
        off = (start.transpose(-1, -2) @ start - torch.eye(start.shape[-1], dtype=start.dtype)).abs().max().item()
        if not off <= TOLERANCE:
            raise ValueError(f"tensor {name}: its columns are orthonormal but for {off:.3g}, expected {TOLERANCE:g}")
        self.register_buffer("start", start)
        self.upper = nn.Parameter(start.new_zeros(*start.shape[:-2], n * (n - 1) // 2))

    def forward(self):
        return torch.linalg.matrix_exp(skew(self.upper, self.start.shape[-2])) @ self.start


class Frequencies(nn.Module):
    """θ exp(s), s the one parameter; where no θ turns there is nothing to train."""

    def __init__(self, start):
        super().__init__()
        self.register_buffer("start", start)
        self.log = nn.Parameter(torch.zeros_like(start), requires_grad=bool(start.any()))

    def forward(self):
        return self.start * self.log.exp()


class Rotation(nn.Module):
    """A layer's rotation of the first D coordinates of every head, float64 up to the cosines.

    tensors maps the names of FORMS[form] to float64 tensors; factor multiplies what turns.
    """

    def __init__(self, form, tensors, factor, name):
        super().__init__()
        self.form, self.factor, self.name, self.names = form, factor, name, FORMS[form]
        for key in self.names:
            t = tensors[key]
            made = Frequencies(t) if key == "inv_freq" else Orthonormal(t, f"{name}.{key}") if key in ("basis", "frame") else nn.Parameter(t.clone())
            setattr(self, key, made)
        if form == "dense":
            self.dim = int((1 + (1 + 8 * self.generator.shape[-1]) ** 0.5) / 2)
        else:
            self.dim = 2 * self.inv_freq.start.shape[-1]
        self.bounded()

    def tensors(self):
        """What the block stores, float64."""
        return {k: (t() if isinstance(t, nn.Module) else t).detach().double().contiguous() for k, t in ((k, getattr(self, k)) for k in self.names)}

    def generator_matrix(self):
        """L (G, D, D)."""
        if self.form == "dense":
            return skew(self.generator, self.dim)
        l = planes(self.inv_freq())
        if self.form == "basis":
            b = self.basis()
            return b @ l @ b.transpose(-1, -2)
        if self.form == "mixed":
            e = self.frame()
            return l + e @ skew(self.generator, e.shape[-1]) @ e.transpose(-1, -2)
        if self.form == "rank2":
            ab = self.a.transpose(-1, -2) @ self.b
            return l + ab - ab.transpose(-1, -2)
        return l

    @torch.no_grad()
    def bounded(self):
        """Refuses a plane that turns faster than pecvt reads; that of L is its largest singular value."""
        rates = self.inv_freq().abs() if self.form in ("", "basis") else torch.linalg.matrix_norm(self.generator_matrix(), ord=2)
        if not (fastest := rates.max().item()) <= MAX_RADIANS:
            raise ValueError(f"{self.name} turns by {fastest:.6g} radians per position, expected at most {MAX_RADIANS}; a whole number of turns less is the same rotation")

    def forward(self, positions, *vectors):
        """positions (b, S), b 1 or B; vectors (B, heads, S, d), heads a multiple of G. Returns them turned."""
        if self.form in ("", "basis"):
            angle = positions[:, None, :, None].double() * self.inv_freq()[:, None]  # (b, G, S, P)
            cos, sin = angle.cos() * self.factor, angle.sin() * self.factor
            basis = self.basis() if self.form else None
        else:
            table = powers(self.generator_matrix(), int(positions.max()) + 1) * self.factor
            table = table[positions].transpose(1, 2)  # (b, G, S, D, D)
        out = []
        for x in vectors:
            groups = x.unflatten(1, (-1, x.shape[1] // self.groups))  # (B, G, n, S, d)
            y, rest = groups[..., : self.dim], groups[..., self.dim :]
            if self.form in ("", "basis"):
                if basis is not None:  # coordinates in the basis: scores are the same as turned back
                    y = y @ basis.to(x.dtype)[:, None]
                y = turn(y, cos.to(x.dtype)[:, :, None], sin.to(x.dtype)[:, :, None])
            else:
                y = (table.to(x.dtype)[:, :, None] @ y[..., None])[..., 0]
            out.append(torch.cat([y, rest], -1).flatten(1, 2))
        return out

    @property
    def groups(self):
        return len(self.generator if self.form == "dense" else self.inv_freq.start)
