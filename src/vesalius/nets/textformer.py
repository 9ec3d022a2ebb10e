"""Textformer: a small transformer that reads text, with words, places and layers of its own; no library is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from vesalius.core.errors import PlanError
from vesalius.core.options import options_of
from vesalius.nets._blocks import width
from vesalius.nets._net import Net

NAMES = {"textformer": "a small transformer that reads text, and needs no library"}
ROLE = "text"
DIMS = (2, 3)
SOURCE = "Vaswani et al.: Attention is all you need, NeurIPS 2017, arXiv:1706.03762; pre-norm as in Xiong et al. 2020"
SMALLEST = 0.0625
OPTIONS = {"layers": 2, "longest": 128}
LIMITS = {"layers": {"ge": 1, "le": 24}, "longest": {"ge": 2, "le": 4096}}
TINY = {"layers": 1, "longest": 16}
WIDTH, HEADS = 256, 4


class Textformer(Net):
    """Token ids `(B, L)` and which of them are words `(B, L)` → one vector a token, `(B, L, F)`.

    Each layer is attention over all tokens and two dense layers, both on normalised vectors and beside a shortcut. What
    the mask leaves out is seen by no other token. Images have no part in it: `dims` is that of the plan.
    """

    role: ClassVar[str] = "text"
    tables: ClassVar[tuple[str, ...]] = ("word.weight",)
    places: ClassVar[tuple[str, ...]] = ("place.weight",)

    def __init__(
        self, dims: int, words: int, *, hidden: int, layers: int, longest: int, dropout: float
    ) -> None:
        super().__init__(dims, [hidden], strides=[1], dropout=dropout)
        self.words, self.longest = words, longest
        self.word, self.place = nn.Embedding(words, hidden), nn.Embedding(longest, hidden)
        for table in (self.word, self.place):
            nn.init.normal_(table.weight, std=0.02)
        layer = nn.TransformerEncoderLayer(
            hidden,
            HEADS,
            dim_feedforward=4 * hidden,
            dropout=dropout,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.layers = nn.TransformerEncoder(
            layer, layers, norm=nn.LayerNorm(hidden), enable_nested_tensor=False
        )

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return `(B, L, F)`. `mask` is 1 where a token is one of the text's, by default everywhere.

        Raises PlanError for texts longer than the net's places.
        """
        if tokens.ndim != 2 or tokens.shape[1] > self.longest:
            raise PlanError(
                f"this textformer reads (B, L) of at most {self.longest} tokens",
                found=f"shape {tuple(tokens.shape)}",
                hint="the option `longest`",
            )
        places = torch.arange(tokens.shape[1], device=tokens.device)
        seen = self.word(tokens) + self.place(places)
        out: Tensor = self.layers(seen, src_key_padding_mask=None if mask is None else ~mask.bool())
        return out

    def summed_up(self, output: Any) -> Tensor:
        """Return `(B, F)`, the vector of each text's first token, out of what `forward` returned."""
        first: Tensor = output[:, 0]
        return first


def build(
    name: str,
    *,
    dims: int,
    in_channels: int,
    scale: float = 1.0,
    dropout: float = 0.0,
    size: Sequence[int] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Net:
    """Build a transformer of 256 times `scale` channels and 4 heads that knows `in_channels` words.

    `layers` is how many there are, `longest` the most tokens of a text. `dims` is the plan's, and `size` means nothing
    to it. Dropout acts on what each part adds.
    """
    chosen = options_of("nets", name, options or {}, where=f"{name}: options")
    return Textformer(
        dims,
        in_channels,
        hidden=width(WIDTH, scale),
        layers=int(chosen["layers"]),
        longest=int(chosen["longest"]),
        dropout=dropout,
    )
