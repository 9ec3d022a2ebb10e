"""Tile by tile, blended into one field in bounded memory: a value for each point of the image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.plan import Plan
from vesalius.infer import columns, native, tiles
from vesalius.infer.asked import chances_of
from vesalius.infer.borders import Borders
from vesalius.infer.fitting import fitted
from vesalius.infer.folding import folded, sampled
from vesalius.infer.runs.contract import Grid, Members, Run, Spread, Told
from vesalius.infer.tiles import Piece
from vesalius.prepare.batch import Batch, Example, main_image, with_tiles
from vesalius.prepare.geometry import Undo, inner_slices

SAMPLING = "patches"


class Dense(Run):
    """The members' mean field is streamed; the task's `point` turns finished stretches of it into values."""

    on_grid: ClassVar[bool] = True
    lowers: ClassVar[bool] = True

    def answer(self, members: Members, example: Example, undo: Undo, *, told: Told | None = None) -> Any:
        """Return the values on the native grid, `(Z, Y, X)`, or several such fields by name."""
        how = fitted(
            self._asking(members, example, undo),
            undo,
            _point(members),
            memory=members.memory,
            fold=partial(self._folded, members, example),
        )
        asking, home = how.asking, native.Home(undo, how.point, chunk=how.chunk, labels=how.labels)
        several = list(how.cut.columns())
        with closing(Borders(how.cut, asking.channels)) as borders:
            for k, column in enumerate(several):
                pieces = tiles.blend(
                    asking, column, borders=borders if how.cut.kept else None, chunk=how.chunk
                )
                if told is not None:
                    pieces = telling(pieces, undo.shape, told, part=(k, len(several)))
                home.take(pieces, column)
        return home.values()

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
        return native.to_native(iter([(0, 0, raw.shape[1], raw.float())]), undo, members.task.point)

    def turned_back(self, raw: Tensor, axes: Sequence[int]) -> Tensor:
        """Return the field flipped back."""
        return raw.flip(list(axes))

    def spread(
        self,
        opinions: Sequence[Members],
        example: Example,
        undo: Undo,
        *,
        fields: Callable[[Array, Array], Mapping[str, Array]],
        told: Told | None = None,
    ) -> Spread:
        """Return figures of each point and how much each opinion calls, in the memory of one slab of these figures.

        Within a tile the opinions' chances are compared; what that gives is blended over the tiles as an answer is, so
        that opinions which are all alike differ nowhere. A tile's calls count by its share in the blend.
        """
        return _Spreading(self, opinions, example, undo, fields).over(told)

    def _called(self, members: Members, example: Example) -> Array | dict[str, Array]:
        shape = main_image(example).shape[-3:]
        out: dict[str, Array] = {}
        alone = False
        for axis, start, stop, raw in self._stream(members, example):
            values = members.task.point(raw)
            alone = not isinstance(values, Mapping)
            place: list[slice] = [slice(None)] * 3
            place[axis] = slice(start, stop)
            for name, field in native.by_name(values).items():
                found = field.cpu().numpy()
                if name not in out:
                    out[name] = np.zeros(shape, dtype=found.dtype)
                out[name][tuple(place)] = found
        if not out:
            raise DataError(f"case {example.case_id}: an empty image")
        return out[native.ONLY] if alone else out

    def _stream(self, members: Members, example: Example, undo: Undo | None = None) -> Iterator[Piece]:
        """Blend the field of all models over a prepared image, streamed whole (see `tiles.stream`)."""
        asking = self._asking(members, example, undo)
        if undo is not None:
            fitted(asking, undo, lambda raw: {}, memory=members.memory, whole=True)
        (column,) = columns.whole(asking.grid).columns()
        return tiles.blend(asking, column)

    def _asking(self, members: Members, example: Example, undo: Undo | None) -> tiles.Asking:
        """Return the tiles of a prepared image, and what all models together say of them."""
        plan, array = members.plan, main_image(example)
        array = array.reshape(-1, *array.shape[-3:])  # the frames of a cine beside one another, as channels
        generator = torch.Generator(device="cpu").manual_seed(0)
        batch_of = with_tiles(example, members.device)

        unwatched = replace(members, watch=None, weighing=None)

        def run(tile: Tensor, asked: Members = members) -> Tensor:
            with torch.inference_mode():
                return self.together(asked, batch_of(tile), generator)

        grid = tiles.grid_of(array, plan.data.size, plan.infer.overlap, undo, tiling=plan.infer.tiling)
        again = partial(run, asked=unwatched)
        return tiles.Asking(array, grid, plan.infer.batch, run, members.device, again=again)

    def _folded(
        self, members: Members, example: Example, asking: tiles.Asking, point: native.Point
    ) -> tuple[tiles.Asking, native.Point] | None:
        """Return the same tiles of nets without their last layer, and what decodes their maps; None where it cannot be.

        The first tiles are asked about again, and held against what was said of them.
        """
        if asking.first is None or (found := folded(members, asking.channels)) is None:
            return None
        known, asking.first = sampled(asking.first[1]), None
        generator = torch.Generator(device="cpu").manual_seed(0)
        batch_of = with_tiles(example, members.device)

        def maps(tile: Tensor, *, watched: bool) -> Tensor:
            asked = (
                found.members if watched else [replace(m, watch=None, weighing=None) for m in found.members]
            )
            with torch.inference_mode():
                return torch.cat([self.together(m, batch_of(tile), generator) for m in asked], dim=1)

        forward, again = partial(maps, watched=True), partial(maps, watched=False)
        other = replace(asking, forward=forward, again=again, asked=set(asking.asked))
        other.ask_first()
        if other.first is None or not found.agrees(sampled(other.first[1]), known):
            return None
        return other, found.point(point)


class _Spreading:
    """Opinions about one prepared image, compared tile by tile."""

    def __init__(
        self,
        run: Dense,
        opinions: Sequence[Members],
        example: Example,
        undo: Undo,
        fields: Callable[[Array, Array], Mapping[str, Array]],
    ) -> None:
        self.run, self.opinions, self.example, self.undo, self.fields = run, opinions, example, undo, fields
        self.task, self.plan, self.device = opinions[0].task, opinions[0].plan, opinions[0].device
        self.batch_of = with_tiles(example, self.device)
        self.generator = torch.Generator(device="cpu").manual_seed(0)
        self.names: list[str] = []
        self.called: Tensor | None = None  # (S, K) of prepared points
        self.starts: Sequence[tiles.Size] = ()

    def over(self, told: Told | None) -> Spread:
        """Return what the opinions come to, on the native grid."""
        array, undo = main_image(self.example), self.undo
        array = array.reshape(-1, *array.shape[-3:])
        shape = (int(array.shape[1]), int(array.shape[2]), int(array.shape[3]))
        self.share = tiles.shares(
            shape, self.plan.data.size, self.plan.infer.overlap, tiling=self.plan.infer.tiling
        )
        self.inside = torch.zeros(shape, dtype=torch.bool)
        self.inside[inner_slices(undo)] = True
        pieces = tiles.stream(
            array,
            size=self.plan.data.size,
            overlap=self.plan.infer.overlap,
            tiling=self.plan.infer.tiling,
            batch=self.plan.infer.batch,
            forward=self._compared,
            device=self.device,
            before=self._begin,
        )
        if told is not None:
            pieces = telling(pieces, undo.shape, told)
        found = native.to_native(pieces, undo, lambda raw: dict(zip(self.names, raw, strict=True)))
        if not isinstance(found, Mapping) or self.called is None:
            raise DataError(f"case {self.example.case_id}: an empty image")
        grown = float(np.prod(undo.seen)) / float(np.prod(undo.inner))
        return Spread(found, self.called.numpy() * grown)

    def _begin(self, starts: Sequence[tiles.Size]) -> None:
        self.starts = starts

    def _compared(self, tile: Tensor) -> Tensor:
        """Return the figures of each point of a batch of tiles, `(B, F, z, y, x)`; count what each opinion calls."""
        mean: Tensor | None = None
        expected = torch.zeros((), device=self.device)
        for k, members in enumerate(self.opinions):
            with torch.inference_mode():
                raw = self.run.together(members, self.batch_of(tile), self.generator)
                p = chances_of(self.task, raw.float())
                each = torch.special.entr(p).sum(dim=1)
            mean = p if mean is None else mean + p
            expected = expected + each
            self._count(k, p)
        n = len(self.opinions)
        mean = torch.zeros_like(tile) if mean is None else mean / n
        made = [
            self.fields(a.cpu().numpy(), b.cpu().numpy()) for a, b in zip(mean, expected / n, strict=True)
        ]
        self.names = list(made[0])
        stacked = np.stack([np.stack([one[name] for name in self.names]) for one in made])
        return torch.from_numpy(stacked.astype(np.float32)).to(self.device)

    def _count(self, k: int, p: Tensor) -> None:
        """Add the calls of the `k`-th opinion about the tiles that begin at `starts`, `(B, K, z, y, x)` of chances."""
        if self.called is None:
            self.called = torch.zeros((len(self.opinions), p.shape[1]), dtype=torch.float64)
        for (z, y, x), one in zip(self.starts, p.argmax(dim=1).cpu(), strict=True):
            dz, dy, dx = one.shape
            counts = self.share((z, y, x)) * self.inside[z : z + dz, y : y + dy, x : x + dx]
            self.called[k] += torch.bincount(
                one.flatten(), weights=counts.flatten().double(), minlength=p.shape[1]
            )


def _point(members: Members) -> Callable[[Tensor], native.Values]:
    """Return what turns finished stretches of the field into values, with levels beside them where these are asked."""
    task = members.task
    if not members.levels:
        return task.point
    return lambda raw: {**native.by_name(task.point(raw)), **task.levels(raw)}


def telling(
    pieces: Iterator[Piece], shape: Sequence[int], told: Told, *, part: tuple[int, int] = (0, 1)
) -> Iterator[Piece]:
    """Tell of each stretch of a streamed field before it is handed on; `part` is which of how many columns it is of."""
    k, n = part
    for piece in pieces:
        axis, _, stop, _ = piece
        told((k + stop / shape[axis]) / n)
        yield piece


def _precision(plan: Plan, device: torch.device) -> AbstractContextManager[Any]:
    if plan.train.precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


RUN = Dense()
