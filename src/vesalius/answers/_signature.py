"""What a risk adds to factors that are known of the cases anyway: kept in a scorecard, and shown in a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from vesalius.answers.contract import FACTORS, Panel
from vesalius.answers.drawing import figures as draw
from vesalius.answers.drawing.figures import Figure
from vesalius.answers.drawing.nomogram import nomogram as rulers
from vesalius.answers.drawing.panels import Cell, Table, figure, measured
from vesalius.core.called import written
from vesalius.core.errors import DataError
from vesalius.core.horizons import named
from vesalius.core.image import Array
from vesalius.core.numbers import finite
from vesalius.core.scorecard import Interval, Scorecard
from vesalius.core.words import counted, listed
from vesalius.metrics import Rows, bounds, resample
from vesalius.metrics import curve as judge
from vesalius.survival import added
from vesalius.survival.cox import Cox
from vesalius.survival.nomogram import nomogram
from vesalius.survival.observed import Observed
from vesalius.survival.scores import harrell_c
from vesalius.survival.signature import RISK, Known, Signature, signature, tabled, within

THRESHOLDS = tuple(round(0.05 * k, 2) for k in range(1, 20))
SHOWN = {RISK: "risk, a standard deviation more"}
RULER = {RISK: "risk (SD)"}
RATIOS_SAY = (
    "Cox models of these very cases, with 95 % intervals. A small p on the right: a ratio changes over time."
)
ADDED_SAYS = (
    "The risk has to come from a model that was trained on none of these cases. Both Cox models are fitted on nine "
    "tenths of them and scored on the last; intervals are paired by patient. The likelihood-ratio test is of the "
    "models of all of them."
)
NOMOGRAM_SAYS = (
    "Read a patient's points for each factor on the ruler on top, add them up, and look below the sum. The risk is in "
    "standard deviations from the mean of these cases. A drawing of this model, for research: it was held against no "
    "other patients."
)
DECISION_SAYS = "Net benefit of acting from a chance of the event on, by models of the other tenths."


# --- kept


def kept(rows: Rows, known: Known, people: Sequence[str], *, resamples: int, seed: int) -> dict[str, Any]:
    """Return what the risk of each event adds to `known` factors, as JSON takes it; where nothing can be said, why.

    `known` has a value of each row, `people` its patient.
    """
    drawn = resample(people, np.random.default_rng(seed), resamples)
    events = {event: _event(rows, event, known, people, drawn) for event in judge.events(rows)}
    return {"events": {event: dict(finite(one)) for event, one in events.items()}}


def _event(
    rows: Rows, event: str, known: Known, people: Sequence[str], drawn: Sequence[Array]
) -> dict[str, Any]:
    seen, at = judge.observed_of(rows, event)
    about = judge.judged(rows, event)
    asked = judge.asked_of(seen, about)
    risk = judge.column(rows, "risk", event)[at]
    fine = np.isfinite(risk)
    at, asked, risk = at[fine], asked.where(fine), risk[fine]
    try:
        table = tabled({name: [values[k] for k in at] for name, values in known.items()})
        asked, risk, at = asked.where(table.rows), risk[table.rows], at[table.rows]
        days = _day(about.horizons, asked)
        found = signature(risk, table, asked, days, people=[people[k] for k in at])
    except DataError as error:
        return {"reason": str(error)}
    place = {int(row): k for k, row in enumerate(at)}
    draws = [np.array([place[int(k)] for k in one if int(k) in place]) for one in drawn]
    return {
        "n": len(at),
        "events": int(asked.happened.sum()),
        "lacking": len(rows) - len(at),
        "left_out": dict(table.left_out),
        "days": days,
        "models": {"clinic": _ratios(found.clinic), "both": _ratios(found.both)},
        "proportional": {one.name: one.p for one in found.proportional},
        "test": asdict(found.test),
        **_scored(found, asked, draws),
        "decision": _decisions(found, asked),
        "nomogram": _nomogram(found, about.horizons or (days,)),
    }


def _day(horizons: Sequence[float], asked: Observed) -> float:
    """Return the middle one of the horizons; without any, the day by which half of the events happened."""
    if horizons:
        return float(horizons[len(horizons) // 2])
    if not asked.happened.any():
        raise DataError("nobody had the event")
    return float(np.median(asked.time_days[asked.happened]))


def _ratios(cox: Cox) -> list[dict[str, Any]]:
    return [asdict(one) for one in cox.hazard_ratios()]


def _scored(found: Signature, asked: Observed, draws: Sequence[Array]) -> dict[str, Any]:
    """Return C of both models with their change, and the net reclassification, with intervals."""
    n = len(asked)
    c = {name: _interval(risk, asked, draws) for name, risk in _both(found).items()}
    value, values = added.change(found.before, found.after, asked, draws=draws)
    c["change"] = bounds(value, values, n)
    before, after = found.free(found.before), found.free(found.after)

    def moved(index: Array) -> tuple[float, float]:
        one = added.reclassification(before[index], after[index], asked.where(index), found.days)
        return one.events, one.others

    whole, each = np.array(moved(np.arange(n))), np.array([moved(index) for index in draws]).reshape(-1, 2)
    parts = {name: bounds(float(whole[k]), each[:, k], n) for k, name in enumerate(("events", "others"))}
    parts["total"] = bounds(float(whole.sum()), each.sum(axis=1), n)
    return {
        "c": {name: asdict(one) for name, one in c.items()},
        "reclassified": {name: asdict(one) for name, one in parts.items()},
    }


def _both(found: Signature) -> dict[str, Array]:
    return {"clinic": found.before, "both": found.after}


def _interval(risk: Array, asked: Observed, draws: Sequence[Array]) -> Interval:
    drawn = np.array([harrell_c(risk[index], asked.where(index)) for index in draws])
    return bounds(harrell_c(risk, asked), drawn, len(asked))


def _decisions(found: Signature, asked: Observed) -> dict[str, Any]:
    limits = np.array(THRESHOLDS)
    curves = {
        name: added.decision_curve(found.free(risk), asked, found.days, limits)
        for name, risk in _both(found).items()
    }
    told = {name: curve.model.tolist() for name, curve in curves.items()}
    return {"at": list(THRESHOLDS), **told, "everybody": curves["both"].treat_all.tolist()}


def _nomogram(found: Signature, horizons: Sequence[float]) -> dict[str, Any]:
    """Return the nomogram of the model with the risk; its axes leave out the outermost values of single patients."""
    made = nomogram(found.both, within(found.x), [float(h) for h in horizons], factors=found.factors)
    return {
        "axes": [{"name": a.name, "values": list(a.values), "points": list(a.points)} for a in made.axes],
        "totals": made.totals.tolist(),
        "free": {named(day): free.tolist() for day, free in made.survival.items()},
    }


# --- shown


def panels(card: Scorecard) -> list[Panel]:
    """Return what the risk adds, hazard ratios, the nomogram and the decision curve; nothing where nothing is kept."""
    made: list[Panel] = []
    for event, told in card.clinical.get(FACTORS, {}).get("events", {}).items():
        lead = f"{written(event)}: " if event else ""
        if "reason" in told:
            rows = [(Cell(str(told["reason"])),)]
            made.append(Table(f"{lead}What the risk adds to the factors", ("not measured",), rows))
            continue
        made += [_added(lead, told, card), _table(lead, told)]
        axes = [dict(one, name=RULER.get(one["name"], one["name"])) for one in told["nomogram"]["axes"]]
        svg = rulers(axes, told["nomogram"]["totals"], told["nomogram"]["free"])
        made.append(Figure(f"{lead}Nomogram", svg, NOMOGRAM_SAYS, wide=True))
        made.append(_decision(lead, told))
    return made


def _added(lead: str, told: Mapping[str, Any], card: Scorecard) -> Table:
    """Return the C of both models, what the risk changes, and the tests."""
    day, test = named(told["days"]), told["test"]
    c, moved = told["c"], told["reclassified"]
    rows = [
        (Cell("C of the factors alone"), _measured(c["clinic"])),
        (Cell("C with the risk"), _measured(c["both"])),
        (Cell("change of C"), _measured(c["change"], signed=True)),
        (
            Cell("likelihood-ratio test"),
            Cell(_p(test["p"]), test["p"], f"χ² {figure(test['chi2'])}, df {test['df']}"),
        ),
        (Cell(f"net reclassification at {day}"), _measured(moved["total"], signed=True)),
        (Cell("of it among those with the event"), _measured(moved["events"], signed=True)),
        (Cell("of it among the others"), _measured(moved["others"], signed=True)),
    ]
    text = f"{counted(told['n'], 'case')}, {counted(told['events'], 'event')}. {ADDED_SAYS}"
    if saw := card.clinical[FACTORS].get("saw"):
        text += f" The model itself was given {listed(saw)}: its risk is not that of the image alone."
    if told["lacking"]:
        text += f" {counted(told['lacking'], 'case')} of which not all is known are left out."
    for name, why in told["left_out"].items():
        text += f" {written(name)} is left out: {why}."
    return Table(f"{lead}What the risk adds to the factors", ("", "figure"), rows, text)


def _table(lead: str, told: Mapping[str, Any]) -> Table:
    """Return hazard ratios without and with the risk, a row a column."""
    alone = {one["name"]: one for one in told["models"]["clinic"]}
    rows = []
    for one in told["models"]["both"]:
        name, changes = one["name"], told["proportional"].get(one["name"])
        cells = (_ratio(alone.get(name)), _ratio(one), Cell(_p(changes), changes))
        rows.append((Cell(SHOWN.get(name, written(name))), *cells))
    heads = ("for one more, or for yes", "factors alone", "with the risk", "changes over time")
    return Table(f"{lead}Hazard ratios", heads, rows, RATIOS_SAY)


def _ratio(one: Mapping[str, Any] | None) -> Cell:
    if one is None:
        return Cell("–")
    bounded = Interval(one["ratio"], one["low"], one["high"], 0)
    found = measured(bounded)
    return Cell(found.text, found.number, f"{found.under}; {_p(one['p'])}")


def _decision(lead: str, told: Mapping[str, Any]) -> Figure:
    found = told["decision"]
    names = {"clinic": "factors alone", "both": "with the risk", "everybody": "acting on all"}
    curves = {
        words: {"at": found["at"], "net": [_number(v) for v in found[key]]} for key, words in names.items()
    }
    text = f"{DECISION_SAYS} The event is within {named(told['days'])}."
    return Figure(f"{lead}Decision curve", draw.decision(curves), text)


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _measured(one: Mapping[str, Any], *, signed: bool = False) -> Cell:
    found = measured(Interval(**one))
    plus = "+" if signed and found.number is not None and found.number > 0 else ""
    return Cell(plus + found.text, found.number, found.under)


def _p(p: float | None) -> str:
    return "–" if p is None else "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
