"""How a compression is shown: its verdict and a line a trial in a notebook, its whole page elsewhere."""

from __future__ import annotations

from vesalius.answers.drawing.lines import Line
from vesalius.compress.report import Compression
from vesalius.shown.contract import View


class CompressionView(View[Compression]):
    """A compression."""

    def name(self, thing: Compression) -> str:
        """Return what the bundle is called."""
        return thing.name

    def lines(self, thing: Compression) -> list[Line]:
        """Return the verdict, what must be read first, and each trial with why it is allowed or refused."""
        told = [Line("verdict", thing.verdict), *(Line("note", text) for text in thing.notes)]
        return [*told, *(Line(one.name, one.failed or one.verdict.why) for one in thing.found.tried)]

    def page(self, thing: Compression) -> str:
        """Return the page that `compress` writes."""
        return thing.html()


VIEW = CompressionView()
