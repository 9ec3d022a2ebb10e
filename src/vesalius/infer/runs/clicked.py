"""Stroke by stroke: what a person shows of an object is answered from a region around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from vesalius.core.errors import PlanError
from vesalius.core.guidance import KINDS, Stroke
from vesalius.core.image import Array
from vesalius.core.plan import Plan
from vesalius.infer.outline import Outline, option_of
from vesalius.infer.runs.contract import Grid, Members, Run, Told
from vesalius.prepare import simulated
from vesalius.prepare.batch import Batch, Example, main_image
from vesalius.prepare.geometry import Undo

SAMPLING = "patches"
MIRRORS = False
AFTER = (1, 3, 5, 10)  # clicks of a simulated person, after which masks are kept
VALIDATED = 3  # clicks that validation affords


class Clicked(Run):
    """Raw answers are numbers of labels by name: `mask` `(Z, Y, X)`, and `after-3` … of a simulated person."""

    strokes: ClassVar[bool] = True

    def answer(self, members: Members, example: Example, undo: Undo, *, told: Told | None = None) -> Any:
        """Return what a case's strokes come to, or those of a simulated person; without either an empty mask."""
        image = main_image(example)
        if "strokes" in example.ragged:
            return shown(members, image, undo, example.ragged["strokes"])
        if "person" in example.ragged:
            wanted = int(option_of(members.plan, "clicks"))
            return _simulated(members, image, undo, example.ragged["person"], clicks=wanted, told=told)
        return {"mask": np.zeros(undo.native, np.uint8)}

    def raw(self, members: Members, examples: Sequence[Example]) -> Iterator[Any]:
        """Return what a simulated person reaches on the prepared grid of each case within few clicks."""
        for example in examples:
            image = main_image(example)
            undo = _itself(image.shape[-3:], members.plan)
            if "mask" in example.targets:
                truth = np.asarray(example.targets["mask"][0])
                yield _simulated(members, image, undo, truth, clicks=VALIDATED, after=())
            else:
                yield {"mask": np.zeros(image.shape[-3:], np.uint8)}

    def together(self, members: Members, batch: Batch, generator: Any) -> Tensor:
        """Return the models' mean logits of regions with their guidance. Raises PlanError without guidance."""
        if "guidance" not in batch.images:
            raise PlanError(_WITHOUT, hint="vesalius.Clicking, or `vesalius predict --guidance FILE`")
        return super().together(members, batch, generator)

    def window(self, plan: Plan, shape: Grid, where: Array | None) -> tuple[Grid, Grid]:
        """Raise PlanError: no pass looks at an image alone."""
        raise PlanError(_WITHOUT, hint="a bundle of `fit --task segment` for what looks at images alone")


_WITHOUT = "the model answers strokes on an image, and says nothing of an image alone"


def shown(members: Members, image: Array, undo: Undo, rows: Array) -> dict[str, Array]:
    """Return the mask of each label that strokes are about, as numbers; `rows` are those of the example.

    Where two objects meet, the one whose strokes come later does not take from the earlier.
    """
    index = np.zeros(undo.native, np.uint8 if rows[:, 0].max() < 255 else np.int32)
    for number in dict.fromkeys(rows[:, 0].astype(int).tolist()):
        outline = Outline(members, image, undo)
        own = rows[rows[:, 0] == number]
        for k in dict.fromkeys(own[:, 1].tolist()):
            outline.add(_stroke(own[own[:, 1] == k]))
        index[outline.mask & (index == 0)] = number
    return {"mask": index, "told": np.ones(1)}


def _stroke(rows: Array) -> Stroke:
    kind = KINDS[int(rows[0, 2])]
    return Stroke(kind, tuple((z, y, x) for z, y, x in rows[:, 4:].tolist()), bool(rows[0, 3]))  # type: ignore[arg-type]


def _simulated(
    members: Members,
    image: Array,
    undo: Undo,
    truth: Array,
    *,
    clicks: int,
    after: Sequence[int] = AFTER,
    told: Told | None = None,
) -> dict[str, Array]:
    """Return what a simulated person reaches label after label, after `clicks` clicks and after others."""
    several = [k for k in np.unique(truth).tolist() if k > 0]
    kind = np.uint8 if max([0, *several]) < 255 else np.int32
    wanted = {"mask": clicks, **{f"after-{n}": n for n in after if n != clicks}}
    fields = {name: np.zeros(undo.native, kind) for name in wanted}
    for done, number in enumerate(several, start=1):
        masks = list(clicked(members, image, undo, truth == number, truth >= 0, max(wanted.values())))
        for name, n in wanted.items():
            fields[name][masks[n - 1] & (fields[name] == 0)] = number
        if told is not None:
            told(done / len(several))
    return {**fields, "told": np.ones(1)}


def clicked(
    members: Members, image: Array, undo: Undo, truth: Array, known: Array, clicks: int
) -> Iterator[Array]:
    """Yield the mask of an object `(Z, Y, X)` of bits after each click of a simulated person, the first one on.

    The first click lies in the middle of the object, each further one in the middle of the largest error. Where
    nothing is wrong any more the mask stays.
    """
    outline = Outline(members, image, undo)
    spacing = None if undo.spacing_mm is None else undo.spacing_mm[::-1]
    for k in range(clicks):
        if k == 0:
            at = simulated.first(truth, spacing)
            found = None if at is None else (at, True)
        else:
            found = simulated.correction(truth, outline.mask, known, spacing=spacing)
        if found is not None:
            (z, y, x), adds = found
            outline.add(Stroke("point", ((z, y, x),), adds))
        yield outline.mask.copy()


def _itself(shape: Sequence[int], plan: Plan) -> Undo:
    """Return the way back of a prepared grid to itself."""
    z, y, x = (int(n) for n in shape)
    grid = (z, y, x)
    return Undo(
        native=grid, order=(0, 1, 2), flips=(), turned=grid, inner=grid, before=(0, 0, 0), shape=grid,
        affine=None, spacing_mm=plan.data.spacing_mm, turned_spacing_mm=plan.data.spacing_mm,
    )  # fmt: skip


RUN = Clicked()
