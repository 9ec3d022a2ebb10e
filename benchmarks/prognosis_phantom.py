"""Prognosis of the CT phantom's 600 patients: what an image tells beyond age, sex and arm, of what there is to be told.

The true hazard is known, so that the gap between the clinic's C and the truth's is known, too. Each third of the
patients is tested once, by models of the other two; C is that within a third, the mean over thirds. The image is the
slice with most of the first lesion, or of the liver where there is none. Two fits a third, of a few minutes each; what
is finished under `runs/benchmarks` is taken again. Settings were chosen on patients of another seed.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

import vesalius as vs
from benchmarks import _beside, _fits, _phantoms, _quick
from benchmarks._figures import Figure
from vesalius.core.answers.curve import Curve
from vesalius.core.case import Case, Event
from vesalius.core.image import Array
from vesalius.core.scorecard import Interval
from vesalius.metrics import bounds
from vesalius.survival.cox import fit_cox
from vesalius.survival.observed import from_events
from vesalius.survival.scores import harrell_c

SECTION = "Prognosis and benefit"
SOAK = False
SEEDS = (0,)
CASES, THIRDS = 600, 3
SIZE = (16, 64, 64)  # of the CT that a slice is taken from
DESIGN = {"clinic": "bare"}  # randomised, two arms, the planted effect; the table holds age, sex and arm
CLINIC = ("age", "sex", "arm")
HALF = 0.5  # of the gap between the clinic and the truth
LIMIT = "30m"  # never reached: steps are fixed
DRAWS = 1000
TRAINED = (  # nothing is made larger or smaller, for sizes tell
    "--set", "net.name=resnet-10", "--set", "net.scale=0.25", "--set", "augment.zoom=0",
    "--set", "augment.probability=0.3", "--set", "train.steps=600", "--set", "train.batch=32",
    "--set", "train.members=1", "--set", "infer.novelty=none", "--init", "none",
)  # fmt: skip
ARMS: Mapping[str, tuple[str, ...]] = {  # what a model is given, beside the image
    "image + clinic": ("--column", f"covariate={','.join(CLINIC)}", "--set", "task.options.arm=arm"),
    "image alone": (),
}


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """All thirds of one cohort. Quick: 90 patients and a third, 4 steps."""
    home = folder if quick else _fits.KEPT
    size = (12, 20, 20) if quick else SIZE
    many = 90 if quick else CASES
    data = home / "prognosis-slices"
    if not (data / "truth.json").is_file():
        vs.phantom(data, cases=many, size=size, format="png", options=DESIGN)
    return [
        figure
        for seed in (_quick.SEEDS if quick else seeds)
        for figure in _Asked(data, home / "prognosis", seed, quick=quick).figures()
    ]


class _Asked:
    """The risks of one seed by every way, of each third's patients by models of the others."""

    def __init__(self, data: Path, out: Path, seed: int, *, quick: bool) -> None:
        self.data, self.out, self.seed, self.quick = data, out, seed, quick
        columns = {"covariate": ",".join(CLINIC)}
        self.cases = vs.read(data / "cohort.csv", target="survival", columns=columns).cases
        self.truths = _beside.truths(data)
        self.observed = from_events([_event(case) for case in self.cases])
        self.third = np.arange(len(self.cases)) % THIRDS
        self.tested = range(1 if quick else THIRDS)

    def figures(self) -> list[Figure]:
        """Return the C of every way, what the image adds, and the share of the gap that it closes."""
        risks = {
            "the true hazard": self.true(arm=True),
            "the true hazard, whatever the arm": self.true(arm=False),
            "clinic, Cox of age, sex and arm": self.cox(crossed=False),
            "clinic, Cox with arm by age and sex": self.cox(crossed=True),
            "malignant or not, and the clinic, Cox": self.cox(crossed=True, malignant=True),
            **{name: self.fitted(name) for name in ARMS},
        }
        drawn = self.draws()
        c = {name: np.array([self.c(risk, i) for i in drawn]) for name, risk in risks.items()}
        held = {name: self.interval(risk, c[name]) for name, risk in risks.items()}
        rows = [self.row(f"{name}: C", held[name]) for name in risks]
        rows.insert(0, self.row("everybody alike: C", Interval(0.5, None, None, len(self.cases))))
        best = max((n for n in risks if n.startswith("clinic")), key=lambda n: held[n].value or 0.0)
        for name in ARMS:
            gain = bounds(self.c(risks[name]) - self.c(risks[best]), c[name] - c[best], len(self.cases))
            asked = name == "image + clinic"
            rows.append(
                self.row(
                    f"{name} less {best}: C, paired",
                    gain,
                    asked="lower end > 0" if asked else "",
                    holds=gain.low is not None and gain.low > 0 if asked else None,
                )
            )
        rows.append(self.closed(risks, best, c))
        return rows

    # --- who says what

    def true(self, *, arm: bool) -> Array:
        """Return the log of each patient's true hazard under the arm that it had, or under control."""
        told = [self.truths[case.id]["outcome"] for case in self.cases]
        return np.array([one["eta"] + (one["theta"] if arm and one["treated"] else 0.0) for one in told])

    def cox(self, *, crossed: bool, malignant: bool = False) -> Array:
        """Return the log hazard of each patient by a Cox model of the other thirds' clinic."""
        x = self.clinic(crossed=crossed, malignant=malignant)
        found = np.full(len(x), np.nan)
        for third in self.tested:
            inside = self.third != third
            names = [f"x{k}" for k in range(x.shape[1])]
            model = fit_cox(x[inside], self.observed.where(inside), names=names)
            found[~inside] = model.log_hazard(x[~inside])
        return found

    def clinic(self, *, crossed: bool, malignant: bool) -> Array:
        """Return age, sex and arm, `(N, F)`, the arm crossed with all the rest where asked."""
        known = [case.covariates for case in self.cases]
        arm = np.array([one["arm"] == "treated" for one in known], np.float64)
        columns = [
            np.array([float(one["age"] or 0.0) / 10 for one in known]),
            np.array([one["sex"] == "M" for one in known], np.float64),
        ]
        if malignant:
            columns.append(
                np.array([self.truths[c.id]["class"] == "malignant" for c in self.cases], np.float64)
            )
        return np.stack([arm, *columns, *([arm * one for one in columns] if crossed else [])], axis=1)

    def fitted(self, name: str) -> Array:
        """Return the risk of each patient by a finished fit of the other thirds."""
        found = np.full(len(self.cases), np.nan)
        for third in self.tested:
            stem = f"{name.replace(' + ', '-').replace(' ', '-')}-{third}-{self.seed}"
            run = _fits.resumed(
                self.data / "cohort.csv",
                self.out / stem,
                limit=_phantoms.LIMIT if self.quick else LIMIT,
                seed=self.seed,
                options=(
                    "--target", "survival", "--split", str(self.split(third)), *ARMS[name],
                    *(_phantoms.SMALL if self.quick else TRAINED),
                ),
                test_split=not self.quick,
            ).run  # fmt: skip
            inside = np.flatnonzero(self.third == third)
            found[inside] = self.answered(
                run, [self.cases[k] for k in inside], self.out / f"{stem}-risks.json"
            )
        return found

    def answered(self, run: Path, cases: Sequence[Case], kept_at: Path) -> Array:
        """Return the risk of each case by a bundle."""
        if kept_at.is_file():
            return np.array(json.loads(kept_at.read_text(encoding="utf-8")))
        found = []
        for answer in vs.predict(run, list(cases), accept_mismatch=True):
            assert isinstance(answer, Curve) and answer.risk is not None
            found.append(float(answer.risk))
        kept_at.write_text(json.dumps(found), encoding="utf-8")
        return np.array(found)

    def split(self, third: int) -> Path:
        """Return a CSV by which a third of the cases is tested on."""
        path = self.out / f"split-{third}.csv"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", newline="", encoding="utf-8") as file:
                table = csv.writer(file)
                table.writerow(("case", "split"))
                table.writerows(
                    (case.id, "test" if k % THIRDS == third else "train") for k, case in enumerate(self.cases)
                )
        return path

    # --- judged

    def draws(self) -> list[Array]:
        """Return resamples of the patients, each third by itself."""
        rng = np.random.default_rng(0)
        inside = [np.flatnonzero(self.third == third) for third in self.tested]
        return [np.concatenate([rng.choice(one, len(one)) for one in inside]) for _ in range(DRAWS)]

    def c(self, risk: Array, index: Array | None = None) -> float:
        """Return the mean over thirds of Harrell's C, of all patients or of a resample."""
        chosen = np.arange(len(risk)) if index is None else index
        parts = [chosen[self.third[chosen] == third] for third in self.tested]
        return float(np.mean([harrell_c(risk[part], self.observed.where(part)) for part in parts]))

    def interval(self, risk: Array, drawn: Array) -> Interval:
        """Return the C with its interval over patients."""
        return bounds(self.c(risk), drawn, len(self.cases))

    def row(self, what: str, found: Interval, *, asked: str = "", holds: bool | None = None) -> Figure:
        """Return a figure with its interval."""
        held = None if self.quick else holds
        note = f"n {found.n}, {int(self.observed.happened.sum())} deaths"
        return Figure(what, _fits.interval(found), asked, held, str(self.seed), note)

    def closed(self, risks: Mapping[str, Array], clinic: str, c: Mapping[str, Array]) -> Figure:
        """Return which share of the gap between the clinic and the truth the image closes."""
        true, model = "the true hazard", "image + clinic"
        gap = self.c(risks[true]) - self.c(risks[clinic])
        share = (self.c(risks[model]) - self.c(risks[clinic])) / gap
        there = c[true] - c[clinic] > 0  # of a resample without a gap there is no share
        shares = (c[model] - c[clinic])[there] / (c[true] - c[clinic])[there]
        low, high = np.quantile(shares, (0.025, 0.975))
        return Figure(
            f"share of the gap to the true hazard that {model} closes",
            f"{share:.3f} [{low:.3f}, {high:.3f}]",
            f"≥ {HALF:g}",
            None if self.quick else share >= HALF,
            str(self.seed),
            f"gap {gap:.3f}, above {clinic}",
        )


def _event(case: Case) -> Event:
    found = case.targets["survival"]
    assert isinstance(found, Event)
    return found
