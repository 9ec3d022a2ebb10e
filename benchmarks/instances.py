"""Instances on the smear phantom in a fixed number of steps: PQ and AP of masks, beside Otsu and an oracle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import _fits, _quick
from benchmarks._figures import Figure
from vesalius import cohorts, metrics
from vesalius.core.cohort import Label
from vesalius.core.image import Image
from vesalius.core.scorecard import Scorecard
from vesalius.metrics import Interval
from vesalius.metrics import instances as judge
from vesalius.prepare.things import load_things
from vesalius.tasks.instances import perfect
from vesalius.verbs.phantom import phantom

SECTION = "Boxes, counts, numbers and grades"
SOAK = False
SEEDS = (0,)
CASES, STEPS = 120, 200
LIMIT = "4h"  # far beyond what the steps take
NAMES = ("pq", "sq", "rq", "ap50", "ap", "aji", "count_relative")
OPTIONS = ("--target", "instances")


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """A fit a seed on pictures of the phantom, which are the same for every seed. Quick: few of them, and few steps."""
    steps = _quick.OPTIONS if quick else _set(f"train.steps={STEPS}", "train.members=1")
    options = (
        *OPTIONS,
        *steps,
        *(_set("data.size=[1,64,64]", "train.steps=4", "net.name=unet") if quick else ()),
    )
    options = (*options, "--init", "none") if quick else options
    shape = {"size": 96} if quick else {}
    data = phantom(folder / "smear", kind="smear", cases=12 if quick else CASES, options=shape)
    rows: list[Figure] = []
    for seed in _quick.SEEDS if quick else seeds:
        out = folder / f"seed-{seed}" if quick else Path(f"instances/seed-{seed}")
        carry_out = _fits.fit if quick else _fits.resumed
        fitted = carry_out(data, out, limit=LIMIT, seed=seed, options=options, test_split=not quick)
        rows += _rows(fitted.card, _oracle(data, fitted.card), seed)
    return rows


def _rows(card: Scorecard, oracle: dict[str, Interval], seed: int) -> list[Figure]:
    found = []
    for name in (*NAMES, *(f"pq/{label}" for label in card.labels)):
        own, trivial = card.metrics[name], card.baseline.get(name)
        note = f"n {own.n}; the truth's own fields, split alike: {_fits.interval(oracle[name])}"
        if trivial is not None:
            note += f"; Otsu and watershed (scikit-image): {_fits.interval(trivial)}"
        found.append(Figure(name, _fits.interval(own), seed=str(seed), note=note))
    return found


def _oracle(data: Path, card: Scorecard) -> dict[str, Interval]:
    """Return the figures of what the task makes of the true labels and depths of the test cases."""
    cohort = cohorts.check(cohorts.read(data, target="instances"), target="instances")
    labels: Sequence[Label] = cohort.targets["instances"].labels
    answers, truths, patients = [], [], []
    for case in (cohort.case(str(c["case"])) for c in card.cases):
        truth = load_things(case.targets["instances"], labels)
        answers.append(
            perfect(truth, labels, Image(np.zeros((1, *truth.ids.shape), np.uint8)), case_id=case.id)
        )
        truths.append(truth)
        patients.append(case.patient or case.id)
    rows = judge.rows(answers, truths)
    return metrics.bootstrap(rows, judge.summary, patients=patients, counts=judge.counts(rows))


def _set(*settings: str) -> tuple[str, ...]:
    return tuple(word for setting in settings for word in ("--set", setting))
