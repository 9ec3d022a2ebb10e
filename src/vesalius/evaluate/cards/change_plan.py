"""The change-control plan: what may change in a model that is in use, how a change is proven, and what it may do.

Its three parts are those of the FDA's final guidance of December 2024 on predetermined change control plans for
software functions that use AI: description of modifications, modification protocol, impact assessment. It is a draft
from what is known; nothing here says that an authority has agreed to it.
"""

from __future__ import annotations

from vesalius.answers.drawing.panels import Cell, Table
from vesalius.core.called import called_by
from vesalius.core.scorecard import Interval, Scorecard
from vesalius.core.words import counted
from vesalius.evaluate.cards.entries import OPEN, Entry, Section, known, not_measured, stated
from vesalius.evaluate.cards.known import Known
from vesalius.evaluate.cards.model_card import BY, SHOWN
from vesalius.evaluate.paired import directed
from vesalius.evaluate.report import headlines, metric_name, number
from vesalius.evaluate.standing import BEATEN, standing, unproven

DRAFT = "A draft from what is known of this model. No authority has agreed to it."
UNKNOWN = "not known"
VALIDATION = "on validation cases of the new fit alone"


def sections(k: Known) -> tuple[Section, ...]:
    """Return the three parts of the plan."""
    return (_modifications(k), _protocol(k), _impact(k))


def _modifications(k: Known) -> Section:
    nice = called_by(k.labels)
    thresholds = dict(k.calibration.get("thresholds") or {})
    points = ", ".join(f"{nice.get(label, label)} {float(at):.3g}" for label, at in thresholds.items())
    data, weights = (k.hashes.get(name, "")[:SHOWN] for name in ("data", "weights"))
    rows = (
        (
            "training data",
            f"hash {data}" if data else UNKNOWN,
            "more cases of the same kind: same labels, modality and unit, read the same way",
        ),
        (
            "weights",
            f"SHA-256 {weights}" if weights else UNKNOWN,
            "trained anew with the same plan (plan.json), but for its number of steps and its seed",
        ),
        (
            "calibration",
            f"fitted on {k.calibrated_on}" if k.calibrated else "none",
            f"fitted anew, {VALIDATION}",
        ),
        ("thresholds", points or "none", f"fixed anew, {VALIDATION}"),
    )
    entries = [
        Entry(
            "not covered",
            "another task, net, label, modality or intended use: that is another model, with a card of its own",
        ),
        stated("who changes it, how often and where", k.about, "changes"),
    ]
    table = _table("What a new fit may change", ("part", "now", "what may change"), rows)
    return Section("modifications", "Description of modifications", entries, [table])


def _protocol(k: Known) -> Section:
    bounds = acceptance(k.scorecard)
    entries = [
        Entry(
            "data",
            "`vesalius inspect` finds no error in the new data; their hash and their folds are kept with the run",
        ),
        _same_cases(k.scorecard),
        Entry(
            "retraining",
            "`vesalius fit` with this model's plan.json; every other value has a reason in the new plan",
        ),
        Entry(
            "comparison",
            "`vesalius compare OLD NEW`: each difference on the same cases with its interval and a test; the change is "
            "refused where OLD is better",
        ),
        _accepted(k.scorecard, bounds),
        Entry(
            "groups",
            f"the same figures by {k.grouped_by}, and no gap that is wider than now",
            where="Subgroups",
        )
        if k.subgroups
        else not_measured("groups", BY),
        Entry("self-test", "`vesalius selftest` passes where the model will run")
        if k.has("selftest")
        else not_measured("self-test", "the bundle holds none"),
        Entry("rollback", _rollback(k)),
        stated("watching it in use", k.about, "monitoring"),
    ]
    return Section("protocol", "Modification protocol", entries, [bounds] if bounds else [])


def _same_cases(card: Scorecard | None) -> Entry:
    if card is None:
        return not_measured("same test cases", "`vesalius evaluate` first, on cases that are kept for this")
    cases = f"{counted(card.n_cases, f'{card.split} case')} of the data with hash {card.data_hash[:SHOWN]}"
    return Entry(
        "same test cases", f"{cases}; no later fit may train on them: `vesalius fit --init` keeps them apart"
    )


def _accepted(card: Scorecard | None, bounds: Table | None) -> Entry:
    """Return whether there are bounds, open where what they stand on is itself in doubt."""
    if card is None or bounds is None:
        return not_measured("acceptance", "no figure here has an interval that a bound can be taken from")
    if card.banners:
        kinds = ", ".join(dict.fromkeys(b.kind for b in card.banners))
        return Entry("acceptance", f"the bounds of the table stand on figures in doubt: {kinds}", OPEN)
    return Entry("acceptance", "every bound of the table holds, on the same test cases", where="Acceptance")


def _rollback(k: Known) -> str:
    digest = k.hashes.get("bundle", "")[:SHOWN]
    which = f"hash {digest}" if digest else f"weights {k.hashes.get('weights', '')[:SHOWN]}"
    return f"the bundle of now ({which}) is kept; opening it checks every byte, and answers name their bundle"


def acceptance(card: Scorecard | None) -> Table | None:
    """Return the bounds that a changed model must keep: no main figure beyond the worse end of its interval of now.

    A figure without an interval, with one that has no width, or that the trivial answer has not clearly lost to gives
    no bound: it would let anything pass. None where no figure gives one.
    """
    if card is None:
        return None
    rows = []
    for name in headlines(card):
        found, way = card.metrics[name], directed(card.answer, name)
        end = bound(found, way, patients=card.n_patients)
        if end is None or standing(card, name) not in (BEATEN, None):
            continue
        now = f"{number(found.value)} ({number(found.low)} to {number(found.high)})"
        sign = "≥" if way == "higher" else "≤"
        rows.append((metric_name(card, name), now, f"{sign} {number(end)}", str(found.n)))
    text = "The bound is the worse end of the interval of now. It is coarse: the test of `compare` must hold, too."
    heads = ("figure", "now, with its 95 % interval", "a changed model must have", "n")
    return _table("Acceptance", heads, tuple(rows), text) if rows else None


def bound(found: Interval, way: str, *, patients: int | None = None) -> float | None:
    """Return the worse end of an interval; None where it has none, proves nothing, or nothing says what is worse."""
    if found.low is None or found.high is None or way not in ("higher", "lower") or unproven(found, patients):
        return None
    return found.low if way == "higher" else found.high


def _impact(k: Known) -> Section:
    rows = (
        (
            "training data",
            "more of the patients that it is for",
            "a shift towards one site or group; wrong labels",
            "inspect; figures by group; the same test cases",
        ),
        (
            "weights",
            "fewer errors on the same kind of image",
            "other errors than before, unseen in the mean",
            "compare, case by case; acceptance bounds; self-test",
        ),
        (
            "calibration and thresholds",
            "probabilities and calls that fit the new cases",
            "more missed or more false calls",
            "fitted on cases that the weights never saw; sensitivity and specificity with intervals",
        ),
        (
            "all of them together",
            "–",
            "small changes that each pass and add up",
            "each change is also held against the first model of this plan",
        ),
    )
    entries = [
        stated("what a wrong answer does to a patient", k.about, "risks"),
        stated("groups that may be served worse", k.about, "fairness", "inequalities"),
        known(
            "benefit against risk", "", ask="the judgement of benefit and risk, with and without the change"
        ),
    ]
    table = _table("What a change may do", ("change", "benefit", "risk", "what finds it"), rows)
    return Section("impact", "Impact assessment", entries, [table])


def _table(title: str, heads: tuple[str, ...], rows: tuple[tuple[str, ...], ...], text: str = "") -> Table:
    return Table(title, heads, [[Cell(text) for text in row] for row in rows], text)
