"""IU X-ray's 3,955 reports: read, labelled beside their tags, told normal from abnormal, and summed up.

Reports only; there are no images. Equal texts are in one fold, and are drawn together for intervals. About a minute
for labels; a fit of five members for what is normal, and one for impressions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import vesalius as vs
from benchmarks import _iu_impression, _iu_labels, _iu_normal
from benchmarks._figures import Figure
from benchmarks._iu_texts import same
from vesalius.core.cohort import Cohort

SECTION = "Reports"
SOAK = True
SEEDS = (0,)
FILES = 3955
ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data" / "iu_xray" / "NLMCXR_reports.tgz"
QUICK = 400  # reports


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Return all figures. Quick: the first 400 reports, and fits of a few steps."""
    if not DATA.is_file():
        return []
    cohort = vs.read(DATA)
    rows = reading(cohort)
    tagged = [case for case in cohort.cases if case.targets]
    chosen = tagged[:QUICK] if quick else tagged
    rows += _iu_labels.sentences(ROOT / "tests" / "texts")
    rows += _iu_labels.figures(chosen, [same(case.report or "") for case in chosen])
    held = replace(cohort, cases=tuple(chosen))
    home = folder if quick else ROOT / "runs" / "benchmarks"
    rows += _iu_normal.figures(held, home, seeds=seeds[:1], quick=quick)
    rows += _iu_impression.figures(held, home, seeds=seeds[:1], quick=quick)
    return rows


def reading(cohort: Cohort) -> list[Figure]:
    """Return whether every file was read, or is named with the reason."""
    known = len(cohort.cases) + len(cohort.set_aside)
    silent = next((note for note in cohort.notes if "say nothing" in note), "")
    return [
        Figure("files read, or named with the reason", f"{known} of {FILES}", f"{FILES}", known == FILES,
               note=f"{len(cohort.set_aside)} set aside; {silent}"),
    ]  # fmt: skip
