"""Comparing the cells of one column: a match that is valid alone may be wrong beside the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from vesalius import formats
from vesalius.cohorts._index import Index
from vesalius.core.case import Ref

_MOST = 3  # times as many cells of one kind make the others strange


def doubts(cells: Iterable[str], index: Index) -> dict[str, str]:
    """Return the reasons why some cells of a column must be wrong, although each of them alone matches something.

    Two that name different folders lead to one file; a bare name fits one file where most of the column's names fit
    several; a cell leads to a file where nearly all others lead to folders, or to patients.
    """
    listed = list(dict.fromkeys(cells))
    found = {cell: index.find(cell) for cell in listed if index.has(cell)}
    bare = [c for c in listed if len(_parts(c)) == 1]
    unsure = [c for c in bare if index.is_unsure(c)]
    why = _strangers(found, index) | _one_file(found)
    if unsure and 2 * len(unsure) >= len(bare):
        for cell in bare:
            why.setdefault(cell, f"'{cell}' stands without its folder, and such names are in several folders")
    return {cell: reason for cell, reason in why.items() if cell in found}


def _one_file(found: dict[str, dict[str, Ref]]) -> dict[str, str]:
    leads: dict[frozenset[Ref], list[str]] = {}
    for cell, refs in found.items():
        if len(_parts(cell)) > 1:
            leads.setdefault(frozenset(refs.values()), []).append(cell)
    why: dict[str, str] = {}
    for same, cells in leads.items():
        for cell in cells if len(cells) > 1 else ():
            other = next((c for c in cells if not _agree(_parts(c), _parts(cell))), None)
            if other is not None:
                why[cell] = f"'{cell}' and '{other}' would both be {min(map(str, same))}"
    return why


def _strangers(found: dict[str, dict[str, Ref]], index: Index) -> dict[str, str]:
    kinds = {cell: _kinds(cell, list(refs.values()), index) for cell, refs in found.items()}
    votes = Counter(kind for named in kinds.values() for kind in named)
    why: dict[str, str] = {}
    for kind, count in votes.items():
        others = [cell for cell, named in kinds.items() if kind not in named]
        if others and count >= _MOST * len(others):
            for cell in others:
                place = min(map(str, found[cell].values()))
                why[cell] = f"'{cell}' would be {place}, and the other cells name {kind}"
    return why


def _kinds(cell: str, refs: Sequence[Ref], index: Index) -> set[str]:
    """Return what a cell can be: the name of a file, of a folder, or the id of a patient or series."""
    last, paths = _parts(cell)[-1], refs[0].paths
    kinds = set()
    if len(refs) == 1 and len(paths) == 1 and formats.stem(paths[0]).casefold() == last:
        kinds.add("files")
    elif any(last == p.casefold() for p in paths[0].parent.parts):
        kinds.add("folders")
    if cell.strip().casefold() in index.keys:
        kinds.add("patients or series")
    return kinds or {"files"}


def _parts(cell: str) -> tuple[str, ...]:
    """Return a path's parts in lower case, the last without suffix."""
    *folders, name = cell.strip().rstrip("/\\").casefold().replace("\\", "/").split("/")
    return (*(f for f in folders if f not in ("", ".")), formats.stem(name))


def _agree(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Return whether two paths are the same from their ends until one of them is used up."""
    size = min(len(one), len(other))
    return one[-size:] == other[-size:]
