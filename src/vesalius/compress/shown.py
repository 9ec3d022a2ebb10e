"""What a model is shown of training cases, to calibrate it: one pass of a case each, as batches and as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from vesalius.core.image import Array
from vesalius.core.plan import Plan
from vesalius.infer import runs
from vesalius.infer.runs.contract import Grid
from vesalius.prepare.batch import Batch, Example, main_image, part_of, with_tiles
from vesalius.tasks.contract import Task

CPU = torch.device("cpu")


def batches(task: Task, plan: Plan, examples: Sequence[Example]) -> Iterator[Batch]:
    """Yield a batch of one row for each case: all of it where the model sees cases whole, else one tile.

    Tiles are in turn the one around the target and the one in the middle, so that what is looked for is shown, and what
    surrounds it.
    """
    run = runs.get(task.run)
    for k, example in enumerate(examples):
        if run.joins:
            yield task.collate([replace(example, targets={}, on_grid=frozenset())])
            continue
        shape = main_image(example).shape[-3:]
        grid = (int(shape[0]), int(shape[1]), int(shape[2]))
        yield _tile(example, run.window(plan, grid, _target(example, grid) if k % 2 == 0 else None))


def arrays_of(graph: Any, shown: Sequence[Batch]) -> list[dict[str, Array]]:
    """Return batches as the arrays that a graph is fed; those of another kind are left out."""
    found = (graph.signature.arrays_of(batch) for batch in shown)
    return [one for one in found if one is not None]


def _tile(example: Example, window: tuple[Grid, Grid]) -> Batch:
    part = part_of(example, *window)
    image = torch.from_numpy(main_image(part))
    return with_tiles(part, CPU)(image[None])


def _target(example: Example, grid: Grid) -> Array | None:
    """Return where the target of a case is, as bits on its prepared grid; None where it says nothing of places."""
    for name in sorted(example.on_grid):
        found: Array = np.any(example.targets[name] > 0, axis=0)
        if found.shape == grid and found.any():
            return found
    return None
