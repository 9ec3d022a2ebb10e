"""Worse images: how a classifier of the blob phantom falls, and whether a restoration in front helps. About 10 minutes.

The restoration learned from the same training pictures, made worse by noise; both are tested on others.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._figures import Figure
from vesalius.evaluate.degraded import Curve
from vesalius.metrics.map import psnr, ssim
from vesalius.prepare.case import load_reference
from vesalius.prepare.degradations import degraded
from vesalius.run.finished import Run
from vesalius.tasks._filters import FILTERS, filtered
from vesalius.verbs.degrade import degrade
from vesalius.verbs.fit import fit
from vesalius.verbs.phantom import phantom
from vesalius.verbs.read import read

SECTION = "Unlike images"
SOAK = False
SEEDS = (0,)
SIZE, LEARNED, TESTED = 48, 300, 150
NOISE = 10.0
RESAMPLES = 200
COMMON: dict[str, Any] = {"data.size": [1, SIZE, SIZE], "train.members": 1, "infer.novelty": "none"}
CLASSIFIER = {**COMMON, "net.name": "resnet-10", "net.scale": 0.25, "train.steps": 300, "train.batch": 16}
RESTORER = {
    **COMMON,
    "net.scale": 0.5,
    "train.steps": 300,
    "train.batch": 8,
    "task.options.degradation": "noise",
    "task.options.amount": NOISE,
}
BY = {"noise": [5, 10, 20], "blur": [1, 2], "contrast": [50], "spacing": [2, 4], "compression": [25]}


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Figures of the restoration beside plain filters, then the classifier's with and without it. Quick: tiny ones."""
    rows = []
    for seed in seeds[:1] if quick else seeds:
        rows += measured(folder / f"seed-{seed}", seed, quick=quick)
    return rows


def measured(folder: Path, seed: int, *, quick: bool) -> list[Figure]:
    """All figures of one seed."""
    learned, tested = (24, 12) if quick else (LEARNED, TESTED)
    few = {"train.steps": 4} if quick else {}
    data = phantom(
        folder / "data",
        cases=learned + tested,
        kind="blob",
        seed=seed,
        options={"size": SIZE, "contrast": 60.0},
    )
    split = folder / "split.csv"
    lines = [f"blob-{k:04d},{'train' if k < learned else 'test'}" for k in range(learned + tested)]
    split.write_text("\n".join(["case,split", *lines]) + "\n", encoding="utf-8")
    table = data / "cohort.csv"
    how: dict[str, Any] = {"seed": seed, "progress": False, "split": split}
    model = fit(table, folder / "model", target="class", settings=CLASSIFIER | few, **how)
    restorer = fit(table, folder / "restorer", task="restore", settings=RESTORER | few, **how)
    return scored(folder, data, split, learned, seed, model=model, restorer=restorer, quick=quick)


def scored(
    folder: Path,
    data: Path,
    split: Path,
    learned: int,
    seed: int,
    *,
    model: Run | Path,
    restorer: Run,
    quick: bool = False,
) -> list[Figure]:
    """What two finished runs come to on the test pictures."""
    card = restorer.scorecard
    if card is None:
        raise ValueError("the restoration was not scored")
    rows = [
        Figure(f"blob, noise {NOISE:g} %: {name.upper()} of a restored picture", str(found), seed=str(seed),
               note=f"the best plain filter by training cases: {card.baseline[name]}")
        for name, found in card.metrics.items()
    ]  # fmt: skip
    rows += filters(data, learned, seed)
    found = degrade(
        model, data / "cohort.csv", folder / "worse", by={"noise": [20]} if quick else BY, restore=restorer,
        target="class", split="test", split_file=split, metric="auc", resamples=50 if quick else RESAMPLES,
        progress=False,
    )  # fmt: skip
    for curve in found.curves:
        rows += of_curve(curve, seed)
    clean = found.clean_restored["auc"]
    rows.append(Figure("blob: AUC of pictures as they are", str(found.curves[0].clean), seed=str(seed),
                       note=f"restored {clean.restored}: {clean.helps}"))  # fmt: skip
    return [*rows, *(Figure(f"blob: {text}", "", seed=str(seed)) for text in found.verdicts)]


def filters(data: Path, learned: int, seed: int) -> list[Figure]:
    """The means of plain filters over the test pictures, made worse with noise of their own."""
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in FILTERS}
    for k, case in enumerate(read(data / "cohort.csv").cases[learned:]):
        clean = load_reference(case)
        worse = degraded(clean, "noise", NOISE, seed=k)
        y = clean.array.astype(np.float64)
        for name in FILTERS:
            x = filtered(worse.array, name).astype(np.float64)
            figures[name].append((psnr(x, y), ssim(x, y)))
    means = {name: np.mean(values, axis=0) for name, values in figures.items()}
    text = ", ".join(f"{name} {a:.2f} dB, {b:.3f}" for name, (a, b) in means.items())
    return [Figure(f"blob, noise {NOISE:g} %: PSNR and SSIM of plain filters", text, seed=str(seed))]


def of_curve(curve: Curve, seed: int) -> list[Figure]:
    """A row an amount."""
    return [
        Figure(
            f"blob: AUC, {curve.degradation} {step.amount:g}",
            "–" if step.figure is None else str(step.figure),
            seed=str(seed),
            note=f"{step.verdict or step.reason}; restored {step.restored}: {step.helps}",
        )
        for step in curve.steps
    ]
