"""How boxes are written: corners or sizes, pixels or shares, counted from 0 or 1; and what a person says of it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np

from vesalius.core import exif
from vesalius.core.errors import UnknownName
from vesalius.core.image import Array

ROLE = "boxes"  # of `--column boxes=…`
Form = Literal["corners", "size", "centre"]


@dataclass(frozen=True, slots=True)
class Way:
    """How numbers are boxes; None where nothing says so yet.

    `form`: two corners, the low corner and the size, or the middle and the size. `relative`: shares of the picture's
    width and height instead of pixels. `first`: the number of the first pixel, 0 or 1. `inclusive`: the high corner is
    the last pixel inside instead of where the box ends. `exchanged`: y stands before x. `as_seen`: they are of the
    picture as its EXIF orientation has it seen, not of its stored pixels. `complete`: a picture of which nothing is
    written has no boxes; where it is False, nobody looked at it. `scaled`: where a file says that its picture has
    another size, its boxes are scaled.
    """

    form: Form | None = None
    relative: bool | None = None
    first: int | None = None
    inclusive: bool | None = None
    exchanged: bool | None = None
    as_seen: bool | None = None
    complete: bool | None = None
    scaled: bool | None = None

    def told(self, other: Way) -> Way:
        """Return this way with all that another one says. One that names the first pixel says what the last is, too."""
        said = {f.name: v for f in fields(other) if (v := getattr(other, f.name)) is not None}
        if "first" in said:
            said.setdefault("inclusive", said["first"] == 1)
        return replace(self, **said)


WORDS: dict[str, Way] = {
    "corners": Way(form="corners"),
    "size": Way(form="size"),
    "centre": Way(form="centre"),
    "center": Way(form="centre"),
    "pixels": Way(relative=False),
    "relative": Way(relative=True),
    "from-0": Way(first=0),
    "from-1": Way(first=1),
    "inclusive": Way(inclusive=True),
    "exclusive": Way(inclusive=False),
    "xy": Way(exchanged=False),
    "yx": Way(exchanged=True),
    "as-seen": Way(as_seen=True),
    "as-stored": Way(as_seen=False),
    "complete": Way(complete=True),
    "partial": Way(complete=False),
    "scaled": Way(scaled=True),
}


def of_words(text: str) -> tuple[Way, tuple[str, ...]]:
    """Return what `--column boxes=WORD,WORD` says of the way, and the words that name something: columns, or a mask."""
    way, names = Way(), list[str]()
    for word in (w.strip() for w in text.split(",")):
        if word.casefold() in WORDS:
            way = way.told(WORDS[word.casefold()])
        elif word:
            names.append(word)
    return way, tuple(names)


def only_words(text: str) -> Way:
    """Return what `--column boxes=…` says to a layout that has no columns. Raises UnknownName."""
    way, names = of_words(text)
    if names:
        raise UnknownName(f"word for --column {ROLE}", names[0], WORDS)
    return way


def corners(numbers: Array, way: Way, extent: Array) -> tuple[Array, Array]:
    """Return the low and high corners `(N, D)` of boxes, in pixels from 0, the high end excluded.

    `numbers` `(N, 2 D)` stand as they are written, x before y before z; `extent` `(N, D)` is the size of the picture
    that they are of.
    """
    d = numbers.shape[1] // 2
    one, other = numbers[:, :d].astype(np.float64), numbers[:, d:].astype(np.float64)
    if way.exchanged:
        order = [1, 0, *range(2, d)]
        one, other = one[:, order], other[:, order]
    if way.relative:
        one, other = one * extent, other * extent
    if way.form == "centre":
        low, high = one - other / 2, one + other / 2
    elif way.form == "size":
        low, high = one, one + other
    else:
        low, high = one, other + (1.0 if way.inclusive and not way.relative else 0.0)
    shift = 0.0 if way.relative else float(way.first or 0)
    return low - shift, high - shift


def upright(low: Array, high: Array, tag: int | None, seen: Array) -> tuple[Array, Array]:
    """Return corners `(N, D)` in stored pixels as corners in the picture as it is seen, of size `seen` `(D,)`."""
    a, b = exif.turned_points(low, tag, seen), exif.turned_points(high, tag, seen)
    return np.minimum(a, b), np.maximum(a, b)


def in_words(way: Way) -> str:
    """Return a way as words that `--column boxes=…` takes."""
    said = [way.form or "", "" if way.relative is None else "relative" if way.relative else "pixels"]
    if not way.relative and way.first is not None:
        said.append(f"from-{way.first}")
        if way.form == "corners":
            said.append("inclusive" if way.inclusive else "exclusive")
    return ",".join([w for w in said if w] + (["yx"] if way.exchanged else []))
