"""Counts by a density: cells of a smear phantom beside an oracle and trivial answers, and BCCD beside a detector's.

Resumable: what is finished under `runs/benchmarks` is taken again. About 12 minutes a seed of the phantom, 33 of BCCD.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import _fits, _phantoms, _quick
from benchmarks._beside import Beside, boxes_told, truths
from benchmarks._figures import Figure, at_most
from vesalius import cohorts
from vesalius.core.case import Case
from vesalius.core.census import census
from vesalius.core.scorecard import load_scorecard
from vesalius.phantom import smear

SECTION = "Boxes, counts, numbers and grades"
SOAK = True
SEEDS = (0, 1)
CASES = 300  # two fields a person; a fifth of the persons is tested on
LIMIT, LIMIT_BCCD = "10m", "30m"
COUNT = ("--target", "boxes", "--task", "count")
BOUND = 0.10  # mean relative error of each sort of the phantom's cells
RED, BOUND_RED = "RBC", 0.15  # of BCCD
OF_EACH = ("mae", "relative", "relative_total", "bias", "spearman", "inside")


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """The phantom, then BCCD where it is. Quick: a few small pictures of the phantom."""
    data = _quick.smears(folder).parent if quick else cells()
    rows: list[Figure] = []
    for seed in _quick.SEEDS if quick else seeds:
        done = _fits.resumed(
            data,
            folder / f"quick-{seed}" if quick else Path(f"counts-smear-{seed}"),
            limit=_quick.LIMIT if quick else LIMIT,
            seed=seed,
            options=(*COUNT, *(_quick.OPTIONS if quick else ())),
            test_split=not quick,
        )
        rows += figures("smear", done, seed, bounds=dict.fromkeys(smear.SORTS, BOUND))
        rows += beside(data, done, seed)
    return rows if quick else [*rows, *blood(seeds)]


def cells() -> Path:
    """The phantom's pictures, kept under `runs/benchmarks`."""
    return _phantoms.made(_fits.KEPT / "counts-smears", "smear", CASES)


def figures(what: str, done: _fits.Fitted, seed: int, *, bounds: Mapping[str, float | None]) -> list[Figure]:
    """Each label's errors with their intervals, the trivial answer in the note; bounds hold for the relative error."""
    rows = [
        *_fits.beside(done, [f"{m}/{name}" for name in bounds for m in OF_EACH], seed),
        _fits.wall(done, seed),
    ]
    for name, bound in bounds.items():
        found = done.card.metrics.get(f"relative/{name}")
        if bound is not None and found is not None and found.value is not None:
            rows.append(at_most(f"{what}: relative/{name}", found.value, bound, seed=str(seed)))
    return rows


def beside(data: Path, done: _fits.Fitted, seed: int) -> list[Figure]:
    """What other ways come to on the same test pictures, from the truth itself to a line on pixels."""
    told, rivals = truths(data), Beside.of(cohorts.read(data, target="boxes"), done.run)
    answers = rivals.numbers(
        dict.fromkeys(smear.SORTS, "1"),
        lambda case, name: census(case.targets["boxes"])[name] or 0.0,
        told=lambda case, name: census(boxes_told(told[case.id]))[name] or 0.0,
        counts=True,
    )
    names = [f"relative/{sort}" for sort in smear.SORTS]
    return rivals.figures("smear", answers, _truth, names, seed=seed)


def _truth(case: Case) -> object:
    return case.targets["boxes"]


def blood(seeds: Sequence[int]) -> list[Figure]:
    """BCCD by its own files, by a density and, where `benchmarks bccd` was run, by that detector."""
    data = _fits.shared("bccd")
    rows = []
    for seed in seeds:
        done = _fits.resumed(
            data, Path(f"counts-bccd-{seed}"), limit=LIMIT_BCCD, seed=seed, options=COUNT, test_split=True
        )
        names = [name.partition("/")[2] for name in done.card.metrics if name.startswith("mae/")]
        bounds = {name: BOUND_RED if name == RED else None for name in names}
        rows += [*figures("bccd by density", done, seed, bounds=bounds), *_by_boxes(seed)]
    return rows


def _by_boxes(seed: int) -> list[Figure]:
    """The counts of the detector that `benchmarks bccd` left behind, if it did."""
    path = _fits.KEPT / f"bccd-{seed}" / "scorecard.json"
    if not path.is_file():
        return [Figure("bccd by boxes", "not run here", seed=str(seed), note="python -m benchmarks bccd")]
    found = load_scorecard(path).metrics
    return [
        Figure(f"bccd by boxes: {name}", _fits.interval(x), seed=str(seed))
        for name, x in found.items()
        if name.startswith("count")
    ]
