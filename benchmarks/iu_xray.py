"""IU X-ray's reports: told normal from abnormal beside TF-IDF, and summed up beside the lead and the nearest report.

Reports only; there are no images. Equal texts are in one fold, and are drawn together for intervals. Two fits of five
members and one of a writer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import vesalius as vs
from benchmarks import _iu_impression, _iu_normal
from benchmarks._figures import Figure
from benchmarks._iu_texts import DATA, ROOT

SECTION = "Reports"
SOAK = True
SEEDS = (0,)
QUICK = 200  # reports


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Return all figures. Quick: the first 200 reports, and fits of a few steps."""
    if not DATA.is_file():
        return []
    cohort = vs.read(DATA)
    tagged = [case for case in cohort.cases if case.targets]
    held = replace(cohort, cases=tuple(tagged[:QUICK] if quick else tagged))
    home = folder if quick else ROOT / "runs" / "benchmarks"
    rows = _iu_normal.figures(held, home, seeds=seeds[:1], quick=quick)
    return [*rows, *_iu_impression.figures(held, home, seeds=seeds[:1], quick=quick)]
