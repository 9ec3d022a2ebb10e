"""How the cards of models are shown: the recommendation and the table, and as a page all of the first one's card."""

from __future__ import annotations

from vesalius.answers.drawing.lines import Line
from vesalius.shown.contract import View, facts
from vesalius.verbs.card import Cards


class CardsView(View[Cards]):
    """The cards of some models."""

    def name(self, thing: Cards) -> str:
        """Return what the models are called."""
        return ", ".join(thing.cards)

    def lines(self, thing: Cards) -> list[Line]:
        """Return the recommendation, and a line a model."""
        table = thing.decision.table()
        rows = [
            (
                row[0].text,
                "; ".join(
                    f"{h} {c.text}" for h, c in zip(table.heads[1:], row[1:], strict=True) if c.text != "–"
                ),
            )
            for row in table.rows
        ]
        return facts(("recommendation", thing.decision.advice), *rows, ("folder", thing.out))

    def page(self, thing: Cards) -> str:
        """Return the card of one model, or of several the table that one chooses by."""
        if len(thing.cards) == 1:
            return next(iter(thing.cards.values())).html()
        return thing.decision.html()


VIEW = CardsView()
