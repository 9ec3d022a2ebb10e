"""Other ways to answer beside a model, as a report and a terminal show them: a table of rivals, and sentences."""

from __future__ import annotations

from collections.abc import Sequence

from vesalius.answers.drawing.figures import Figure
from vesalius.answers.drawing.forest import forest
from vesalius.answers.drawing.panels import Cell, Table, measured
from vesalius.core.scorecard import Scorecard
from vesalius.evaluate.gains_shown import called, gain_cell, interval_of, signed

SHOWN = 3  # figures of each rival in one table
SAYS = (
    "Each row holds another way to answer beside the model on the same cases, paired by patient: the difference is the "
    "model less the rival, so that one above 0 (of an error: below 0) says that the model is better. The nearest "
    "training case is the one whose image is most alike, by small copies; what it says is read from the data, for a "
    "bundle holds no training case. An oracle is told what is true, and no model can be expected to reach it."
)


def panels(card: Scorecard) -> list[Table]:
    """Return the tables of rivals, a few figures each; none of a card that has none."""
    names = _metrics(card)
    parts = [names[k : k + SHOWN] for k in range(0, len(names), SHOWN)]
    more = [str(card.rivals["without"])] if "without" in card.rivals else []
    more += [f"of training cases {card.rivals['most']} were looked at"] if "most" in card.rivals else []
    says = " ".join([SAYS, *(f"{m[:1].upper()}{m[1:]}." for m in more)])
    return [
        Table(
            "Other ways to answer", _heads(card, part), _rows(card, part), says if k == 0 else "", wide=True
        )
        for k, part in enumerate(parts)
    ]


def figures(card: Scorecard) -> list[Figure]:
    """Return the first figure of all ways to answer, one under the other, the model's own as a dashed line.

    None where there are fewer than two other ways: a table says that as well.
    """
    arms = [arm for arm in card.rivals.get("arms", ()) if "reason" not in arm]
    names = _metrics(card)
    if len(arms) < 2 or not names:
        return []
    name, label = names[0], called(card, names[0])
    rows = [(str(arm["name"]), interval_of(arm["figures"].get(name))) for arm in arms]
    svg = forest({label: rows}, {label: card.metrics[name]} if name in card.metrics else {})
    says = "Each way to answer with its interval; the dashed line is the model."
    return [Figure(f"{label}, of each way to answer", svg, says, wide=True)]


def _heads(card: Scorecard, names: Sequence[str]) -> list[str]:
    heads = ["answer", "n"]
    for name in names:
        heads += [called(card, name), "the model less it"]
    return heads


def _rows(card: Scorecard, names: Sequence[str]) -> list[tuple[Cell, ...]]:
    """Return a row a rival: of each figure its own, and the model's less it."""
    rows = []
    for arm in card.rivals.get("arms", ()):
        row = [Cell(str(arm["name"])), Cell(str(arm["n"]), arm["n"])]
        if "reason" in arm:
            rows.append((*row, Cell(str(arm["reason"])), *[Cell("–")] * (2 * len(names) - 1)))
            continue
        for name in names:
            row += [measured(interval_of(arm["figures"].get(name)))]
            row += [gain_cell(card, name, arm["differences"].get(name))]
        rows.append(tuple(row))
    return rows


def lines(card: Scorecard) -> list[str]:
    """Return the same for a terminal, a sentence a rival, by the first figure."""
    said = []
    names = _metrics(card)
    for arm in card.rivals.get("arms", ()):
        if "reason" in arm or not names:
            said.append(f"beside {arm['name']}: {arm.get('reason', 'no figure')}")
            continue
        name = names[0]
        text = f"{arm['name']}: {called(card, name)} {interval_of(arm['figures'].get(name))}"
        gain = arm["differences"].get(name)
        if gain is not None and gain["difference"] is not None:
            text += f"; the model less it {signed(gain)}"
        said.append(f"{text}, n = {arm['n']}")
    return said


def _metrics(card: Scorecard) -> list[str]:
    arms = card.rivals.get("arms", ())
    return list(dict.fromkeys(n for arm in arms for n in arm.get("figures", {})))
