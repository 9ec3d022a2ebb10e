"""Whole runs on a card, through the command line: five folds of Hippocampus, and what several cards bring a step."""

from __future__ import annotations

import inspect
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import torch

import vesalius
from benchmarks import _fits, _quick, _record
from benchmarks._figures import Figure
from benchmarks._gpu_given import Given
from vesalius.core.scorecard import load_scorecard

FOLDS, LEAST_S, SAVED_S = 5, 60.0, 25.0
CARD = "out_of_fold.json"
SHORT, LONG = 20, 60  # steps of two runs, whose difference is that many steps and nothing else


def folds(given: Given) -> Iterator[Figure]:
    """Dice of each training case of Hippocampus by the one of five members that never saw it, in what time is left."""
    if given.quick:
        yield from _shown(_tiny(given), 2)
        return
    limit = int(given.left_s() - SAVED_S)
    if limit < LEAST_S:
        yield Figure(
            "Hippocampus, five folds", "left out", note=f"{max(0, limit)} s were left, {LEAST_S:.0f} needed"
        )
        return
    try:
        data, split = _fits.shared("hippocampus"), _fits.shared("hippocampus_split.csv")
    except _fits.Absent as reason:
        yield Figure("Hippocampus, five folds", "left out", note=str(reason))
        return
    options = ("--split", str(split), "--folds", str(FOLDS), "--device", given.card.device.type)
    fitted = _fits.fit(
        data, given.folder / "folds", limit=f"{limit}s", seed=0, options=options, test_split=True
    )
    yield from _shown(fitted.run, FOLDS, f"in {fitted.wall_s:.0f} s")
    note = "also in the table of runs scored on a test split, which is to be taken over from this machine"
    yield Figure("the test split by all members", _fits.brief(fitted.card), note=note)


def _shown(run: Path, many: int, note: str = "") -> Iterator[Figure]:
    card = load_scorecard(run / CARD)
    for name, found in card.metrics.items():
        if name.partition("/")[0] == "dice":
            yield Figure(f"{many} folds, out of fold: {name}", _fits.interval(found), note=note)


def _tiny(given: Given) -> Path:
    """Return a run of two folds of two steps on a phantom's volumes."""
    data = vesalius.phantom(given.folder / "volumes", cases=6, size=(16, 16, 16))
    settings = {"net.scale": 0.125, "train.steps": 2, "train.batch": 1, "train.validations": 1}
    settings |= {"infer.novelty": "none", "train.precision": "fp32"}
    vesalius.fit(data, out=given.folder / "folds", target="mask", folds=2, settings=settings)
    return given.folder / "folds"


def scaling(given: Given) -> Iterator[Figure]:
    """Seconds of a step of the same global batch on one card and on all of them, through `fit --devices`."""
    cards = torch.cuda.device_count()
    if cards < 2:
        yield Figure(
            "several cards", "left out", note="one card or none: there is nothing to share a step with"
        )
        return
    if "devices" not in inspect.signature(vesalius.fit).parameters:
        yield Figure("several cards", "left out", note="`fit` has no --devices in this version")
        return
    data = _quick.volumes(given.folder)
    alone = 0.0
    for many in (1, cards):
        try:
            took = _step_s(given, data, many)
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            yield Figure(f"a step on {many} cards", f"failed: {str(error)[:160]}")
            return
        alone = alone or took
        note = f"{100 * alone / took / many:.0f} % of ideal; a global batch of 8 patches of 32³"
        yield Figure(f"a step on {many} cards", f"{1000 * took:.1f} ms", note=note)


def _step_s(given: Given, data: Path, many: int) -> float:
    """Return the seconds of a step from two runs that differ in their number of steps alone."""
    times = []
    for steps in (SHORT, LONG):
        settings = {"train.steps": steps, "train.batch": 8, "train.members": 1, "train.validations": 1}
        settings |= {"net.name": "resunet", "net.scale": 1, "infer.novelty": "none"}
        words = ["fit", str(data), "-o", str(given.folder / f"cards-{many}-{steps}"), "--target", "mask"]
        words += [w for name, value in settings.items() for w in ("--set", f"{name}={value}")]
        began = time.monotonic()
        done = subprocess.run(
            _fits.vesalius(*words, "--devices", str(many)),
            cwd=_record.ROOT,
            capture_output=True,
            text=True,
            timeout=max(5.0, given.left_s()),
        )
        if done.returncode:
            raise RuntimeError(done.stderr.strip()[-300:])
        times.append(time.monotonic() - began)
    return (times[1] - times[0]) / (LONG - SHORT)
