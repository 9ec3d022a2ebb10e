"""Writers: a text piece by piece, looking at regions of an image and at findings as far as the next word needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from vesalius.core.errors import PlanError
from vesalius.core.options import options_of
from vesalius.nets._blocks import depth, width
from vesalius.nets._writer import AdaptiveAttention, Cache, Table, Writer

NAMES = {
    "writer-lstm": "long short-term memory that writes, with adaptive attention to image and findings",
    "writer-transformer": "transformer decoder that writes, with adaptive attention to image and findings",
}
ROLE = "writer"
DIMS = (2, 3)
SOURCE = (
    "Lu et al.: Knowing when to look, CVPR 2017, arXiv:1612.01887; Yang et al.: Automatic ultrasound image report "
    "generation with adaptive multimodal attention mechanism, Neurocomputing 427, 2021; Vaswani et al.: Attention is "
    "all you need, arXiv:1706.03762"
)
SMALLEST = 0.0625
OPTIONS = {"words": 4000, "longest": 256}
LIMITS = {"words": {"ge": 8}, "longest": {"ge": 4, "le": 4096}}
TINY = {"words": 50, "longest": 32}

WIDTH = 512  # at scale 1, as in Lu et al. and in the base model of Vaswani et al.
LAYERS, HEADS = 6, 8  # of the transformer at scale 1


class LstmWriter(Writer):
    """One layer of LSTM cells that read each piece beside the mean of the image, and adaptive attention on it."""

    tables: ClassVar[tuple[str, ...]] = ("table.weight", "table.bias")

    def __init__(
        self, dims: int, in_channels: int, hidden: int, *, words: int, longest: int, dropout: float
    ) -> None:
        super().__init__(dims, in_channels, hidden, words=words, longest=longest, dropout=dropout)
        self.table = Table(words, hidden)
        self.drop = nn.Dropout(dropout)
        self.whole = nn.Linear(in_channels, hidden)
        self.enter = nn.Linear(2 * hidden, 5 * hidden)  # in, forget, cell, out; and the gate of the sentinel
        self.again = nn.Linear(hidden, 5 * hidden, bias=False)
        self.attend = AdaptiveAttention(hidden, in_channels)
        self.leave = nn.Linear(hidden, hidden)

    def forward(
        self,
        tokens: Tensor,
        memory: Tensor | None = None,
        cache: Cache | None = None,
        *,
        findings: Tensor | None = None,
    ) -> tuple[Tensor, Cache, Tensor | None]:
        """See `Writer.forward`. The cache is the hidden state, the cell's, and how many pieces there were."""
        before = 0 if cache is None else int(cache[2][0])
        self.check_texts(tokens, memory, findings, before=before)
        words = self.drop(self.table(tokens))
        glance = torch.zeros_like(words[:, 0]) if memory is None else self.whole(memory.mean(1)).relu()
        entered = self.enter(torch.cat([words, glance[:, None].expand_as(words)], dim=-1))  # (B, L, 5 F)
        h, c = (torch.zeros_like(glance),) * 2 if cache is None else cache[:2]
        hs, sentinels = [], []
        for now in entered.unbind(1):
            i, f, g, o, s = (now + self.again(h)).chunk(5, dim=-1)
            c = torch.sigmoid(f + 1.0) * c + torch.sigmoid(i) * torch.tanh(g)
            held = torch.tanh(c)
            h = torch.sigmoid(o) * held
            hs.append(h)
            sentinels.append(torch.sigmoid(s) * held)
        hidden = torch.stack(hs, dim=1)
        context, looked = self.attend(hidden, torch.stack(sentinels, dim=1), memory, findings)
        out = self.drop(torch.tanh(self.leave(context + hidden)))
        count = torch.full((len(tokens),), before + tokens.shape[1], device=tokens.device)
        return out, (h, c, count), looked

    def logits(self, hidden: Tensor) -> Tensor:
        """Return `(B, L, words)`."""
        return self.table.logits(hidden)


class Layer(nn.Module):
    """Attention to the pieces so far, to what is seen where there is any, and two layers; each behind a norm."""

    def __init__(self, width: int, heads: int, *, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.qkv, self.mixed = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.ask, self.seen, self.told = (
            nn.Linear(width, width),
            nn.Linear(width, 2 * width),
            nn.Linear(width, width),
        )
        self.inner = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, seen: Tensor | None, cache: Cache | None) -> tuple[Tensor, Cache]:
        """Return `(B, L, F)` and the keys and values `(B, H, N, F / H)` of all pieces so far."""
        q, k, v = (self._parted(t) for t in self.qkv(self.norms[0](x)).chunk(3, dim=-1))
        if cache is not None:
            k, v = torch.cat([cache[0], k], dim=2), torch.cat([cache[1], v], dim=2)
        earlier = k.shape[2] - q.shape[2]
        rows, columns = q.shape[2], k.shape[2]
        may = torch.ones(rows, columns, dtype=torch.bool, device=x.device).tril(earlier)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=may)
        x = x + self.drop(self.mixed(self._whole(mixed)))
        if seen is not None:
            q = self._parted(self.ask(self.norms[1](x)))
            sk, sv = (self._parted(t) for t in self.seen(seen).chunk(2, dim=-1))
            x = x + self.drop(self.told(self._whole(nn.functional.scaled_dot_product_attention(q, sk, sv))))
        x = x + self.drop(self.inner(self.norms[2](x)))
        return x, (k, v)

    def _parted(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:-1], self.heads, -1).transpose(1, 2)  # (B, H, N, F / H)

    def _whole(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2).flatten(2)


class TransformerWriter(Writer):
    """Layers of a transformer decoder with learned places, and adaptive attention on the last one."""

    tables: ClassVar[tuple[str, ...]] = ("table.weight", "table.bias")
    places: ClassVar[tuple[str, ...]] = ("place.weight",)

    def __init__(
        self,
        dims: int,
        in_channels: int,
        hidden: int,
        *,
        layers: int,
        heads: int,
        words: int,
        longest: int,
        dropout: float,
    ) -> None:
        super().__init__(dims, in_channels, hidden, words=words, longest=longest, dropout=dropout)
        self.table = Table(words, hidden)
        self.place = nn.Embedding(longest, hidden)
        nn.init.normal_(self.place.weight, std=0.02)
        self.drop = nn.Dropout(dropout)
        self.region, self.finding = nn.Linear(in_channels, hidden), nn.Linear(in_channels, hidden)
        self.layers = nn.ModuleList(Layer(hidden, heads, dropout=dropout) for _ in range(layers))
        self.last = nn.LayerNorm(hidden)
        self.sentinel = nn.Linear(hidden, hidden)
        self.attend = AdaptiveAttention(hidden, in_channels)
        self.leave = nn.LayerNorm(hidden)

    def forward(
        self,
        tokens: Tensor,
        memory: Tensor | None = None,
        cache: Cache | None = None,
        *,
        findings: Tensor | None = None,
    ) -> tuple[Tensor, Cache, Tensor | None]:
        """See `Writer.forward`. The cache is a pair of keys and values for each layer."""
        before = 0 if cache is None else cache[0][0].shape[2]
        self.check_texts(tokens, memory, findings, before=before)
        x = self.drop(self.table(tokens) + self.place.weight[before : before + tokens.shape[1]])
        parts = [] if memory is None else [self.region(memory)]
        parts += [] if findings is None else [self.finding(findings)]
        seen = torch.cat(parts, dim=1) if parts else None
        kept = []
        for k, layer in enumerate(self.layers):
            x, one = layer(x, seen, None if cache is None else cache[k])
            kept.append(one)
        hidden = self.last(x)
        context, looked = self.attend(hidden, torch.tanh(self.sentinel(hidden)), memory, findings)
        return self.leave(context + hidden), tuple(kept), looked

    def logits(self, hidden: Tensor) -> Tensor:
        """Return `(B, L, words)`."""
        return self.table.logits(hidden)


def build(
    name: str,
    *,
    dims: int,
    in_channels: int,
    scale: float = 1.0,
    dropout: float = 0.0,
    size: Sequence[int] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Writer:
    """Build a writer of 512 channels at scale 1; the transformer has 6 layers of 8 heads there.

    `in_channels` is the width of what it looks at. `words` is how many pieces its tokenizer knows, `longest` how many
    pieces a text may have. `dropout` acts on pieces and on what each layer gives. `dims` is that of the plan, and
    `size` means nothing to it. Raises PlanError.
    """
    chosen = options_of("nets", name, options or {}, where=f"{name}: options")
    told = {"words": chosen["words"], "longest": chosen["longest"], "dropout": dropout}
    if name == "writer-lstm":
        return LstmWriter(dims, in_channels, width(WIDTH, scale, multiple=8), **told)
    hidden = width(WIDTH, scale, multiple=16)
    heads = next(h for h in range(max(1, round(HEADS * scale)), 0, -1) if hidden % h == 0)
    if hidden % heads:
        raise PlanError("a transformer's width is not parted by its heads", found=f"{hidden} by {heads}")
    return TransformerWriter(dims, in_channels, hidden, layers=depth(LAYERS, scale**1.5), heads=heads, **told)
