"""The verdict: what a scorecard comes to, in a sentence or two, before any table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vesalius.core.called import called_by
from vesalius.core.scorecard import Scorecard
from vesalius.core.words import counted
from vesalius.evaluate.standing import WORDS, unproven

OPEN, WARN, BAD = "open", "warn", "bad"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be thought of a scorecard: `tone` is good, open, warn or bad; `text` and `more` are sentences."""

    tone: str
    text: str
    more: str = ""


def verdict(card: Scorecard, tiles: list[dict[str, Any]], labels: dict[str, Any]) -> Verdict:
    """Return the verdict by the first headline that can be compared with the trivial answer's.

    `tiles` are the headlines in words, `labels` the figures by label (`report.tile`, `report.by_label`).
    """
    usable = [t for t in tiles if t["raw"] is not None]
    if not usable:
        return Verdict(WARN, f"No figure tells how good the answers to {_cases(card)} are.", _but(card))
    lead = next((t for t in usable if t["standing"] is not None), usable[0])
    said = f"{lead['value']}{' ' + lead['unit'] if lead['unit'] else ''}"
    if lead["interval"]:
        said += f" (95 % interval {lead['interval']})"
    of = f" for “{called_by(card.labels).get(card.positive, card.positive)}”" if card.positive else ""
    text = f"On {_cases(card)}, {lead['sentence']}{of} is {said}"
    if lead["baseline"]:
        text += f"; the trivial answer{f' ({card.baseline_is})' if card.baseline_is else ''} has {lead['baseline']}"
    if lead["standing"] is None:
        text, tone = f"{text}.", OPEN
    else:
        words = WORDS[lead["standing"]]
        text, tone = f"{text}, which {words.which}.", words.tone
    return Verdict(
        BAD if tone == BAD else WARN if card.banners else tone,
        text,
        " ".join(filter(None, (_but(card), _narrow(card, lead), _weakest(lead, labels)))),
    )


def _cases(card: Scorecard) -> str:
    people = f" of {counted(card.n_patients, 'patient')}" if card.patients_known else ""
    return f"{counted(card.n_cases, f'{card.split} case')}{people}"


def _but(card: Scorecard) -> str:
    """Return what takes from the verdict: the kinds of banner that stand below."""
    kinds = list(dict.fromkeys(b.kind for b in card.banners))
    return f"Do not rely on it before reading what stands below: {', '.join(kinds)}." if kinds else ""


def _narrow(card: Scorecard, lead: dict[str, Any]) -> str:
    """Return what an interval without a width means of few cases."""
    found = card.metrics[lead["key"]]
    if unproven(found, card.n_patients):
        return (
            "The interval has no width, as every draw of these few cases gives the same: it proves nothing."
        )
    return ""


def _weakest(lead: dict[str, Any], labels: dict[str, Any]) -> str:
    """Return for which label the same metric is best and for which it is worst, where there are several."""
    metric = lead["key"]
    held = {}
    for label, cells in labels["rows"]:
        for one in cells:
            if one is not None and one["key"].startswith(f"{metric}/") and one["raw"] is not None:
                held[label] = one
    if len(held) < 2 or lead["better"] not in ("higher", "lower"):
        return ""
    ranked = sorted(held, key=lambda name: held[name]["raw"], reverse=lead["better"] == "higher")
    best, worst = ranked[0], ranked[-1]
    return f"Best on {best} ({held[best]['value']}), weakest on {worst} ({held[worst]['value']})."
