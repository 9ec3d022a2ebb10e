"""Degraded: how a bundle's figures fall under each degradation, and whether a restoration helps; numbers and words."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from vesalius.answers import contract
from vesalius.core import page as pages
from vesalius.core.disk import write_text
from vesalius.core.errors import DataError
from vesalius.core.interval import Interval
from vesalius.core.numbers import finite
from vesalius.core.scorecard import Scorecard
from vesalius.evaluate.comparison import number, signed
from vesalius.evaluate.paired import Difference, apart, differences, directed, together

TEMPLATE = Path(__file__).parent / "templates" / "degrade.html.j2"
JSON, PAGE = "degrade.json", "degrade.html"
WORSE, BETTER, UNDECIDED = "worse", "better", "undecided"


@dataclass(frozen=True, slots=True)
class Step:
    """One figure at one amount of a degradation, on the same cases as without it.

    `change` is this figure less that of the images as they are, paired by patient; `verdict` says whether it is worse
    by its interval. `restored` is the figure after a restoration, `gain` that less `figure`, `helps` what it came to;
    None and empty where nothing restores. `reason` says why there is no figure.
    """

    amount: float
    figure: Interval | None
    change: Difference | None
    verdict: str
    restored: Interval | None = None
    gain: Difference | None = None
    helps: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Curve:
    """One figure under one degradation, the mildest amount first.

    `unit` is what amounts are counted in, `none` the amount that changes nothing. `limit` is the figure at which the
    stated loss is reached, and `crosses` the amount there, between two that were measured by a straight line; None
    where it was not reached. `worse_from` is the first amount from which on every one is worse by its interval.
    """

    degradation: str
    metric: str
    called: str
    better: str
    unit: str
    none: float
    clean: Interval
    steps: tuple[Step, ...]
    limit: float | None = None
    crosses: float | None = None
    worse_from: float | None = None

    @property
    def sentence(self) -> str:
        """What it came to, in a sentence."""
        where = f"{self.degradation} ({self.unit})"
        known = [s for s in self.steps if s.figure is not None]
        if not known:
            return f"{self.called} under {where}: not measured: {self.steps[0].reason if self.steps else 'nothing'}"
        if self.limit is None:
            lost = "no loss can be stated of it"
        elif self.crosses is None:
            lost = f"stays on the right side of {number(self.limit)} up to {known[-1].amount:g}"
        else:
            lost = f"reaches {number(self.limit)} at about {self.crosses:.3g}"
        sure = "" if self.worse_from is None else f"; worse by its interval from {self.worse_from:g} on"
        return f"{self.called} under {where}: {lost}{sure}"


@dataclass(frozen=True, eq=False)
class Degraded:
    """How the figures of a bundle fall on the same `n_cases`: a curve for each degradation and figure.

    `loss` says which loss was asked after, in words; `restorer` is the name of the bundle that restored, empty for
    none. `notes` must be read before the figures.
    """

    bundle: str
    bundle_hash: str
    data_hash: str
    answer: str
    target: str | None
    split: str
    n_cases: int
    n_patients: int
    patients_known: bool
    loss: str
    curves: tuple[Curve, ...]
    notes: tuple[str, ...] = ()
    restorer: str = ""
    restorer_hash: str = ""
    clean_restored: Mapping[str, Step] = field(default_factory=dict)
    resamples: int = 1000
    seed: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON takes it."""
        found = asdict(self)
        for curve, plain in zip(self.curves, found["curves"], strict=True):
            plain["sentence"] = curve.sentence
        return {**found, "verdicts": list(self.verdicts)}

    @property
    def verdicts(self) -> tuple[str, ...]:
        """What each curve came to, and what a restoration does, a sentence each."""
        return (*(curve.sentence for curve in self.curves), *self._of_restoring())

    def _of_restoring(self) -> list[str]:
        if not self.restorer:
            return []
        found = []
        for metric in dict.fromkeys(c.metric for c in self.curves):
            own = [c for c in self.curves if c.metric == metric]
            told = [(c, s) for c in own for s in c.steps if s.helps]
            parts = []
            for verdict, words in (
                (BETTER, "helps at"),
                (WORSE, "harms at"),
                (UNDECIDED, "makes no difference that is sure at"),
            ):
                at = [f"{c.degradation} {s.amount:g}" for c, s in told if s.helps == verdict]
                parts += [f"{words} {', '.join(at)}"] if at else []
            clean = self.clean_restored.get(metric)
            if clean is not None and clean.helps:
                parts.append(f"of images as they are it is {clean.helps}")
            found.append(
                f"{self.restorer} before it, by {own[0].called}: {'; '.join(parts) or 'not measured'}"
            )
        return found


def paired(first: Scorecard, second: Scorecard, *, resamples: int, seed: int) -> dict[str, Difference]:
    """Return every figure of the second card less the first, on the same cases. Raises DataError where they differ."""
    handling = contract.of(first.answer)
    one, other = handling.again(first), handling.again(second)
    if one is None or other is None:
        raise DataError(f"scorecards of {first.answer} do not hold the figures of single cases")
    known = all(i in first.patients for i in one.case_ids)
    patients = [first.patients[i] if known else f"case {i}" for i in one.case_ids]
    rows = together(first.answer, one, other)
    return differences(
        first.answer, rows, patients=patients, names=("clean", "degraded"), resamples=resamples, seed=seed
    )


def verdict(answer: str, name: str, change: Difference | None) -> str:
    """Return whether a figure got worse, better, or nothing sure; empty where nobody knows which way is better."""
    way = directed(answer, name)
    if change is None or change.difference is None or not way:
        return ""
    if not apart(change):
        return UNDECIDED
    return BETTER if (change.difference > 0) == (way == "higher") else WORSE


def with_limits(curve: Curve, loss: float, *, relative: bool) -> Curve:
    """Return a curve with where it crosses a loss, as a share of the clean figure or in its own unit."""
    value = curve.clean.value
    worse_from = None
    for step in reversed(curve.steps):
        if step.verdict != WORSE:
            break
        worse_from = step.amount
    curve = replace(curve, worse_from=worse_from)
    if value is None or curve.better not in ("higher", "lower") or (relative and value == 0):
        return curve
    by = abs(value) * loss if relative else loss
    limit = value - by if curve.better == "higher" else value + by
    return replace(curve, limit=limit, crosses=crossing(curve, limit))


def crossing(curve: Curve, limit: float) -> float | None:
    """Return the amount at which a curve first reaches a figure, along straight lines from the clean figure on."""
    points = [(curve.none, curve.clean.value)]
    points += [(s.amount, s.figure.value) for s in curve.steps if s.figure is not None]
    known = [(x, y) for x, y in points if y is not None]
    sign = 1 if curve.better == "higher" else -1
    for (x0, y0), (x1, y1) in itertools.pairwise(known):
        if sign * (y1 - limit) <= 0:
            return x1 if y0 == y1 else x0 + (x1 - x0) * (limit - y0) / (y1 - y0)
    return None


def write(found: Degraded, folder: Path) -> dict[str, Path]:
    """Write `degrade.json` and `degrade.html` into a folder, in place of earlier ones. Raises OutputError."""
    write_text(folder / JSON, json.dumps(finite(found.to_json()), indent=1, allow_nan=False) + "\n")
    write_text(folder / PAGE, drawn_page(found))
    return {"table": folder / JSON, "page": folder / PAGE}


def drawn_page(found: Degraded) -> str:
    """Return the page: the verdicts, a drawing for each degradation and figure, and a table."""
    from vesalius.answers.drawing.falling import falling

    panels = [{"curve": c, "svg": falling(c), "rows": [shown(s) for s in c.steps]} for c in found.curves]
    return pages.render(
        TEMPLATE,
        found=found,
        panels=panels,
        metrics=list(dict.fromkeys(c.called for c in found.curves)),
        clean={c.called: str(c.clean) for c in found.curves},
        as_they_are={
            c.called: [shown(found.clean_restored[c.metric])] if c.metric in found.clean_restored else []
            for c in found.curves
        },
    )


def shown(step: Step) -> dict[str, str]:
    """Return one line of the table as texts."""
    return {
        "amount": f"{step.amount:g}",
        "figure": "–" if step.figure is None else str(step.figure),
        "change": _change(step.change),
        "verdict": step.verdict or step.reason or "–",
        "restored": "–" if step.restored is None else str(step.restored),
        "gain": _change(step.gain),
        "helps": step.helps or "–",
    }


def _change(found: Difference | None) -> str:
    if found is None or found.difference is None:
        return "–"
    span = "" if found.low is None else f" ({signed(found.low)} to {signed(found.high)})"
    return signed(found.difference) + span


def curve_of(
    name: str,
    metric: str,
    *,
    unit: str,
    none: float,
    clean: Scorecard,
    steps: Sequence[Step],
) -> Curve:
    """Return the curve of one figure under one degradation, without its limits (`with_limits`)."""
    head, _, label = metric.partition("/")
    words = contract.of(clean.answer).metric_names.get(head, head.replace("_", " "))
    return Curve(
        degradation=name,
        metric=metric,
        called=f"{words}, {label}" if label else words,
        better=directed(clean.answer, metric),
        unit=unit,
        none=none,
        clean=clean.metrics[metric],
        steps=tuple(steps),
    )
