"""Streaming: frames that come one after the other; the models keep what they have seen, so an answer costs one frame.

Long cines in files are answered in the same way, part after part, so that not all their frames are prepared at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from vesalius.core import grids
from vesalius.core.answers import Answer
from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.infer.asked import begun, stepped
from vesalius.infer.runs.contract import Members, flips
from vesalius.infer.session import Answering
from vesalius.prepare.batch import Batch, Example
from vesalius.prepare.case import load
from vesalius.prepare.geometry import SAME_MM

PART, VALUES = 64, 1 << 22  # frames of a long cine that are prepared at one time, and their values, at most


@dataclass(frozen=True, eq=False)
class Memories:
    """What each model remembers of one case; the rows of a memory are the case itself and its mirror images, `views`.

    A view is the axes that are flipped, counted from the end.
    """

    views: tuple[tuple[int, ...], ...] = ()
    held: tuple[Any, ...] = ()


def see(members: Members, example: Example, before: Memories) -> tuple[Array, Memories]:
    """Return the models' raw outputs about one case after its further steps, `(M, …)`, and what is remembered then."""
    task, generator = members.task, torch.Generator(device="cpu").manual_seed(0)
    with torch.inference_mode():
        views = before.views or ((), *map(tuple, flips(members, task.collate([example]))))
        batch = _mirrored(task.collate([example] * len(views)), views).to(members.device)
        outs, held = [], []
        for m, model in enumerate(members.models):
            memory = before.held[m] if before.held else begun(task, model, len(views))
            with nullcontext() if members.weighing is None else members.weighing.over(model):
                raws, memory = _asked(members, model, batch, memory, generator)
            outs.append(task.join(raws[k : k + 1] for k in range(len(views))).float())
            held.append(memory)
        if members.weighing is not None:
            members.weighing.told(1, views=len(views))
        raw: Array = torch.stack(outs, dim=1)[0].cpu().numpy()
    return raw, Memories(views, tuple(held))


def _asked(
    members: Members, model: nn.Module, batch: Batch, memory: Any, generator: torch.Generator
) -> tuple[Tensor, Any]:
    """Return what one model says of each view; of the first model, what its layers show of the case itself is heard."""
    watch = members.watch
    if watch is None or model is not members.models[0]:
        return stepped(members.task, model, batch, memory, generator)
    with watch.over(model, batch.rows):
        raws, after = stepped(members.task, model, batch, memory, generator)
    watch.told(raws)
    watch.only(1)
    return raws, after


def _mirrored(batch: Batch, views: Sequence[Sequence[int]]) -> Batch:
    """Return a batch of one case, row after row, with the images of each row mirrored as that view is."""

    def each(x: Tensor) -> Tensor:
        return torch.stack(
            [row.flip(list(axes)) if axes else row for row, axes in zip(x, views, strict=True)]
        )

    return replace(batch, images={name: each(x) for name, x in batch.images.items()}) if views[1:] else batch


def parts_of(case: Case, reference: Image | None = None) -> list[Case]:
    """Return a case as parts that follow one another, each of a few frames of each image, which are read.

    What has no frames, and all else that is known of the case, is in the first; a case without long images is one part.
    `reference` is the reference image where it is at hand.
    """
    at_hand = {} if reference is None or case.reference is None else {case.reference: reference}
    images = {name: at_hand.get(name) or load(item) for name, item in case.images.items()}
    most = min((_together(image) for image in images.values()), default=PART)
    longest = max((len(image.times_s or ()) for image in images.values()), default=0)
    if longest <= most:
        return [replace(case, images=images)]
    images, found = {name: _ranged(image) for name, image in images.items()}, []
    for at in range(0, longest, most):
        part = {n: _cut(i, at, at + most) for n, i in images.items() if at < len(i.times_s or (0.0,))}
        known = case if at == 0 else replace(case, earlier=(), courses={})
        found.append(replace(known, images=part))
    return found


def _together(image: Image) -> int:
    """Return how many frames of an image are prepared at one time."""
    return max(1, min(PART, VALUES // math.prod(image.array.shape[-4:])))


def _ranged(image: Image) -> Image:
    """Return an image that is stored white for nothing with the range of all its frames, by which each is inverted."""
    if image.display.get("photometric") != "MONOCHROME1" or image.display.get("range"):
        return image
    ends = (float(image.array.min()), float(image.array.max()))
    return replace(image, display={**image.display, "range": ends})


def _cut(image: Image, low: int, high: int) -> Image:
    """Return some of an image's frames, as a view of them."""
    if image.times_s is None or (low == 0 and high >= len(image.times_s)):
        return image
    return replace(image, array=image.array[low:high], times_s=image.times_s[low:high])


def _first(image: Image) -> Image:
    """Return the first frame of an image, which holds on to no other."""
    one = _cut(image, 0, 1)
    return replace(one, array=one.array.copy())


class Streaming:
    """A session about one case whose frames come one after the other; each step costs its own frames alone.

    An answer is what the predictor says of the file of all frames so far, but for rounding. A frame is an image with a
    time axis, `(T, C, Z, Y, X)` with `times_s`, mostly of one step; its times are those of the whole cine. A step that
    raises leaves the session as it was.
    """

    def __init__(self, ask: Answering, case: Case) -> None:
        self._ask, self.case = ask, replace(case, targets={})
        self._frames: dict[str, int] = {}  # of each image
        self._begun, self._memories = False, Memories()
        self._firsts: dict[str, Image] = {}  # of each image its first frame, and the time of its last
        self._last_s: dict[str, float] = {}
        self._outside: tuple[str, ...] | None = None

    def step(self, more: Case | None = None) -> Answer:
        """Return the answer, now that the frames of `more` are seen and what else it says is known.

        Raises DataError for a frame of another size, or one that goes back in time; and what a predictor raises.
        """
        known, new = _known(self.case, more), self._new(more)
        times = {name: self._assert_follows(name, image) for name, image in new.items()}
        now = replace(known, images=new, reference=_reference(known, new))
        memories, encoded, raw, heard = self._memories, None, None, None
        for part in parts_of(now):
            ready = self._ask.encoded(part)
            encoded = ready if encoded is None else encoded
            raw, memories, heard = self._ask.seen(ready.example, memories)
        assert encoded is not None  # there is one part at least
        firsts = {**{n: _first(image) for n, image in new.items()}, **self._firsts}
        outside = self._lies_outside(known, firsts, encoded.outside)
        answer = self._ask.said(raw, replace(encoded, outside=outside), heard)
        if not self._begun and not new:  # what it knows beside images is told with the first of them
            self.case = known
            return answer
        self.case = replace(known, images={}, earlier=(), courses={})
        self._begun, self._memories, self._firsts, self._outside = True, memories, firsts, outside
        self._last_s |= times
        for name, image in new.items():
            self._frames[name] = self._frames.get(name, 0) + len(image.times_s or (0.0,))
        return answer

    @property
    def seen(self) -> int:
        """How many frames the last answer stands on, of the image that had most."""
        return max(self._frames.values(), default=0)

    def _new(self, more: Case | None) -> dict[str, Image]:
        """Return the images that are new at this step: those of `more`, and at the first also those of the case."""
        held = {} if self._begun else dict(self.case.images)
        return {n: load(i) for n, i in {**held, **(more.images if more is not None else {})}.items()}

    def _assert_follows(self, name: str, image: Image) -> float:
        """Return the time of the last frame of an image. Raises DataError for one that cannot follow those before."""
        times = image.times_s or (0.0,)
        before, first = self._last_s.get(name), self._firsts.get(name)
        if before is not None and image.times_s is None:
            raise DataError(
                f"a further frame of '{name}' does not say when it was",
                hint="an image with a time axis, (T, C, Z, Y, X), and times_s in seconds",
            )
        if not all(math.isfinite(t) for t in times):
            raise DataError(f"a frame of '{name}' has no time", found=str(times[:4]))
        if before is not None and times[0] < before:
            raise DataError(
                f"a frame of '{name}' goes back in time",
                found=f"{times[0]:g} s after one at {before:g} s",
                hint='a session of its own for another cine; over the WebSocket {"reset": true}',
            )
        if first is not None and (found := _unlike(first, image)):
            raise DataError(f"the frames of '{name}' are unlike", found=found, hint="a session of its own")
        return float(times[-1])

    def _lies_outside(
        self, known: Case, firsts: Mapping[str, Image], found: tuple[str, ...] | None
    ) -> tuple[str, ...] | None:
        """Return in what the case lies outside: by its first frames, as of a file, and by what is known beside them."""
        if not self._begun:
            return found
        if known.covariates == self.case.covariates and firsts.keys() == self._firsts.keys():
            return self._outside
        reference = _reference(known, firsts)
        image = None if reference is None else firsts[reference]
        return self._ask.admit(replace(known, images=firsts, reference=reference), image)


def _known(case: Case, more: Case | None) -> Case:
    """Return what is known of a case beside its frames."""
    if more is None:
        return case
    return replace(
        case,
        id=more.id,
        reference=case.reference or more.reference,
        covariates={**case.covariates, **more.covariates},
        texts={**case.texts, **more.texts},
        courses={**case.courses, **more.courses},
    )


def _reference(case: Case, images: Mapping[str, Image]) -> str | None:
    return case.reference if case.reference in images else next(iter(images), None)


def _unlike(first: Image, image: Image) -> str:
    """Return in what a frame is unlike the first in words; empty where it could be of the same file."""
    if first.array.shape[-4:] != image.array.shape[-4:]:
        return f"shape {image.array.shape[-4:]} after {first.array.shape[-4:]}"
    for what in ("modality", "unit", "channels", "spacing_mm"):
        one, other = getattr(first, what), getattr(image, what)
        if one != other:
            return f"{what} {other} after {one}"
    if (first.affine is None) != (image.affine is None):
        return "an affine, and none"
    if first.affine is None:
        return ""
    return grids.difference(image, first, tolerance_mm=SAME_MM) or ""
