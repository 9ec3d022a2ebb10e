"""How a self-test is shown: how it went, what was compared, and the machines of the test and of the record."""

from __future__ import annotations

from vesalius.answers.drawing.lines import Line
from vesalius.infer.selftest.checking import SelfTest, said
from vesalius.shown._markup import grid, warned
from vesalius.shown.contract import View, facts

HEAD = ("input", "what", "expected", "found", "difference", "limit")


class SelfTestView(View[SelfTest]):
    """A self-test."""

    def name(self, thing: SelfTest) -> str:
        """Return the bundle's name."""
        return thing.bundle

    def before(self, thing: SelfTest) -> str:
        """Return how it went, where that must be read first."""
        return "" if thing.passed else warned(thing.outcome, thing.why)

    def lines(self, thing: SelfTest) -> list[Line]:
        """Return how it went, how long it took, and where."""
        return facts(
            ("outcome", thing.outcome),
            ("why", thing.why),
            ("seconds", f"{thing.seconds:.2f}" if thing.rows else ""),
            ("arithmetic", thing.arithmetic),
            ("here", thing.here),
            ("recorded on", thing.there),
            ("hash", thing.hash[:16]),
        )

    def after(self, thing: SelfTest) -> str:
        """Return what was compared, the largest difference first."""
        rows = sorted(thing.rows, key=lambda row: -row.difference)
        cells = [
            (str(r.input), r.what, *(said(x) for x in (r.expected, r.found, r.difference, r.limit)))
            for r in rows
        ]
        return grid(HEAD, cells, len(cells)) if cells else ""


VIEW = SelfTestView()
