"""Counts by a density: cells of a smear phantom beside an oracle and trivial answers, and BCCD beside a detector's.

Resumable: what is finished under `runs/benchmarks` is taken again. About 12 minutes a seed of the phantom, 35 of BCCD.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import vesalius as vs
from benchmarks import _fits, _quick, _record
from benchmarks._figures import Figure, at_most
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.image import Array, Image
from vesalius.core.scorecard import Scorecard, load_scorecard
from vesalius.phantom import smear

SECTION = "Boxes, counts, numbers and grades"
SOAK = True
SEEDS = (0, 1)
CASES, TESTED, PHANTOM_SEED = 240, 80, 0  # two fields a person; the last persons are tested on
LIMIT, LIMIT_BCCD = "10m", "30m"
ASKED, ASKED_RED = 0.10, 0.15
SEEN = 0.1  # of a cell: what is hidden further cannot be counted by anybody
QUICK = {
    "net.name": "unet",
    "net.scale": 0.125,
    "net.init": None,
    "train.steps": 4,
    "train.members": 2,
    "train.batch": 2,
    "train.validations": 1,
    "infer.novelty": "none",
}
OF_NAME = ("mae", "relative", "relative_total", "bias", "spearman", "inside")


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """The phantom, then BCCD where it is. Quick: a few small pictures of the phantom."""
    cohort = cells(12 if quick else CASES, 4 if quick else TESTED, size=64 if quick else 192)
    rows: list[Figure] = []
    for seed in _quick.SEEDS if quick else seeds:
        out = folder / f"smear-{seed}" if quick else _fits.KEPT / f"counts-smear-{seed}"
        rows += figures(
            "smear",
            fitted(cohort, out, seed=seed, quick=quick),
            seed,
            asked=dict.fromkeys(smear.SORTS, ASKED),
        )
    rows += beside(cohort)
    if not quick:
        rows += blood(seeds)
    return rows


def cells(cases: int, tested: int, *, size: int) -> Cohort:
    """Pictures of the smear phantom, of which those of the last persons are tested on."""
    made = [smear.patient(k, PHANTOM_SEED, size=size) for k in range(cases)]
    held = tuple(
        replace(one.as_case(), split="test" if k >= cases - tested else "train") for k, one in enumerate(made)
    )
    labels = tuple(Label(k + 1, sort) for k, sort in enumerate(smear.SORTS))
    told = f"smear {cases} {tested} {size} {PHANTOM_SEED}"
    info = {"boxes": TargetInfo("boxes", "boxes", labels)}
    return Cohort(Path("smear"), "smear", held, info, hash=told, patients_known=True)


def fitted(cohort: Cohort, out: Path, *, seed: int, quick: bool) -> Scorecard:
    """The scorecard of a fit; one that was finished is taken again, one that was begun goes on."""
    if not (out / "scorecard.json").is_file():
        at = _record.commit()
        vs.fit(
            cohort,
            out,
            task="count",
            target="boxes",
            seed=seed,
            time_limit=None if quick else LIMIT,
            settings=QUICK if quick else None,
            resume=(out / "run.json").is_file(),
            progress=False,
        )
        if not quick:
            _fits.written_down(out, Path("smear"), f"benchmarks counts, {LIMIT}", seed, 0.0, at=at)
    return load_scorecard(out / "scorecard.json")


def figures(
    what: str, card: Scorecard, seed: int, *, asked: Mapping[str, float], wanted: Sequence[str] = OF_NAME
) -> list[Figure]:
    """Each label's errors with their intervals, the trivial answer in the note, and the bound on the relative error."""
    rows = []
    for name in asked:
        for metric in wanted:
            full = f"{metric}/{name}"
            if full not in card.metrics:
                continue
            trivial = card.baseline.get(full)
            note = f"n {card.metrics[full].n}"
            if trivial is not None and trivial.value is not None:
                note += f"; {card.baseline_is} {trivial.value:.4f}"
            rows.append(
                Figure(f"{what}: {full}", _fits.interval(card.metrics[full]), seed=str(seed), note=note)
            )
        found = card.metrics.get(f"relative/{name}")
        if found is not None and found.value is not None and asked[name]:
            rows.append(
                at_most(f"{what}: mean relative error, {name}", found.value, asked[name], seed=str(seed))
            )
    return rows


def beside(cohort: Cohort) -> list[Figure]:
    """What is had without a network on the test pictures: what can be seen, a nearest picture, a line on colours."""
    train, test = ([c for c in cohort.cases if c.split == split] for split in ("train", "test"))
    size = _pixels(test[0]).shape[0]
    seen = {c.id: _seen(cohort.cases.index(c), size) for c in test}
    looks, known = np.stack([_look(c) for c in train]), np.stack([_colours(c) for c in train])
    rows = []
    for name in smear.SORTS:
        truth = np.array([_count(c, name) for c in test])
        learned = np.array([_count(c, name) for c in train])
        near = [learned[np.argmin(((looks - _look(c)) ** 2).sum(axis=1))] for c in test]
        weights, *_ = np.linalg.lstsq(known, learned, rcond=None)
        line = np.stack([_colours(c) for c in test]) @ weights
        for called, found in (
            (f"oracle, cells of which {SEEN:.0%} is seen", np.array([seen[c.id][name] for c in test])),
            ("nearest training picture", np.array(near)),
            ("a line on mean colours", np.clip(line, 0, None)),
        ):
            rows.append(
                Figure(
                    f"smear: relative/{name}, {called}",
                    f"{_relative(found, truth):.4f}",
                    note=f"n {(truth > 0).sum()}",
                )
            )
    return rows


def blood(seeds: Sequence[int]) -> list[Figure]:
    """BCCD by its own files, by a density and, where it was run, by a detector (`benchmarks bccd`)."""
    data = _fits.shared("bccd")
    rows = []
    for seed in seeds:
        done = _fits.resumed(
            data,
            Path(f"counts-bccd-{seed}"),
            limit=LIMIT_BCCD,
            seed=seed,
            options=("--task", "count"),
            test_split=True,
        )
        names = {name.partition("/")[2]: 0.0 for name in done.card.metrics if name.startswith("mae/")}
        red = next((name for name in names if name.casefold() in ("rbc", "red_cell", "red cell")), None)
        asked = {**names, **({red: ASKED_RED} if red else {})}
        rows += figures("bccd by density", done.card, seed, asked=asked)
        rows.append(_fits.wall(done, seed))
        rows += _detector(seed, asked)
    return rows


def _detector(seed: int, asked: Mapping[str, float]) -> list[Figure]:
    """The counts of a detector that `benchmarks bccd` left behind, if it did."""
    path = _fits.KEPT / f"bccd-{seed}" / "scorecard.json"
    if not path.is_file():
        return [Figure("bccd by boxes", "not run here", seed=str(seed), note="python -m benchmarks bccd")]
    card = load_scorecard(path)
    led = {name: interval for name, interval in card.metrics.items() if name.startswith("count")}
    return [Figure(f"bccd by boxes: {name}", _fits.interval(x), seed=str(seed)) for name, x in led.items()]


def _seen(index: int, size: int) -> dict[str, float]:
    """How many cells of each sort are seen far enough, by what is known of the picture."""
    truth: dict[str, Any] = json.loads(json.dumps(smear.patient(index, PHANTOM_SEED, size=size).truth()))
    found = dict.fromkeys(smear.SORTS, 0.0)
    for cell in truth["cells"]:
        found[cell["label"]] += float(cell["visible_share"] >= SEEN)
    return found


def _pixels(case: Case) -> Array:
    image = case.images["image"]
    assert isinstance(image, Image)
    return np.moveaxis(image.array[:, 0], 0, -1).astype(np.float64)  # (Y, X, 3)


def _look(case: Case) -> Array:
    """A picture as 12 × 12 mean colours."""
    array = _pixels(case)
    step = array.shape[0] // 12
    cut = array[: 12 * step, : 12 * step]
    return cut.reshape(12, step, 12, step, 3).mean(axis=(1, 3)).ravel()


def _colours(case: Case) -> Array:
    """One, and the means and deviations of the colours."""
    array = _pixels(case)
    return np.concatenate([[1.0], array.mean(axis=(0, 1)) / 255, array.std(axis=(0, 1)) / 255])


def _count(case: Case, name: str) -> float:
    boxes = case.targets["boxes"]
    assert isinstance(boxes, tuple)
    return float(sum(getattr(box, "label", None) == name for box in boxes))


def _relative(found: Array, truth: Array) -> float:
    """The mean of |answer − truth| / truth over pictures that have any."""
    there = truth > 0
    return float((np.abs(found - truth)[there] / truth[there]).mean()) if there.any() else float("nan")
