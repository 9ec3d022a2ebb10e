"""Calls: what a yes or no about a label is worth to a person, kept in a scorecard and shown in a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from itertools import product
from typing import Any, NamedTuple

from vesalius import metrics
from vesalius.answers.drawing import figures as draw
from vesalius.answers.drawing.figures import Figure
from vesalius.answers.drawing.panels import Call, Cell, Odds, Table, share
from vesalius.core.calibration import KEPT_AT
from vesalius.core.called import called_by
from vesalius.core.image import Array
from vesalius.core.scorecard import Scorecard
from vesalius.metrics import Interval

CLINICAL = 20  # labels at most of which a clinician's tables speak
OTHER = {"sensitivity": "specificity", "specificity": "sensitivity"}
RATES = ("sensitivity", "specificity", "ppv_even", "npv_even")
ACT_AT = tuple(round(0.02 * k, 2) for k in range(1, 50))  # thresholds of the decision curve
ODDS_SAY = (
    "How often a call is right depends on how common the finding is among those who are asked. Rates of 0 or 100 % "
    "have Wilson's interval, each case by itself. "
)
CHOSEN_BEFORE = (
    "The thresholds were chosen on validation cases, and these rates measured on the cases of this report: a rate that "
    "was to be kept may lie lower here."
)
CHOSEN_HERE = (
    "No threshold was chosen beforehand: these points are read off the ROC curve of the very cases of this report (in "
    "the intervals, of each resample), and are therefore somewhat too good."
)
DECISION_SAYS = (
    "Vickers and Elkin 2006: what acting on the model's calls gains, in true positives a case, where a person acts "
    "from that probability on. "
)
DECISION_ALONE = (
    "It is worth having above both other lines: acting on everybody and on nobody. The band is 95 %."
)
DECISION_OTHERS = "Below 0, acting on nobody is better. A curve a finding; the scorecard has their intervals."


class Question(NamedTuple):
    """A label that is asked after: what is so (1, 0, or -1 where nobody knows), its probability, what was called."""

    label: str
    truth: Array
    chance: Array
    called: Array


def kept_of(
    questions: Sequence[Question],
    judged: Callable[..., dict[str, Interval]],
    fixed: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the rates of each call, the rates where one of them is kept, and the decision curve, by label."""
    found: dict[str, Any] = {"calls": {}, "decision": {}}
    for label, truth, chance, called in questions[:CLINICAL]:
        if not (truth == 1).any() or not (truth == 0).any():
            continue
        having, lacking = int((truth == 1).sum()), int((truth == 0).sum())
        bounded = partial(metrics.bounded_rates, having=having, lacking=lacking)
        stands = metrics.Standing(
            frozenset(RATES[:2]), {"sensitivity": (truth == 1,), "specificity": (truth == 0,)}
        )
        judge = partial(judged, standing=stands)
        own = bounded(judge(metrics.rates_at(truth, called, 0.5)))
        points, kept = (fixed.get("points") or {}).get(label, {}), []
        for keep, at in product(("specificity", "sensitivity"), KEPT_AT):
            threshold = points.get(keep, {}).get(f"{at:g}")
            rule = metrics.rates_kept(truth, chance, keep=keep, at=at)
            if threshold is not None:
                rule = metrics.rates_at(truth, chance, threshold)
            kept.append({"keep": keep, "at": at, "threshold": threshold, **_stored(bounded(judge(rule)))})
        known = float((truth == 1).sum() / (truth >= 0).sum())
        found["calls"][label] = {"own": _stored(own), "kept": kept, "share": known}
        found["decision"][label] = _decision(judged(metrics.net_benefit(truth, chance, ACT_AT)))
    return found if found["calls"] else {}


def panels(card: Scorecard) -> list[Figure | Table | Odds]:
    """Return what a call means at a prevalence, the rates where one of them is kept, and the decision curve."""
    calls: Mapping[str, Any] = card.clinical.get("calls", {})
    if not calls:
        return []
    nice = called_by([*card.labels, *calls])
    shown = [
        Call(nice[label], one["share"], *(Interval(**one["own"][rate]) for rate in RATES))
        for label, one in calls.items()
    ]
    says = DECISION_SAYS + (DECISION_ALONE if len(calls) == 1 else DECISION_OTHERS)
    return [
        Odds("What a call means", shown, ODDS_SAY + _says(card)),
        _kept_table(calls, nice),
        Figure("Decision curve", draw.decision(card.clinical["decision"]), says),
    ]


def _decision(net: Mapping[str, Interval]) -> dict[str, list[float | None]]:
    columns = (
        ("net", "net", "value"),
        ("low", "net", "low"),
        ("high", "net", "high"),
        ("all", "all", "value"),
    )
    places = range(len(ACT_AT))
    drawn: dict[str, list[float | None]] = {"at": list(ACT_AT)}
    for key, which, part in columns:
        drawn[key] = [_rounded_or_none(getattr(net[f"{which}/{k}"], part)) for k in places]
    return drawn


def _says(card: Scorecard) -> str:
    """Return by which rule a call is made, in words."""
    if card.thresholds:
        return "A call is made by the thresholds that were fixed on validation cases."
    if card.clinical.get("own_thresholds"):
        return "A call is made by the threshold of each case's group of patients, fixed on validation cases."
    return "A call is what the model answers: no threshold was fixed."


def _kept_table(calls: Mapping[str, Any], nice: Mapping[str, str]) -> Table:
    """Return for each label the rate that is left where the other is kept, and what the kept one comes to here."""
    rows, here = [], False
    for label, one in calls.items():
        cells = [Cell(nice[label])]
        for point in one["kept"]:
            keep, other = point["keep"], OTHER[point["keep"]]
            left, kept = share(Interval(**point[other])), share(Interval(**point[keep]))
            here |= point["threshold"] is None
            cells.append(Cell(left.text, left.number, f"{left.under}\n{keep} {kept.text}\n{kept.under}"))
        rows.append(cells)
    first = next(iter(calls.values()))["kept"]
    heads = [f"{OTHER[k['keep']]}, to keep a {k['keep']} of {k['at']:.0%}" for k in first]
    return Table(
        "If one rate has to be kept",
        ("finding", *heads),
        rows,
        CHOSEN_HERE if here else CHOSEN_BEFORE,
        wide=True,
    )


def _stored(found: Mapping[str, Interval]) -> dict[str, Any]:
    return {name: asdict(interval) for name, interval in found.items()}


def _rounded_or_none(value: float | None) -> float | None:
    return None if value is None else round(value, 5)
