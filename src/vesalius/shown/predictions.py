"""How predictions are shown: a row a case, and pictures of the first that can be drawn."""

from __future__ import annotations

from functools import partial

from vesalius.answers.drawing.lines import Line
from vesalius.run.predictions import Predictions
from vesalius.shown._looks import address, within_patience
from vesalius.shown._markup import MOST, grid, sheet, warned
from vesalius.shown.answer import VIEW as ANSWER
from vesalius.shown.contract import View, facts

PICTURES = 6
ASIDE = 5  # of those that were not answered, how many are named


class PredictionsView(View[Predictions]):
    """Predictions."""

    def before(self, thing: Predictions) -> str:
        """Return what was not answered."""
        shown = [warned("not answered", f"{s.case}: {s.reason}") for s in thing.set_aside[:ASIDE]]
        more = len(thing.set_aside) - ASIDE
        return "".join(shown) + (warned("not answered", f"{more} more: set_aside") if more > 0 else "")

    def lines(self, thing: Predictions) -> list[Line]:
        """Return how many answers there are, and where they lie."""
        return facts(("answers", len(thing.answered)), ("in", thing.out))

    def after(self, thing: Predictions) -> str:
        """Return the table of the answers, and pictures."""
        frame = thing.to_polars()
        rows = [[_text(value) for value in row] for row in frame.head(MOST).iter_rows()]
        pictures = within_patience(partial(_picture, thing, case) for case in list(thing.answers)[:PICTURES])
        return sheet(pictures) + (grid(frame.columns, rows, frame.height) if frame.width else "")


def _picture(predictions: Predictions, case: str) -> tuple[str, str] | None:
    png = ANSWER.picture(predictions.answers[case])
    return None if png is None else (address(png), case)


def _text(value: object) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


VIEW = PredictionsView()
