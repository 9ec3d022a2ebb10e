"""gather: what annotators of a project said, written as new targets, with who, when and how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.consensus.resampling import RESAMPLES
from vesalius.core.disk import assert_apart, held, new_folder, write_text
from vesalius.core.errors import DataError
from vesalius.core.progress import Progress, watched
from vesalius.core.shown import Shown
from vesalius.core.words import counted
from vesalius.run.annotation import agreement_page, exporting
from vesalius.run.annotation.agreeing import agreement_of, disputes_of
from vesalius.run.annotation.agreement_json import agreement_json
from vesalius.run.annotation.export import Export
from vesalius.run.annotation.exporting import Written
from vesalius.run.annotation.project import load_project

__all__ = ["Gathered", "gather"]
PAGE = "agreement.html"


@dataclass(frozen=True, eq=False)
class Gathered(Shown):
    """What was written: the folder, what `exporting.Written` says of it, the page, and agreement as JSON."""

    path: Path
    written: Written
    page: Path
    agreement: Mapping[str, Any]

    def __str__(self) -> str:
        readings, cases = (
            counted(self.written.readings, "reading"),
            counted(self.written.cases, "settled case"),
        )
        return f"{readings} and {cases} in {self.path}"


def gather(
    project: Path | str,
    out: Path | str,
    *,
    resamples: int = RESAMPLES,
    progress: Progress | bool | None = None,
) -> Gathered:
    """Write what annotators said as a cohort to learn from, every reading beside it, and how far they agree.

    `cohort.csv` holds the cases whose truth is settled: one reader's word, what all readers say alike, or what an
    adjudicator decided; masks and `boxes.csv` lie beside it. `readings/` holds every reading that is done, with who,
    when and how long; its tables by expert are what `vesalius consensus` joins. `seg/` holds masks as DICOM
    segmentations where the images are DICOM. The service may go on meanwhile.

    Args:
        project: The folder of a project.
        out: A new folder.
        resamples: How many times patients are drawn for the intervals of agreement.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.

    Returns:
        Where it lies, what was written and what was not, and how far annotators agree.

    Raises:
        DataError: No reading is done, or the images are not where they were.
        FormatError: What was saved has been changed since.
        OutputError: `out` holds something, or cannot be written.
    """
    shown, folder, goal = watched(progress), Path(project), Path(out)
    assert_apart(folder, goal)
    if resamples < 20:
        raise DataError("intervals need 20 resamples or more", found=str(resamples))
    settings = load_project(folder)
    there = goal.exists()
    new_folder(goal, default="")
    try:
        with held(goal):
            one = Export(folder, settings, goal)
            written = exporting.export(one, shown)
            figures = agreement_of(settings, one.cases, one.newest, one.drawing, resamples=resamples)
            disputes = disputes_of(settings, one.newest, one.drawing)
            document = agreement_json(settings, figures, disputes, one.newest)
            write_text(goal / PAGE, agreement_page.page(settings, document))
    except BaseException:
        if not there:
            exporting.remove(goal)
        raise
    return Gathered(goal, written, goal / PAGE, document)
