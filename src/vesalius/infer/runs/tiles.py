"""Tile by tile, joined by the task: what is no field, such as boxes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.core.calling import calling
from vesalius.core.image import Array
from vesalius.core.plan import Plan
from vesalius.infer import tiles
from vesalius.infer.asked import inferred
from vesalius.infer.runs.contract import AXES, Grid, Members, Run, Told, flipped, flips, unflipped
from vesalius.prepare.batch import Batch, Example, main_image, with_tiles
from vesalius.prepare.geometry import Undo
from vesalius.tasks.contract import Tile

SAMPLING = "patches"
MIRRORS = False  # but of a task that turns what its models say of mirror images back


class Tiles(Run):
    """Each tile's raw outputs are joined over the members by `task.join`, then all tiles by `task.merge`."""

    def answer(self, members: Members, example: Example, undo: Undo, *, told: Told | None = None) -> Any:
        """Return what `task.merge` makes of the tiles."""
        return self._merged(members, example, told)

    def raw(self, members: Members, examples: Sequence[Example]) -> Iterator[Any]:
        """Return what `task.merge` makes of the tiles of each case."""
        for example in examples:
            yield self._merged(members, example, None)

    def window(self, plan: Plan, shape: Grid, where: Array | None) -> tuple[Grid, Grid]:
        """Return the tile around what is asked, or in the middle."""
        return tiles.around(shape, plan.data.size, where)

    def together(self, members: Members, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the raw outputs about a batch of tiles, joined over the members and their mirror images, if any."""
        each = (raw for m in members.models for raw in _opinions(members, m, batch, generator))
        several = [members.task.join(raws) for raws in zip(*each, strict=True)]
        return torch.stack(several)

    def decodable(self, members: Members, raw: Tensor, undo: Undo) -> Any:
        """Return what `task.merge` makes of one tile that is the whole prepared image."""
        size = members.plan.data.size
        return members.task.merge([Tile(raw.float().cpu().numpy(), (0, 0, 0), size)], size)

    def _merged(self, members: Members, example: Example, told: Told | None) -> Any:
        task, array, size = members.task, main_image(example), members.plan.data.size
        shape = (int(array.shape[-3]), int(array.shape[-2]), int(array.shape[-1]))
        generator = torch.Generator(device="cpu").manual_seed(0)
        batch_of = with_tiles(example, members.device)
        plan = members.plan.infer
        starts = [
            tiles.starts(n, t, plan.overlap, tiling=plan.tiling) for n, t in zip(shape, size, strict=True)
        ]
        places = list(itertools.product(*starts))
        found = []
        for n, (z, y, x) in enumerate(places, start=1):
            cut = array[..., z : z + size[0], y : y + size[1], x : x + size[2]]
            with torch.inference_mode():
                batch = batch_of(torch.from_numpy(np.ascontiguousarray(cut))[None].to(members.device))
                raw = self.together(members, batch, generator)[0]
                found.append(Tile(raw.float().cpu().numpy(), (z, y, x), size))
            if told is not None:
                told(n / len(places))
        with calling(f"task {task.name}", task, "merge", case=example.case_id):
            return task.merge(found, shape)


def _opinions(
    members: Members, model: nn.Module, batch: Batch, generator: torch.Generator
) -> Iterator[Tensor]:
    """Yield what a model says of a batch of tiles, and of its planned mirror images where the task turns those back."""
    task = members.task

    def mirrored(axes: Sequence[int]) -> Tensor:
        raw = inferred(task, model, flipped(batch, axes), generator)
        with calling(f"task {task.name}", task, "turned_back"):
            return task.turned_back(raw, axes, _size(batch))

    if members.view:
        yield mirrored([AXES[a] for a in members.view])
        return
    yield unflipped(members, model, batch, generator)
    if task.turns_back:
        yield from map(mirrored, flips(members, batch))


def _size(batch: Batch) -> Grid:
    z, y, x = next(iter(batch.images.values())).shape[-3:]
    return int(z), int(y), int(x)


RUN = Tiles()
