"""Anomalies: phantoms with lesions, breast ultrasound, false alarms of unseen normals, and what a core-set costs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import _fits
from benchmarks._figures import Figure, at_least, at_most
from benchmarks._memory import high_water_gib
from vesalius.core.bundle import open_bundle
from vesalius.core.operating import clopper_pearson
from vesalius.core.scorecard import Scorecard
from vesalius.infer.predictor import Predictor
from vesalius.verbs.phantom import phantom
from vesalius.verbs.read import read

SECTION = "Unlike images"
SOAK = False
SEEDS = (0, 1, 2)
LIMIT = "10m"
WAYS = ("patchcore", "padim", "student", "vae")
CASES, SIDE = 240, 128  # of a phantom: blobs of 9 to 17 mm radius in pixels of 1 mm
CONTRASTS = (
    90.0,
    40.0,
)  # of lesions, on tissue with a deviation of about 20: plain ones, and hardly visible ones
UNSEEN = 400  # pictures of another seed, about half of them normal
AUROC, GIB, SECONDS = 0.95, 1.0, 300.0
PLACES = (1000, 1024)  # pictures, and places of each, that a core-set of 1 % is chosen from


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Each way on each phantom and seed, then BUSI, then the core-set. Quick: one way on small pictures."""
    if quick:
        data = _blobs(folder / "blobs", cases=60, side=96, contrast=CONTRASTS[0], seed=7)
        fitted = _fitted(
            data, folder / "run", "patchcore", 0, normal="negative", lesions="lesion", test=False
        )
        unseen = _blobs(folder / "unseen", cases=40, side=96, contrast=CONTRASTS[0], seed=8)
        name = "blobs of contrast 90, patchcore"
        return [
            *_card(fitted.card, name, "0", asked=None),
            _false_alarms(fitted.run, unseen, name, "0"),
            *_core_set((40, 1024)),
        ]
    rows: list[Figure] = []
    for contrast in CONTRASTS:
        for seed in seeds:
            data = _blobs(
                folder / f"blobs-{contrast:g}-{seed}", cases=CASES, side=SIDE, contrast=contrast, seed=seed
            )
            unseen = _blobs(
                folder / f"unseen-{contrast:g}-{seed}",
                cases=UNSEEN,
                side=SIDE,
                contrast=contrast,
                seed=1000 + seed,
            )
            for way in WAYS:
                out = folder / f"run-{contrast:g}-{seed}-{way}"
                fitted = _fitted(data, out, way, seed, normal="negative", lesions="lesion", test=True)
                name = f"blobs of contrast {contrast:g}, {way}"
                asked = AUROC if (contrast, way) == (CONTRASTS[0], WAYS[0]) else None
                rows += [
                    *_card(fitted.card, name, str(seed), asked=asked),
                    _false_alarms(fitted.run, unseen, name, str(seed)),
                ]
    for way in WAYS[:2]:
        fitted = _fitted(_fits.shared("busi"), folder / f"busi-{way}", way, 0, normal="normal", test=True)
        rows += _card(fitted.card, f"BUSI normal against lesions, {way}", "0", asked=None)
    return [*rows, *_core_set(PLACES)]


def _blobs(out: Path, *, cases: int, side: int, contrast: float, seed: int) -> Path:
    """Pictures with a bright lesion or none."""
    options = {"size": side, "contrast": contrast}
    return phantom(out, kind="blob", cases=cases, seed=seed, format="png", options=options) / "cohort.csv"


def _fitted(
    data: Path, out: Path, way: str, seed: int, *, normal: str, lesions: str = "", test: bool
) -> _fits.Fitted:
    """A fit as a user runs it."""
    told = [f"train.recipe={way}", f"task.options.normal={normal}"]
    told += [f"task.options.lesions={lesions}"] if lesions else []
    options = ["--task", "anomaly", *(word for one in told for word in ("--set", one))]
    return _fits.fit(data, out, limit=LIMIT, seed=seed, options=options, test_split=test)


def _card(card: Scorecard, name: str, seed: str, *, asked: float | None) -> Iterator[Figure]:
    """Yield the image figures, those of plain ways, and those of places."""
    auc = card.metrics["auc"]
    what = f"{name}: AUROC of images"
    if asked is not None and auc.value is not None:
        yield at_least(what, auc.value, asked, seed=seed, note=str(auc))
    else:
        yield Figure(what, str(auc), seed=seed)
    yield Figure(f"{name}: average precision of images", str(card.metrics["average_precision"]), seed=seed)
    for arm in card.rivals.get("arms", ()):
        found = arm.get("figures", {}).get("auc")
        if found is not None and found["value"] is not None:
            yield Figure(f"{name}: AUROC of images, {arm['name']}", _said(found), seed=seed)
    for figure, found in card.places.get("figures", {}).items():
        if found["value"] is not None:
            chance = f"{card.places['chance']:.3f} by chance" if figure == "ap" else ""
            yield Figure(f"{name}: {figure} of points", _said(found), seed=seed, note=chance)


def _false_alarms(run: Path, data: Path, name: str, seed: str) -> Figure:
    """How many unseen normal cases are called, with the exact interval, beside the promised rate."""
    predictor = Predictor(open_bundle(run / "bundle"), device="cpu")
    stage = predictor.stages[-1].stage
    normal = [c for c in read(data).cases if predictor.stages[-1].task.truth(c, stage.state) == "normal"]
    called = sum(predictor(case).called_names == ("abnormal",) for case in normal)  # type: ignore[attr-defined]
    n, scores = len(normal), stage.calibration["scores"]
    promised = max(1, int(stage.calibration["rate"] * (len(scores) + 1) + 1e-9)) / (len(scores) + 1)
    low, high = clopper_pearson(called, n)
    return Figure(
        f"{name}: unseen normal cases that are called",
        f"{called} of {n}: {called / n:.3f} [{low:.3f}, {high:.3f}]",
        f"{promised:.3f} not below the interval",
        low <= promised,
        seed,
        f"by {len(scores)} normal validation cases",
    )


def _core_set(places: tuple[int, int]) -> Iterator[Figure]:
    """What 1 % of the places of many pictures costs, from random features as wide as a small net's."""
    import os

    import torch

    from vesalius.anomalies._coreset import Reservoir, covering
    from vesalius.anomalies.patchcore import SAMPLED

    pictures, each = places
    many, generator = pictures * each, torch.Generator().manual_seed(0)
    before, began = high_water_gib(os.getpid()), time.monotonic()
    held = Reservoir(min(SAMPLED, many))
    for _ in range(pictures):
        held.add(torch.randn(each, 57, generator=generator), generator)
    chosen = covering(held.rows, many // 100, generator)
    note = f"{len(chosen)} of {many} places of 57 features"
    yield at_most("core-set of 1 %: seconds", time.monotonic() - began, SECONDS, digits=1, note=note)
    yield at_most("core-set of 1 %: memory beside, GiB", high_water_gib(os.getpid()) - before, GIB, note=note)


def _said(found: Mapping[str, Any]) -> str:
    return f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
