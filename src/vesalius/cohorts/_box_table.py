"""A table of boxes, a row each, beside the images: the boxes of each case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from vesalius.cohorts._box_columns import BoxColumns, cells_of, columns_of
from vesalius.cohorts._box_numbers import number
from vesalius.cohorts._box_pages import Drawn, Page
from vesalius.cohorts._box_settle import settle, together, unlisted, with_boxes
from vesalius.cohorts._box_ways import ROLE, WORDS, Way, in_words, of_words
from vesalius.cohorts._files import natural
from vesalius.cohorts.targets.contract import Cells, Find, OwnTable
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, Question
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.words import counted, listed

WAY = Way(first=0, inclusive=False)
THING = "object"  # the label of boxes in a table without a column of labels
_LOOKED = 40  # cells by which the column of images is found


def with_table(cohort: Cohort, own: OwnTable, find: Find) -> Cohort:
    """Return the cohort with the boxes of a table as a target, which is called as the table is.

    A row without coordinates says that there is nothing in its picture. `find` leads from a cell to a case. Raises
    DataError where no column names cases, or where boxes are on images that no answer is given about.
    """
    told, names = of_words(own.text)
    columns = columns_of(own.table, own.text)
    assert columns is not None
    if strange := [n for n in names if n not in columns.numbers]:
        raise UnknownName(f"word or column for --column {ROLE}", strange[0], [*WORDS, *own.table])
    column = _case_column(own, columns, find)
    target = named_as(own)
    pages, strangers, doubts = _pages(cohort, own, columns, column, find)
    settled = settle(pages, replace(WAY, form=columns.way.form), told, target=target)
    known = {page.case for page in pages}
    bare = [c.id for c in cohort.cases if c.id not in known]
    empty = any(not page.boxes for page in pages)
    usual = True if _is_ours(own, columns) else None
    rest = unlisted(bare, told, target=target, empty=empty, what=f"no row in {own.name}", usual=usual)
    settled = together(settled, rest)
    if strangers:
        what = f"{target}: {counted(len(strangers), 'name')} in {own.name} lead to no case"
        doubts.append(Question(target, what, listed(strangers, 5), "look for their images"))
    named = f"in '{columns.label}'" if columns.label else f"'{THING}', as no column has any"
    reason = f"{own.name}: {in_words(settled.way)} in {listed(columns.numbers)}, labels {named}"
    cohort = replace(
        cohort,
        notes=(*cohort.notes, f"{target}: {reason}"),
        doubts=(*cohort.doubts, *doubts),
    )
    ordered = sorted(settled.names(), key=natural)
    return with_boxes(cohort, settled, target=target, labels=ordered, reason=reason)


def _is_ours(own: OwnTable, columns: BoxColumns) -> bool:
    """Return whether this is a boxes.csv of corners, which by its definition lists every box of the cases beside it."""
    sides = {c.strip().casefold() for c in columns.numbers}
    return (
        len(own.paths) == 1 and own.paths[0].stem.casefold() == "boxes" and {"x0", "y0", "x1", "y1"} <= sides
    )


def named_as(own: OwnTable) -> str:
    """Return what the target of a table is called: as its file, where that is one and speaks of boxes."""
    stem = own.paths[0].stem.strip()
    return stem if "box" in stem.casefold() and len(own.paths) == 1 else "boxes"


def _case_column(own: OwnTable, columns: BoxColumns, find: Find) -> str:
    """Return the column that names cases or their images: the one of which most cells lead to a case."""
    shares: dict[str, float] = {}
    for column in (c for c in own.table if c not in columns.all):
        sample = list(dict.fromkeys(c for c in own.table[column] if c is not None))[:_LOOKED]
        shares[column] = sum(find(c) is not None for c in sample) / max(len(sample), 1)
    best = max(shares, key=lambda c: shares[c], default=None)
    if best is None or not shares[best]:
        raise DataError(
            f"no column of {own.name} names cases or their images",
            found=f"columns {listed(own.table, 8)}",
            hint="a column 'case' or 'image' with names as they are beside it",
        )
    return best


def _pages(
    cohort: Cohort, own: OwnTable, columns: BoxColumns, column: str, find: Find
) -> tuple[list[Page], list[str], list[Question]]:
    """Return a page for each case that a row names, the names that lead to none, and what is to be said of the rows."""
    by_id = {c.id: c for c in cohort.cases}
    aside = {a.case for a in cohort.set_aside}
    rows: dict[str, list[int]] = {}
    strangers: dict[str, None] = {}
    for k, cell in enumerate(own.table[column]):
        case = None if cell is None else find(cell)
        if case is not None and case in by_id:
            rows.setdefault(case, []).append(k)
        elif cell is not None and cell not in aside and case not in aside:
            strangers[cell] = None
    pages, both = [], list[str]()
    for case, held in rows.items():
        page, mixed = _page(by_id[case], own, columns, held)
        pages.append(page)
        both += [case] if mixed else []
    what = f"{counted(len(both), 'case has', 'cases have')} boxes, and a row without coordinates"
    doubts = (
        [Question(named_as(own), f"{named_as(own)}: {what}", listed(both, 5), "take these rows out")]
        if both
        else []
    )
    return pages, list(strangers), doubts


def _page(case: Case, own: OwnTable, columns: BoxColumns, rows: Sequence[int]) -> tuple[Page, bool]:
    """Return what the rows of one case say, and whether some say that there is nothing and others that there is."""
    image = case.image
    if image is None:
        raise DataError(f"{own.name} has boxes of cases that have no image", found=case.id)
    boxes, empty, fault = list[Drawn](), 0, None
    for k in rows:
        cells = _numbers(own.table, columns, k)
        if not any(c is not None for c in cells):
            empty += 1
            continue
        try:
            boxes.append(_drawn(own.table, columns, k, cells))
        except DataError as error:
            fault = fault or f"{own.name}: {error}"
    return Page(case.id, image, tuple(boxes), own.name, fault=fault), bool(boxes) and empty > 0


def _numbers(table: Mapping[str, Cells], columns: BoxColumns, k: int) -> list[str | None]:
    if len(columns.numbers) > 1:
        return [table[c][k] for c in columns.numbers]
    cell = table[columns.numbers[0]][k]
    return [] if cell is None else list(cells_of(cell))


def _drawn(table: Mapping[str, Cells], columns: BoxColumns, k: int, cells: Sequence[str | None]) -> Drawn:
    """Return the box in a row. Raises DataError."""
    where = f"row {k + 2}"
    if None in cells:
        raise DataError(f"{where} has some of a box's coordinates and not the others")
    numbers = tuple(number(cell, what=where) for cell in cells)
    label = THING if columns.label is None else table[columns.label][k]
    if label is None:
        raise DataError(f"{where} has a box without a label")
    crowd = None if columns.crowd is None else table[columns.crowd][k]
    return Drawn(label, numbers, (crowd or "0").casefold() in ("1", "1.0", "true", "yes", "t", "y"), where)
