"""Is a temperature ever worse than none on held-out cases, are isotonic maps better, and does doubt find wrong answers?

Calibration is tried on answers out of fold alone: again and again they are dealt into halves, each method is fitted on
the one and judged on the other. Doubt is looked at on the test split, where nothing is chosen by it.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import rankdata

import vesalius as vs
from benchmarks import _fits, _quick
from benchmarks._figures import Figure, at_most
from vesalius import cohorts
from vesalius.core.calibration import answered, fit, log_losses
from vesalius.core.errors import PlanError
from vesalius.core.image import Array
from vesalius.infer.module import BundleModule
from vesalius.metrics import for_answer

SECTION = "Calibration and doubt"
SOAK = False
SEEDS = (0,)
LIMIT = "10m"
SPLITS = 100
RESAMPLES = 2000
NOISE = 2.0  # standard errors by which a method may look worse on a single half
LARGEST_SHARE = 0.05  # of the halves on which it may, as noise alone does
METHODS = ("none", "temperature", "isotonic", "auto")
WAYS = ("members", "dropout", "mirror")


@dataclass(frozen=True)
class OutOfFold:
    """Logits `(N, K)` of cases by the one member that never saw each, their classes `(N,)`, and the classes' names."""

    logits: Array
    y: Array
    labels: tuple[str, ...]


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """A fit of each data set a seed, then both questions. Quick: a phantom's pictures, few halves."""
    if quick:
        two = ("--set", "train.members=2", "--folds", "2")
        data = _quick.pictures(folder)
        fitted = _fits.fit(
            data,
            folder / "run",
            limit=_quick.LIMIT,
            seed=0,
            options=(*_quick.OPTIONS, *two),
            test_split=False,
        )
        return measured(fitted.run, data, "phantom", splits=5)
    rows: list[Figure] = []
    for name, data in (
        ("busi", _fits.shared("busi")),
        ("breastmnist", _fits.shared("medmnist/breastmnist.npz")),
    ):
        for seed in seeds:
            out = folder / f"{name}-{seed}"
            fitted = _fits.fit(data, out, limit=LIMIT, seed=seed, test_split=True)
            rows += measured(fitted.run, data, name, seed=str(seed))
    return rows


def measured(path: Path, data: Path, name: str, *, splits: int = SPLITS, seed: str = "0") -> list[Figure]:
    """Return the figures of one run: its calibration over halves of its answers out of fold, then its doubt."""
    cohort = cohorts.read(data)
    return [
        *calibration(out_of_fold(path, cohort), name, splits=splits, seed=seed),
        *doubts(path, cohort, name, seed=seed),
    ]


def out_of_fold(path: Path, cohort: vs.Cohort) -> OutOfFold:
    """Return what each member says of its own fold, before any calibration."""
    bundle = vs.open(path).bundle
    with (path / "out_of_fold.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    labels = tuple(x["name"] for x in bundle.stages[-1].state.values["labels"])
    folds = sorted({int(row["fold"]) for row in rows})
    modules: list[BundleModule] = [bundle.torch(member=k) for k in range(len(folds))]
    logits = []
    with torch.inference_mode():
        for row in rows:
            module = modules[folds.index(int(row["fold"]))]
            raw = module(module.prepare(cohort.case(row["case"]), accept_mismatch=True))[0].numpy()
            if labels[int(raw.argmax())] != row["answer"]:
                raise RuntimeError(f"case {row['case']}: another answer than out_of_fold.csv has")
            logits.append(raw)
    return OutOfFold(np.stack(logits), np.array([labels.index(row["truth"]) for row in rows]), labels)


def calibration(found: OutOfFold, name: str, *, splits: int, seed: str) -> list[Figure]:
    """Return log loss and calibration error of each method on held-out halves, and how each stands beside no method."""
    random, n = np.random.default_rng(0), len(found.y)
    losses = {m: np.full((splits, n), np.nan) for m in METHODS}
    errors: dict[str, list[float]] = {m: [] for m in METHODS}
    for s in range(splits):
        order = random.permutation(n)
        fitted_on, out = order[: n // 2], order[n // 2 :]
        for method, fixed in _fitted(found, fitted_on).items():
            p = answered(fixed, found.logits[out][:, None], labels=found.labels)
            losses[method][s, out] = log_losses(p, found.y[out])
            errors[method].append(_ece(p, found.y[out], found.labels))
    rows = []
    note = f"{splits} random halves of {n} cases out of fold"
    for method in METHODS:
        each = _mean_a_case(losses[method])
        value = f"{each.mean():.4f} {_between(_bootstrap(each, lambda x: x.mean()))}"
        rows.append(Figure(f"{name}: log loss, {method}", value, seed=seed, note=note))
        low, high = np.quantile(errors[method], [0.025, 0.975])
        value = f"{np.mean(errors[method]):.4f} [{low:.4f}, {high:.4f}]"
        rows.append(Figure(f"{name}: ECE, {method}", value, seed=seed, note="95 % of the halves"))
    for method, other in (("temperature", "none"), ("isotonic", "temperature"), ("auto", "temperature")):
        rows += _against(losses, method, other, name=name, seed=seed)
    return rows


def _fitted(found: OutOfFold, some: Array) -> dict[str, Mapping[str, Any]]:
    logits, y = found.logits[some], found.y[some]
    made: dict[str, Mapping[str, Any]] = {"none": {}}
    for method in ("temperature", "isotonic", "auto"):
        made[method] = fit(logits, y, labels=found.labels, rule=None, method=method)  # type: ignore[arg-type]
    return made


def _against(losses: Mapping[str, Array], method: str, other: str, *, name: str, seed: str) -> list[Figure]:
    """Return how much more log loss a method has than another, and the share of halves that it is clearly worse on."""
    gap = losses[method] - losses[other]  # (splits, N), NaN where a case was fitted on
    each = _mean_a_case(gap)
    low, high = _bootstrap(each, lambda x: x.mean())
    value = f"{each.mean():+.4f} {_between((low, high))}"
    mean = np.nanmean(gap, axis=1)
    se = np.nanstd(gap, axis=1, ddof=1) / np.sqrt(np.isfinite(gap).sum(axis=1))
    worse = float((mean > NOISE * se + 1e-9).mean())
    says = f"share of halves worse than {other} by more than {NOISE:g} standard errors"
    if method != "temperature":
        verdict = "better" if high < 0 else "worse" if low > 0 else "no clear difference"
        share = Figure(f"{name}: {method}: {says}", f"{worse:.2f}", seed=seed)
        return [Figure(f"{name}: log loss, {method} − {other}", value, seed=seed, note=verdict), share]
    held = Figure(f"{name}: log loss, {method} − {other}", value, "interval not above 0", low <= 0, seed=seed)
    return [held, at_most(f"{name}: {method}: {says}", worse, LARGEST_SHARE, digits=2, seed=seed)]


def _mean_a_case(values: Array) -> Array:
    """Return each case's mean over the halves `(splits, N)` on which it was held out; without those that never were."""
    kept = np.isfinite(values).any(axis=0)
    return np.asarray(np.nanmean(values[:, kept], axis=0))


def doubts(path: Path, cohort: vs.Cohort, name: str, *, seed: str) -> list[Figure]:
    """Return how well each figure of doubt tells wrong answers of the test split from right ones, beside max p."""
    bundle = vs.open(path).bundle
    target = str(bundle.stages[-1].state.values["target"])
    tested = [cohort.case(i) for i in cohorts.load_assignment(path / "folds.json").test]
    plain = _answers(bundle, tested)
    p = np.stack([a.p for a in plain])
    names = [x.name for x in plain[0].labels]
    wrong = p.argmax(axis=1) != np.array([names.index(str(c.targets[target])) for c in tested])
    base = 1 - p.max(axis=1)
    note = f"{int(wrong.sum())} of {len(wrong)} test answers are wrong"
    rows = [_telling(f"{name}: AUROC of being wrong, 1 − largest p", base, None, wrong, seed=seed, note=note)]
    for way in WAYS:
        try:
            found = _answers(bundle, tested, doubt=way)
        except PlanError as refused:
            rows.append(
                Figure(f"{name}: AUROC of being wrong, {way}", "not had", seed=seed, note=refused.what)
            )
            continue
        for figure in ("entropy", "expected_entropy", "mutual_information"):
            score = np.array([a.doubt.figures[figure] for a in found])
            words = figure.replace("_", " ")
            many = f"{found[0].doubt.samples} samples"
            said = f"{name}: AUROC of being wrong, {way}: {words}"
            rows.append(_telling(said, score, base, wrong, seed=seed, note=many))
    return rows


def _answers(bundle: Any, cases: Sequence[vs.Case], *, doubt: str | None = None) -> list[Any]:
    from vesalius.infer.predictor import Predictor

    predictor = Predictor(bundle, device="cpu", accept_mismatch=True)
    asked = predictor if doubt is None else predictor.doubting(doubt)
    return [asked(case) for case in cases]


def _telling(what: str, score: Array, base: Array | None, wrong: Array, *, seed: str, note: str) -> Figure:
    """Return the AUROC with its interval, and beside another score the paired difference with its interval."""
    if wrong.all() or not wrong.any():
        return Figure(what, "not defined", seed=seed, note=note)
    rows = np.arange(len(wrong))
    value = f"{auroc(score, wrong):.3f} {_between(_bootstrap(rows, lambda k: auroc(score[k], wrong[k])), 3)}"
    if base is None:
        return Figure(what, value, seed=seed, note=note)
    gap = auroc(score, wrong) - auroc(base, wrong)
    low, high = _bootstrap(rows, lambda k: auroc(score[k], wrong[k]) - auroc(base[k], wrong[k]))
    verdict = (
        "better than largest p" if low > 0 else "worse than largest p" if high < 0 else "did not help here"
    )
    return Figure(
        what,
        value,
        seed=seed,
        note=f"{note}; minus largest p {gap:+.3f} {_between((low, high), 3)}: {verdict}",
    )


def auroc(score: Array, wrong: Array) -> float:
    """Return how often a wrong answer has a higher score than a right one, ties half; NaN of one kind alone."""
    n, m = int(wrong.sum()), int((~wrong).sum())
    if not n or not m:
        return float("nan")
    return float((rankdata(score)[wrong].sum() - n * (n + 1) / 2) / (n * m))


def _ece(p: Array, y: Array, labels: Sequence[str]) -> float:
    judge = for_answer("Scores")
    rows = judge.from_arrays(p, y, labels=labels)
    return float(judge.summary(rows, np.arange(len(y)))["ece"])


def _bootstrap(items: Array, of: Callable[[Array], float]) -> tuple[float, float]:
    """Return the 95 % interval of a figure over resamples of cases; those where it is not defined are left out."""
    random = np.random.default_rng(0)
    found = [of(items[random.integers(0, len(items), len(items))]) for _ in range(RESAMPLES)]
    low, high = np.nanquantile(found, [0.025, 0.975])
    return float(low), float(high)


def _between(ends: tuple[float, float], digits: int = 4) -> str:
    return f"[{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]"
