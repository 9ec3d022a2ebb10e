"""How answers out of fold are shown: what must be read first, then every figure with its interval."""

from __future__ import annotations

from vesalius.answers.drawing.lines import Line
from vesalius.run.out_of_fold import OutOfFold
from vesalius.shown.contract import View
from vesalius.shown.scorecard import VIEW as CARD


class OutOfFoldView(View[OutOfFold]):
    """Answers out of fold."""

    def name(self, thing: OutOfFold) -> str:
        """Return the target and the split."""
        return CARD.name(thing.scorecard)

    def before(self, thing: OutOfFold) -> str:
        """Return what must be read before the figures."""
        return CARD.before(thing.scorecard)

    def lines(self, thing: OutOfFold) -> list[Line]:
        """Return on what the figures stand."""
        return CARD.lines(thing.scorecard)

    def after(self, thing: OutOfFold) -> str:
        """Return the figures."""
        return CARD.after(thing.scorecard)


VIEW = OutOfFoldView()
