"""Search on BreastMNIST: 30 plans of 40 s by TPE against 30 by chance and the default plan. About 5 hours.

Validation is that of one fold of the training patients; the test split is scored once a seed, for the run at the end.
It goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from benchmarks import _fits, _quick, _record
from benchmarks._figures import Figure, at_least
from vesalius.core.progress import Silent
from vesalius.search.result import Search
from vesalius.verbs.search import search

SECTION = "Accuracy"
SOAK = True
SEEDS = (0, 1, 2)
TRIALS, EACH, LIMIT = 30, "40s", "60m"
SAMPLERS = ("tpe", "random")
SPACE = {"train.lr": {"low": 1e-4, "high": 1e-2, "log": True}, "net.name": ["resnet-10", "cnn"]}  # of --quick


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """A search by each sampler and seed at equal cost; the figures, then the means. Quick: a phantom's pictures."""
    data = _quick.pictures(folder) if quick else _fits.shared("medmnist/breastmnist.npz")
    found: dict[str, list[Search]] = {name: [] for name in SAMPLERS}
    rows: list[Figure] = []
    for seed in _quick.SEEDS if quick else seeds:
        for sampler in SAMPLERS:
            one = _searched(data, folder, sampler, seed, quick=quick)
            found[sampler].append(one)
            rows += _rows(one, sampler, seed)
    best = {name: mean(_best(one) for one in each) for name, each in found.items()}
    default = mean(float(one.default_score or 0.0) for one in found["tpe"])
    many = f"mean over {len(found['tpe'])} seeds"
    rows.append(
        at_least("validation of the best by TPE, above the default plan's", best["tpe"], default, note=many)
    )
    rows.append(
        at_least("validation of the best by TPE, beside chance", best["tpe"], best["random"], note=many)
    )
    return rows


def _searched(data: Path, folder: Path, sampler: str, seed: int, *, quick: bool) -> Search:
    """A search that goes on where it was; what it scores on the test split is written down once."""
    out = (folder if quick else _fits.KEPT) / f"search-{sampler}-{seed}"
    began, scored = time.monotonic(), any(out.glob("run-*/scorecard.json"))
    found = search(
        data,
        out,
        trials=4 if quick else TRIALS,
        time_limit=None if quick else LIMIT,
        time_per_trial=None if quick else EACH,
        sampler=sampler,
        space=SPACE if quick else None,
        settings={"train.steps": 3, "net.scale": 0.125, "data.size": [1, 32, 32]} if quick else {},
        seed=seed,
        no_train=sampler == "random",
        progress=Silent(),
    )
    if found.run is not None and not quick and not scored:
        command = (
            f"vesalius search {data.name} --trials {TRIALS} --time-per-trial {EACH} --time-limit {LIMIT}"
        )
        _fits.written_down(
            Path(found.run), data, command, seed, time.monotonic() - began, at=_record.commit()
        )
    return found


def _best(found: Search) -> float:
    return float(found.best.score or 0.0) if found.best is not None else 0.0


def _rows(found: Search, sampler: str, seed: int) -> list[Figure]:
    told = {"seed": str(seed)}
    validated = f"{found.cases} cases of one fold; {found.counted}"
    rows = [
        Figure(
            f"search by {sampler}: validation {found.primary} of the best",
            f"{_best(found):.4f}",
            note=validated,
            **told,
        )
    ]
    rows.append(
        Figure(f"search by {sampler}: that of the default plan", f"{found.default_score or 0.0:.4f}", **told)
    )
    for one in found.finalists[:1]:
        if one.confirmed is not None:
            note = f"on {one.confirmed.folds} other fold(s); where it was found {one.found}"
            rows.append(
                Figure(f"search by {sampler}: gain of the best", str(one.confirmed), note=note, **told)
            )
    if found.test is not None and found.verdict is not None:
        rows.append(
            Figure(
                f"search by {sampler}: test {found.test.metric}",
                f"{found.test.value:.4f}",
                note=found.verdict.why,
                **told,
            )
        )
    return rows
