"""Which columns of a table hold boxes, by what they are called; and which hold their labels, and what is a crowd."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vesalius.cohorts._box_ways import Form, Way, of_words
from vesalius.cohorts.targets.contract import Cells
from vesalius.core.errors import UnknownName

_AXES = "xyz"
_WORDS = {"left": "xmin", "right": "xmax", "top": "ymin", "bottom": "ymax"}
_PAIRS = (  # of a low and a high corner on one axis
    ("{}min", "{}max"),
    ("min{}", "max{}"),
    ("{}0", "{}1"),
    ("{}1", "{}2"),
    ("{}start", "{}end"),
    ("start{}", "end{}"),
    ("{}low", "{}high"),
    ("low{}", "high{}"),
    ("{}tl", "{}br"),
    ("topleft{}", "bottomright{}"),
)
_LOWS = ("{}", "{}min", "min{}", "{}0", "topleft{}")  # beside a size
_MIDDLES = ("c{}", "{}c", "{}center", "center{}", "{}centre", "centre{}", "{}ctr", "{}mid")
_SIZES = {"x": ("w", "width", "dx"), "y": ("h", "height", "dy"), "z": ("d", "depth", "dz")}
_ONE_CELL = re.compile(r"(b(ounding)?)?box(es)?(xyxy|xywh|coords?|coordinates)?|coordinates|coords")
_PREFIX = re.compile(r"^(b(ounding)?box|bb|box|rect|roi|coord(inate)?s?)(?=[a-z])")
_LABEL = (
    r"(class|category|label|finding|object|lesion)[ _.-]?(name|label|type)",
    r"labels?|class(es)?|categor(y|ies)|name|findings?|objects?|species",
    r"target|type|(class|category|label)[ _.-]?(id|nr|no|code|number|index)",
)
_OURS = {
    "x0",
    "y0",
    "x1",
    "y1",
}  # the corners of a boxes.csv, which may say that there is nothing in any picture
_CROWD = re.compile(r"is[ _.-]?crowd|crowd|difficult|ignored?|is[ _.-]?group[ _.-]?of")


@dataclass(frozen=True, slots=True)
class BoxColumns:
    """Columns that hold boxes: the numbers in the order x, y (z) of one corner and of the other, or one column of all.

    `way` is what their names say of how boxes are written.
    """

    numbers: tuple[str, ...]
    way: Way
    label: str | None = None
    crowd: str | None = None
    also: tuple[str, ...] = field(default=())  # further columns that speak of boxes and not of cases

    @property
    def all(self) -> tuple[str, ...]:
        """Return every column that speaks of boxes."""
        return tuple(c for c in (*self.numbers, self.label, self.crowd, *self.also) if c is not None)


def columns_of(table: Mapping[str, Cells], text: str = "") -> BoxColumns | None:
    """Return the columns of boxes, as told in `text` (`left,top,right,bottom,from-1`) or by their names; None for none.

    Raises UnknownName for a column that is told and not there.
    """
    told, names = of_words(text)
    there = [n for n in names if n in table]
    if there and len(there) < len(names):
        raise UnknownName("column", next(n for n in names if n not in table), table)
    if len(there) in (4, 6):
        return _with_rest(table, tuple(there), Way(form=told.form))
    plain = {_plain(c): c for c in reversed(list(table))}
    found = _corners(plain) or _sizes(plain, _LOWS, "size") or _sizes(plain, _MIDDLES, "centre")
    if found is not None and (_numeric(table, found[0]) or _all_empty(table, found[0])):
        return _with_rest(table, found[0], Way(form=found[1]))
    for column in [*there, *table]:
        if _ONE_CELL.fullmatch(_plain(column, keep=True)) and _lists(table[column]):
            name = _plain(column, keep=True)
            form: Form | None = (
                "corners" if name.endswith("xyxy") else "size" if name.endswith("xywh") else None
            )
            return _with_rest(table, (column,), Way(form=form))
    return None


def cells_of(text: str) -> list[str]:
    """Return the numbers that stand in one cell: `[1, 2, 3, 4]`, `(1 2 3 4)`, `1;2;3;4`."""
    return [part for part in re.split(r"[\s,;]+", text.strip().strip("[](){}").strip()) if part]


def _plain(column: str, *, keep: bool = False) -> str:
    """Return a column's name in letters and numbers, without a word for boxes in front, unless it is to be kept."""
    name = re.sub(r"[^a-z0-9]", "", column.casefold())
    short = name if keep else _PREFIX.sub("", name)
    return _WORDS.get(short, short)


def _corners(plain: Mapping[str, str]) -> tuple[tuple[str, ...], Form] | None:
    pairs = [next((p for p in _of(axis) if p[0] in plain and p[1] in plain), None) for axis in _AXES]
    if pairs[0] is None or pairs[1] is None:
        return None
    held = [p for p in pairs if p is not None]
    return tuple(plain[p[side]] for side in (0, 1) for p in held), "corners"


def _of(axis: str) -> list[tuple[str, str]]:
    return [(low.format(axis), high.format(axis)) for low, high in _PAIRS]


def _sizes(plain: Mapping[str, str], lows: Sequence[str], form: Form) -> tuple[tuple[str, ...], Form] | None:
    held = []
    for axis in _AXES:
        low = next((n for n in (p.format(axis) for p in lows) if n in plain), None)
        size = next((n for n in _SIZES[axis] if n in plain), None)
        if low is not None and size is not None:
            held.append((plain[low], plain[size]))
        elif axis != "z":
            return None
    return tuple(pair[side] for side in (0, 1) for pair in held), form


def _numeric(table: Mapping[str, Cells], columns: Sequence[str]) -> bool:
    """Return whether most cells of columns that are called like coordinates are numbers, and some are there."""
    for column in columns:
        held = [c for c in table[column] if c is not None][:200]
        if 2 * sum(_is_number(c) for c in held) < len(held) or not held:
            return False
    return True


def _all_empty(table: Mapping[str, Cells], columns: Sequence[str]) -> bool:
    """Return whether columns are those of our own tables of boxes, and every row says that there is nothing."""
    ours = {c.strip().casefold() for c in columns} >= _OURS
    return ours and bool(table[columns[0]]) and not any(c for column in columns for c in table[column])


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True


def _lists(cells: Cells) -> bool:
    held = [cells_of(c) for c in cells if c is not None][:200]
    full = [row for row in held if row]
    return bool(full) and all(len(row) in (4, 6) and all(map(_is_number, row)) for row in full)


def _with_rest(table: Mapping[str, Cells], numbers: tuple[str, ...], way: Way) -> BoxColumns:
    """Return the columns with those of labels and of crowds, by their names."""
    left = [c for c in table if c not in numbers]
    named = [c for pattern in _LABEL for c in left if re.fullmatch(pattern, c.strip().casefold())]
    crowd = next((c for c in left if _CROWD.fullmatch(c.strip().casefold())), None)
    return BoxColumns(numbers, way, named[0] if named else None, crowd, tuple(named[1:]))
