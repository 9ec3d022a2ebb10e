"""Whether a model is as good as one more expert: its agreement with the experts beside theirs with one another.

Each expert in turn is taken out. How far the model agrees with the others is held against how far that expert does, in
the same cases (Calderon, Reichart, Dror 2025, arXiv 2501.10970, section 3), so that neither is judged by what it says
itself. Agreement is not truth: experts who err together agree, and so does a model that learned from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from vesalius.answers import contract
from vesalius.answers.drawing.panels import Cell, Table, measured
from vesalius.cohorts import ONE_EXPERT
from vesalius.cohorts.targets import contract as kinds
from vesalius.consensus.resampling import with_intervals
from vesalius.core.answers import Answer
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, Label
from vesalius.core.image import Array
from vesalius.core.interval import Interval
from vesalius.core.scorecard import Scorecard
from vesalius.core.words import counted

MARGIN = 0.05  # by how much less a model may agree and still be as good as one more expert
RESAMPLES = 1000
SAYS = (
    "Agreement of the model with the experts beside that of each expert with the others, in the same cases, paired by "
    "patient. Experts who err together agree, too, so that agreement is not truth."
)


def experts_in(cohort: Cohort, target: str | None) -> tuple[str, ...]:
    """Return the targets that are what single experts say, of the kind of `target`; none where there are not two."""
    import re

    if target is None or target not in cohort.targets:
        return ()
    drawn = kinds.of(cohort.targets[target].kind).drawn
    found = [
        t.name
        for t in cohort.targets.values()
        if t.name != target and re.fullmatch(ONE_EXPERT, t.name, re.I) and kinds.of(t.kind).drawn == drawn
    ]
    return tuple(found) if len(found) > 1 else ()


def in_learned_labels(cohort: Cohort, targets: Sequence[str], learned: Sequence[Label]) -> Cohort:
    """Return the cohort with what experts drew in the values of the labels that a bundle learned. Raises DataError."""
    for target in targets:
        kind = kinds.of(cohort.targets[target].kind)
        if kind.drawn:
            cohort = kind.aligned(cohort, target, learned)
    return cohort


class Among:
    """Collects how alike the model and the experts are, a case at a time; `targets` are those of the experts."""

    def __init__(self, targets: Sequence[str], kind: str) -> None:
        self.targets, self.handling = tuple(targets), contract.of(kind)
        self.patients: list[str] = []
        self.alike: list[Array] = []  # (E + 1, E): of each expert, and last of the model, with each expert

    def add(self, case: Case, answer: Answer) -> None:
        """Compare one answer with what each expert says, and these with one another."""
        own = self.handling.opinion(answer)
        if own is None:
            return
        said = [
            None if t not in case.targets else self.handling.truth(case.targets[t], case)
            for t in self.targets
        ]
        table = np.full((len(said) + 1, len(said)), np.nan)
        for j, other in enumerate(said):
            if other is None:
                continue
            table[-1, j] = self.handling.likeness(own, other)
            for i in range(j):
                if said[i] is not None:
                    table[i, j] = table[j, i] = self.handling.likeness(said[i], other)
        self.alike.append(table)
        self.patients.append(case.patient or case.id)

    def found(self, *, seed: int = 0) -> dict[str, Any]:
        """Return what a scorecard keeps; nothing where no case was seen by two experts."""
        if not self.alike:
            return {}
        every = np.stack(self.alike)  # (C, E + 1, E)
        each = [_taken_out(every, j) for j in range(len(self.targets))]  # model's and expert's, (C,) each
        known = np.stack([np.isfinite(a) & np.isfinite(b) for a, b in each])
        if not known.any():
            return {}
        model = _mean_of([np.where(k, a, np.nan) for (a, _), k in zip(each, known, strict=True)])
        experts = _mean_of([np.where(k, b, np.nan) for (_, b), k in zip(each, known, strict=True)])
        columns: dict[str, Array] = {"model": model, "experts": experts, "difference": model - experts}
        for name, (a, b), k in zip(self.targets, each, known, strict=True):
            columns[f"with/{name}"] = every[:, -1, self.targets.index(name)]
            columns[f"instead/{name}"] = np.where(k, a - b, np.nan)

        def figures(weights: Array) -> dict[str, float]:
            return {name: _mean(values, weights) for name, values in columns.items()}

        counts = {name: int(np.isfinite(values).sum()) for name, values in columns.items()}
        found = with_intervals(figures, self.patients, counts=counts, resamples=RESAMPLES, seed=seed)
        return {
            "experts": list(self.targets),
            "margin": MARGIN,
            "verdict": verdict(found["difference"]),
            "figures": {name: asdict(value) for name, value in found.items()},
        }


def with_experts(card: Scorecard, among: Among | None) -> Scorecard:
    """Return the scorecard with what was found among experts, where there are any."""
    found = {} if among is None else among.found(seed=card.seed)
    return replace(card, experts=found) if found else card


def verdict(difference: Interval) -> str:
    """Return `better`, `as good`, `worse` or `open`, by the interval of the model's agreement less the experts'."""
    if difference.low is None or difference.high is None:
        return "open"
    if difference.low > 0:
        return "better"
    if difference.high < 0 and difference.low < -MARGIN:
        return "worse"
    return "as good" if difference.low >= -MARGIN else "open"


def sentence(found: Mapping[str, Any]) -> str:
    """Return the answer to the question in one sentence."""
    own = {name: Interval(**v) for name, v in found["figures"].items()}
    means = {
        "better": "more than the experts agree with one another",
        "as good": f"as one more expert would, or by no more than {found['margin']:g} less",
        "worse": "less than one more expert would",
        "open": "which is too few cases to tell whether it is as one more expert would",
    }[found["verdict"]]
    n = counted(own["difference"].n, "case")
    return (
        f"The model agrees with the experts {own['model']}, the experts with one another {own['experts']}; "
        f"difference {own['difference']} in {n}: {means}."
    )


def panels(card: Scorecard) -> list[Table]:
    """Return the table of the model among the experts; none of a card that has no experts."""
    found = card.experts
    if not found:
        return []
    own = {name: Interval(**v) for name, v in found["figures"].items()}
    rows: list[tuple[Cell, ...]] = [
        (Cell("all experts"), measured(own["model"]), measured(own["experts"]), measured(own["difference"]))
    ]
    for name in found["experts"]:
        rows.append((Cell(name), measured(own[f"with/{name}"]), Cell("–"), measured(own[f"instead/{name}"])))
    heads = (
        "expert",
        "model's agreement with",
        "experts' with one another",
        "model in the expert's place, difference",
    )
    return [Table("Among the experts", heads, rows, f"{sentence(found)} {SAYS}", wide=True)]


def _taken_out(every: Array, expert: int) -> tuple[Array, Array]:
    """Return how far the model, and the expert, agree with all other experts, `(C,)` each, NaN where not known."""
    others = [k for k in range(every.shape[2]) if k != expert]
    model, own = every[:, -1][:, others], every[:, expert][:, others]
    both = np.isfinite(model) & np.isfinite(own)
    return _rows(np.where(both, model, np.nan)), _rows(np.where(both, own, np.nan))


def _rows(values: Array) -> Array:
    known = np.isfinite(values)
    many = known.sum(1)
    found: Array = np.divide(
        np.where(known, values, 0).sum(1), many, out=np.full(len(values), np.nan), where=many > 0
    )
    return found


def _mean_of(columns: Sequence[Array]) -> Array:
    return _rows(np.stack(columns, axis=1))


def _mean(values: Array, weights: Array) -> float:
    known = np.isfinite(values) & (weights > 0)
    return float(np.average(values[known], weights=weights[known])) if known.any() else float("nan")
