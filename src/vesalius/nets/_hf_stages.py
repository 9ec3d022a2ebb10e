"""Networks of stages, of the library transformers, as encoders: Swin, ConvNeXt (version 2 and DINOv3 too), ResNet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from vesalius.core.errors import PlanError
from vesalius.nets._depths import Depths
from vesalius.nets._hf_tokens import pair, whole
from vesalius.nets._net import Net, crop_to, pad_to_multiple
from vesalius.nets._transformers import depths_by

PARTS = (
    "layernorm_before",
    "attention",
    "layernorm_after",
    "mlp",
)  # of a layer of Swin, as a token passes them


class Stages(Net):
    """A map of each stage, the strides doubling; `inner` is the library's model, with the library's names.

    `summed` is the size of the image where a vector that sums it up follows, as a map of one place.
    """

    def __init__(
        self,
        inner: nn.Module,
        channels: Sequence[int],
        *,
        first: int,
        dropout: float,
        summed: Sequence[int] | None = None,
    ) -> None:
        strides: list[int | tuple[int, ...]] = [first * 2**k for k in range(len(channels))]
        wide = list(channels)
        if summed is not None:
            wide.append(wide[-1])
            strides.append(whole(summed, pair(first * 2 ** (len(channels) - 1))))
        super().__init__(2, wide, strides=strides, dropout=dropout)
        self.inner = inner

    @property
    def depths(self) -> Depths:
        """Return the stem, then each stage; the last norm belongs to the last."""
        return depths_by(
            self, "inner.encoder.stages" if hasattr(self.inner, "encoder") else "inner.model.stages"
        )


class ResNetStages(Stages):
    """ResNet: the maps of its four stages."""

    def __init__(self, inner: nn.Module, *, size: Sequence[int] | None, dropout: float) -> None:
        config: Any = inner.config
        first = 8 if config.downsample_in_first_stage else 4
        super().__init__(inner, config.hidden_sizes, first=first, dropout=dropout)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the maps `(B, C, y, x)`, finest first."""
        self.check_input(x)
        inner: Any = self.inner
        maps = [inner.embedder(x)]
        for stage in inner.encoder.stages:
            maps.append(stage(maps[-1]))
        return maps[1:]


class ConvNeXtStages(Stages):
    """ConvNeXt: the maps of its stages, and the normalised mean of the last one as a map of one place.

    An image is padded with zeros at its end to whole places of the deepest map, so that no border is left out.
    """

    def __init__(self, inner: nn.Module, *, size: Sequence[int] | None, dropout: float) -> None:
        config: Any = inner.config
        first = int(getattr(config, "patch_size", 4))
        summed = size or pair(getattr(config, "image_size", 224))
        super().__init__(inner, config.hidden_sizes, first=first, dropout=dropout, summed=summed)
        self._norm = "layer_norm" if hasattr(inner, "layer_norm") else "layernorm"

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the maps `(B, C, y, x)`, finest first, then `(B, C, 1, 1)`."""
        self.check_input(x)
        inner: Any = self.inner
        size = x.shape[2:]
        x = pad_to_multiple(x, self.strides[-2])
        maps = [inner.embeddings(x) if hasattr(inner, "embeddings") else x]
        stages = inner.encoder.stages if hasattr(inner, "encoder") else inner.model.stages
        for stage in stages:
            maps.append(stage(maps[-1]))
        pooled: Tensor = getattr(inner, self._norm)(maps[-1].mean((-2, -1)))
        steps = zip(maps[1:], self.strides, strict=False)
        whole = [crop_to(m, [-(-n // s) for n, s in zip(size, step, strict=True)]) for m, step in steps]
        return [*whole, pooled[:, :, None, None]]

    def cam_map(self, output: Any) -> Tensor:
        """Return the last map that has places, out of what `forward` returned."""
        found: Tensor = output[-2]
        return found


class SwinStages(Stages):
    """Swin: the maps of its stages, the last one normalised.

    The library's own layers remember the smallest image that they saw, and shift no window from then on; here a layer
    shifts its windows wherever its map is larger than one, whatever came before.
    """

    def __init__(self, inner: nn.Module, *, size: Sequence[int] | None, dropout: float) -> None:
        config: Any = inner.config
        channels = [int(config.embed_dim) * 2**k for k in range(len(config.depths))]
        (patch, across), (height, width) = pair(config.patch_size), pair(config.image_size)
        if patch != across or height != width:
            raise PlanError(
                "a Swin transformer of square patches and pictures is needed",
                found=f"patch_size {config.patch_size}, image_size {config.image_size} in its config",
                hint="a model that learned from square pictures",
            )
        super().__init__(inner, channels, first=patch, dropout=dropout)

    @property
    def depths(self) -> Depths:
        """Return the embeddings, then each layer by its parts; a merging of patches belongs to the layer before it."""
        found: list[tuple[str, ...]] = [("inner.embeddings",)]
        for k, stage in enumerate(self.inner.encoder.layers):  # type: ignore[union-attr,arg-type]
            for j, _ in enumerate(stage.blocks):
                found.append(tuple(f"inner.encoder.layers.{k}.blocks.{j}.{part}" for part in PARTS))
            if stage.downsample is not None:
                found[-1] = (*found[-1], f"inner.encoder.layers.{k}.downsample")
        found[-1] = (*found[-1], "inner.layernorm")
        return tuple(found)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the maps `(B, C, y, x)`, finest first."""
        self.check_input(x)
        inner: Any = self.inner
        x, grid = inner.embeddings(pad_to_multiple(x, self.strides[0]), interpolate_pos_encoding=True)
        maps = []
        stages = list(inner.encoder.layers)
        for stage in stages:
            for layer in stage.blocks:
                x = _swin_layer(layer, x, grid)
            y = inner.layernorm(x) if stage is stages[-1] else x
            maps.append(y.transpose(1, 2).reshape(y.shape[0], -1, *grid))
            if stage.downsample is not None:
                x, grid = stage.downsample(x, grid), tuple(-(-n // 2) for n in grid)
        return maps


def _swin_layer(layer: Any, x: Tensor, grid: Sequence[int]) -> Tensor:
    """Return what one of the library's layers makes of tokens `(B, y·x, C)`, its windows shifted by the grid alone."""
    (height, width), side = grid, layer.window_size
    shift = layer.shift_size if min(grid) > side else 0
    y = layer.layernorm_before(x).reshape(x.shape[0], height, width, -1)
    y, _ = layer.maybe_pad(y, height, width)
    rows, columns, mask = y.shape[1] // side, y.shape[2] // side, None
    if shift:
        y = y.roll((-shift, -shift), (1, 2))
        mask = layer.get_attn_mask(y.shape[1], y.shape[2], dtype=y.dtype, device=y.device)
    y = y.reshape(x.shape[0], rows, side, columns, side, -1).transpose(
        2, 3
    )  # (B, rows, columns, side, side, C)
    y, _ = layer.attention(y.reshape(x.shape[0] * rows * columns, side * side, -1), mask)
    y = layer.dropout(y).reshape(x.shape[0], rows, columns, side, side, -1).transpose(2, 3)
    y = y.reshape(x.shape[0], rows * side, columns * side, -1)
    if shift:
        y = y.roll((shift, shift), (1, 2))
    x = x + layer.drop_path(y[:, :height, :width].reshape(x.shape))
    out: Tensor = x + layer.dropout(layer.mlp(layer.layernorm_after(x)))
    return out
