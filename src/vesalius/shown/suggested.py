"""How what `suggest` chose is shown: the cases to label with their pictures, in their order; and what was left out."""

from __future__ import annotations

from html import escape

from vesalius.answers.drawing.lines import Line
from vesalius.core.words import counted
from vesalius.explain.nearest import thumbnail
from vesalius.shown._markup import sheet
from vesalius.shown.contract import View, facts
from vesalius.verbs.suggest import Suggested, Suggestion

MOST = 200  # pictures of a page
APART = 20  # cases left out that a page names


class SuggestedView(View[Suggested]):
    """Cases to label next."""

    def name(self, thing: Suggested) -> str:
        """Return how they were chosen."""
        return thing.strategy

    def lines(self, thing: Suggested) -> list[Line]:
        """Return how was chosen and from what, then a line a case."""
        return [
            *facts(
                (
                    "chosen by",
                    f"{thing.strategy}, seed {thing.seed}" + (f": {thing.why}" if thing.why else ""),
                ),
                ("chosen from", counted(thing.pool, "case")),
                ("kept away from", f"{counted(thing.labelled, 'labelled case')}" if thing.labelled else ""),
                ("labelled already", len(thing.already)),
                ("fewer than asked for", thing.short),
            ),
            *(Line(f"{one.rank}. {one.case}", told(one)) for one in thing.cases),
        ]

    def after(self, thing: Suggested) -> str:
        """Return the pictures, and what was left out with the reason."""
        shown = [(thumbnail(one.entry), f"{one.rank}. {one.case}: {told(one)}") for one in thing.cases[:MOST]]
        there = sheet([(src, text) for src, text in shown if src])
        few = "".join(f"<div>{escape(a.case)}: {escape(a.reason)}</div>" for a in thing.apart[:APART])
        more = len(thing.apart) - APART
        rest = f"<div>and {more} more</div>" if more > 0 else ""
        return f"{there}<h3>Apart, {counted(len(thing.apart), 'case')}</h3>{few}{rest}" if few else there


def told(one: Suggestion) -> str:
    """Return what is said of a case, in words."""
    parts = [f"{by} {value:.4g}" for by, value in one.unsure.items() if value is not None]
    parts += [] if one.found is None else [f"something found in {100 * one.found:.3g} % of the image"]
    parts += [] if one.plane is None else [f"most of it at plane {one.plane}"]
    return ", ".join(parts) or "nothing is known of it"


VIEW = SuggestedView()
