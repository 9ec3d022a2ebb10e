"""Gaps between groups: how often the test finds a planted one, and none; and whether each mitigation narrows it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

import vesalius as vs
from benchmarks import _fair_settings as settings
from benchmarks._figures import Figure, at_least
from vesalius.core.bundle import Bundle
from vesalius.core.image import Array
from vesalius.core.subgroups import Gap
from vesalius.evaluate.fairness import subgroups
from vesalius.infer.predictor import Predictor
from vesalius.metrics import scores
from vesalius.phantom import spots

SECTION = "Accuracy"
SOAK = False
SEEDS = settings.SEEDS
NORMAL = NormalDist()
FRESH = 1000  # new patients that every trained model answers
SMALL: dict[str, Any] = {
    "net.scale": 0.125,
    "data.size": [1, 28, 28],
    "augment.mixup": 0.0,
    "train.steps": 200,
    "train.batch": 16,
    "train.members": 1,
    "train.threads": 1,
    "train.by": "sex",
}
ARMS: dict[str, dict[str, Any]] = {
    "default": {
        "train.group_thresholds": "sensitivity"
    },  # the same weights; its pooled thresholds are the default
    "select=best": {"train.select": "best"},
    "select=worst_group": {"train.select": "worst_group"},
    "balance_groups": {"train.balance_groups": True},
}


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Draw scores, then train. Quick: a few draws, one seed and few steps."""
    many = 3 if quick else settings.REPETITIONS
    rows = [*_tests(many)]
    cases, fresh, steps = (260, 60, 4) if quick else (settings.CASES, FRESH, SMALL["train.steps"])
    if quick:
        arms = {name: ARMS[name] for name in ("default", "balance_groups")}
    else:
        arms = ARMS
    phantoms = {"a planted gap": settings.GAP, "no gap": settings.EVEN}
    for name, phantom in list(phantoms.items())[: 1 if quick else 2]:
        found: dict[str, list[dict[str, float]]] = {}
        for seed in seeds[:1] if quick else seeds if name == "a planted gap" else seeds[:2]:
            data = vs.phantom(
                folder / f"{name}-{seed}", kind="spots", cases=cases, seed=seed, options=phantom
            )
            for arm, options in arms.items() if name == "a planted gap" else list(arms.items())[:1]:
                out = folder / f"{name}-{seed}-{arm.replace('=', '-')}"
                fitted = vs.fit(
                    data,
                    out,
                    seed=seed,
                    by=(),
                    settings={**SMALL, **options, "train.steps": steps},
                    progress=False,
                )
                assert fitted.bundle is not None
                for kind, bundle in _calibrated(arm, fitted.bundle):
                    found.setdefault(kind, []).append(_measured(bundle, phantom, fresh, seed))
        rows += _arms(name, found)
    return rows


# --- the test, on scores drawn from a known model


def _tests(many: int) -> list[Figure]:
    even = _drawn(many, 0.0, settings.POSITIVE)
    able = float(np.median([g.detectable for g in map(_auc, even) if g is not None and g.detectable]))
    rows = [
        _false("no gap", even),
        _false(
            "no gap, but one group has the finding half as often", _drawn(many, 0.0, settings.OTHER_POSITIVE)
        ),
    ]
    for less, asked in ((settings.LESS, None), (round(able, 3), 0.7)):
        drawn = _drawn(many, less, settings.POSITIVE)
        hits = sum((g := _auc(gaps)) is not None and g.verdict == "found" for gaps in drawn)
        right = sum(
            (g := _auc(gaps)) is not None and g.verdict == "found" and g.worst == "other" for gaps in drawn
        )
        note = (
            f"{settings.PATIENTS} patients, {settings.SHARE:.0%} of them in the other group; {hits} of {many}"
        )
        note += (
            f", the worse group named in {right} of these; AUC {settings.AREA} and {settings.AREA - less:.3f}"
        )
        what = f"power to find a gap of {less} in AUC, corrected for 4 metrics"
        what += "" if asked is None else " (the median gap that is said to be found 4 of 5 times)"
        low, high = _share(hits, many)
        note += f"; interval {low:.3f} to {high:.3f}"
        rows.append(
            Figure(what, f"{hits / many:.3f}", note=note)
            if asked is None or many < 100
            else at_least(what, hits / many, asked, note=note)
        )
    return rows


def _drawn(many: int, less: float, positive: float) -> list[tuple[Gap, ...]]:
    """Return the gaps between two groups of `many` draws of scores, whose areas differ by `less`."""
    found = []
    for k in range(many):
        rng = np.random.default_rng((7, k))
        other = rng.random(settings.PATIENTS) < settings.SHARE
        y = (rng.random(settings.PATIENTS) < np.where(other, positive, settings.POSITIVE)).astype(np.int64)
        far = [math.sqrt(2) * NORMAL.inv_cdf(area) for area in (settings.AREA, settings.AREA - less)]
        z = rng.normal(size=len(y)) + y * np.where(other, far[1], far[0])
        p = 1 / (1 + np.exp(-(z - far[0] / 2)))
        rows = scores.from_arrays(np.stack([1 - p, p], 1), y, labels=["no", "yes"])
        labels = {("group",): [("other" if one else "first",) for one in other]}
        who = [str(i) for i in range(len(y))]
        (of,) = subgroups(
            rows, "Scores", labels, patients=who, resamples=20, shuffles=settings.SHUFFLES, seed=k
        )
        found.append(of.gaps)
    return found


def _auc(gaps: Sequence[Gap]) -> Gap | None:
    return next((g for g in gaps if g.metric == "auc"), None)


def _false(what: str, drawn: Sequence[Sequence[Gap]]) -> Figure:
    """How often any gap is found where there is none; the promise is one of twenty over all metrics together."""
    from scipy.stats import binom

    hits, many = sum(any(g.verdict == "found" for g in gaps) for gaps in drawn), len(drawn)
    most = int(binom.ppf(0.975, many, 0.05))
    low, high = _share(hits, many)
    return Figure(
        f"{what}: share of draws in which any gap of 4 metrics is found",
        f"{hits / many:.3f}",
        f"≤ {most / many:.3f}",
        hits <= most,
        note=f"{hits} of {many}, interval {low:.3f} to {high:.3f}; promised 0.05, with its binomial interval",
    )


def _share(hits: int, many: int) -> tuple[float, float]:
    from scipy.stats import binomtest

    found = binomtest(hits, many).proportion_ci(method="exact")
    return float(found.low), float(found.high)


# --- trained models


def _calibrated(arm: str, bundle: Bundle) -> list[tuple[str, Bundle]]:
    """Return the bundle under the name of its arm, and without its groups' thresholds where it has any."""
    stage = bundle.stages[-1]
    if "groups" not in stage.calibration:
        return [(arm, bundle)]
    pooled = {k: v for k, v in stage.calibration.items() if k != "groups"}
    plain = replace(bundle, stages=(*bundle.stages[:-1], replace(stage, calibration=pooled)))
    return [(arm, plain), ("group_thresholds=sensitivity", bundle)]


def _measured(bundle: Bundle, phantom: dict[str, float], fresh: int, seed: int) -> dict[str, float]:
    """Return the figures of a bundle on patients that nobody has seen."""
    predictor = Predictor(bundle, device="cpu")
    made = [spots.patient(k, 1000 + seed, **phantom) for k in range(fresh)]  # type: ignore[arg-type]
    answers: list[Any] = []
    for k in range(0, fresh, 50):
        answers += predictor.together([m.as_case() for m in made[k : k + 50]])
    rows = scores.rows(answers, ["spot" if m.spot else "none" for m in made])
    every: Array = np.arange(fresh)
    at = {sex: np.array([k for k, m in enumerate(made) if m.sex == sex]) for sex in "FM"}
    one = {sex: scores.summary(rows, index) for sex, index in at.items()}
    whole = scores.summary(rows, every)
    return {
        "AUC of all": whole["auc"],
        "AUC of the worst group": min(o["auc"] for o in one.values()),
        "gap in AUC": abs(one["F"]["auc"] - one["M"]["auc"]),
        "balanced accuracy of all": whole["balanced_accuracy"],
        "sensitivity of the worst group": min(o["recall"] for o in one.values()),
        "gap in sensitivity": abs(one["F"]["recall"] - one["M"]["recall"]),
    }


def _arms(name: str, found: dict[str, list[dict[str, float]]]) -> list[Figure]:
    """Return each arm's figures, and their paired difference to the default with Student's interval over the seeds."""
    rows = []
    for arm, measured in found.items():
        shown = (
            measured[0]
            if arm != "group_thresholds=sensitivity"
            else [n for n in measured[0] if "AUC" not in n]
        )
        for figure in shown:
            values = np.array([m[figure] for m in measured])
            note = (
                "" if arm == "default" else _paired(values, np.array([m[figure] for m in found["default"]]))
            )
            rows.append(
                Figure(
                    f"{name}, {arm}: {figure}",
                    f"{values.mean():.3f}",
                    seed=f"{len(values)} seeds",
                    note=note or f"{values.min():.3f} to {values.max():.3f} over the seeds",
                )
            )
    return rows


def _paired(values: Array, default: Array) -> str:
    from scipy.stats import t

    change = values - default
    if len(change) < 2:
        return f"{change.mean():+.3f} to the default"
    half = float(t.ppf(0.975, len(change) - 1) * change.std(ddof=1) / math.sqrt(len(change)))
    low, high = change.mean() - half, change.mean() + half
    told = "better or worse" if low > 0 or high < 0 else "undecided"
    word = {True: "higher", False: "lower"}[change.mean() > 0] if told != "undecided" else told
    return f"{change.mean():+.3f} ({low:+.3f} to {high:+.3f}) to the default, paired by seed: {word}"
