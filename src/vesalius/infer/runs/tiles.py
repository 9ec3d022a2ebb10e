"""Tile by tile, joined by the task: what is no field, such as boxes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vesalius.core.calling import calling
from vesalius.core.image import Array
from vesalius.core.plan import Plan
from vesalius.infer import tiles
from vesalius.infer.runs.contract import Grid, Members, Run, Told, unflipped
from vesalius.prepare.batch import Batch, Example, main_image, with_tiles
from vesalius.prepare.geometry import Undo
from vesalius.tasks.contract import Tile

SAMPLING = "patches"
MIRRORS = False


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
        """Return the raw outputs about a batch of tiles, joined over the members; there are no mirror images."""
        each = (unflipped(members, m, batch, generator) for m in members.models)
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
        starts = [tiles.starts(n, t, members.plan.infer.overlap) for n, t in zip(shape, size, strict=True)]
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


RUN = Tiles()
