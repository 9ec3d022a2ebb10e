"""One session of clicks: an image, the strokes about one object in it, and the mask that answers them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import numpy as np

from vesalius.core.answers.mask import Mask
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError
from vesalius.core.guidance import Guidance, Stroke
from vesalius.core.image import Array, Image
from vesalius.serve.http import results
from vesalius.serve.http.catalogue import ServedModel
from vesalius.serve.http.clicks.flips import flips

OBJECT = "object"  # what is segmented, where nobody names it


class Clicks(Protocol):
    """What a session asks of the model: a mask after each stroke, on the image's grid, not 0 where the object is."""

    @property
    def mask(self) -> Mask:
        """The newest answer; an empty mask before the first stroke."""

    @property
    def nbytes(self) -> int:
        """How much memory this holds, image and features."""

    def add(self, stroke: Stroke) -> Mask:
        """Answer one stroke more."""

    def undo(self) -> Mask:
        """Take the last stroke back."""

    def begin(self, mask: Mask) -> Mask:
        """Start from a mask in place of an empty one."""


@dataclass(eq=False)
class ClickSession:
    """What is kept of one object while a person clicks; only the thread of the models changes it.

    `image` is one volume or picture, `(C, Z, Y, X)`. `version` counts the masks that were answered, `bits` is the
    newest of them, bool `(Z, Y, X)`. `study`, `case` and `frame` say which stored image it is of; a picture that came
    over a WebSocket is of none. `accepted` is whether an image of another kind than was learned from may be answered.
    """

    id: str
    owner: str
    model: ServedModel
    image: Image
    clicks: Clicks
    study: str | None = None
    case: str | None = None
    frame: int = 0
    accepted: bool = False
    strokes: tuple[Stroke, ...] = ()
    version: int = 0
    answered: int = 0
    touched: float = field(default_factory=time.monotonic)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)  # one change after the other
    mask: Mask = field(init=False)
    bits: Array = field(init=False)

    def __post_init__(self) -> None:
        self.mask = self.clicks.mask
        self.bits = self._checked(self.mask)

    @property
    def shape(self) -> tuple[int, int, int]:
        """The image's `(Z, Y, X)`."""
        z, y, x = self.image.array.shape[-3:]
        return z, y, x

    def start(self, bits: Array) -> None:
        """Begin from a mask, bool `(Z, Y, X)`, in place of an empty one. Raises what the model raises."""
        self._take(self.clicks.begin(self.named(bits=bits)))

    def steps(self, strokes: Sequence[Stroke]) -> list[Callable[[], None]]:
        """Return what has to be computed, one after the other, so that these strokes stand in place of those there are.

        What both begin with is not computed again. Raises DataError for a stroke outside of the image.
        """
        wanted = Guidance(tuple(strokes)).strokes
        Guidance(wanted).assert_within(self.shape)
        same = next(
            (k for k, (a, b) in enumerate(zip(self.strokes, wanted, strict=False)) if a != b),
            min(len(self.strokes), len(wanted)),
        )
        added = [partial(self._add, stroke) for stroke in wanted[same:]]
        return [self._undo] * (len(self.strokes) - same) + added

    def body(self, before: Array | None = None, *, against: int = 0, took_s: float = 0.0) -> dict[str, Any]:
        """Return what a client is told (`schemas.ClickBody`): what changed since `before`, or the whole mask."""
        self.touched = time.monotonic()
        mask = self.named()
        runs = flips(before, self.bits)
        return {
            "session": self.id,
            "model": self.model.name,
            "study": self.study,
            "case": self.case,
            "frame": self.frame,
            "shape": list(self.shape),
            "version": self.version,
            "against": against,
            "flips": runs,
            "strokes": len(self.strokes),
            "voxels": int(np.count_nonzero(self.bits)),
            "summary": results.summary(mask),
            "outside": None if mask.outside is None else list(mask.outside),
            "ms": round(1000 * took_s, 3),
        }

    def named(self, name: str = OBJECT, bits: Array | None = None) -> Mask:
        """Return a mask, by default the newest, as an answer with one label of value 1 under a name."""
        array = (self.bits if bits is None else bits)[None].astype(np.uint8)
        return replace(self.mask, image=replace(self.mask.image, array=array), labels=(Label(1, name),))

    def _undo(self) -> None:
        self._take(self.clicks.undo(), self.strokes[:-1])

    def _add(self, stroke: Stroke) -> None:
        self._take(self.clicks.add(stroke), (*self.strokes, stroke))
        self.answered += 1

    def _take(self, mask: Mask, strokes: tuple[Stroke, ...] | None = None) -> None:
        self.bits = self._checked(mask)
        self.mask = mask
        self.strokes = self.strokes if strokes is None else strokes
        self.version += 1

    def _checked(self, mask: Mask) -> Array:
        """Return a mask's voxels. Raises DataError where it lies on another grid than the image."""
        array = mask.image.array
        if array.shape != (1, *self.shape):
            raise DataError(
                "the mask is not on the image's grid", found=f"{array.shape} for an image of {self.shape}"
            )
        found: Array = array[0] != 0
        return found
