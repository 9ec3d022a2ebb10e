"""Reports of two phantoms and of ultrasound: findings, sides, words beside rivals, marks, and where the model looked.

The writers of the test are not those of training. Parameters were fixed before the first model: `LIMIT`
and `WAYS` here, the cohorts in `phantom/reports/published.py`. 6 fits of 30 minutes a seed: about 4 hours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import vesalius as vs
from benchmarks import _arms, _busi_reports, _fits, _quick, _record, _reports
from benchmarks._figures import Figure
from vesalius.phantom.reports import published

SECTION = "Reports"
SOAK = True
SEEDS = (0,)
LIMIT = "30m"
WAYS: Mapping[str, tuple[str, ...]] = {  # fixed before the first fit
    "as planned": (),
    "constrained and mended": (
        "--set",
        "task.options.decode=constrained",
        "--set",
        "task.options.mend=replace",
    ),
}
PHANTOMS: Mapping[str, Mapping[str, Any]] = {"chest": published.CHEST, "ct": published.CT}
QUICK_SIZE: Mapping[str, Any] = {"chest": 64, "ct": (24, 32, 32)}
TINY = ("--set", "nets.writer.scale=0.125", "--set", "infer.novelty=none", *_quick.OPTIONS)


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Both phantoms in each way. Quick: 24 patients and 20 steps."""
    home = folder if quick else _record.ROOT / "runs" / "benchmarks"
    rows: list[Figure] = []
    for kind, cohort in PHANTOMS.items():
        data = home / f"report-{kind}"
        if not (data / "truth.json").is_file():
            made = published.quick(cohort, cases=24, size=QUICK_SIZE[kind]) if quick else cohort
            vs.phantom(data, **made)
        rows += _measured(kind, data / "cohort.csv", home, seeds=seeds[:1] if quick else seeds, quick=quick)
    return rows if quick else [*rows, *_ultrasound(home, seeds)]


def _ultrasound(home: Path, seeds: Sequence[int]) -> list[Figure]:
    """Return the figures of breast ultrasound, whose reports are made from its classes; nothing is asked of them."""
    data = home / "report-busi"
    if not (data / "cohort.csv").is_file():
        try:
            _busi_reports.write_cohort(_fits.shared("busi"), data)
        except _fits.Absent as reason:
            return [Figure("busi", "left out", note=str(reason))]
    return _measured("busi", data / "cohort.csv", home, seeds=seeds, quick=False)


def _measured(kind: str, table: Path, home: Path, *, seeds: Sequence[int], quick: bool) -> list[Figure]:
    limit = _quick.LIMIT if quick else LIMIT
    arms = tuple(_arms.Arm(name, options) for name, options in WAYS.items())
    found = _arms.carried_out(
        table,
        arms[1:] if quick else arms,
        home / f"report-{kind}-runs",
        seeds=seeds,
        limit=limit,
        options=("--task", "report", *(TINY if quick else ())),
        test_split=not quick,
    )
    rows: list[Figure] = []
    for way, fits in found.items():
        for seed, fitted in zip(seeds, fits, strict=True):
            said = _reports.told(fitted.run, table)
            rows += _reports.figures(
                f"{kind}, {way}", fitted.card, said, table, seed=seed, bars=kind in PHANTOMS
            )
    return rows
