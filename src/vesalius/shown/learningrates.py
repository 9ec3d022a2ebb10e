"""How a learning-rate range test is shown: its rate with the reason, and the picture of its losses."""

from __future__ import annotations

from vesalius.answers.drawing.lines import Line
from vesalius.answers.drawing.rates import draw_rates
from vesalius.shown.contract import View, facts
from vesalius.verbs.find_lr import LearningRates


class LearningRatesView(View[LearningRates]):
    """A learning-rate range test."""

    def lines(self, thing: LearningRates) -> list[Line]:
        """Return the rate, that of the plan, and the reason."""
        rate = "none" if thing.suggestion is None else f"{thing.suggestion:.2g}"
        return facts(
            ("suggested rate", rate), ("planned", f"{thing.plan.train.lr:.2g}"), ("reason", thing.reason)
        )

    def picture(self, thing: LearningRates) -> bytes:
        """Return the losses against the rates."""
        return draw_rates(thing.rates, thing.losses, thing.averages, suggestion=thing.suggestion, kind="png")

    def html(self, thing: LearningRates) -> str:
        """Return the rate, the reason and the picture."""
        return thing._repr_html_()


VIEW = LearningRatesView()
