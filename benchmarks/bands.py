"""Do the bands of survival curves hold the true survival, and the bounds of a benefit the true benefit?

Tables of 600 patients of the phantom `ct` without pixels, in which the size of the lesions stands beside age, sex and
stage, so that the table tells all that decides on survival. A fifth of each is the test split; of each of its patients
the curves under both arms are known. Held are bands at 1, 2 and 3 years, and bounds of what treatment changes by 3
years. The level is 95 %, of which the bound asks for 90, for patients of one table share their model's error.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import vesalius as vs
from benchmarks import _fits, _quick
from benchmarks._figures import Figure, at_least
from vesalius.core.answers.curve import Curve
from vesalius.core.treatment import BENEFIT, gain_name
from vesalius.run import finished

SECTION = "Prognosis and benefit"
SOAK = False
SEEDS = (0,)
TABLES, CASES = 5, 600
YEARS = (365.25, 730.5, 1095.75)
HORIZON = YEARS[-1]
HOLDS = 0.90
KNOWN = ("age", "sex", "tumour_stage", "burden")
MODELS: Mapping[str, Mapping[str, Any]] = {
    "straight line": {"task.options.model": "linear", "train.steps": 400},
    "mlp": {"train.steps": 400},
}


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Every table by every model. Quick: one table of 80, 4 steps."""
    home = folder if quick else _fits.KEPT
    tables, cases = (1, 80) if quick else (TABLES, CASES)
    figures = []
    for seed in _quick.SEEDS if quick else seeds:
        for name, settings in MODELS.items():
            each = []
            for k in range(tables):
                data = _table(home / "bands" / f"table-{seed}-{k}", cases, 100 * seed + k)
                out = home / "bands" / f"{name.replace(' ', '-')}-{seed}-{k}"
                told = {**settings, **({"train.steps": 4} if quick else {})}
                each.append(_held(_fitted(data, out, told), data))
            figures += _figures(name, each, str(seed), asked=not quick)
    return figures


def _table(folder: Path, cases: int, seed: int) -> Path:
    """Return a table of patients with the burden of their lesions as a column."""
    made = folder / "known.csv"
    if made.is_file():
        return made
    vs.phantom(folder, cases=cases, seed=seed, options={"tables": True, "assignment": "randomised"})
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))["cases"]
    rows = list(csv.DictReader((folder / "cohort.csv").open(encoding="utf-8")))
    columns = ["case", "age", "sex", "tumour_stage", "burden", "treatment", "time_days", "event"]
    with made.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        for row, case in zip(rows, truth, strict=True):
            writer.writerow({**row, "burden": case["outcome"]["burden"]})
    return made


def _fitted(data: Path, out: Path, settings: Mapping[str, Any]) -> vs.Run:
    columns = {"image": "", "covariate": ",".join(KNOWN), "arm": "treatment"}
    chosen = {"task.options.assignment": "randomised", "task.options.horizon": HORIZON, **settings}
    if (out / "scorecard.json").is_file():
        return finished.opened(out)  # what is finished is taken again
    return vs.fit(
        data, out, columns=columns, target="survival", settings=chosen, time_limit="30m", progress=False
    )


def _held(run: vs.Run, data: Path) -> dict[str, np.ndarray]:
    """Return of each test patient, arm and year whether its band holds the truth, and how wide it is; so of benefit."""
    told = json.loads((data.parent / "truth.json").read_text(encoding="utf-8"))
    grid, truths = np.array(told["survival"]["grid_days"]), {c["id"]: c["outcome"] for c in told["cases"]}
    test = [case["case"] for case in run.scorecard.cases] if run.scorecard else []
    cohort = vs.read(
        data, columns={"image": "", "covariate": ",".join(KNOWN), "arm": "treatment"}, target="survival"
    )
    cases = {c.id: c for c in cohort.cases}
    held, wide, gained, gain_wide = [], [], [], []
    for name in test:
        answer, real = vs.predict(run.bundle, cases[name]), truths[name]["survival"]
        if not isinstance(answer, Curve) or answer.low is None or answer.high is None:
            continue
        true = {
            a: np.interp(YEARS, grid, real[k])
            for a, k in zip(("0", "1"), ("control", "treated"), strict=True)
        }
        for arm in answer.survival:
            place = np.searchsorted(answer.times_days, YEARS, side="right") - 1
            low, high = np.asarray(answer.low[arm])[place], np.asarray(answer.high[arm])[place]
            held.append((low <= true[arm]) & (true[arm] <= high))
            wide.append(high - low)
        bounds = answer.parts[BENEFIT].parts[gain_name("survival", HORIZON, "0", "1")].bounds
        if bounds is not None:
            change = true["1"][-1] - true["0"][-1]
            gained.append(bounds.low <= change <= bounds.high)
            gain_wide.append(bounds.high - bounds.low)
    found = {"held": held, "wide": wide, "gained": gained, "gain_wide": gain_wide}
    return {k: np.array(v, np.float64) for k, v in found.items()}


def _figures(name: str, each: Sequence[Mapping[str, np.ndarray]], seed: str, *, asked: bool) -> list[Figure]:
    made = []
    for held, wide, what in (
        ("held", "wide", "bands of survival"),
        ("gained", "gain_wide", "bounds of benefit"),
    ):
        shares = [float(one[held].mean()) for one in each if one[held].size]
        if not shares:
            made.append(Figure(f"{name}: {what}", "none told", seed=seed))
            continue
        width = float(np.mean([one[wide].mean() for one in each if one[wide].size]))
        note = f"by table {', '.join(f'{s:.2f}' for s in shares)}; width {width:.3f}"
        share = float(np.mean(shares))
        title = f"{name}: {what} that hold the truth (level 95 %)"
        made.append(
            at_least(title, share, HOLDS, digits=3, seed=seed, note=note)
            if asked
            else Figure(title, f"{share:.3f}", seed=seed, note=note)
        )
    return made
