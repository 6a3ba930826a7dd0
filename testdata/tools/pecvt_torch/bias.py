"""The biases of a `pecvt` block, per query head h, added to the scaled scores of query i and key j <= i.

    alibi      −slope_h (i − j)
    kerple     log: −r1_h log(1 + r2_h (i − j)); power: −r1_h (i − j)^r2_h
    grape-a    −(i − j) ω_h (softplus(v_h·q_i/√d) + softplus(u_h·k_j/√d)), q and k before the rotation
    fox        Σ_{l=j+1..i} log σ(w_h·x_l + c_h), x the layer's normalised input
    grape-ap   Σ_{l=j+1..i} β_h log σ(<p_i, R_l p̂_l>/d_p), p = W x, p̂ = p/√(mean p² + 2^−23), R_l turns planes of
               halves by −l radians
"""

import torch
from torch import nn
from torch.nn.functional import linear, logsigmoid, softplus

from .rotation import turn

NAMES = {"alibi": ("slope",), "kerple": ("r1", "r2"), "grape-a": ("omega", "v", "u"), "fox": ("gate.weight", "gate.bias"),
         "grape-ap": ("beta", "path.weight")}


def names(block):
    """The names of a bias's tensors, without those of gates that it does not have."""
    gates = {"v": "query", "u": "key"}
    return [n for n in NAMES[block["type"]] if n not in gates or gates[n] in block["gates"]]


class Bias(nn.Module):
    """A layer's bias; tensors maps the names to float64 tensors, which are its parameters."""

    def __init__(self, block, tensors):
        super().__init__()
        self.block = block
        for name in names(block):
            self.register_parameter(name.replace(".", "_"), nn.Parameter(tensors[name].clone()))

    def tensors(self):
        return {n: getattr(self, n.replace(".", "_")).detach().double().contiguous() for n in names(self.block)}

    def ranges(self):
        """(name, least, most): no bias rewards distance, so slope, ω, β and r1 are 0 or more; r2 > 0, and r2 <= 2 in the power form."""
        out = [(n, 0, None) for n in names(self.block) if n in ("slope", "omega", "beta", "r1")]
        return out + [("r2", 1e-6, 2 if self.block["kernel"] == "power" else None)] if self.block["type"] == "kerple" else out

    @torch.no_grad()
    def project(self):
        """Numbers outside of their range back into it."""
        for name, least, most in self.ranges():
            getattr(self, name).clamp_(least, most)

    @torch.no_grad()
    def bounded(self, prefix):
        """Refuses a number outside of its range, which pecvt would not read."""
        for name, least, most in self.ranges():
            low, high = getattr(self, name).aminmax()
            if low < 0 or least > 0 and low == 0 or most is not None and high > most:
                raise ValueError(f"tensor {prefix}.{name} has numbers from {low.item():.6g} to {high.item():.6g}, expected {'0 or more' if least == 0 else 'above 0'}"
                                 f"{f' and at most {most}' if most else ''}: call project after each step")

    def forward(self, positions, x, q, k):
        """(B or 1, heads, S, S): rows queries, columns keys. x (B, S, hidden); q, k (B, heads or G, S, d)."""
        kind, dtype = self.block["type"], x.dtype
        own = lambda name: getattr(self, name).to(dtype)
        distance = (positions[:, :, None] - positions[:, None, :]).clamp(min=0).to(dtype)[:, None]  # (b, 1, S, S)
        per_head = lambda v: v[:, None, None]
        if kind == "alibi":
            return -per_head(own("slope")) * distance
        if kind == "kerple":
            r1, r2 = per_head(own("r1")), per_head(own("r2"))
            if self.block["kernel"] == "log":
                return -r1 * torch.log1p(r2 * distance)
            far = distance > 0  # 0^r2 is 0, and its slope in r2 is not a number
            return -r1 * torch.where(far, torch.where(far, distance, 1.0) ** r2, 0.0)
        if kind == "grape-a":
            gate, root = 0.0, q.shape[-1] ** -0.5
            if "query" in self.block["gates"]:
                gate = gate + softplus(torch.einsum("bhsd,hd->bhs", q, own("v")) * root, threshold=1e9)[..., None]
            if "key" in self.block["gates"]:
                k = k.repeat_interleave(q.shape[1] // k.shape[1], 1)
                gate = gate + softplus(torch.einsum("bhsd,hd->bhs", k, own("u")) * root, threshold=1e9)[..., None, :]
            return -distance * per_head(own("omega")) * gate
        if kind == "fox":
            total = logsigmoid(linear(x, own("gate_weight"), own("gate_bias"))).cumsum(1).transpose(1, 2)
            return total[..., :, None] - total[..., None, :]
        size = self.block["path_size"]
        p = linear(x, own("path_weight")).unflatten(-1, (-1, size)).transpose(1, 2)  # (B, heads, S, size)
        unit = p * torch.rsqrt(p.square().mean(-1, keepdim=True) + 2.0**-23)
        angle = -positions.double()[:, None, :, None]
        gates = logsigmoid(p @ turn(unit, angle.cos().to(dtype), angle.sin().to(dtype)).transpose(-1, -2) / size)
        sums = (gates * per_head(own("beta"))).cumsum(-1)  # over l
        return torch.diagonal(sums, dim1=-2, dim2=-1)[..., None] - sums
