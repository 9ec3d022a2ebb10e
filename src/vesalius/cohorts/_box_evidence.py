"""What the numbers themselves say of how boxes are written: which readings fit their pictures, and which cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vesalius.cohorts._box_pages import QUARTER, Sized
from vesalius.cohorts._box_ways import ROLE, Form, Way, corners, in_words
from vesalius.core.cohort import Question, SetAside
from vesalius.core.image import Array
from vesalius.core.words import counted, listed

_SLACK = 1.5  # pixels by which a box may reach beyond its picture and fit it all the same
_MISFITS = 0.05  # the share of boxes that do not fit, from which on another reading is looked for
_FITS = 0.1  # a reading fits instead that has at most this share of its misfits
_FITTING = 0.02  # the share of misfits below which a reading fits, where none is expected
_ABOVE = 0.2  # the share of boxes with coordinates above 1, from which on they can be no shares of a picture
_ENOUGH = 3  # corners at the very edge that tell from where pixels are counted


def of_sizes(
    sized: Sequence[Sized],
    way: Way,
    target: str,
    notes: list[str],
    questions: list[Question],
    doubts: list[Question],
) -> tuple[list[Sized], list[SetAside]]:
    """Return the pages with what the sizes that their files give say, and those whose boxes are of another picture.

    A size that is that of the stored pixels of a picture that is turned says that its boxes are of these. A size of 0
    says nothing. Width and height in the wrong order are read past where the boxes show that they are.
    """
    good, aside, swapped, without = list[Sized](), list[SetAside](), list[Sized](), 0
    for one in sized:
        said, seen = one.page.said, one.seen[:2]
        if said is None or way.relative:
            good.append(one)
        elif min(said) <= 0:
            without += 1
            good.append(one)
        elif np.allclose(said, seen, atol=0.5):
            turned = (one.tag or 1) >= QUARTER and seen[0] != seen[1]
            good.append(replace(one, sure=turned))
        elif (one.tag or 1) >= QUARTER and np.allclose(said, seen[::-1], atol=0.5):
            good.append(replace(one, stored=True, sure=True))
        elif np.allclose(said, seen[::-1], atol=0.5):
            swapped.append(one)
        elif way.scaled:
            good.append(replace(one, scale=(seen[0] / said[0], seen[1] / said[1])))
        else:
            aside.append(SetAside(one.page.case, _other_size(one)))
    if without:
        notes.append(
            f"{target}: {counted(without, 'file gives its picture', 'files give their pictures')} no size"
        )
    kept, more = _swapped(swapped, way, target, questions, doubts)
    return [*good, *kept], [*aside, *more]


def _other_size(one: Sized) -> str:
    assert one.page.said is not None
    said, seen = (" × ".join(f"{v:g}" for v in x) for x in (one.page.said, one.seen[:2]))
    file = one.page.file or "its file"
    return (
        f"{file} is of a picture of {said} pixels, and the picture has {seen}; "
        f"--column {ROLE}=scaled if it was made smaller or larger"
    )


def _swapped(
    sized: Sequence[Sized], way: Way, target: str, questions: list[Question], doubts: list[Question]
) -> tuple[list[Sized], list[SetAside]]:
    """Return pages whose files give width and height in the wrong order, as far as the boxes fit the pictures."""
    if not sized:
        return [], []
    names = listed([s.page.file or s.page.case for s in sized], 5)
    many = counted(len(sized), "file gives", "files give")
    what = f"{target}: {many} the width of its picture as the height and the height as the width"
    here, there = (sum(_inside(s, way, turned=t) for s in sized) for t in (False, True))
    if way.as_seen or (here == len(sized) and there < here):
        doubts.append(Question(target, f"{what}; the boxes fit the picture as it is", names, "look at some"))
        return list(sized), []
    if here == there == len(sized):
        hint = f"--column {ROLE}=as-seen if only the size is wrong; turn the pictures if they were turned"
        questions.append(Question(target, f"{what}, and the boxes fit either way", names, hint))
        return list(sized), []
    why = "gives the picture's width as its height, and its boxes fit a picture that is turned"
    return [], [SetAside(s.page.case, f"{s.page.file or 'its file'} {why}") for s in sized]


def _inside(one: Sized, way: Way, *, turned: bool) -> bool:
    """Return whether all boxes of a page lie within its picture, or within one that is turned."""
    rows = np.array([b.numbers for b in one.page.boxes], dtype=np.float64)
    if not len(rows):
        return True
    size = one.seen[[1, 0, 2]] if turned else one.seen
    extent = np.broadcast_to(size[: rows.shape[1] // 2], (len(rows), rows.shape[1] // 2))
    return not _misfits(rows, replace(way, form=way.form or "corners"), extent).any()


def _misfits(numbers: Array, way: Way, extents: Array) -> Array:
    """Return which boxes `(N,)` reach beyond their pictures, or have corners in the wrong order."""
    low, high = corners(numbers, way, extents)
    return np.asarray(((low < -_SLACK) | (high > extents + _SLACK) | (high < low)).any(axis=1))


def decided(
    numbers: Array,
    extents: Array,
    way: Way,
    told: Way,
    target: str,
    notes: list[str],
    questions: list[Question],
    doubts: list[Question],
) -> Way:
    """Return how the boxes are written, by what is known of it and by which readings fit the pictures.

    `numbers` `(N, 2 D)` are as they stand, `extents` `(N, D)` the sizes of what they are of. What a person `told` is
    not doubted. A question is asked where several readings fit, or where another one fits and the expected does not.
    """
    finite = np.isfinite(numbers).all(axis=1)
    numbers, extents = numbers[finite], extents[finite]
    if not len(numbers):
        return replace(way, form=way.form or "corners")
    way = _unit(numbers, extents, way, told, target, notes, questions)
    way = _form(numbers, extents, way, told, target, notes, questions)
    return way if way.relative else _first(numbers, extents, way, told, target, notes, doubts)


def _unit(
    numbers: Array,
    extents: Array,
    way: Way,
    told: Way,
    target: str,
    notes: list[str],
    questions: list[Question],
) -> Way:
    """Return the way with its unit: shares where no number is above 1 and some are no whole ones."""
    if told.relative is not None:
        return way
    small = numbers.max() <= 1.01 and (numbers != np.round(numbers)).any() and extents.min() > 4
    above = (np.abs(numbers) > 1.01).any(axis=1).mean()
    if way.relative and above > _ABOVE:
        most = f"{numbers.max():g} in a picture of {' × '.join(f'{v:g}' for v in extents[0])} pixels"
        what = f"{target}: coordinates that should be shares of the picture are above 1"
        questions.append(Question(target, what, most, f"--column {ROLE}=pixels if they are pixels"))
    elif not way.relative and small:
        notes.append(
            f"{target}: no coordinate is above 1, so they are shares of the picture's size; "
            f"--column {ROLE}=pixels if they are pixels"
        )
        return replace(way, relative=True)
    return way if way.relative is not None else replace(way, relative=False)


def _form(
    numbers: Array,
    extents: Array,
    way: Way,
    told: Way,
    target: str,
    notes: list[str],
    questions: list[Question],
) -> Way:
    """Return the way with its form and the order of its axes."""
    every: tuple[Form, ...] = ("corners", "size", "centre")
    forms = (told.form,) if told.form else every
    orders = (told.exchanged,) if told.exchanged is not None else (bool(way.exchanged), not way.exchanged)
    shares = {
        one: float(_misfits(numbers, one, extents).mean())
        for form in forms
        for order in orders
        for one in [replace(way, form=form, exchanged=order)]
    }
    if way.form is None:
        same = [w for w in shares if w.exchanged == bool(way.exchanged) and w.form != "centre"]
        fitting = [w for w in same if shares[w] <= _FITTING]
        if len(fitting) == 1:
            notes.append(
                f"{target}: the last two numbers of a box are its {_second(fitting[0])}, as only so the boxes fit "
                f"their pictures; --column {ROLE}={_other(fitting[0])} if not"
            )
            return fitting[0]
        what = f"{target}: the last numbers of a box may be its high corner or its size"
        found = "both fit the pictures" if fitting else "neither fits the pictures"
        questions.append(Question(target, what, found, f"--column {ROLE}=corners or --column {ROLE}=size"))
        return replace(way, form="corners", exchanged=bool(way.exchanged))
    expected = replace(way, exchanged=bool(way.exchanged))
    misfits = shares.get(expected, 0.0)
    fitting = sorted(
        (w for w in shares if w != expected and shares[w] <= _FITS * misfits), key=shares.__getitem__
    )
    if misfits > _MISFITS and round(misfits * len(numbers)) >= min(_ENOUGH, len(numbers)) and fitting:
        what = (
            f"{target}: the boxes do not fit their pictures as they should be written, but fit in another way"
        )
        found = f"{misfits:.0%} of {len(numbers)} reach beyond their picture as {in_words(expected)}"
        hints = " or ".join(f"--column {ROLE}={in_words(w)}" for w in (*fitting[:2], expected))
        questions.append(Question(target, what, found, hints))
    return expected


def _second(way: Way) -> str:
    return "high corner" if way.form == "corners" else "size"


def _other(way: Way) -> str:
    return "size" if way.form == "corners" else "corners"


def _first(
    numbers: Array, extents: Array, way: Way, told: Way, target: str, notes: list[str], doubts: list[Question]
) -> Way:
    """Return the way with the number of the first pixel, by how many corners stand at 0 and how many at 1."""
    if told.first is not None or way.form == "centre":
        return replace(way, first=way.first or 0, inclusive=bool(way.inclusive))
    d = numbers.shape[1] // 2
    lows, highs = numbers[:, :2], numbers[:, d : d + 2]
    zeros, ones = int((lows == 0).any(axis=1).sum()), int((lows == 1).any(axis=1).sum())
    if way.first == 1 and zeros > ones:
        ends = (highs == extents[:, :2]).any()
        inclusive = not ends and bool((highs == extents[:, :2] - 1).any()) and way.form == "corners"
        new = replace(way, first=0, inclusive=inclusive)
        notes.append(
            f"{target}: pixels are counted from 0, as {counted(zeros, 'corner is', 'corners are')} at 0 and {ones} at "
            f"1; --column {ROLE}=from-1 if not"
        )
        return new
    if way.first == 1 and zeros:
        what = (
            f"{target}: pixels are counted from 1, though {counted(zeros, 'corner is', 'corners are')} at 0"
        )
        doubts.append(
            Question(target, what, f"{ones} at 1", f"--column {ROLE}=from-0 if they are counted from 0")
        )
    if way.first == 1 and not zeros:
        notes.append(
            f"{target}: pixels are counted from 1, as the format has it: no corner is at 0, {ones} at 1; "
            f"--column {ROLE}=from-0 if they are counted from 0, which moves every box by a pixel"
        )
    enough = ones >= max(_ENOUGH, 0.01 * len(numbers)) and (numbers == np.round(numbers)).all()
    if not way.first and not zeros and enough:
        what = f"{target}: pixels are counted from 0, though no corner is at 0"
        found = f"{counted(ones, 'corner')} at 1"
        doubts.append(Question(target, what, found, f"--column {ROLE}=from-1 if they are counted from 1"))
    return replace(way, first=way.first or 0, inclusive=bool(way.inclusive))


def of_turned(
    sized: Sequence[Sized], numbers: Array, owner: Array, way: Way, target: str
) -> tuple[list[Sized], list[Question]]:
    """Return the pages, those of turned pictures with what their boxes are of; a question where nothing says it.

    A picture that its EXIF orientation turns is read as it is seen. Boxes drawn on its stored pixels are turned too.
    """
    turned = [k for k, s in enumerate(sized) if (s.tag or 1) > 1 and s.page.boxes and not s.sure]
    if not turned:
        return list(sized), []
    if way.as_seen is not None:
        return _as(sized, turned, stored=not way.as_seen), []
    fits = {False: 0, True: 0}
    for stored in fits:
        for k in (k for k in turned if (sized[k].tag or 1) >= QUARTER):
            rows, one = numbers[owner == k], replace(sized[k], stored=stored)
            extent = np.broadcast_to(one.extent[: rows.shape[1] // 2], (len(rows), rows.shape[1] // 2))
            fits[stored] += not _misfits(rows, way, extent).any()
    quarter = sum((sized[k].tag or 1) >= QUARTER for k in turned)
    if quarter and not way.relative and fits[False] != fits[True] and max(fits.values()) == quarter:
        return _as(sized, turned, stored=fits[True] == quarter), []
    names = listed([sized[k].page.case for k in turned], 5)
    what = f"{target}: {counted(len(turned), 'picture is', 'pictures are')} turned by the EXIF orientation"
    found = f"{names}, and nothing says whether the boxes are of the picture as it is seen"
    hint = f"--column {ROLE}=as-seen, or --column {ROLE}=as-stored where they are of the pixels as they lie in the file"
    return list(sized), [Question(target, what, found, hint)]


def _as(sized: Sequence[Sized], which: Sequence[int], *, stored: bool) -> list[Sized]:
    chosen = set(which)
    return [replace(s, stored=stored) if k in chosen else s for k, s in enumerate(sized)]
