"""index: the images, or the reports, of a cohort as vectors in which the nearest are found."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from vesalius import cohorts
from vesalius.core.bundle import Bundle
from vesalius.core.case import Case, Ref, said
from vesalius.core.cohort import Cohort, SetAside
from vesalius.core.disk import assert_apart, held, new_folder
from vesalius.core.errors import DataError, PlanError, VesaliusError
from vesalius.core.image import Array
from vesalius.core.index import Entry, Index, save_index
from vesalius.core.progress import Progress, watched
from vesalius.core.shown import Shown
from vesalius.core.words import counted
from vesalius.reliability.marks import Marks
from vesalius.run.finished import Run, bundle_of
from vesalius.run.tabular import read_for
from vesalius.run.vectors import Vectors

Of = Literal["images", "reports"]
BUNDLE = "bundle"  # the folder in an index that holds the bundle which made it


@dataclass(frozen=True)
class Indexed(Shown):
    """What `index` made: where it lies, how many cases are in it, of what the vectors are, and what was set aside.

    `reads` says whether it can be asked in words.
    """

    path: Path
    cases: int
    of: Of
    reads: bool
    made_of: str
    bundle: str
    data_hash: str
    set_aside: tuple[SetAside, ...] = ()

    def __str__(self) -> str:
        return f"an index of the {self.of} of {counted(self.cases, 'case')} in {self.path}"


def index(
    bundle: Run | Bundle | Path | str,
    data: Path | str | Cohort,
    out: Path | str,
    *,
    of: Of = "images",
    target: str | None = None,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    device: str | None = None,
    accept_mismatch: bool = False,
    progress: Progress | bool | None = None,
) -> Indexed:
    """Write an index of a cohort: a vector of each case, by which `find` finds the nearest to an image or to words.

    A bundle that compares images with words (`--task align`) makes one that can be asked in words, too; of any other
    the vectors are the features of its net. The index holds no pixels and no report. It names cases, patients and
    files, and holds a copy of the bundle, so that it is asked by itself, wherever it lies.

    Args:
        bundle: A bundle, the run that holds it, or the path of either.
        data: A cohort, or its path as for `read`.
        out: A new folder.
        of: `images`, or `reports`, in which the nearest reports to an image or to words are found.
        target: Which target is named beside a case that is found, where there are several.
        columns: What a table's columns are, where their names do not tell.
        layout: How to read it, where it could be read in several ways; one of `vesalius layouts`.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        accept_mismatch: Take images of another modality or unit than the bundle learned from, too.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.

    Returns:
        Where it lies, what is in it, and what is not, and why.

    Raises:
        DataError: There is no image, or no report, that could be indexed.
        PlanError: Reports are to be indexed by a bundle that reads no words.
        OutputError: `out` holds something, or cannot be written.
    """
    if of not in ("images", "reports"):
        raise DataError("an index is of images or of reports", found=repr(of))
    shown, opened, folder = watched(progress), bundle_of(bundle), Path(out)
    if isinstance(data, str | Path):
        assert_apart(Path(data), folder)
    vectors = Vectors(opened, device=device, accept_mismatch=accept_mismatch)
    if of == "reports" and not vectors.reads:
        raise PlanError(
            f"the bundle '{opened.name}' reads no words, so no reports", hint="a bundle of `fit --task align`"
        )
    marks = Marks()
    cohort = cohorts.check(
        read_for(opened, data, layout=layout, columns=columns),
        progress=shown,
        max_set_aside=1.0,
        observe=marks,
        strict=False,
    )
    kept, rows, aside = _vectors(vectors, cohort, of, shown)
    made_of = _made_of(opened, of, reads=vectors.reads)
    named = _named(cohort, target)
    pixels = marks.pixels()
    entries = tuple(_entry(case, named, tuple(sorted(pixels.get(case.id, ())))) for case in kept)
    made = Index(
        opened.hash,
        cohort.hash,
        made_of,
        np.stack(rows),
        entries,
        of=of,
        centred=not vectors.reads,
    )
    new_folder(folder, default="")
    with held(folder):
        shutil.copytree(opened.path, folder / BUNDLE)
        save_index(made, folder)
    return Indexed(folder, len(kept), of, vectors.reads, made_of, opened.hash, cohort.hash, tuple(aside))


def _vectors(
    vectors: Vectors, cohort: Cohort, of: Of, progress: Progress
) -> tuple[list[Case], list[Array], list[SetAside]]:
    """Return the cases that have a vector, these, and what was set aside. Raises DataError where none has."""
    kept: list[Case] = []
    rows: list[Array] = []
    aside = [*cohort.set_aside]
    progress.start("index", len(cohort.cases))
    try:
        for case in cohort.cases:
            try:
                rows.append(_vector(vectors, case, of))
                kept.append(case)
            except VesaliusError as error:
                aside.append(SetAside(case.id, str(error)))
            progress.advance("index")
    finally:
        progress.finish("index")
    if not kept:
        raise DataError("no case can be indexed", found=aside[0].reason if aside else "no case")
    return kept, rows, aside


def _vector(vectors: Vectors, case: Case, of: Of) -> Array:
    if of == "images":
        return vectors.of_case(case)
    if not case.report or not case.report.strip():
        raise DataError(f"case {case.id} has no report")
    found: Array = vectors.of_texts([case.report])[0]
    return found


def _entry(case: Case, target: str | None, marks: Sequence[str]) -> Entry:
    image = case.image if case.images else None
    value = case.targets.get(target) if target else None
    return Entry(
        case.id,
        "" if value is None else said(value),
        replace(image, paths=tuple(p.absolute() for p in image.paths)) if isinstance(image, Ref) else None,
        tuple(marks),
        case.patient,
    )


def _named(cohort: Cohort, target: str | None) -> str | None:
    """Return the target that is named beside a case: the one that is asked for, or the only one."""
    if target is not None and target not in cohort.targets:
        raise DataError(f"there is no target '{target}'", found=", ".join(cohort.targets) or "no target")
    return target or (next(iter(cohort.targets)) if len(cohort.targets) == 1 else None)


def _made_of(bundle: Bundle, of: Of, *, reads: bool) -> str:
    what = "vectors that words are compared with" if reads else "features of its net"
    return f"{of} as the bundle '{bundle.name}' sees them: {what}"
