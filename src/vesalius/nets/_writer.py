"""Nets that write: what all of role `writer` share, and the adaptive attention between image, findings and language.

A writer has its own table of pieces and its own last layer. `forward(tokens, memory, cache)` says what it knows after
each piece, `logits` which piece it takes to come next. With a cache it goes on where it stopped, and what it says is
then that of the whole text at once, but for rounding.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from vesalius.core.errors import PlanError
from vesalius.nets._net import Net

Cache = Any  # tensors whose first axis is the row of the batch, in nested tuples


class Writer(Net):
    """A net of role `writer`: pieces `(B, L)`, and what it looks at, → what is known after each piece, `(B, L, F)`.

    `in_channels` is the width of the memory's rows, `out_channels` that of what is known, `words` how many pieces there
    are and `longest` how many a text may have.
    """

    role: ClassVar[str] = "writer"

    def __init__(
        self, dims: int, in_channels: int, out_channels: int, *, words: int, longest: int, dropout: float
    ) -> None:
        super().__init__(dims, [out_channels], strides=[1], dropout=dropout)
        self.in_channels, self.words, self.longest = in_channels, words, longest

    def forward(
        self,
        tokens: Tensor,
        memory: Tensor | None = None,
        cache: Cache | None = None,
        *,
        findings: Tensor | None = None,
    ) -> tuple[Tensor, Cache, Tensor | None]:
        """Return what is known after each piece `(B, L, F)`, the next cache, and where was looked.

        `memory` `(B, S, in_channels)` are regions of the image, `findings` `(B, K, in_channels)` what was found in it;
        either may be None. Where was looked is `(B, L, S + K)`, regions first: the rest to one is the share of the
        language. It is None where there is neither. The cache that is given is not changed. Raises PlanError.
        """
        raise NotImplementedError

    def logits(self, hidden: Tensor) -> Tensor:
        """Return `(B, L, words)`, how likely each piece is to come next, out of what `forward` returned."""
        raise NotImplementedError

    def check_texts(
        self, tokens: Tensor, memory: Tensor | None, findings: Tensor | None, *, before: int
    ) -> None:
        """Refuse what is no batch of texts of at most `longest` pieces, or is looked at in another width."""
        if tokens.ndim != 2 or before + tokens.shape[-1] > self.longest:
            raise PlanError(
                f"a writer takes (B, L) of at most {self.longest} pieces",
                found=f"shape {tuple(tokens.shape)}" + (f" after {before}" if before else ""),
                hint="a larger option 'longest'",
            )
        for name, given in (("memory", memory), ("findings", findings)):
            if given is not None and (
                given.ndim != 3 or given.shape[-1] != self.in_channels or len(given) != len(tokens)
            ):
                raise PlanError(
                    f"a writer's {name} is (B, S, {self.in_channels})", found=f"shape {tuple(given.shape)}"
                )


class AdaptiveAttention(nn.Module):
    """A gate between regions of the image, findings, and what the language itself says.

    All of them are scored against what is known, and share one softmax: `a = softmax([w·tanh(W_v v + W_h h),
    w·tanh(W_f f + W_h h), w·tanh(W_s s + W_h h)])`, whose last share is how little is looked. The first and the last
    part are equations 8 to 13 of Lu et al., "Knowing when to look", CVPR 2017, arXiv:1612.01887; findings beside them
    follow AMAnet (Yang et al., "Automatic ultrasound image report generation with adaptive multimodal attention
    mechanism", Neurocomputing 427, 2021), which gates breast ultrasound images, predicted findings and language alike.
    """

    def __init__(self, width: int, in_channels: int) -> None:
        super().__init__()
        self.region, self.finding = nn.Linear(in_channels, width), nn.Linear(in_channels, width)
        self.of_region, self.of_finding = nn.Linear(width, width), nn.Linear(width, width)
        self.of_hidden, self.of_sentinel = nn.Linear(width, width, bias=False), nn.Linear(width, width)
        self.score = nn.Linear(width, 1, bias=False)

    def forward(
        self, hidden: Tensor, sentinel: Tensor, memory: Tensor | None, findings: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Return the context `(B, L, F)` and the shares `(B, L, S + K)` of regions and findings; None without either.

        `hidden` and `sentinel` are `(B, L, F)`.
        """
        seen = [self.region(memory).relu()] if memory is not None else []
        keys = [self.of_region(seen[0])] if seen else []
        if findings is not None:
            seen.append(self.finding(findings).relu())
            keys.append(self.of_finding(seen[-1]))
        if not seen:
            return sentinel, None
        asked = self.of_hidden(hidden)  # (B, L, F)
        each = [self.score((key[:, None] + asked[:, :, None]).tanh()).squeeze(-1) for key in keys]
        each.append(self.score((self.of_sentinel(sentinel) + asked).tanh()))
        shares = torch.cat(each, dim=-1).softmax(dim=-1)  # (B, L, S + K + 1)
        looked = shares[..., :-1]
        context = looked @ torch.cat(seen, dim=1) + shares[..., -1:] * sentinel
        return context, looked


class Table(nn.Module):
    """A table of pieces `(words, F)`, which is also the last layer: a piece comes next as its row fits what is known.

    Source: Press and Wolf, "Using the output embedding to improve language models", arXiv:1608.05859.
    """

    def __init__(self, words: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(words, width))
        self.bias = nn.Parameter(torch.zeros(words))
        self.scale = math.sqrt(width)
        nn.init.normal_(self.weight, std=width**-0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the rows of pieces, `(B, L, F)`."""
        return nn.functional.embedding(tokens, self.weight) * self.scale

    def logits(self, hidden: Tensor) -> Tensor:
        """Return `(…, words)` of `(…, F)`."""
        return nn.functional.linear(hidden, self.weight, self.bias)
