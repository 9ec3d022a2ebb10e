"""Tile by tile, blended into one field in bounded memory: a value for each point of the image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.plan import Plan
from vesalius.infer import tiles
from vesalius.infer.runs.contract import Grid, Members, Run, Told
from vesalius.infer.tiles import Piece
from vesalius.prepare.batch import Batch, Example, main_image, with_tiles
from vesalius.prepare.geometry import Undo

SAMPLING = "patches"


class Dense(Run):
    """The members' mean field is streamed; the task's `point` turns finished stretches of it into values."""

    on_grid: ClassVar[bool] = True
    lowers: ClassVar[bool] = True

    def answer(self, members: Members, example: Example, undo: Undo, *, told: Told | None = None) -> Any:
        """Return the values on the native grid, `(Z, Y, X)`, or several such fields by name."""
        pieces = self._stream(members, example)
        if told is not None:
            pieces = _telling(pieces, undo.shape, told)
        return tiles.to_native(pieces, undo, members.task.point)

    def raw(self, members: Members, examples: Sequence[Example]) -> Iterator[Any]:
        """Return the values on the prepared grid of each case, `(Z, Y, X)`, or several such fields by name."""
        for example in examples:
            yield self._called(members, example)

    def window(self, plan: Plan, shape: Grid, where: Array | None) -> tuple[Grid, Grid]:
        """Return the tile around what is asked, or in the middle."""
        return tiles.around(shape, plan.data.size, where)

    def together(self, members: Members, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the mean field of the members, `(B, K, Z, Y, X)`, in the planned precision."""
        with _precision(members.plan, members.device):
            return super().together(members, batch, generator)

    def decodable(self, members: Members, raw: Tensor, undo: Undo) -> Any:
        """Return the values on the native grid of a field over the whole prepared image, `(K, Z, Y, X)`."""
        return tiles.to_native(iter([(0, 0, raw.shape[1], raw.float())]), undo, members.task.point)

    def turned_back(self, raw: Tensor, axes: Sequence[int]) -> Tensor:
        """Return the field flipped back."""
        return raw.flip(list(axes))

    def _called(self, members: Members, example: Example) -> Array | dict[str, Array]:
        shape = main_image(example).shape[-3:]
        out: dict[str, Array] = {}
        alone = False
        for axis, start, stop, raw in self._stream(members, example):
            values = members.task.point(raw)
            alone = not isinstance(values, Mapping)
            place: list[slice] = [slice(None)] * 3
            place[axis] = slice(start, stop)
            for name, field in tiles.by_name(values).items():
                found = field.cpu().numpy()
                if name not in out:
                    out[name] = np.zeros(shape, dtype=found.dtype)
                out[name][tuple(place)] = found
        if not out:
            raise DataError(f"case {example.case_id}: an empty image")
        return out[tiles.ONLY] if alone else out

    def _stream(self, members: Members, example: Example) -> Iterator[Piece]:
        """Blend the field of all models over a prepared image, streamed (see `tiles.stream`)."""
        plan, array = members.plan, main_image(example)
        generator = torch.Generator(device="cpu").manual_seed(0)
        batch_of = with_tiles(example, members.device)

        def run(tile: Tensor) -> Tensor:
            with torch.inference_mode():
                return self.together(members, batch_of(tile), generator)

        return tiles.stream(
            array.reshape(-1, *array.shape[-3:]),  # the frames of a cine beside one another, as channels
            size=plan.data.size,
            overlap=plan.infer.overlap,
            batch=plan.infer.batch,
            forward=run,
            device=members.device,
        )


def _telling(pieces: Iterator[Piece], shape: Sequence[int], told: Told) -> Iterator[Piece]:
    """Tell of each stretch of a streamed field before it is handed on."""
    for piece in pieces:
        axis, _, stop, _ = piece
        told(stop / shape[axis])
        yield piece


def _precision(plan: Plan, device: torch.device) -> AbstractContextManager[Any]:
    if plan.train.precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


RUN = Dense()
