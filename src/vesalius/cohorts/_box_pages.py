"""Boxes as they stand in files, picture by picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vesalius import formats
from vesalius.core.case import Ref
from vesalius.core.cohort import SetAside
from vesalius.core.errors import VesaliusError
from vesalius.core.grids import EXIF_ORIENTATION
from vesalius.core.image import Array, Image
from vesalius.core.words import counted

QUARTER = 5  # EXIF orientations from here on swap width and height


@dataclass(frozen=True, slots=True)
class Drawn:
    """A box as it stands in a file: its label, its numbers as they are written there, and where that is in words."""

    label: str
    numbers: tuple[float, ...]  # x, y (and z) of one corner or the middle, then of the other, or the size
    crowd: bool = False
    where: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """What a file says of one picture. `said` is the width and height that it gives the picture, `fault` what is wrong.

    A page without boxes is one of a picture in which there is nothing.
    """

    case: str
    image: Ref | Image
    boxes: tuple[Drawn, ...] = ()
    file: str = ""
    said: tuple[float, float] | None = None
    fault: str | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Sized:
    """A page and the size `(x, y, z)` of its picture as it is seen; `stored`: its boxes are of the stored pixels.

    `sure`: the size that its file gives says so, or says that they are of the picture as it is seen.
    """

    page: Page
    seen: Array
    tag: int | None = None
    stored: bool = False
    sure: bool = False
    scale: tuple[float, float] = (1.0, 1.0)

    @property
    def extent(self) -> Array:
        """The size of what its boxes are of."""
        return self.seen[[1, 0, 2]] if self.stored and (self.tag or 1) >= QUARTER else self.seen


def with_sizes(pages: Sequence[Page]) -> tuple[list[Sized], list[SetAside]]:
    """Return the pages with the sizes of their pictures, from their headers, and those whose header cannot be read."""
    found, aside = list[Sized](), list[SetAside]()
    for page in pages:
        try:
            head = page.image if isinstance(page.image, Image) else formats.header(page.image)
        except (VesaliusError, OSError) as error:
            aside.append(SetAside(page.case, str(error)))
            continue
        flat = {len(d.numbers) for d in page.boxes} & {4}
        if flat and head.shape[0] > 1:
            why = f"its boxes have no z, and its image has {counted(head.shape[0], 'plane')}"
            aside.append(SetAside(page.case, why))
            continue
        seen = np.array(head.shape[::-1], dtype=np.float64)
        found.append(Sized(page, seen, head.display.get(EXIF_ORIENTATION)))
    return found, aside


def arrays(sized: Sequence[Sized]) -> tuple[Array, Array, Array]:
    """Return all boxes as they are written `(N, 2 D)`, the sizes `(N, D)` of what they are of, and whose each is."""
    d = max((len(b.numbers) for s in sized for b in s.page.boxes), default=4) // 2
    rows, extents, owner = list[tuple[float, ...]](), list[Array](), list[int]()
    for k, one in enumerate(sized):
        for box in one.page.boxes:
            rows.append(box.numbers)
            extents.append(one.extent[:d])
            owner.append(k)
    numbers = np.array(rows, dtype=np.float64).reshape(-1, 2 * d)
    return numbers, np.array(extents).reshape(-1, d), np.array(owner, dtype=np.int64)
