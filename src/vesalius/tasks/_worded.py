"""The models of language: a net that writes asked for the next piece, and one that reads asked for hidden ones."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.core.image import Array
from vesalius.language.tokenizers import PAD, Tokenizer

HIDDEN, MASKED, SWAPPED = 0.15, 0.8, 0.1  # Devlin et al. 2019, section 3.1
PASSES = 7  # about each text, in which each piece is hidden once


class NextPiece(nn.Module):
    """A net that writes, asked for each piece after those before it; `unigram` `(V,)` is the log of their shares."""

    unigram: Tensor

    def __init__(self, net: Any, unigram: Array) -> None:
        super().__init__()
        self.net = net
        if "table.bias" in net.tables:  # it begins as what single words say
            with torch.no_grad():
                net.table.bias.copy_(torch.from_numpy(unigram))
        self.register_buffer("unigram", torch.from_numpy(unigram), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return `(B, 3)` of texts `(B, L)`: see `Wording`."""
        each, there = self._said(tokens)
        single = -self.unigram[tokens[:, 1:]]
        return torch.stack([(each * there).sum(1), there.sum(1), (single * there).sum(1)], dim=1)

    def learned(self, tokens: Tensor, generator: torch.Generator) -> Tensor:
        """Return minus the mean log-likelihood of a piece."""
        each, there = self._said(tokens)
        return (each * there).sum() / there.sum().clamp_min(1.0)

    def _said(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        hidden, _, _ = self.net(tokens[:, :-1])
        wanted = tokens[:, 1:]
        each = F.cross_entropy(self.net.logits(hidden).float().transpose(1, 2), wanted, reduction="none")
        return each, (wanted != PAD).to(each.dtype)


class HiddenPieces(nn.Module):
    """A net that reads, asked what stands at hidden places; its last layer is its own table of pieces."""

    unigram: Tensor

    def __init__(self, net: Any, unigram: Array, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.net, self.mask, self.words = net, tokenizer.mask, tokenizer.size
        self.specials = sorted(tokenizer.specials)
        wide = int(net.channels[-1])
        self.head = nn.Sequential(nn.Linear(wide, wide), nn.GELU(), nn.LayerNorm(wide))
        self.bias = nn.Parameter(torch.from_numpy(unigram).clone())  # it begins as what single words say
        self.register_buffer("unigram", torch.from_numpy(unigram), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return `(B, 3)` of texts `(B, L)`: each piece is hidden once, with every seventh beside it."""
        may = self._may(tokens)
        total = torch.zeros(len(tokens), device=tokens.device)
        place = may.long().cumsum(1) % PASSES
        for k in range(PASSES):
            out = may & (place == k)
            each = self._said(torch.where(out, self.mask, tokens), tokens)
            total = total + (each * out).sum(1)
        single = -self.unigram[tokens]
        return torch.stack([total, may.sum(1).to(total), (single * may).sum(1)], dim=1)

    def learned(self, tokens: Tensor, generator: torch.Generator) -> Tensor:
        """Return minus the mean log-likelihood of the pieces that are hidden: masked, swapped, or left as they are."""
        draw = torch.rand((3, *tokens.shape), generator=generator, device=generator.device).to(tokens.device)
        may = self._may(tokens)
        out = may & (draw[0] < HIDDEN)
        out = torch.where(out.any(), out, may & (draw[0] <= draw[0].masked_fill(~may, 2.0).min()))
        other = (draw[2] * self.words).long().clamp_max(self.words - 1)
        shown = torch.where(out & (draw[1] < MASKED), self.mask, tokens)
        shown = torch.where(out & (draw[1] >= MASKED) & (draw[1] < MASKED + SWAPPED), other, shown)
        each = self._said(shown, tokens)
        return (each * out).sum() / out.sum().clamp_min(1)

    def _may(self, tokens: Tensor) -> Tensor:
        """Return which places hold a piece of the text, `(B, L)`."""
        special = torch.tensor(self.specials, device=tokens.device)
        return ~torch.isin(tokens, special)

    def _said(self, shown: Tensor, tokens: Tensor) -> Tensor:
        hidden = self.head(self.net(shown, tokens != PAD))
        table = self.net.get_parameter(self.net.tables[0])
        logits = F.linear(hidden, table, self.bias)
        return F.cross_entropy(logits.float().transpose(1, 2), tokens, reduction="none")
