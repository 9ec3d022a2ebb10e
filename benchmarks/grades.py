"""Grades of two phantoms by both heads beside a classifier, paired by case; and that probabilities never cross.

18 fits of 90 s: about 30 minutes. What is finished under `runs/benchmarks` is taken again, and what was begun goes on.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import vesalius as vs
from benchmarks import _arms, _fits, _quick, _record
from benchmarks._figures import Figure
from vesalius.core import grades
from vesalius.core.image import Array
from vesalius.core.scorecard import Interval, Scorecard
from vesalius.metrics import Rows, scores
from vesalius.phantom import chest, pet
from vesalius.tasks import _grader as grader

SECTION = "Boxes, counts, numbers and grades"
SOAK = True
SEEDS = (0, 1, 2)
LIMIT = "90s"
TESTED = 4  # of so many patients one is tested on
FIGURES = ("kappa", "mae", "within_one", "cut_auc", "rps", "accuracy")
ARMS = (
    _arms.Arm("classify", ("--task", "classify")),
    _arms.Arm("corn", ("--set", "task.options.head=corn")),
    _arms.Arm("cumulative", ("--set", "task.options.head=cumulative")),
)
TINY = (
    "--set",
    "data.size=[1,32,32]",
    "--set",
    "net.name=cnn",
    "--set",
    "infer.novelty=none",
    *_quick.OPTIONS,
)
INPUTS, GRADES = 10_000, 5


@dataclass(frozen=True)
class Question:
    """A phantom's grades: what is asked, of how many cases, and what the truth's own rule finds."""

    kind: str
    column: str
    order: tuple[str, ...]
    cases: int
    oracle: Callable[[Mapping[str, Any]], str]
    truth: str


QUESTIONS = (
    Question("pet", "class", tuple(reversed(pet.GRADES)), 800, pet.oracle, "quality"),
    Question("chest", "severity", chest.GRADES, 800, chest.oracle, "severity"),
)


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Every question by three arms and three seeds. Quick: 48 small pictures and 20 steps of each."""
    rows = never_cross()
    for question in QUESTIONS:
        home = folder if quick else _record.ROOT / "runs" / "benchmarks"
        data = home / f"grades-{question.kind}"
        if not (data / "truth.json").is_file():
            options = {"size": 96} if quick and question.kind == "chest" else {}
            vs.phantom(
                data, kind=question.kind, cases=48 if quick else question.cases, seed=0, options=options
            )
        rows += _measured(question, data, home, seeds=seeds[:1] if quick else seeds, quick=quick)
    return rows


def _measured(
    question: Question, data: Path, home: Path, *, seeds: Sequence[int], quick: bool
) -> list[Figure]:
    out = home / f"grades-{question.kind}-runs"
    order = "<".join(question.order)
    told = ("--column", f"grade={question.column}", "--labels", f"{question.column}={order}")
    options = (
        *told,
        "--target",
        question.column,
        "--split",
        str(_split(data, out)),
        *(TINY if quick else ()),
    )
    limit = _quick.LIMIT if quick else LIMIT
    found = _arms.carried_out(
        data / "cohort.csv", ARMS, out, seeds=seeds, limit=limit, options=options, test_split=not quick
    )
    made = _beside(question, data, found["classify"][0].card)
    made += [_renamed(f, question) for f in _arms.figures(found, FIGURES)]
    for arm in ("corn", "cumulative"):
        for name in FIGURES:
            apart = _arms.difference(found["classify"], found[arm], name)
            made.append(_apart(question, f"{arm} less classify: {name}", apart, len(seeds)))
        apart = _arms.difference(found["classify"], found[arm], "kappa", seen=_by_median)
        made.append(_apart(question, f"{arm} less classify called by its median: kappa", apart, len(seeds)))
    return made


def _split(data: Path, out: Path) -> Path:
    """Return a CSV that tests on every fourth patient, the same of every arm and seed."""
    path = out / "split.csv"
    if not path.is_file():
        out.mkdir(parents=True, exist_ok=True)
        with (data / "cohort.csv").open(newline="", encoding="utf-8") as file:
            cases = [(row["case"], row["patient"]) for row in csv.DictReader(file)]
        place = {patient: k for k, patient in enumerate(dict.fromkeys(p for _, p in cases))}
        rows = [[case, "test" if place[p] % TESTED == TESTED - 1 else "train"] for case, p in cases]
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["case", "split"], *rows])
    return path


def _by_median(rows: Rows) -> Rows:
    """Return the rows with the median grade called, whatever was."""
    return replace(rows, columns={**rows.columns, "decided": grades.median(rows["p"])})


def _beside(question: Question, data: Path, card: Scorecard) -> list[Figure]:
    """Return what the truth's own rule and the median training grade come to on the test cases."""
    tested = {str(case["case"]) for case in card.cases}
    cases = json.loads((data / "truth.json").read_text())["cases"]
    truths = [t for t in cases if t["id"] in tested]
    y = _places(question, [t[question.truth] for t in truths])
    learned = _places(question, [t[question.truth] for t in cases if t["id"] not in tested])
    median = int(grades.median(np.bincount(learned, minlength=len(question.order)) / len(learned)))
    called = {
        "the oracle, which reads the truth": _places(question, [question.oracle(t) for t in truths]),
        "the median of the training cases": np.full(len(y), median),
    }
    made = []
    for what, places in called.items():
        found = _kappa(places, y, question.order)
        value = "not defined" if np.isnan(found["kappa"]) else f"{found['kappa']:.4f}"
        note = f"error in grades {found['mae']:.4f}, n {len(y)}"
        made.append(Figure(f"{question.kind}: kappa of {what}", value, note=note))
    return made


def _places(question: Question, names: Sequence[str]) -> Array:
    return np.array([question.order.index(name) for name in names])


def _kappa(called: Array, y: Array, order: Sequence[str]) -> Mapping[str, float]:
    rows = scores.from_arrays(np.eye(len(order))[called], y, labels=order, kind="ordinal")
    return scores.summary(rows, np.arange(len(y)))


def _renamed(figure: Figure, question: Question) -> Figure:
    return replace(figure, what=f"{question.kind}: {figure.what}")


def _apart(question: Question, what: str, found: Interval, runs: int) -> Figure:
    note = f"mean of {runs} seeds, paired by patient, n {found.n}"
    return Figure(f"{question.kind}: {what}", _fits.interval(found), note=note)


def never_cross() -> list[Figure]:
    """Return how often chances to lie above a grade rise, of random outputs as large as a type holds."""
    rows = []
    for head in ("corn", "cumulative"):
        for dtype in (torch.float32, torch.bfloat16):
            least, off, crossings = 1.0, 0.0, 0
            for scale in (1.0, 30.0, 1e4):
                p = grades.answered(_random(head, scale, dtype), 1.0)
                least, off = min(least, float(p.min())), max(off, float(np.abs(p.sum(axis=1) - 1).max()))
                crossings += int((np.diff(grades.above(p), axis=1) > 0).sum())
            what = f"{head}, {str(dtype).removeprefix('torch.')}: crossings of {INPUTS} inputs at each of 3 scales"
            note = f"least probability {least:.3g}, sum off by {off:.1e} at most"
            rows.append(
                Figure(what, str(crossings), "0", crossings == 0 and least >= 0 and off < 1e-9, note=note)
            )
    return rows


def _random(head: str, scale: float, dtype: torch.dtype) -> Array:
    made = torch.Generator().manual_seed(int(scale))
    outputs = torch.randn((INPUTS, GRADES - 1 if head == "corn" else 1), generator=made) * scale
    outputs[:100] = torch.finfo(dtype).max * outputs[:100].sign()
    if head == "corn":
        return grader.conditional(outputs.to(dtype)).numpy()
    cuts = (torch.rand(GRADES - 1, generator=made) + grader.GAP).cumsum(0) - 1
    return grader.linked(outputs.to(dtype), cuts.to(dtype)).numpy()
