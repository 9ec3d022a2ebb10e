"""Age from a table without images, fcon1000: error, promised intervals, and a ridge on the same columns beside it."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks import _fits, _quick
from benchmarks._figures import Figure
from benchmarks._fits import Fitted
from vesalius import cohorts
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.image import Array
from vesalius.core.operating import clopper_pearson
from vesalius.metrics import bounds, resample
from vesalius.prepare.covariates import number_of

SECTION = "Boxes, counts, numbers and grades"
SOAK = False
SEEDS = (0, 1)
LIMIT = "1h"  # the steps are fixed
COVERAGE = 0.9
TEST = 0.2  # of the people of each site
STEPS = 1500  # of each of five members
PENALTIES = (1.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)
QUICK_ROWS = 80


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """A fit a seed, which also deals people to training and test within each site. Quick: a made-up table."""
    rows: list[Figure] = []
    table = _made_up(folder) if quick else _fits.shared("fcon1000") / "fcon1000.csv"
    for seed in _quick.SEEDS if quick else seeds:
        rows += _of_table(table, folder, seed, quick=quick)
    return rows


def _of_table(table: Path, folder: Path, seed: int, *, quick: bool) -> list[Figure]:
    cohort = cohorts.read(table, columns={"image": ""}, target="age")
    split = folder / f"split-{seed}.csv"
    test = _by_site(cohort, seed)
    lines = [f"{c.id},{'test' if c.id in test else 'train'}" for c in cohort]
    split.write_text("\n".join(["case,split", *lines]) + "\n", encoding="utf-8")
    fitted = _fits.fit(
        table,
        folder / f"table-{seed}",
        limit=_quick.LIMIT if quick else LIMIT,
        seed=seed,
        options=(
            "--column", "image=", "--target", "age", "--split", str(split),
            "--set", f"train.steps={30 if quick else STEPS}",
            *(("--set", "train.members=2", "--set", "train.validations=1") if quick else ()),
        ),
        test_split=not quick,
    )  # fmt: skip
    learned = [c for c in cohort if c.id not in test]
    tested = [cohort.case(case["case"]) for case in fitted.card.cases]
    names = sorted({n for c in learned for n, v in c.covariates.items() if isinstance(v, float)})
    x, new = (np.array([[number_of(c, n) for n in names] for c in some]) for some in (learned, tested))
    known = ages(learned)
    peers = {"ridge, closed form": ridge(x, known, new, seed=seed)}
    return figures("fcon1000, no image", fitted, peers, known, seed)


def figures(what: str, fitted: Fitted, peers: Mapping[str, Array], learned: Array, seed: int) -> list[Figure]:
    """Return the error beside the trivial answer's and the peers', and how the promised intervals turned out."""
    card, word = fitted.card, str(seed)
    said, truth = (np.array([case[key] for case in card.cases]) for key in ("x", "y"))
    own, trivial = np.abs(said - truth), "the training mean"
    who = [card.patients.get(case["case"], case["case"]) for case in card.cases]
    found = [
        Figure(f"{what}: mae", _fits.interval(card.metrics["mae"]), seed=word, note=f"years; n {len(truth)}"),
        Figure(f"{what}: r2", _fits.interval(card.metrics["r2"]), seed=word),
    ]
    for name, theirs in {trivial: np.full_like(truth, learned.mean()), **peers}.items():
        other = np.abs(theirs - truth)
        gain = other - own
        drawn = np.array([gain[i].mean() for i in resample(who, np.random.default_rng(0), 2000)])
        bounded = bounds(float(gain.mean()), drawn, len(gain))
        held = None if name != trivial else bool(bounded.low is not None and bounded.low > 0)
        note = f"years less than {name}, which has {other.mean():.3f}; paired"
        asked = "" if held is None else "interval above 0"
        found.append(Figure(f"{what}: gain over {name}", _fits.interval(bounded), asked, held, word, note))
    kept = card.promise.get("overall", {}).get("")
    if kept is None:
        return [
            *found,
            Figure(f"{what}: 90 % interval", "nothing was promised", f"{COVERAGE} inside", False, word),
        ]
    hits = round(kept["value"] * kept["n"])
    low, high = clopper_pearson(hits, kept["n"])
    size = card.promise["sizes"]["mean"]
    text = f"{kept['value']:.3f} [{low:.3f}, {high:.3f}]"
    wide = "no interval has bounds" if size is None else f"mean width {size:.2f} years"
    note = f"{wide}; n {kept['n']}"
    inside = low <= COVERAGE <= high
    return [
        *found,
        Figure(f"{what}: truths within the 90 % interval", text, "0.9 inside", inside, word, note),
    ]


def ridge(x: Array, y: Array, new: Array, *, seed: int) -> Array:
    """Return what a ridge regression of standardised columns says of new rows; its penalty is chosen by five folds."""
    fold = np.random.default_rng(seed).permutation(len(y)) % 5
    errors = {
        penalty: np.mean(
            [
                np.abs(_ridge(x[fold != k], y[fold != k], x[fold == k], penalty) - y[fold == k]).mean()
                for k in range(5)
            ]
        )
        for penalty in PENALTIES
    }
    return _ridge(x, y, new, min(errors, key=lambda p: float(errors[p])))


def _ridge(x: Array, y: Array, new: Array, penalty: float) -> Array:
    mean, sd = x.mean(axis=0), x.std(axis=0)
    sd = np.where(sd > 0, sd, 1.0)
    a, b = (x - mean) / sd, (new - mean) / sd
    dual = a @ a.T + penalty * np.eye(len(a))  # as many unknowns as rows, which are fewer than pixels
    return np.asarray(b @ (a.T @ np.linalg.solve(dual, y - y.mean())) + y.mean())


def _by_site(cohort: Cohort, seed: int) -> set[str]:
    """Return the cases that are tested on: of each site the same share, by the seed."""
    rng, sites = np.random.default_rng(seed), {}
    for case in cohort:
        sites.setdefault(str(case.covariates.get("site")), []).append(case.id)
    chosen: set[str] = set()
    for _, people in sorted(sites.items()):
        chosen |= set(rng.permutation(people)[: round(TEST * len(people))].tolist())
    return chosen


def ages(some: Sequence[Case]) -> Array:
    return np.array([float(c.targets["age"]) for c in some])  # type: ignore[arg-type]


def _made_up(folder: Path) -> Path:
    """Return a table of people whose age shows in two of five columns."""
    rng, path = np.random.default_rng(0), folder / "people.csv"
    x = rng.normal(size=(QUICK_ROWS, 5))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["sub_id", "age", *(f"thickness_{k}" for k in range(5)), "site"])
        for k, row in enumerate(x):
            age = 40 + 8 * row[0] + 4 * row[1] + rng.normal()
            writer.writerow([f"p{k:03d}", f"{age:.2f}", *(f"{v:.4f}" for v in row), f"site {k % 4}"])
    return path
