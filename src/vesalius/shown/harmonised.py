"""How what came of harmonising is shown: what must be read first, then the spread and what is told after each way."""

from __future__ import annotations

from html import escape

from vesalius.answers.drawing.lines import Line
from vesalius.core.words import counted
from vesalius.shown.contract import View, facts
from vesalius.verbs.harmonise import Harmonised


class HarmonisedView(View[Harmonised]):
    """What ways of harmonising came to."""

    def name(self, thing: Harmonised) -> str:
        """Return what the data are called."""
        return thing.data

    def before(self, thing: Harmonised) -> str:
        """Return how the figures are to be read."""
        return "".join(f"<p>{escape(text)}</p>" for text in thing.said)

    def lines(self, thing: Harmonised) -> list[Line]:
        """Return what was looked at, then a line for each way."""
        each = ", ".join(f"{name} {n}" for name, n in thing.scanners.items())
        return [
            *facts(
                (thing.of, f"of {counted(thing.patients, 'patient')}"),
                (thing.by, each),
                ("threshold", "none" if thing.threshold is None else f"{thing.threshold:g}"),
                ("chosen", thing.chosen or "none"),
            ),
            *(
                Line(
                    one.method,
                    one.failed
                    if one.spread is None
                    else f"spread {one.spread.value}; {thing.by} told with AUC {one.told and one.told.auc}",
                )
                for one in thing.tried
            ),
        ]


VIEW = HarmonisedView()
