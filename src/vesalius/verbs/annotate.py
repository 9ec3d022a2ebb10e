"""annotate: a project in which several people say what is in the images of a cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vesalius import cohorts
from vesalius.core.cohort import SetAside
from vesalius.core.disk import assert_apart, held, new_folder, output_errors
from vesalius.core.errors import DataError, OutputError
from vesalius.core.progress import Progress, watched
from vesalius.core.shown import Shown
from vesalius.core.words import counted, listed
from vesalius.run.annotation import making
from vesalius.run.annotation.project import (
    FILE,
    Project,
    ProjectCase,
    load_project,
    save_project,
    stored_place,
)

__all__ = ["AnnotationProject", "annotate"]


@dataclass(frozen=True)
class AnnotationProject(Shown):
    """A project that was made, or found anew: its folder, its settings, and the cases that cannot be annotated."""

    path: Path
    project: Project
    new_cases: int
    set_aside: tuple[SetAside, ...] = ()

    def __str__(self) -> str:
        cases = counted(len(self.project.cases), "case")
        return f"a project of {cases} in {self.path}: {listed(a.kind for a in self.project.asks)}"


def annotate(
    data: Path | str,
    out: Path | str,
    *,
    ask: Mapping[str, Sequence[str]] | None = None,
    readers: int | None = None,
    blind: bool | None = None,
    annotators: Sequence[str] = (),
    adjudicators: Sequence[str] = (),
    only: Path | str | None = None,
    name: str | None = None,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    labels: Mapping[str, str] | None = None,
    progress: Progress | bool | None = None,
) -> AnnotationProject:
    """Make a project of a cohort: `vesalius serve --annotate FOLDER` serves it, `gather` writes what was said.

    Nothing in `data` is changed, and no image is copied. With the folder of a project that is there, cases of `data`
    that it does not have yet are added behind its own, and `data` is where its images lie from now on; they must be the
    same, byte for byte.

    Args:
        data: A path as for `read`; what it says of targets is not shown to annotators.
        out: A new folder, or that of a project.
        ask: What is asked of each case, by kind its labels: `{"class": ["benign", "malignant"]}` one of them,
            `classes` any of them, `boxes` boxes and `mask` a mask of them. `lesion#d55e00` is a label with its colour.
        readers: How many annotators read each case; 1 by default.
        blind: Whether nobody sees another's work on a case before all its readings are done.
        annotators: Who may read; by default anybody who gives a name, or has a key of the service.
        adjudicators: Who decides where readings differ; by default anybody who did not read the case.
        only: A table with a column `case`: which cases, in which order.
        name: What the project is called; by default as the data.
        columns: What a table's columns are, where their names do not tell.
        layout: How to read it, where it could be read in several ways; one of `vesalius layouts`.
        labels: What stands for what among classes and masks' values.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.

    Returns:
        The project, how many cases are new in it, and which cannot be annotated, each with its reason.

    Raises:
        DataError: No case can be annotated, a label or a name cannot be, or the images are others than they were.
        UnknownName: There is no such kind, or a case of `only` is not in the data.
        OutputError: `out` holds something else, or cannot be written.
    """
    shown, folder, root = watched(progress), Path(out), Path(data)
    assert_apart(root, folder)
    before = load_project(folder) if (folder / FILE).is_file() else None
    if readers is not None and readers < 1:
        raise DataError("a case has one reader or more", found=str(readers))
    asks = making.asks_of(ask or {}) if ask or before is None else before.asks
    cohort = cohorts.open_cohort(root, columns=columns, layout=layout, labels=labels, max_set_aside=1.0)
    wanted = None if only is None else making.wanted(Path(only))
    project = making.new_id() if before is None else before.id
    cases, aside = making.cases_of(cohort, asks, wanted, shown, project=project)
    told = {
        "name": name,
        "asks": asks if ask else None,
        "readers": readers,
        "blind": blind,
        "annotators": making.people(annotators) or None,
        "adjudicators": making.people(adjudicators) or None,
    }
    given = {k: v for k, v in told.items() if v is not None}
    place = {
        "data": stored_place(folder, root),
        "columns": dict(columns or {}),
        "layout": layout,
        "told": dict(labels or {}),
    }
    if before is None:
        new_folder(folder, default="")
        made = Project(**{"id": project, "name": cohorts.name_of(root), **given, **place, "cases": cases})
        with output_errors(folder), held(folder):
            save_project(folder, made)
        return AnnotationProject(folder, made, len(cases), aside)
    _assert_as_before(before, given)
    every = _joined(before, cases)
    made = before.model_copy(update={**place, "cases": every})
    with output_errors(folder), held(folder):
        save_project(folder, made)
    return AnnotationProject(folder, made, len(every) - len(before.cases), aside)


def _assert_as_before(before: Project, given: Mapping[str, object]) -> None:
    """Raise OutputError where something else is asked than before: what was said would answer another question."""
    for key, value in given.items():
        if value != getattr(before, key):
            raise OutputError(
                f"{key} of this project cannot be changed once it is made",
                found=str(value),
                hint=f"leave it out, or another -o; it is {getattr(before, key)}",
            )


def _joined(before: Project, cases: Sequence[ProjectCase]) -> tuple[ProjectCase, ...]:
    """Return a project's cases and the new ones behind them. Raises DataError for images that have changed."""
    known = {one.id: one for one in before.cases}
    changed = [one.id for one in cases if one.id in known and one.image != known[one.id].image]
    if changed:
        raise DataError(
            "images of this project are others than when it was made",
            found=listed(changed, 3),
            hint="the images that were annotated",
        )
    return (*before.cases, *(one for one in cases if one.id not in known))
