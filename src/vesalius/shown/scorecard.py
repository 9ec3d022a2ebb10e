"""How a scorecard is shown: what must be read first, then every figure with its interval beside the trivial answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vesalius.answers import contract
from vesalius.answers.drawing.lines import Line
from vesalius.core.errors import UnknownName
from vesalius.core.scorecard import Interval, Scorecard
from vesalius.shown._markup import grid, warned
from vesalius.shown.contract import View, facts


class ScorecardView(View[Scorecard]):
    """A scorecard."""

    def name(self, thing: Scorecard) -> str:
        """Return the target and the split."""
        return f"{thing.target or thing.answer}, split '{thing.split}'"

    def before(self, thing: Scorecard) -> str:
        """Return the banners, and what is known of training cases among those scored."""
        said = "".join(warned(b.kind, b.text) for b in thing.banners)
        told = any(thing.overlap in b.text for b in thing.banners)
        return said + (warned("training cases", thing.overlap) if thing.overlap and not told else "")

    def lines(self, thing: Scorecard) -> list[Line]:
        """Return on what the figures stand."""
        at = thing.thresholds.get(thing.positive) if thing.positive else None
        return facts(
            ("cases", thing.n_cases),
            ("patients", thing.n_patients if thing.patients_known else "not known: each case counts as one"),
            ("positive", thing.positive and f"{thing.positive}{'' if at is None else f' from {at:.3f}'}"),
            ("unit", thing.unit),
            ("not counted", ", ".join(f"{reason}: {n}" for reason, n in thing.excluded.items() if n)),
        )

    def after(self, thing: Scorecard) -> str:
        """Return the figures."""
        return figures(thing)


def figures(card: Scorecard) -> str:
    """Return a table of the figures that stand on top of a report, and the others folded behind it."""
    handling = _handling(card.answer)
    names: Mapping[str, str] = handling.metric_names if handling else {}
    wanted = handling.headlines if handling else ()
    top = [n for n in wanted if n in card.metrics] or [n for n in card.metrics if "/" not in n]
    rest = sorted((n for n in card.metrics if n not in top), key=lambda name: "/" in name)
    more = f"<details><summary>{len(rest)} more figures</summary>{_table(card, rest, names)}</details>"
    return _table(card, top, names) + (more if rest else "")


def _table(card: Scorecard, metrics: Sequence[str], names: Mapping[str, str]) -> str:
    found = [(name, card.metrics[name]) for name in metrics]
    rows = [(_named(n, names), str(x), str(x.n), _text(card.baseline.get(n))) for n, x in found]
    trivial = f"trivial answer: {card.baseline_is}" if card.baseline_is else "trivial answer"
    return grid(("metric", "value (95 % interval)", "n", trivial), rows, len(rows))


def _handling(answer: str) -> contract.Handling[Any] | None:
    """Return what is done with answers of a kind; None for one of another package that is not here."""
    try:
        return contract.of(answer)
    except UnknownName:
        return None


def _named(name: str, names: Mapping[str, str]) -> str:
    metric, slash, label = name.partition("/")
    return f"{names.get(metric, metric.replace('_', ' '))}{f', {label}' if slash else ''}"


def _text(found: Interval | None) -> str:
    return "" if found is None else str(found)


VIEW = ScorecardView()
