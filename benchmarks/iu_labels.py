"""IU X-ray's 3,955 reports: all read or named, and labelled by rules beside the MeSH tags that people gave them.

Reports only; there are no images. Equal texts are drawn together for intervals. About a minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import vesalius as vs
from benchmarks import _iu_labels
from benchmarks._figures import Figure
from benchmarks._iu_texts import DATA, ROOT, same
from vesalius.core.cohort import Cohort

SECTION = "Reports"
SOAK = False
SEEDS = (0,)
FILES = 3955
QUICK = 400  # reports


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Return all figures. Quick: the labels of the first 400 reports."""
    rows = _iu_labels.sentences(ROOT / "tests" / "texts")
    if not DATA.is_file():
        return rows
    cohort = vs.read(DATA)
    tagged = [case for case in cohort.cases if case.targets]
    chosen = tagged[:QUICK] if quick else tagged
    groups = [same(case.report or "") for case in chosen]
    return [*reading(cohort), *rows, *_iu_labels.figures(chosen, groups)]


def reading(cohort: Cohort) -> list[Figure]:
    """Return whether every file was read, or is named with the reason."""
    known = len(cohort.cases) + len(cohort.set_aside)
    silent = next((note for note in cohort.notes if "say nothing" in note), "")
    note = f"{len(cohort.set_aside)} set aside; {silent}"
    value = f"{known} of {FILES}"
    return [Figure("files read, or named with the reason", value, f"{FILES}", known == FILES, note=note)]
