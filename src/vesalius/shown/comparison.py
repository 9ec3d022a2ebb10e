"""How a comparison is shown: its verdict and a table in a notebook, its whole page elsewhere."""

from __future__ import annotations

from vesalius.answers.drawing.lines import Line
from vesalius.evaluate import comparison
from vesalius.evaluate.comparison import Comparison
from vesalius.shown.contract import View, facts


class ComparisonView(View[Comparison]):
    """A comparison."""

    def name(self, thing: Comparison) -> str:
        """Return what the two are called."""
        return f"{thing.names[0]} and {thing.names[1]}"

    def lines(self, thing: Comparison) -> list[Line]:
        """Return on what it stands."""
        return facts(("cases", thing.n_cases), ("split", thing.split))

    def html(self, thing: Comparison) -> str:
        """Return the verdict and the figures."""
        return thing._repr_html_()

    def page(self, thing: Comparison) -> str:
        """Return the page that `compare` writes."""
        return comparison.page(thing)


VIEW = ComparisonView()
