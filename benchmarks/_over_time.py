"""Beside models of what has time: phantoms that are kept, trivial answers from parts of a case, and what is known.

A case is looked at in several ways: its mean over time, its middle frame, the last visit alone. Each gives a nearest
training case and a regression, which no model is worth less than. `of_*` add what the truth tells beside them: the
oracle, and what could be had from perfect measurements of what a model sees.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import vesalius as vs
from benchmarks import _fits
from benchmarks._beside import NEAREST, ORACLE, Beside, Rivals, Truth, small
from vesalius.core.answers.scores import Scores
from vesalius.core.answers.value import Value
from vesalius.core.case import Case
from vesalius.core.cohort import Label
from vesalius.core.image import Array
from vesalius.phantom import cine, course, dynamic, visits
from vesalius.prepare.case import load_reference
from vesalius.prepare.courses import load_course

Looks = Mapping[str, tuple[Array, Array]]  # of training and test cases, by what is looked at
YEAR_DAYS = 365.25


def kept(
    folder: Path, kind: str, *, cases: int, options: Mapping[str, Any] | None = None, quick: bool
) -> Path:
    """A cohort of a phantom; a full one is kept under `runs/benchmarks`, so that fits on it go on."""
    out = folder / kind if quick else _fits.KEPT / f"over-time-{kind}-{cases}"
    if not (out / "truth.json").is_file():
        vs.phantom(out, kind=kind, cases=cases, seed=0, options=options)
    return out


def split(data: Path, out: Path, test: int) -> Path:
    """A CSV with a split that tests on the last `test` patients of a phantom."""
    with (data / "cohort.csv").open(newline="", encoding="utf-8") as file:
        cases = [(row["case"], row["patient"]) for row in csv.DictReader(file)]
    tested = set(list(dict.fromkeys(p for _, p in cases))[-test:])
    path = out / "split.csv"
    out.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = [[case, "test" if patient in tested else "train"] for case, patient in cases]
        csv.writer(file).writerows([["case", "split"], *rows])
    return path


def parted(cases: Sequence[Case], target: str, split: Path) -> tuple[list[Case], list[Case]]:
    """Return the training and the test cases of a split that have a target."""
    with split.open(newline="", encoding="utf-8") as file:
        where = {row["case"]: row["split"] for row in csv.DictReader(file)}
    known = [c for c in cases if target in c.targets]
    return tuple([c for c in known if where[c.id] == part] for part in ("train", "test"))  # type: ignore[return-value]


# --- ways of looking


def frames(training: Sequence[Case], test: Sequence[Case]) -> Looks:
    """What is seen of cines without their order: the mean over time, the spread, and the middle and last frame."""

    def of(case: Case) -> dict[str, Array]:
        array = load_reference(case).array.astype(np.float32)  # (T, C, Z, Y, X)
        return {
            "the mean over time": small(array.mean(axis=0)),
            "the spread over time": small(array.std(axis=0)),
            "the middle frame": small(array[len(array) // 2]),
            "the last frame": small(array[-1]),
        }

    return _looked(of, training, test)


def of_visits(training: Sequence[Case], test: Sequence[Case], known: Mapping[str, Truth]) -> Looks:
    """What is seen of visits: the last picture, age and pressure; and the true cups, of the last visit or of all."""

    def of(case: Case) -> dict[str, Array]:
        told = known[case.id]
        return {
            "the last picture": small(load_reference(case).array),
            "age and pressure": np.array([told["ages"][-1], told["pressures"][-1]], np.float64),
            "the true cup of the last visit": np.array([told["cups"][-1]]),
            "the true cups of all visits": cups(told),
        }

    return _looked(of, training, test)


def cups(told: Truth) -> Array:
    """Return what the true cups of all visits say: the last, how far it grew, and how fast lately."""
    cup, years = np.array(told["cups"]), np.array(told["days"]) / YEAR_DAYS
    lately = (cup[-1] - cup[-2]) / (years[-1] - years[-2])
    back = max(-3, -len(cup))
    slope = (cup[-1] - cup[back]) / (years[-1] - years[back])
    return np.array([cup[-1], cup[-1] - cup[0], cup[-1] - cup.min(), lately, slope, years[-1]])


def series(training: Sequence[Case], test: Sequence[Case]) -> Looks:
    """What is seen of time courses: means, spreads, histograms, correlations at one time and with the next row."""

    def of(case: Case) -> dict[str, Array]:
        values = load_course(next(iter(case.courses.values()))).values
        scaled = (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-9)
        above = np.triu_indices(values.shape[1], 1)
        later = scaled[:-1].T @ scaled[1:] / len(scaled)
        return {
            "the mean of each region": values.mean(axis=0),
            "the spread of each region": values.std(axis=0),
            "the histogram of each region": np.quantile(values, np.linspace(0, 1, 9), axis=0).ravel(),
            "correlations at one time": np.corrcoef(values.T)[above],
            "correlations from one row to the next": (later - later.T)[above],
        }

    return _looked(of, training, test)


def washed(training: Sequence[Case], test: Sequence[Case], known: Mapping[str, Truth]) -> Looks:
    """What the true contrast of a lesion says: at the best single time, its mean, and its course."""

    def of(case: Case) -> dict[str, Array]:
        told = known[case.id]
        times = np.array(told["times_s"])
        curves = [np.interp((15, 30, 60, 120, 180, 280), times, one["contrast"]) for one in told["lesions"]]
        lost = [np.log(curve[2] / curve[-1]) for curve in curves]
        worst = curves[int(np.argmax(lost))]
        return {
            "the true contrast after 280 s": np.array([min(c[-1] for c in curves)]),
            "the true mean contrast": np.array(
                [float(np.mean(one["contrast"])) for one in told["lesions"][:1]]
            ),
            "the true course of contrast": np.array([max(lost), *np.log(worst)]),
        }

    return _looked(of, training, test)


def _looked(of: Callable[[Case], dict[str, Array]], training: Sequence[Case], test: Sequence[Case]) -> Looks:
    both = [[of(case) for case in cases] for cases in (training, test)]
    return {
        name: (np.stack([x[name] for x in both[0]]), np.stack([x[name] for x in both[1]]))
        for name in both[0][0]
    }


# --- answers


def classes(
    training: Sequence[Case],
    test: Sequence[Case],
    looks: Looks,
    target: str,
    labels: Sequence[Label],
    told: Callable[[Case], str],
) -> Rivals:
    """The oracle, how often each class occurs, and by each look the nearest training case and a logistic regression."""
    found: Rivals = {}
    for name, seen in looks.items():
        one = Beside(training, test, seen).grades(target, labels, told=told, ordered=False)
        near, line = one.pop(NEAREST), one.pop("logistic regression on pixels")
        found |= one | {f"nearest training case by {name}": near, f"logistic regression on {name}": line}
    return found


def numbers(
    training: Sequence[Case],
    test: Sequence[Case],
    looks: Looks,
    target: str,
    unit: str,
    told: Callable[[Case], float],
) -> Rivals:
    """The oracle, the training mean, and by each look the nearest training case and a ridge regression."""

    def value(case: Case, name: str) -> float:
        return float(case.targets[name])  # type: ignore[arg-type]

    found: Rivals = {}
    for name, seen in looks.items():
        one = Beside(training, test, seen).numbers({target: unit}, value, told=lambda c, _: told(c))
        near, line = one.pop(NEAREST), one.pop("ridge on pixels")
        found |= one | {f"nearest training case by {name}": near, f"ridge on {name}": line}
    return found


def of_cines(training: Sequence[Case], test: Sequence[Case], known: Mapping[str, Truth]) -> Rivals:
    """Answers to the ejection fraction beside a model's; what the true volumes of the frames give is among them."""
    target = "ejection_fraction"
    found = numbers(
        training, test, frames(training, test), target, "%", lambda c: cine.oracle(dict(known[c.id]))
    )
    found["the true volumes of the frames"] = [
        Value(case_id=c.id, x=cine.of_frames(dict(known[c.id])), unit="%") for c in test
    ]
    return found


def of_series(
    training: Sequence[Case], test: Sequence[Case], known: Mapping[str, Truth], labels: Sequence[Label]
) -> Rivals:
    """Answers to the class of a time course beside a model's; Bayes' rule with the true covariances is among them."""
    found = classes(
        training, test, series(training, test), "class", labels, lambda c: str(known[c.id]["class"])
    )  # fmt: skip
    found.pop(ORACLE)
    optimal = []
    for case in test:
        chances = course.oracle(dict(known[case.id]))
        p = np.array([chances[label.name] for label in labels])
        optimal.append(Scores(case_id=case.id, labels=tuple(labels), p=p / p.sum(), kind="exclusive"))
    return {"Bayes' rule with the true covariances": optimal, **found}


def of_eyes(
    training: Sequence[Case], test: Sequence[Case], known: Mapping[str, Truth], labels: Sequence[Label]
) -> Rivals:
    """Answers to onset within two years beside a model's."""
    looks = of_visits(training, test, known)
    return classes(training, test, looks, "onset_2y", labels, lambda c: visits.oracle(dict(known[c.id])))


def of_livers(
    training: Sequence[Case], test: Sequence[Case], known: Mapping[str, Truth], labels: Sequence[Label]
) -> Rivals:
    """Answers to benign or malignant beside a model's."""
    looks = {**frames(training, test), **washed(training, test, known)}
    return classes(training, test, looks, "class", labels, lambda c: dynamic.oracle(dict(known[c.id])))
