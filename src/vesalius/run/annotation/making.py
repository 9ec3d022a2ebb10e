"""Making a project of a cohort: its cases with their digests, what is asked, and by whom it is read."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from vesalius import formats
from vesalius.cohorts import read_cells
from vesalius.core import palette
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort, Label, SetAside
from vesalius.core.errors import DataError, UnknownName, VesaliusError
from vesalius.core.image_digest import image_digest
from vesalius.core.progress import Progress
from vesalius.core.words import counted, listed
from vesalius.run.annotation.asks import kind_of
from vesalius.run.annotation.project import Ask, ProjectCase, annotator_name

_COLOURED = re.compile(r"(.+?)(#[0-9a-fA-F]{6})?")
_MOST_LABELS = 255
_NO_LABEL = re.compile(r"[|;,\r\n\t]")


def asks_of(said: Mapping[str, Sequence[str]]) -> tuple[Ask, ...]:
    """Return what is asked: by kind the labels, each a name, or a name and its colour, `lesion#d55e00`.

    Raises UnknownName for a kind that there is none of, DataError for labels that cannot be.
    """
    if not said:
        raise DataError(
            "nothing is asked of the annotators", hint="--ask class=benign,malignant --ask mask=lesion"
        )
    return tuple(Ask(kind=kind_of(kind).name, labels=_labels(kind, names)) for kind, names in said.items())


def _labels(kind: str, names: Sequence[str]) -> tuple[Label, ...]:
    fewest = kind_of(kind).fewest
    found = []
    for value, text in enumerate(names, start=1):
        match = _COLOURED.fullmatch(text.strip())
        name = match[1].strip() if match else ""
        if not name or len(name) > 64 or not name.isprintable() or _NO_LABEL.search(name):
            raise DataError(f"{kind}: not a label", found=repr(text)[:80], hint="a name, or name#rrggbb")
        found.append(Label(value, name, colour=match[2].lower() if match and match[2] else None))
    twice = sorted({x.name for x in found if sum(y.name.casefold() == x.name.casefold() for y in found) > 1})
    if twice:
        raise DataError(f"{kind}: a label twice", found=listed(twice))
    if not fewest <= len(found) <= _MOST_LABELS:
        raise DataError(f"{kind} takes {fewest} to {_MOST_LABELS} labels", found=counted(len(found), "label"))
    if any(x.name.casefold() == "background" for x in found):
        raise DataError(f"{kind}: the background has no label", hint="leave it out: it is what nobody marks")
    shown = palette.chosen(found, [None] * len(found))
    return tuple(Label(x.value, x.name, colour=palette.colour_of(x, place)) for place, x in enumerate(shown))


def people(names: Iterable[str]) -> tuple[str, ...]:
    """Return names of annotators in order. Raises DataError for what is none, and for one that stands there twice."""
    found: list[str] = []
    for text in names:
        name = annotator_name(text, found)
        if name in found:
            raise DataError("an annotator twice", found=name)
        found.append(name)
    return tuple(found)


def wanted(path: Path) -> list[str]:
    """Return the case ids that a table lists in its column `case`, in order. Raises DataError."""
    table = read_cells(path)
    column = next((c for c in table if c.strip().casefold() in ("case", "case_id", "id")), None)
    if column is None:
        raise DataError(f"{path.name} has no column 'case'", found=f"columns {listed(table, 6)}")
    return list(dict.fromkeys(cell for cell in table[column] if cell is not None))


def cases_of(
    cohort: Cohort, asks: Sequence[Ask], only: Sequence[str] | None, progress: Progress, *, project: str
) -> tuple[tuple[ProjectCase, ...], tuple[SetAside, ...]]:
    """Return the cases that are to be annotated, in order, and which of the cohort cannot be, each with its reason.

    `project` is the project's id.

    Raises UnknownName for one of `only` that the cohort does not have, DataError where none can be annotated.
    """
    by_id = {case.id: case for case in cohort.cases}
    lost = next((name for name in only or () if name not in by_id), None)
    if lost is not None:
        raise UnknownName("case", lost, by_id)
    chosen = [by_id[name] for name in only] if only is not None else list(cohort.cases)
    placed = any(kind_of(a.kind).placed for a in asks)
    made: list[ProjectCase] = []
    aside: list[SetAside] = []
    progress.start("images", len(chosen))
    try:
        for case in chosen:
            try:
                digest = _digest(case, placed=placed)
                made.append(ProjectCase(id=case.id, key=key_of(case.id, project), image=digest))
            except VesaliusError as error:
                aside.append(SetAside(case.id, str(error)))
            progress.advance("images")
    finally:
        progress.finish("images")
    if not made:
        raise DataError("no case can be annotated", found=aside[0].reason if aside else "no cases")
    return tuple(made), tuple(aside)


def _digest(case: Case, *, placed: bool) -> str:
    """Return the digest of a case's images. Raises DataError where what is asked cannot be drawn on its image."""
    if not isinstance(case.image, Ref):
        raise DataError("it has no image in a file")
    head = formats.header(case.image)
    if placed and head.frames > 1:
        raise DataError(
            "it is a cine, and what is drawn lies on one plane or one volume",
            found=counted(head.frames, "frame"),
            hint="ask for classes alone, or take single frames",
        )
    digest = image_digest(case)
    if digest is None:
        raise DataError("its image is not there")
    return digest


def key_of(case_id: str, project: str) -> str:
    """Return what a case is called over a network and in the log: nothing of its id, and always the same in a project.

    Without the project's own id, which is drawn, a number or a name could be found again by hashing all there are.
    """
    return "k" + hmac.new(project.encode(), case_id.encode(), hashlib.sha256).hexdigest()[:16]


def new_id(make: Callable[[int], str] = secrets.token_hex) -> str:
    """Return the id of a new project."""
    return make(8)
