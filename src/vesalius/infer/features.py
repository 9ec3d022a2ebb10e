"""Features of a case, by which cases can be compared: what the deepest map of a model's net says, or its own vector."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.core.errors import PlanError
from vesalius.core.image import Array
from vesalius.infer import runs, tiles
from vesalius.infer.runs.contract import Members
from vesalius.nets import Net
from vesalius.prepare.batch import Batch, Example, main_image, part_of, with_tiles
from vesalius.tasks.contract import Task


def deepest(task: Task, model: nn.Module, batch: Batch) -> Tensor:
    """Return `(B, F)`, the mean over space of the deepest map of a model's net (`Net.summed_up`), about a batch.

    Where a task asks its net several times, what was said each time stands side by side. Raises PlanError for a model
    without a net.
    """
    net = next((m for m in model.modules() if isinstance(m, Net)), None)
    if net is None:
        raise PlanError(f"the model of {task.name} has no net, so no features of one")
    found: list[Tensor] = []
    handle = net.register_forward_hook(lambda _, __, out: found.append(net.summed_up(out)))
    try:
        task.infer(model, batch, torch.Generator(device="cpu").manual_seed(0))
    finally:
        handle.remove()
    if not found:
        raise PlanError(f"the model of {task.name} answered without its net, so there are no features of it")
    return found[0] if len(found) == 1 else torch.cat(found, dim=1)


def compares(task: Task) -> bool:
    """Return whether a task's models make vectors by which images are compared with one another, and not with words."""
    own, reads = (
        getattr(f, "__func__", None) for f in (task.image_vectors, task.word_vectors)
    )  # also of a stand-in
    return own is not Task.image_vectors and reads is Task.word_vectors


def features(members: Members, examples: Sequence[Example]) -> Iterator[Array]:
    """Yield the first member's features `(F,)` float32 of each prepared case, one after the other.

    Of a task that learned vectors of images for that (`compares`) they are these. Members' features are not comparable
    with one another's. Of a model that answers tile by tile they are those of the tile in the middle. Raises PlanError
    for a model without a net, and for cases without images.
    """
    run, size = runs.get(members.task.run), max(members.plan.infer.batch, 1)
    seen = [bool(e.images or e.courses or e.vectors) for e in examples]
    if not (any(seen) if run.joins else all(seen)):
        raise PlanError("cases without images have no features")
    for k in range(0, len(examples), size if run.joins else 1):
        chosen = examples[k : k + size] if run.joins else examples[k : k + 1]
        batch = members.task.collate(chosen).to(members.device) if run.joins else _middle(members, chosen[0])
        with torch.inference_mode():
            model, own = members.models[0], compares(members.task)
            found = members.task.image_vectors(model, batch) if own else deepest(members.task, model, batch)
        yield from found.float().cpu().numpy()


def over_tiles(members: Members, example: Example) -> Array:
    """Return the first member's features `(F,)` float32 of a prepared case, all of it.

    Of a model that answers tile by tile they are the mean over tiles that lie side by side and cover the image, so that
    what lies away from its middle counts as well. Raises what `features` raises.
    """
    run = runs.get(members.task.run)
    if run.joins or not example.images:
        return next(features(members, [example]))
    shape = tuple(int(n) for n in main_image(example).shape[-3:])
    _, size = run.window(members.plan, (shape[0], shape[1], shape[2]), None)
    starts = [tiles.starts(n, t, 0.0) for n, t in zip(shape, size, strict=True)]
    total: Array | None = None
    places = list(itertools.product(*starts))
    for z, y, x in places:
        batch = _tile(members, example, (z, y, x), size)
        with torch.inference_mode():
            found = deepest(members.task, members.models[0], batch)[0].double().cpu().numpy()
        total = found if total is None else total + found
    if total is None:
        raise PlanError("an image without a point has no features")
    mean: Array = (total / len(places)).astype(np.float32)
    return mean


def _middle(members: Members, example: Example) -> Batch:
    """Return the one tile in the middle of a prepared case as a batch."""
    shape = main_image(example).shape[-3:]
    grid = (int(shape[0]), int(shape[1]), int(shape[2]))
    start, size = runs.get(members.task.run).window(members.plan, grid, None)
    return _tile(members, example, start, size)


def _tile(
    members: Members, example: Example, start: tuple[int, int, int], size: tuple[int, int, int]
) -> Batch:
    """Return one tile of a prepared case as a batch."""
    part = part_of(example, start, size)
    image = torch.from_numpy(main_image(part)).to(members.device)
    return with_tiles(part, members.device)(image[None])
