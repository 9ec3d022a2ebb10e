"""Who gains from a treatment, told from an image: 600 patients of the CT phantom, half of them to judge by.

What the treatment changes depends on age and on the lesions, which no column tells: the table holds age, sex and arm.
Chance decides on the arm. The image is the slice with most of the first lesion, or of the liver where there is none,
which is chosen by the truth. The rank-weighted effect of the model's ranking, with its interval from patients who took
no part, stands beside the truth of that ranking, of the best one, and of a ranking by the table alone; true gains
follow from the known curves. One fit of images and one of the table; what is finished under `runs/benchmarks` is taken
again. Settings are those of `prognosis_phantom`, which were chosen on patients of another seed.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import vesalius as vs
from benchmarks import _fits, _phantoms, _quick
from benchmarks._figures import Figure
from benchmarks.prognosis_phantom import LIMIT, SIZE, TRAINED
from vesalius.core.image import Array
from vesalius.core.scorecard import load_scorecard

SECTION = "Prognosis and benefit"
SOAK = False
SEEDS = (0,)
CASES = 600
DESIGN = {"clinic": "bare", "heterogeneity": "strong"}
HORIZON = 1095  # three years
WAYS: Mapping[str, tuple[str, ...]] = {
    "image + age and sex": ("--column", "covariate=age,sex", "--column", "arm=arm"),
    "age and sex": ("--column", "image=", "--column", "covariate=age,sex", "--column", "arm=arm"),
}
PLAIN = ("--set", "task.options.model=linear", "--set", "train.steps=600")  # of the table
BRIEF = (*PLAIN[:2], "--set", "train.steps=4", "--set", "train.members=1")  # of the table, in a quick try


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Both fits of one cohort. Quick: 120 patients, a few steps."""
    home = folder if quick else _fits.KEPT
    data = home / "benefit-slices"
    if not (data / "truth.json").is_file():
        size = (12, 20, 20) if quick else SIZE
        vs.phantom(data, cases=120 if quick else CASES, size=size, format="png", options=DESIGN)
    figures = []
    for seed in _quick.SEEDS if quick else seeds:
        for name, columns in WAYS.items():
            brief, trained = (BRIEF, PLAIN) if "image=" in columns else (_phantoms.SMALL, TRAINED)
            made = _fits.resumed(
                data / "cohort.csv",
                home / "benefit-images" / f"{name.replace(' + ', '-').replace(' ', '-')}-{seed}",
                limit=_phantoms.LIMIT if quick else LIMIT,
                seed=seed,
                options=(
                    "--target", "survival", "--split", str(_split(data)), *columns,
                    "--set", "task.options.assignment=randomised", "--set", f"task.options.horizon={HORIZON}",
                    *(brief if quick else trained),
                ),
                test_split=not quick,
            )  # fmt: skip
            figures += _figures(name, made.run, data, str(seed))
    return figures


def _split(data: Path) -> Path:
    """Return a CSV by which every second patient is tested on."""
    path = data / "split.csv"
    if not path.is_file():
        with (data / "cohort.csv").open(encoding="utf-8") as file:
            cases = [row["case"] for row in csv.DictReader(file)]
        with path.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(("case", "split"))
            table.writerows((case, "test" if k % 2 else "train") for k, case in enumerate(cases))
    return path


def _figures(name: str, run: Path, data: Path, seed: str) -> list[Figure]:
    """Return the rank-weighted and the average effect with their intervals, each beside its truth."""
    card = load_scorecard(run / "scorecard.json")
    found: Mapping[str, Any] = card.clinical["benefit"]
    if "against" not in found or "ranked" not in found["against"][0]:
        why = found.get("refused") or found["against"][0]["unranked"]
        return [Figure(f"{name}: AUTOC", "not told", seed=seed, note=str(why))]
    one, days = found["against"][0], float(found["judged_days"])
    said = [case["treated"]["said"] for case in card.cases]
    foretold = np.array([s[one["treated"]][f"{days:.17g}"] - s[one["control"]][f"{days:.17g}"] for s in said])
    true = _true([str(case["case"]) for case in card.cases], data, days)
    autoc, effect, slope = one["ranked"]["autoc"], one["effect"], one["calibration"]["slope"]
    note = f"truth of this ranking {_autoc(foretold, true):.3f}, of the best {_autoc(true, true):.3f}"
    made = [
        Figure(f"{name}: AUTOC at {days:g} days", _bounded(autoc), seed=seed, note=note),
        Figure(f"{name}: average effect", _bounded(effect), seed=seed, note=f"truth {true.mean():.3f}"),
        Figure(
            f"{name}: foretold beside true benefit, correlation",
            f"{np.corrcoef(foretold, true)[0, 1]:.3f}" if foretold.std() > 0 else "none: all the same",
            seed=seed,
            note=f"n {len(true)}; standard deviation {foretold.std():.3f}, of the truth {true.std():.3f}",
        ),
    ]
    if slope is not None:
        made.append(Figure(f"{name}: slope of benefit (1 is right)", _bounded(slope), seed=seed))
    return made


def _true(cases: Sequence[str], data: Path, days: float) -> Array:
    """Return what treatment truly changes of each case's survival at a day, `(N,)`."""
    told = json.loads((data / "truth.json").read_text(encoding="utf-8"))
    curves = {case["id"]: case["outcome"]["survival"] for case in told["cases"]}
    grid = np.array(told["survival"]["grid_days"])
    at = {
        arm: np.array([np.interp(days, grid, curves[c][arm]) for c in cases])
        for arm in ("control", "treated")
    }
    return np.asarray(at["treated"] - at["control"])


def _autoc(ranking: Array, gains: Array) -> float:
    """Return the rank-weighted effect of known gains, from its definition (Yadlowsky et al. 2025)."""
    ranked = gains[np.argsort(-ranking, kind="stable")]
    return float((np.cumsum(ranked) / np.arange(1, len(ranked) + 1) - ranked.mean()).mean())


def _bounded(found: Mapping[str, float]) -> str:
    return f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
