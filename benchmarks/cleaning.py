"""Wrong labels planted in a phantom: how many `clean` finds, how many it accuses wrongly, and what a model gains.

The test cases keep their true labels, so that a figure on them is right; only what is learned from is spoiled. At 5 %
cleaning must not do harm, at 20 % it must help, both by an interval over the seeds.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t

import vesalius as vs
from benchmarks import _record
from benchmarks._figures import Figure, at_least
from vesalius.core.scorecard import load_scorecard

SECTION = "Cleaning"
SOAK = False
SEEDS = tuple(range(10))
SHARES = (0.2, 0.05)
CASES, TESTED = 300, 100
SPOTS = {"size": 28, "contrast": 70.0, "noise": 32.0}
SETTINGS: dict[str, Any] = {
    "net.scale": 0.25,
    "data.size": [1, 28, 28],
    "train.steps": 200,
    "train.batch": 16,
    "train.threads": 1,
    "infer.novelty": "none",
}
TRUE, BEFORE, AFTER = "true labels", "before", "after"


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """A cleaning, and the models before and after it, a seed and a share; finished ones are kept and not done again.

    Quick: one seed, few cases and few steps.
    """
    place = folder if quick else _record.ROOT / "runs" / "benchmarks" / "cleaning"
    rows: list[Figure] = []
    for share in SHARES[: 1 if quick else None]:
        found = [
            _cell(place / f"{share:g}-{seed}", share, seed, quick=quick)
            for seed in seeds[: 1 if quick else None]
        ]
        rows += _figures(share, found, seeds)
    return rows


def _cell(folder: Path, share: float, seed: int, *, quick: bool) -> Mapping[str, float]:
    """Return what one seed came to, measured now or before."""
    result = folder / "result.json"
    if result.is_file():
        kept: dict[str, float] = json.loads(result.read_text())
        return kept
    cases, tested, steps = (60, 20, 30) if quick else (CASES, TESTED, SETTINGS["train.steps"])
    settings = {**SETTINGS, "train.steps": steps}
    data = folder / "data"
    if not (folder / "planted.json").is_file():
        vs.phantom(data, kind="spots", cases=cases, seed=seed, options=SPOTS, faults={"wrong_labels": share})
        wrong = _true_test(data, tested)
        (folder / "planted.json").write_text(json.dumps(sorted(wrong)))
    wrong = set(json.loads((folder / "planted.json").read_text()))
    out = folder / "cleaned"
    begun = (out / "clean.json").is_file()
    done = vs.clean(
        data / "cohort.csv",
        out,
        folds=2 if quick else 5,
        settings=settings,
        seed=seed,
        resume=begun,
        progress=False,
    )
    accused = {p.case for p in done.proposals if p.kind == "label error"}
    hit = len(accused & wrong)
    if done.changes:
        vs.clean(out, effect=True, progress=False)
        auc = {
            BEFORE: _auc(out / "effect" / BEFORE),
            AFTER: _auc(next(p for p in (out / "effect").iterdir() if p.name.startswith(AFTER))),
        }
    else:
        only = vs.fit(data / "cohort.csv", folder / "only", settings={**settings, "train.members": 1}, seed=seed,
                      by=(), progress=False)  # fmt: skip
        auc = dict.fromkeys((BEFORE, AFTER), _auc(only.path))
    if share == SHARES[0]:
        clean = vs.fit(data / "true.csv", folder / "true", settings={**settings, "train.members": 1}, seed=seed,
                       by=(), progress=False)  # fmt: skip
        auc[TRUE] = _auc(clean.path)
    made = {
        "planted": len(wrong),
        "proposed": len(accused),
        "hit": hit,
        "accepted": sum(p.accept for p in done.proposals),
        **auc,
    }
    result.write_text(json.dumps(made))
    return made


def _true_test(data: Path, tested: int) -> set[str]:
    """Declare the last cases a test split with their true labels; return the wrong ones among the others."""
    faults = {f["case"]: f for f in json.loads((data / "truth.json").read_text())["faults"]}
    with (data / "cohort.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [*rows[0], "split"]
    for k, row in enumerate(rows):
        row["split"] = "test" if k >= len(rows) - tested else "train"
        if row["split"] == "test" and row["case"] in faults:
            row["class"] = faults[row["case"]]["was"]
    _write(data / "cohort.csv", names, rows)
    wrong = {row["case"] for row in rows if row["split"] == "train" and row["case"] in faults}
    _write(
        data / "true.csv",
        names,
        [{**r, "class": faults[r["case"]]["was"]} if r["case"] in wrong else r for r in rows],
    )
    return wrong


def _write(path: Path, names: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


def _auc(run: Path | None) -> float:
    assert run is not None
    value = load_scorecard(run / "scorecard.json").metrics["auc"].value
    assert value is not None
    return value


def _figures(share: float, found: Sequence[Mapping[str, float]], seeds: Sequence[int]) -> list[Figure]:
    what, said = f"spots, {100 * share:.0f} % of labels wrong", ",".join(map(str, seeds[: len(found)]))
    hit, planted, proposed = (sum(f[n] for f in found) for n in ("hit", "planted", "proposed"))
    recall, precision = hit / max(planted, 1), hit / max(proposed, 1)
    note = f"{hit:.0f} of {planted:.0f} planted found, {proposed:.0f} accused"
    if share == SHARES[0]:
        rows = [
            at_least(f"{what}: precision", precision, 0.7, seed=said, note=note),
            at_least(f"{what}: recall", recall, 0.7, seed=said, note=note),
            at_least("spots: AUC of a model of true labels, mean", _mean(found, TRUE), 0.97, seed=said),
        ]
    else:
        rows = [
            Figure(f"{what}: {name}", f"{value:.3f}", seed=said, note=note)
            for name, value in (("precision", precision), ("recall", recall))
        ]
    change = np.array([f[AFTER] - f[BEFORE] for f in found])
    half = (
        math.nan
        if len(change) < 2
        else float(t.ppf(0.975, len(change) - 1) * change.std(ddof=1) / math.sqrt(len(change)))
    )
    mean = float(change.mean())
    holds = None if math.isnan(half) else mean - half > 0 if share == SHARES[0] else mean + half >= 0
    rows.append(
        Figure(
            f"{what}: AUC after less before",
            f"{mean:+.4f}" + ("" if math.isnan(half) else f" [{mean - half:+.4f}, {mean + half:+.4f}]"),
            "better by the interval" if share == SHARES[0] else "not worse by the interval",
            holds,
            said,
            f"before {_mean(found, BEFORE):.4f}, after {_mean(found, AFTER):.4f}; interval over the seeds",
        )
    )
    return rows


def _mean(found: Sequence[Mapping[str, float]], name: str) -> float:
    return float(np.mean([f[name] for f in found]))
