"""Transformers of one scale, of the library transformers, as encoders: ViT, DINOv2, DINOv3, SigLIP's vision tower."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from vesalius.core.errors import PlanError
from vesalius.nets._depths import Depths
from vesalius.nets._net import Net, pad_to_multiple
from vesalius.nets._transformers import depths_by

HEARD = 4  # layers whose tokens are given as maps, evenly spread, the last among them (as in UNETR and DPT)
NORMS = ("layernorm", "norm", "post_layernorm")
RESIZED = ("vit", "siglip_vision_model")  # whose models interpolate their positions only when told to


class Tokens(Net):
    """Maps of four of its layers, normalised, and the vector that sums the image up, as a map of one place.

    That vector is the class token, or what SigLIP's pooling gives; its stride is the whole image. Class and register
    tokens are in no other map. An image is padded with zeros at its end to whole patches, and positions that were
    learned for another size are interpolated. `inner` is the library's model, with the library's names.
    """

    prefix = 0  # tokens before those of the patches

    def __init__(self, inner: nn.Module, *, size: Sequence[int] | None, dropout: float) -> None:
        config: Any = inner.config
        patch, learned = pair(config.patch_size), pair(config.image_size)
        if learned[0] != learned[1]:
            raise PlanError(
                "a transformer whose positions were learned on a square takes other sizes, this one does not",
                found=f"image_size {learned[0]}×{learned[1]} in its config",
                hint="a model that learned from square pictures",
            )
        depth, wide = int(config.num_hidden_layers), int(config.hidden_size)
        heard = sorted({max(1, round(depth * (k + 1) / HEARD)) for k in range(HEARD)})
        pooled = bool(getattr(config, "vision_use_head", True))
        super().__init__(
            2,
            [wide] * (len(heard) + pooled),
            strides=[patch] * len(heard) + [whole(size or learned, patch)] * pooled,
            dropout=dropout,
        )
        self.inner = inner
        self.patch, self.heard, self.pooled = patch, tuple(heard), pooled
        self._norm = next(n for n in NORMS if isinstance(getattr(inner, n, None), nn.Module))
        self._told = {"interpolate_pos_encoding": True} if config.model_type in RESIZED else {}

    @property
    def depths(self) -> Depths:
        """Return the embeddings, then each layer; the last norm and SigLIP's pooling belong to the last."""
        inner: Any = self.inner
        kind = inner._can_record_outputs["hidden_states"]
        first = next(n for n, m in self.named_modules() if isinstance(m, kind))
        return depths_by(self, first.rpartition(".")[0])

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the maps of some layers' patches `(B, C, y, x)`, then the pooled vector `(B, C, 1, 1)`."""
        self.check_input(x)
        x = pad_to_multiple(x, self.patch)
        grid = [n // p for n, p in zip(x.shape[2:], self.patch, strict=True)]
        out = self.inner(x, output_hidden_states=True, return_dict=True, **self._told)
        norm = getattr(self.inner, self._norm)
        layers = [norm(out.hidden_states[k]) for k in self.heard[:-1]] + [out.last_hidden_state]
        maps = [t[:, self.prefix :].transpose(1, 2).reshape(x.shape[0], -1, *grid) for t in layers]
        return [*maps, self.summary(out)[:, :, None, None]] if self.pooled else maps

    def summary(self, out: Any) -> Tensor:
        """Return `(B, C)`, what sums the image up, of the model's output."""
        pooled: Tensor = out.pooler_output
        return pooled


class ClassToken(Tokens):
    """One with a class token, which can tell what its layers looked at."""

    def __init__(self, inner: nn.Module, *, size: Sequence[int] | None, dropout: float) -> None:
        super().__init__(inner, size=size, dropout=dropout)
        config: Any = inner.config
        self.prefix = 1 + int(getattr(config, "num_register_tokens", 0))
        inner.embeddings.mask_token = None  # type: ignore[union-attr]  # of pre-training alone: it would never learn

    def summary(self, out: Any) -> Tensor:
        """Return the class token of the last layer, `(B, C)`."""
        token: Tensor = out.last_hidden_state[:, 0]
        return token

    @contextmanager
    def attention(self) -> Iterator[list[Tensor]]:
        """Give a list that each layer adds its attention to, `(B, heads, 1 + N, 1 + N)`, the class token first.

        Register tokens are left out, and the shares of the others made 1 together again.
        """
        heard: list[Tensor] = []
        inner: Any = self.inner
        before, kind = inner.config._attn_implementation, inner._can_record_outputs["attentions"]
        hooks = [
            m.register_forward_hook(lambda _, __, out: heard.append(self._shares(out[1])))
            for m in inner.modules()
            if isinstance(m, kind)
        ]
        inner.set_attn_implementation("eager")
        try:
            yield heard
        finally:
            inner.set_attn_implementation(before)
            for hook in hooks:
                hook.remove()

    def _shares(self, attention: Tensor) -> Tensor:
        keep = [0, *range(self.prefix, attention.shape[-1])]
        left = attention[..., keep, :][..., keep]
        return left / left.sum(-1, keepdim=True)


def pair(side: int | Sequence[int]) -> tuple[int, int]:
    """Return a config's side, or its two, as `(y, x)`."""
    return (side, side) if isinstance(side, int) else (int(side[0]), int(side[1]))


def whole(size: Sequence[int], step: Sequence[int]) -> tuple[int, ...]:
    """Return the stride of a map of one place: the image's size, up to whole steps."""
    return tuple(math.ceil(n / s) * s for n, s in zip(size, step, strict=True))
